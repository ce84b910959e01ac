"""Tables of options: what they accept, refuse and explain."""

import pytest

from wasmote.cli.options import Command, Option, UsageError, number, one_of, shortened

OPTIONS = (
    Option("-f, --function NAME", "call a function"),
    Option("--env NAME=VALUE", "set a variable", repeated=True),
    Option("--size BYTES", "a size", convert=number(1, 1 << 30), default=7),
    Option("--engine NAME", "an engine", convert=one_of("auto", "fast"), default="auto"),
    Option("--json", "print JSON"),
    Option("--profile[=FILE]", "take a profile"),
    Option("--threads N", refusal="there are none"),
)
PROGRAM = Command("prog", "[OPTIONS] FILE [ARGS…]", "Does things.", OPTIONS, program=True)
PLAIN = Command("prog", "[OPTIONS] FILE", "Does things.", OPTIONS)


def test_a_value_may_be_optional() -> None:
    assert PROGRAM.parse(["x"]).profile is None
    assert PROGRAM.parse(["--profile", "x"]).profile == ""
    found = PROGRAM.parse(["--profile=out.svg", "x"])
    assert (found.profile, found.words) == ("out.svg", ["x"])
    assert "  --profile[=FILE]        take a profile" in PROGRAM.help()
    with pytest.raises(UsageError, match="--profile needs a value"):
        PROGRAM.parse(["--profile=", "x"])


def test_defaults() -> None:
    found = PROGRAM.parse(["file"])
    assert (found.function, found.env, found.size, found.engine, found.json, found.help) == (
        None,
        [],
        7,
        "auto",
        False,
        False,
    )
    assert found.words == ["file"]


@pytest.mark.parametrize(
    "words",
    [["-f", "add"], ["-f=add"], ["--function", "add"], ["--function=add"]],
)
def test_values_follow_a_flag_in_either_form(words: list[str]) -> None:
    assert PROGRAM.parse([*words, "file"]).function == "add"


def test_values_may_contain_equals_signs_and_repeat() -> None:
    assert PROGRAM.parse(["--env=A=b=c", "--env", "D="]).env == ["A=b=c", "D="]


def test_options_of_a_program_are_its_own() -> None:
    found = PROGRAM.parse(["--json", "file", "--json", "-f", "--", "--unknown"])
    assert found.json
    assert found.words == ["file", "--json", "-f", "--", "--unknown"]
    assert found.function is None


def test_options_may_follow_words_if_there_is_no_program() -> None:
    found = PLAIN.parse(["a", "--json", "b", "--", "--size"])
    assert found.json
    assert found.words == ["a", "b", "--size"]


def test_two_dashes_end_the_options() -> None:
    assert PROGRAM.parse(["--", "--json", "x"]).words == ["--json", "x"]


@pytest.mark.parametrize(("word", "value"), [("8", 8), ("64K", 65536), ("1m", 1 << 20)])
def test_sizes(word: str, value: int) -> None:
    assert PROGRAM.parse([f"--size={word}"]).size == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jsn"], "unknown option --jsn; did you mean --json?"),
        (["--zzzzzz"], "unknown option --zzzzzz; --help lists the options"),
        (["--json=yes"], "--json takes no value"),
        (["-f"], "-f needs a value: -f=NAME"),
        (["--function="], "--function needs a value: --function=NAME"),
        (["--size", "many"], "--size: expected a number from 1 to 1073741824, not many"),
        (["--size=0"], "--size: 0 is not in 1 to 1073741824"),
        (["--size=2G"], "--size: 2G is not in 1 to 1073741824"),
        (["--size=-1"], "--size: expected a number from 1 to 1073741824, not -1"),
        (["--size=²"], "--size: expected a number from 1 to 1073741824, not ²"),
        (["--size=" + "9" * 5000], "--size: expected a number"),
        (["--engine=jit"], "--engine: expected auto or fast, not jit"),
        (["--threads=4"], "--threads is not available: there are none"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        PROGRAM.parse(words)
    assert str(error.value).startswith(message)


def test_help_lists_what_is_available() -> None:
    text = PROGRAM.help()
    assert "usage: prog [OPTIONS] FILE [ARGS…]" in text
    assert "-f, --function NAME" in text
    assert "-h, --help" in text
    assert "--threads" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_long_lists_are_shortened() -> None:
    assert shortened("abc", 3) == "a, b, c"
    assert shortened("abcde", 3) == "a, b, c and 2 more"

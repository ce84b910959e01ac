"""Options of the command line: declared in tables, parsed here, explained by `--help`.

A table is all that a command has to say about its options, so what is accepted and what is
explained cannot differ. `argparse` would do, too, but its import takes longer than a small program.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

_WIDTH = 100
_HELP_COLUMN = 26


class UsageError(Exception):
    """The command line makes no sense; the message says what would."""


class Option:
    """One option: `Option("-f, --function NAME", "call the function NAME")`.

    With a word in capitals it takes a value, as `--function NAME` or `--function=NAME`; without, it
    is a switch. `--profile[=FILE]` may have a value, which is empty if there is none. `convert`
    makes the value of the word, raising ValueError with a message. A `repeated` option collects its
    values in a list. `name` is the attribute of the parsed options, by default the last flag's.
    `refusal` is for an option that others have and this runtime has not: it is recognised, but an
    error that says why.
    """

    __slots__ = (
        "convert",
        "default",
        "flags",
        "name",
        "optional",
        "refusal",
        "repeated",
        "text",
        "value",
    )

    def __init__(
        self,
        flags: str,
        text: str = "",
        *,
        convert: "Callable[[str], Any]" = str,
        default: object = None,
        repeated: bool = False,
        name: str = "",
        refusal: str = "",
    ) -> None:
        *first, last = flags.split(", ")
        self.optional = "[=" in last
        last, _, self.value = last.partition("[=" if self.optional else " ")
        self.value = self.value.rstrip("]")
        self.flags = (*first, last)
        self.name = name or last.strip("-").replace("-", "_")
        self.text = text
        self.convert = convert
        self.default = default if self.value or repeated else False
        self.repeated = repeated
        self.refusal = refusal

    def read(self, flag: str, word: str) -> "Any":
        """The value that `word` stands for."""
        try:
            return self.convert(word)
        except ValueError as error:
            raise UsageError(f"{flag}: {error}") from None

    def __str__(self) -> str:
        value = f"[={self.value}]" if self.optional else f" {self.value}"
        return ", ".join(self.flags) + (value if self.value else "")


HELP = Option("-h, --help", "show this text")


class Command:
    """A command's options and what its `--help` says.

    `usage` follows the name. With `program` set, the first word that is no option ends the options:
    the rest belongs to the program that is run.
    """

    def __init__(
        self,
        name: str,
        usage: str,
        summary: str,
        options: Iterable[Option],
        notes: str = "",
        *,
        program: bool = False,
    ) -> None:
        self.name = name
        self.usage = f"usage: {name} {usage}"
        self.summary = summary
        self.options = (*options, HELP)
        self.notes = notes
        self.program = program
        self._by_flag = {flag: option for option in self.options for flag in option.flags}

    def parse(self, words: Sequence[str]) -> SimpleNamespace:
        """The options' values as attributes; what is no option as `words`. Raises UsageError."""
        found = SimpleNamespace(words=[])
        for option in self.options:
            setattr(found, option.name, [] if option.repeated else option.default)
        rest = iter(words)
        for word in rest:
            if word == "--" or not word.startswith("-") or word == "-":
                if word != "--":
                    found.words.append(word)
                if word == "--" or self.program:
                    found.words += rest
            else:
                self._parse_option(found, word, rest)
        return found

    def _parse_option(self, found: SimpleNamespace, word: str, rest: Iterator[str]) -> None:
        flag, equals, text = word.partition("=")
        option = self._by_flag.get(flag)
        if option is None:
            raise UsageError(f"unknown option {flag}{closest(flag, self._known())}")
        if option.refusal:
            raise UsageError(f"{flag} is not available: {option.refusal}")
        if not option.value:
            if equals:
                raise UsageError(f"{flag} takes no value")
            setattr(found, option.name, True)
            return
        if not equals and not option.optional:
            text = next(rest, "")
        if not text and (equals or not option.optional):
            raise UsageError(f"{flag} needs a value: {flag}={option.value}")
        value = option.read(flag, text)
        if option.repeated:
            getattr(found, option.name).append(value)
        else:
            setattr(found, option.name, value)

    def _known(self) -> list[str]:
        return [flag for flag, option in self._by_flag.items() if not option.refusal]

    def help(self) -> str:
        """What `--help` prints."""
        from textwrap import wrap

        lines = [self.usage, "", *wrap(self.summary, _WIDTH), "", "options:"]
        for option in self.options:
            if option.refusal:
                continue
            title = f"  {option}"
            first, *more = wrap(option.text, _WIDTH - _HELP_COLUMN)
            if len(title) >= _HELP_COLUMN:
                lines.append(title)
                title = ""
            lines.append(f"{title:{_HELP_COLUMN}}{first}")
            lines += [f"{'':{_HELP_COLUMN}}{line}" for line in more]
        return "\n".join([*lines, "", self.notes.strip()]).rstrip()


def closest(word: str, known: Iterable[str], otherwise: str = "; --help lists the options") -> str:
    """`; did you mean …?` with the name most like `word`, else `otherwise`."""
    from difflib import get_close_matches

    found = get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else otherwise


def shortened(names: Iterable[str], limit: int = 10) -> str:
    """Names for a message: the first ones, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def one_of(*names: str) -> Callable[[str], str]:
    """A conversion that accepts only these words."""

    def convert(word: str) -> str:
        if word not in names:
            raise ValueError(f"expected {' or '.join(names)}, not {word}")
        return word

    return convert


def number(minimum: int, maximum: int) -> Callable[[str], int]:
    """A conversion to a whole number in a range; a K, M or G at the end is a power of 1024."""

    def convert(word: str) -> int:
        digits, scale = word, 1
        if word[-1:].upper() in _SCALES:
            digits, scale = word[:-1], _SCALES[word[-1:].upper()]
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 20:
            raise ValueError(f"expected a number from {minimum} to {maximum}, not {word}")
        if not minimum <= int(digits) * scale <= maximum:
            raise ValueError(f"{word} is not in {minimum} to {maximum}")
        return int(digits) * scale

    return convert


_SCALES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

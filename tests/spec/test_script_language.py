"""The language of test scripts: what is read from the text."""

import math
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmote.script import ScriptError, parse_script
from wasmote.script.commands import (
    AssertAbrupt,
    AssertRefused,
    AssertReturn,
    Get,
    Instantiate,
    Invoke,
    LoadModule,
    Perform,
    Register,
    Thread,
    Wait,
)
from wasmote.script.legacy_try import unfold_tries
from wasmote.script.literals import FLOATS, float_bits, float_text, integer_bits
from wasmote.script.sexpr import Expr, Lines, MalformedError, Node, parse
from wasmote.script.values import HostRef, parse_constant, parse_pattern, show

F32, F64 = FLOATS["f32"], FLOATS["f64"]


def plain(node: Node) -> object:
    """An expression as nested Python lists."""
    return [plain(item) for item in node.items] if isinstance(node, Expr) else node


def read(text: str) -> object:
    (expr,) = parse(text)
    return plain(expr)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("()", []),
        ("(a $b -1.5e3 ())", ["a", "$b", "-1.5e3", []]),
        ("(a(b)c)", ["a", ["b"], "c"]),
        ("( ;; ) (\n a ;;\r b)", ["a", "b"]),
        ("(a (; b (; c ;) ) ;) d (;;))", ["a", "d"]),
        ('(a (;";) b)', ["a", "b"]),
        ('(a (@x ")" (y) (@z) (;);) , ; ] { $q) b)', ["a", "b"]),
        ('(a (@"b c" d) e)', ["a", "e"]),
        ('("" "a;;b" "(;")', [b"", b"a;;b", b"(;"]),
        (r'("\00\ff\t\n\r\"\'\\")', [b"\0\xff\t\n\r\"'\\"]),
        (r'("\u{e4}\u{1F_600}" "ä")', ["ä😀".encode(), "ä".encode()]),
        (r'($"\41b" $"ä c")', ["$Ab", "$ä c"]),
    ],
)
def test_lists_atoms_and_strings(text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("(a\n(b)", 1, "never closed"),
        ("(a)\n\n)", 3, r"unexpected \)"),
        ("(a)\nb", 2, r"expected \("),
        ("\n(; (; ;)", 2, "block comment is never closed"),
        ("(a\n(@b ()", 2, "annotation is never closed"),
        ('(a\n"b)', 2, "unexpected character"),
        ('("a\nb")', 1, "unexpected character"),
        (r'("\x")', 1, "malformed string"),
        (r'("\u{110000}")', 1, "malformed string"),
        (r'("\u{d800}")', 1, "malformed string"),
        (r'($"\ff")', 1, "malformed string"),
        ("(a\n\x01)", 2, "unexpected character"),
    ],
)
def test_malformed_text_names_the_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ScriptError, match=message) as caught:
        parse(text)
    assert caught.value.line == line


def test_nesting_has_no_limit() -> None:
    depth = 100_000
    (expr,) = parse("(" * depth + ")" * depth)
    assert (expr.start, expr.end) == (0, 2 * depth)


def test_lines() -> None:
    lines = Lines("a\nb\n\nc")
    assert [lines[offset] for offset in range(6)] == [1, 1, 2, 2, 3, 4]


# Literals


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("0", 0),
        ("+7", 7),
        ("-1", 0xFFFF_FFFF),
        ("4294967295", 0xFFFF_FFFF),
        ("-2147483648", 0x8000_0000),
        ("0xabc_DEF0", 0xABC_DEF0),
        ("-0x1", 0xFFFF_FFFF),
        ("1_000", 1000),
    ],
)
def test_integers(text: str, bits: int) -> None:
    assert integer_bits(text, 32) == bits


@pytest.mark.parametrize("text", ["", "x", "1.0", "4294967296", "-2147483649", "1__0", "_1", "0x"])
def test_malformed_integers(text: str) -> None:
    with pytest.raises(MalformedError):
        integer_bits(text, 32)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("0", 0),
        ("-0.0", 0x8000_0000),
        ("1", 0x3F80_0000),
        ("-1.5", 0xBFC0_0000),
        ("0x1.8p1", 0x4040_0000),
        ("0x1p-149", 1),
        ("0x1p-150", 0),  # a tie, to even
        ("0x1.000001p-150", 1),
        ("1e-60", 0),
        ("0x1.fffffep127", 0x7F7F_FFFF),
        ("340282356779733661637539395458142568447", 0x7F7F_FFFF),
        ("inf", 0x7F80_0000),
        ("-inf", 0xFF80_0000),
        ("nan", 0x7FC0_0000),
        ("-nan:0x20_0000", 0xFFA0_0000),
        # Just above a tie between two floats: by way of a double it would become that tie.
        ("0x1.00000100000000001p0", 0x3F80_0001),
        ("0x1.000001p0", 0x3F80_0000),
        ("1_0.2_5e0", 0x4124_0000),
    ],
)
def test_f32(text: str, bits: int) -> None:
    assert float_bits(text, F32) == bits


@pytest.mark.parametrize(
    "text",
    ["", "+", "e1", "1e", ".5", "0x", "0x1e+1", "nan:0x0", "nan:0x800000", "1e39", "0x1p128",
     "340282356779733661637539395458142568448", "1e99999999", "++1", "nan:0xg", "infinity",
     "1" * 5000],
)  # fmt: skip
def test_malformed_f32(text: str) -> None:
    with pytest.raises(MalformedError):
        float_bits(text, F32)


@given(st.integers(0, 2**64 - 1))
def test_f64_text_reads_back(bits: int) -> None:
    assert float_bits(float_text(bits, F64), F64) == bits
    number = struct.unpack("<d", struct.pack("<Q", bits))[0]
    if math.isfinite(number):
        assert float_bits(repr(number), F64) == bits
        assert float_bits(number.hex(), F64) == bits


@given(st.integers(0, 2**32 - 1))
def test_f32_text_reads_back(bits: int) -> None:
    assert float_bits(float_text(bits, F32), F32) == bits


@given(st.floats(width=64, allow_nan=False, min_value=-3.4e38, max_value=3.4e38))
def test_f32_rounds_like_the_processor(number: float) -> None:
    assert float_bits(number.hex(), F32) == struct.unpack("<I", struct.pack("<f", number))[0]


# Values and patterns


@pytest.mark.parametrize(
    ("text", "type", "value"),
    [
        ("(i32.const -1)", "i32", 0xFFFF_FFFF),
        ("(f32.const nan:0x200000)", "f32", 0x7FA0_0000),
        ("(v128.const i8x16 1 2 0 0 0 0 0 0 0 0 0 0 0 0 0 -1)", "v128", 0xFF << 120 | 0x0201),
        ("(v128.const f64x2 1 -0)", "v128", 0x8000000000000000_3FF0000000000000),
        ("(ref.null func)", "funcref", None),
        ("(ref.extern 3)", "externref", HostRef(3)),
        ("(ref.host 3)", "hostref", HostRef(3)),
    ],
)
def test_arguments(text: str, type: str, value: object) -> None:
    (expr,) = parse(text)
    constant = parse_constant(expr)
    assert (constant.type, constant.value) == (type, value)


@pytest.mark.parametrize(
    "text",
    ["(ref.func)", "(f32.const nan:canonical)", "(v128.const f32x4 0 0 0 nan:arithmetic)",
     "(i32.const)", "(i32.const 1 2)", "(i8.const 1)", '(i32.const "1")', "(v128.const i8x16 1)",
     "(v128.const 1)", "(i32.add)", "(either (i32.const 1))"],
)  # fmt: skip
def test_what_is_no_argument(text: str) -> None:
    (expr,) = parse(text)
    with pytest.raises(MalformedError):
        parse_constant(expr)


CANONICAL, QUIET, SIGNALLING = 0x7FC0_0000, 0x7FC0_0001, 0x7FA0_0000


class Struct:
    """A reference to the collector's heap, as results have it."""

    heap_type = "struct"


@pytest.mark.parametrize(
    ("pattern", "type", "good", "bad"),
    [
        ("(i32.const -1)", "i32", [0xFFFF_FFFF], [1, -1, None]),
        ("(f32.const nan:canonical)", "f32", [CANONICAL, CANONICAL | 1 << 31],
         [QUIET, SIGNALLING, 0x7F80_0000, 0]),
        ("(f32.const nan:arithmetic)", "f32", [CANONICAL, QUIET, QUIET | 1 << 31],
         [SIGNALLING, 0x7F80_0000, 0]),
        ("(f32.const nan:0x200000)", "f32", [SIGNALLING], [CANONICAL]),
        ("(f64.const nan:canonical)", "f64", [0x7FF8 << 48], [0x7FF8 << 48 | 1]),
        ("(v128.const f32x4 nan:canonical 1 nan:arithmetic 0)", "v128",
         [CANONICAL | 0x3F80_0000 << 32 | QUIET << 64],
         [QUIET | 0x3F80_0000 << 32 | QUIET << 64, CANONICAL | QUIET << 64]),
        ("(either (i32.const 1) (i32.const 2))", "i32", [1, 2], [3]),
        ("(ref.null)", "funcref", [None], [0, HostRef(0)]),
        ("(ref.null extern)", "externref", [None], [HostRef(0)]),
        ("(ref.extern 3)", "externref", [HostRef(3)], [None, HostRef(4), 3]),
        ("(ref.extern)", "externref", [HostRef(3)], [None]),
        ("(ref.struct)", "anyref", [Struct()], [None, HostRef(1)]),
        ("(ref.eq)", "eqref", [Struct()], [None, HostRef(1)]),
        ("(ref.any)", "anyref", [Struct(), HostRef(1)], [None]),
        ("(ref.func)", "funcref", [], [None, HostRef(1), Struct()]),
    ],
)  # fmt: skip
def test_patterns(pattern: str, type: str, good: list[object], bad: list[object]) -> None:
    (expr,) = parse(pattern)
    parsed = parse_pattern(expr)
    assert all(parsed.matches(type, value) for value in good)
    assert not any(parsed.matches(type, value) for value in bad)
    assert str(parsed)


def test_a_number_of_another_type_does_not_match() -> None:
    (expr,) = parse("(i32.const 1)")
    assert not parse_pattern(expr).matches("i64", 1)


@pytest.mark.parametrize(
    ("type", "value", "text"),
    [
        ("i32", 0xFFFF_FFFF, "i32 -1"),
        ("i64", 5, "i64 5"),
        ("f32", 0x7FA0_0000, "f32 nan:0x200000"),
        ("f64", 0xBFF8 << 48, "f64 -1.5"),
        ("f64", 0xFFF0 << 48, "f64 -inf"),
        ("funcref", None, "ref.null"),
        ("v128", 1 << 64, "v128 i32x4 0x00000000 0x00000000 0x00000001 0x00000000"),
    ],
)
def test_show(type: str, value: object, text: str) -> None:
    assert show(type, value) == text


# Commands


def test_modules() -> None:
    commands = parse_script(
        """(module)
        (module $a
          (func))
        (module binary "\\00asm" "\\01\\00\\00\\00")
        (module $b quote "(func" ")")
        (module definition $c (memory 1))
        (module definition binary "x")
        (module instance $i $c)
        (module instance)
        """
    )
    loads = [command for command in commands if isinstance(command, LoadModule)]
    seen = [(load.line, load.source.name, load.source.form, load.instantiate) for load in loads]
    assert seen == [
        (1, None, "text", True),
        (2, "$a", "text", True),
        (4, None, "binary", True),
        (5, "$b", "quote", True),
        (6, "$c", "text", False),
        (7, None, "binary", False),
    ]
    assert loads[2].source.binary() == b"\0asm\1\0\0\0"
    assert loads[3].source.content == b"(func)"
    assert loads[4].source.content == "(module  $c (memory 1))"
    assert commands[6:] == [
        Instantiate("module", 8, "$i", "$c"),
        Instantiate("module", 9, None, None),
    ]


def test_a_file_may_be_one_module() -> None:
    (command,) = parse_script("\n(func) (memory 0)")
    assert isinstance(command, LoadModule)
    assert (command.line, command.source.content) == (2, "(func) (memory 0)")


def test_actions_and_assertions() -> None:
    register, invoke, get, returns, traps, starts, exhausts, throws, invalid = parse_script(
        """
        (register "m" $a)
        (invoke $a "f\\u{41}" (i32.const 1))
        (get "g")
        (assert_return (invoke "f") (i32.const 1) (ref.null))
        (assert_trap (invoke "f") "boom")
        (assert_trap (module (start 0)) "boom")
        (assert_exhaustion (invoke "f") "call stack exhausted")
        (assert_exception (get "f"))
        (assert_invalid (module quote "x") "type mismatch")
        """
    )
    assert register == Register("register", 2, "m", "$a")
    assert isinstance(invoke, Perform)
    assert isinstance(invoke.action, Invoke)
    assert (invoke.action.instance, invoke.action.export) == ("$a", "fA")
    assert invoke.action.arguments[0].value == 1
    assert get == Perform("get", 4, Get(None, "g"))
    assert isinstance(returns, AssertReturn)
    assert [str(pattern) for pattern in returns.results] == ["i32 1", "ref.null"]
    assert traps == AssertAbrupt("assert_trap", 6, Invoke(None, "f", ()), "boom")
    assert isinstance(starts, AssertAbrupt)
    assert isinstance(exhausts, AssertAbrupt)
    assert exhausts.keyword == "assert_exhaustion"
    assert throws == AssertAbrupt("assert_exception", 9, Get(None, "f"), "")
    assert isinstance(invalid, AssertRefused)
    assert (invalid.keyword, invalid.message) == ("assert_invalid", "type mismatch")


def test_threads() -> None:
    thread, wait = parse_script(
        '(thread $T (shared (module $M)) (register "m" $M)\n(invoke "f"))\n(wait $T)'
    )
    assert isinstance(thread, Thread)
    assert (thread.name, thread.shared) == ("$T", ("$M",))
    assert [(each.keyword, each.line) for each in thread.commands] == [
        ("register", 1),
        ("invoke", 2),
    ]
    assert wait == Wait("wait", 3, "$T")


@pytest.mark.parametrize(
    "text",
    ["(modul)", "()", '("a")', "(register a)", "(register)", '(register "a" b)', "(invoke f)",
     '(invoke "f" 1)', '(get "g" (i32.const 1))', "(assert_return)", '(assert_return (module) "")',
     '(assert_return (invoke "f") 1)', "(assert_invalid (module))", '(assert_invalid (func) "")',
     '(module binary "a" b)', "(module instance $a $b $c)", "(module instance a)", "(wait T)",
     "(thread)", "(thread $T (shared))", '(assert_trap (invoke "f") boom)', r'(register "\ff")'],
)  # fmt: skip
def test_malformed_commands_name_the_line(text: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(f"(module)\n{text}")
    assert caught.value.line == 2


def test_commands_nested_too_deeply() -> None:
    nested = "(either " * 100_000 + ")" * 100_000
    with pytest.raises(ScriptError, match="nested too deeply"):
        parse_script(f'(assert_return (get "g") {nested})')


# -- legacy exception handling ---------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [
    ("(module (func (try (do nop) (catch $e drop))))",
     "(module (func try nop catch $e drop end))"),
    ("(func (try $l (result i32) (do (i32.const 1)) (catch_all (rethrow $l))))",
     "(func try $l (result i32) (i32.const 1) catch_all (rethrow $l) end)"),
    ("(func (try (do (try (do (throw $e)) (delegate 0))) (catch 1) (catch_all)))",
     "(func try try (throw $e) delegate 0 catch 1 catch_all end)"),
    ("(func (if (local.get 0) (then (try (do)))))", "(func (if (local.get 0) (then try end)))"),
    ("(func (drop (try (result i32) (do (i32.const 1)))))", None),  # an operand
    ("(func try nop catch 0 end (try_table (catch 0 0)))", None),
])  # fmt: skip
def test_folded_tries_are_unfolded(text: str, expected: str | None) -> None:
    script = f"(start) {text} (end)"
    assert tokens(unfold_tries(parse(script)[1], script)) == tokens(expected or text)


def tokens(text: str) -> list[str]:
    return re.findall(r"[()]|[^\s()]+", text)


def test_unfolding_keeps_lines() -> None:
    text = '(module\n (func (try\n (do\n nop)\n ;; "(try (do))"\n (catch_all\n))))'
    found = unfold_tries(parse(text)[0], text)
    assert found.count("\n") == text.count("\n")
    assert found.splitlines()[3].strip() == "nop"
    assert '"(try (do))"' in found

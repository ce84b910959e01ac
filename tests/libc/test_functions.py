"""Strings, memory, numbers and characters: what C says, and what wild pointers do."""

import ctypes
import random
from itertools import product

import pytest

import wasmote
from wasmote.libc import table
from wasmote.wat import wat2wasm

from .support import PAGE, Program, module

LIBC = ctypes.CDLL(None)
A, B = 4096, 8192


@pytest.fixture(scope="module")
def program() -> Program:
    return Program()


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


@pytest.mark.parametrize("name", [name for name in table.NATIVE if name.startswith("is")])
def test_kinds_of_characters(program: Program, name: str) -> None:
    function = getattr(LIBC, name)
    for c in range(-1, 256):
        assert bool(getattr(program, name)(c)) == bool(function(c)), c
    assert getattr(program, name)(0x141) == 0


def test_cases_of_characters(program: Program) -> None:
    for c in range(-1, 300):
        assert program.tolower(c) == (c + 32 if 65 <= c <= 90 else c)
        assert program.toupper(c) == (c - 32 if 97 <= c <= 122 else c)


@pytest.mark.parametrize("base", [0, 2, 8, 10, 16, 36, 1, 37])
def test_numbers(program: Program, base: int) -> None:
    words = ["", "0", "12", "0x1F", "0x", "0xg", "077", "089", "zZ9", "99999999999", "4294967295"]
    words += ["2147483647", "2147483648", "7fffffff", "ffffffffffffffffffffffff"]
    for start, word, end in product(
        ("", " \t\n", "+", "-", " -", "+-", "- "), words, ("", "?", " 1")
    ):
        text = f"{start}{word}{end}".encode()
        stop = ctypes.c_char_p()
        raw = ctypes.create_string_buffer(text)
        LIBC.strtoll.restype = ctypes.c_longlong
        place = ctypes.addressof(raw)
        wanted = LIBC.strtoll(ctypes.c_void_p(place), ctypes.byref(stop), base)
        if base not in (1, 37):
            length = (ctypes.cast(stop, ctypes.c_void_p).value or 0) - place
        else:
            wanted = length = 0
        program.place(text, A)
        assert program.strtol(A, B, base) == max(-(2**31), min(wanted, 2**31 - 1)), text
        assert int.from_bytes(program.memory.read(B, 4), "little") == A + length, text
        clamped = wanted if -(2**32) < wanted < 2**32 else 2**32 - 1
        assert program.strtoul(A, 0, base) & 0xFFFF_FFFF == clamped & 0xFFFF_FFFF, text
        if base == 10:
            assert program.atoi(A) == max(-(2**31), min(wanted, 2**31 - 1))


def test_strings_beside_python(program: Program) -> None:
    chance = random.Random(7)
    for _ in range(400):
        a, b = (bytes(chance.choices(b"abAB\xff", k=chance.randrange(24))) for _ in "ab")
        n = chance.randrange(26)
        program.place(a, A), program.place(b, B)
        assert program.strlen(A) == len(a)
        assert program.strchr(A, b"b"[0]) == (A + a.index(b"b") if b"b" in a else 0)
        assert program.strchr(A, 0x100) == A + len(a)
        assert sign(program.strcmp(A, B)) == sign((a > b) - (a < b))
        assert sign(program.strncmp(A, B, n)) == sign((a[:n] > b[:n]) - (a[:n] < b[:n]))
        x, y = a[:n].lower(), b[:n].lower()
        assert sign(program.strncasecmp(A, B, n)) == sign((x > y) - (x < y))
        assert program.strstr(A, B) == (A + a.index(b) if b in a else 0)
        assert program.strspn(A, B) == len(a) - len(a.lstrip(b)) if b else 1
        assert program.strcspn(A, B) == next((i for i, c in enumerate(a) if c in b), len(a))
        assert program.memchr(A, 98, len(a)) == (A + a.index(b"b") if b"b" in a else 0)
        m = min(len(a), len(b))
        assert sign(program.memcmp(A, B, m)) == sign((a[:m] > b[:m]) - (a[:m] < b[:m]))


def test_copies(program: Program) -> None:
    program.place(b"0123456789", A)
    assert program.strcpy(B, A) == B
    assert program.memory.read(B, 11) == b"0123456789\0"
    program.memory.write(B, b"." * 16)
    assert program.strncpy(B, A + 7, 6) == B
    assert program.memory.read(B, 8) == b"789\0\0\0.."
    assert program.strncpy(B, A, 2) == B
    assert program.memory.read(B, 3) == b"019"
    for name in ("memcpy", "memmove", "emscripten_memcpy_big"):
        program.place(b"0123456789", A)
        assert getattr(program, name)(A + 2, A, 6) == A + 2
        assert program.memory.read(A, 10) == b"0101234589"
    assert program.memset(A, 0x141, 3) == A
    assert program.memory.read(A, 4) == b"AAA1"


WILD = [
    ("strlen", PAGE - 4),
    ("strlen", PAGE),
    ("strlen", -1),
    ("strchr", PAGE - 4, 1),
    ("strcmp", PAGE - 4, PAGE - 4),
    ("strcmp", -1, 0),
    ("strncmp", PAGE - 4, PAGE - 4, 5),
    ("strncasecmp", PAGE - 4, PAGE - 4, 5),
    ("strcpy", PAGE - 2, A),
    ("strcpy", A, PAGE - 4),
    ("strncpy", PAGE - 2, A, 3),
    ("strncpy", A, PAGE - 4, 5),
    ("strspn", A, PAGE - 4),
    ("strcspn", PAGE - 4, A),
    ("strstr", A, PAGE - 4),
    ("memchr", PAGE - 4, 1, 5),
    ("memchr", -1, 1, 1),
    ("memcmp", PAGE - 4, A, 5),
    ("memcmp", A, PAGE - 4, 5),
    ("memcpy", PAGE - 4, A, 5),
    ("memmove", A, PAGE - 4, 5),
    ("memset", PAGE - 4, 0, 5),
    ("memset", 0, 0, -1),
    ("atoi", PAGE - 1),
    ("atoi", PAGE),
    ("strtol", PAGE - 1, 0, 10),
    ("strtol", A, PAGE - 3, 10),
    ("strtoul", A, -1, 10),
    ("puts", PAGE - 4),
    ("strdup", PAGE - 4),
    ("posix_memalign", PAGE - 3, 16, 8),
    ("clock_gettime", 0, -1),
]


@pytest.mark.parametrize("call", WILD, ids=str)
def test_wild_pointers_trap(program: Program, call: tuple[str, *tuple[int, ...]]) -> None:
    program.place(b"abc", A)
    program.memory.write(PAGE - 4, b"1111")
    before = bytes(program.memory)
    with pytest.raises(wasmote.Trap) as caught:
        getattr(program, call[0])(*call[1:])
    assert caught.value.kind is wasmote.TrapKind.MEMORY_OUT_OF_BOUNDS
    assert bytes(program.memory) == before


def test_random_arguments_never_leave_memory() -> None:
    """All functions but those that end the program, with any numbers: results or traps."""
    chance = random.Random(99)
    program = Program(heap_size=16384)
    places = (0, 1, 8, A, B, PAGE - 9, PAGE - 1, PAGE, PAGE + 16384, 2**31, 2**32 - 1)
    # Those that write much, and those that may wait for ever.
    left_out = ("memset", "memcpy", "memmove", "pthread_mutex_lock")
    names = [n for n in table.NATIVE if n not in left_out and not n.endswith("wait")]
    kinds = wasmote.TrapKind
    expected = (kinds.MEMORY_OUT_OF_BOUNDS, kinds.UNALIGNED_ATOMIC, kinds.APP_HEAP_CORRUPTED)
    results = traps = 0
    for _ in range(6000):
        program.memory.write(chance.randrange(PAGE - 64), chance.randbytes(32) + b"%s%n%*.*f")
        function = getattr(program, chance.choice(names))
        count = len(function.type.params)
        numbers = [chance.choice(places) + chance.randrange(-8, 9) for _ in range(count)]
        try:
            function(*(number & 0xFFFF_FFFF for number in numbers))
            results += 1
        except wasmote.Trap as trap:
            assert trap.kind in expected
            traps += 1
    assert min(results, traps) > 500


def test_what_ends_a_program(program: Program) -> None:
    from wasmote.wasi import Exit

    with pytest.raises(Exit, match=r"env\.exit\(3\)") as ended:
        program.exit(3)
    assert ended.value.code == 3
    for name, text in (
        ("abort", r"env\.abort\(4\)"),
        ("abortStackOverflow", r"env\.abortStackOverflow\(4\)"),
        ("nullFunc_X", r"env\.nullFunc_X\(4\)"),
    ):
        with pytest.raises(wasmote.Trap, match=text) as trap:
            getattr(program, name)(4)
        assert [frame.function_name for frame in trap.value.frames] == [f"call.{name}"]
    with pytest.raises(wasmote.Trap, match="exception thrown by stdc"):
        getattr(program, "__cxa_throw")(0, 0, 0)
    getattr(program, "__cxa_begin_catch")(0)


def test_clocks(program: Program) -> None:
    import time

    assert program.clock() > 0
    assert program.clock_gettime(0, A) == 0
    seconds = int.from_bytes(program.memory.read(A, 8), "little")
    assert abs(seconds - time.time()) < 5
    assert int.from_bytes(program.memory.read(A + 8, 4), "little") < 10**9
    assert program.clock_gettime(99, A) == -1


def test_globals() -> None:
    text = """(module (import "global" "NaN" (global f64))
        (import "global" "Infinity" (global $inf f64))
        (func (export "inf") (result f64) (global.get $inf)))"""
    instance = wasmote.Instance(wasmote.Module(wat2wasm(text)), wasmote.Libc().imports())
    assert instance.exports.inf() == float("inf")


def test_functions_of_other_types_are_refused() -> None:
    wide = wasmote.Module(
        wat2wasm('(module (import "env" "strlen" (func (param i64) (result i32))) (memory i64 1))')
    )
    libc = wasmote.Libc()
    with pytest.raises(wasmote.LinkError, match="32-bit pointers"):
        wasmote.Instance(wide, libc.imports())
    refused: list[tuple[str, str]] = []
    assert libc.provide(wide, lambda *each: refused.append(each)) == {}
    assert refused == [("strlen", "($)i")]


def test_a_caller_without_memory_and_python_as_caller() -> None:
    text = """(module (import "env" "strlen" (func $f (param i32) (result i32)))
        (export "direct" (func $f))
        (func (export "go") (result i32) (call $f (i32.const 0))))"""
    instance = wasmote.Instance(wasmote.Module(wat2wasm(text)), wasmote.Libc().imports())
    for call in (lambda: instance.exports.go(), lambda: instance.exports.direct(0)):
        with pytest.raises(wasmote.Trap, match="out of bounds"):
            call()


def test_every_function_is_in_the_module() -> None:
    assert {each.name for each in module().imports} == {*table.NATIVE, *table.FALLBACKS}

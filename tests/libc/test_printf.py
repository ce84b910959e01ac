"""printf's conversions: beside those of the system's C library, and what is refused."""

import ctypes
import math
import random
import re
import struct

import pytest

import wasmote

from .support import PAGE, Program, Wide

LIBC = ctypes.CDLL(None)
SEED = 20260101
#: Of each kind of conversion, in each round; a longer hunt needs only a larger number.
ROUNDS = 1500


@pytest.fixture(scope="module")
def program() -> Program:
    return Program()


def without_stars(text: bytes, values: list[int | float | bytes]) -> bytes:
    """A format of one directive with numbers for its stars, which are taken from the values.

    The GNU C library forgets that a negative width also means no zeros, in processes where a
    library has registered directives of its own, as libquadmath does.
    """
    flags, width, precision, rest = re.fullmatch(
        rb"([^%]*%[-+ #0]*)(\*|\d*)(\.\*|\.\d*|)(.*)", text, re.DOTALL
    ).groups()
    if width == b"*":
        number = int(values.pop(0))
        flags = flags.replace(b"0", b"") + b"-" if number < 0 else flags
        width = b"%d" % abs(number)
    if precision == b".*":
        number = int(values.pop(0))
        precision = b".%d" % number if number >= 0 else b""
    return flags + width + precision + rest


def expected(text: bytes, *arguments: int | float | bytes) -> bytes:
    """What the system's snprintf makes of it."""
    values = [*arguments]
    text = without_stars(text, values)
    buffer = ctypes.create_string_buffer(32768)
    given = [
        ctypes.c_double(value)
        if isinstance(value, float)
        else ctypes.c_char_p(value)
        if isinstance(value, bytes)
        else ctypes.c_longlong(value)
        for value in values
    ]
    LIBC.snprintf(buffer, ctypes.c_size_t(len(buffer)), text, *given)
    return buffer.value


def directive(chance: random.Random, letters: str, precision: int = 40) -> tuple[str, list[int]]:
    """A directive but for its letter, and the arguments of its stars."""
    text, stars = "%", []
    text += "".join(flag for flag in "-+ #0" if flag in letters and chance.random() < 0.25)
    kind = chance.random()
    if kind < 0.4:
        text += str(chance.randrange(1, 50))
    elif kind < 0.5:
        text += "*"
        stars.append(chance.randrange(-40, 40))
    kind = chance.random()
    if kind < 0.4:
        text += f".{chance.randrange(precision)}"
    elif kind < 0.5:
        text += "."
    elif kind < 0.6:
        text += ".*"
        stars.append(chance.randrange(-3, precision))
    return text, stars


def some_integer(chance: random.Random) -> int:
    bits = chance.randrange(64)
    return chance.choice((0, 1, -1, 10, -(2**31), 2**31 - 1, -(2**63), chance.getrandbits(bits)))


def some_float(chance: random.Random) -> float:
    kind = chance.random()
    if kind < 0.3:
        return float(struct.unpack("<d", chance.randbytes(8))[0])
    if kind < 0.6:
        return round(chance.uniform(-2000, 2000), chance.randrange(4))
    if kind < 0.8:  # ties, and numbers beside powers of ten
        base = chance.choice((0.5, 1.5, 2.5, 0.125, 10.0, 999.5, 9.9999995, 1e15, 1e22, 1e-5))
        return base * 10.0 ** chance.randrange(-8, 8)
    return chance.choice(
        (0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 2.2250738585072014e-308, 1.7e308)
    )


@pytest.mark.parametrize("letter", "diuoxX")
def test_integers(program: Program, letter: str) -> None:
    chance = random.Random(f"{SEED}{letter}")
    flags = "-+ 0" if letter in "di" else "-0" if letter == "u" else "-#0"
    for _ in range(ROUNDS):
        text, stars = directive(chance, flags)
        size = chance.choice(("", "hh", "h", "l", "z", "t", "ll", "j"))
        value = some_integer(chance)
        wide = size in ("ll", "j")
        argument = Wide(value) if wide else value & 0xFFFF_FFFF
        # long, size_t and ptrdiff_t have 32 bits here.
        there = f"{text}{size if wide or size.startswith('h') else ''}{letter}".encode()
        here = f"{text}{size}{letter}".encode()
        assert program.format(here, *stars, argument) == expected(there, *stars, value), (
            here,
            stars,
            value,
        )


@pytest.mark.parametrize("letter", "eEfFgGaA")
def test_floats(program: Program, letter: str) -> None:
    chance = random.Random(f"{SEED}{letter}")
    for _ in range(ROUNDS):
        text, stars = directive(chance, "-+ #0")
        value = some_float(chance)
        here = f"{text}{letter}".encode()
        if letter in "gG" and "#" in text and math.isfinite(value) and min(stars, default=0) >= 0:
            wanted = here % (*stars, value)  # the GNU C library forgets zeros after some numbers
        else:
            wanted = expected(here, *stars, value)
        assert program.format(here, *stars, value) == wanted, (here, stars, value)


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, 2.0**-1022, 0.1, 1e300, 123.456])
def test_all_digits_of_a_float(program: Program, value: float) -> None:
    for text in (b"%.1100f", b"%.1080e", b"%.1080g", b"%#.900g", b"%-1500.1074f|", b"%.30a"):
        assert program.format(text, value) == expected(text, value)


def test_strings_and_characters(program: Program) -> None:
    chance = random.Random(SEED)
    for _ in range(ROUNDS):
        text, stars = directive(chance, "-")
        word = bytes(chance.choices(b"abc \xc3\xa4%", k=chance.randrange(60)))
        here = f"<{text}s>".encode()
        place = program.place(word, at=8192)
        assert program.format(here, *stars, place) == expected(here, *stars, word)
    assert program.format(b"[%5c%-3c%c]", 65, 0x142, 99) == b"[    AB  c]"


def test_other_directives(program: Program) -> None:
    assert program.format(b"100%% %5%") == b"100% %"
    assert program.format(b"%p %12p|", 0x1F0, 16) == b"0x1f0         0x10|"
    assert program.format(b"%ld %lu %lld", -5, 7, Wide(1 << 40)) == b"-5 7 1099511627776"


@pytest.mark.parametrize("text", [b"%n", b"a%hhnb", b"%", b"%5", b"%y", b"%-", b"%l", b"%10.3k"])
def test_what_is_no_conversion_stands_for_itself(program: Program, text: bytes) -> None:
    before = program.memory.read(0, PAGE - 40000)
    assert program.format(text, 0, 0, 0) == text
    assert program.memory.read(0, 1024) == before[:1024]


def test_long_doubles_are_rounded_to_doubles(program: Program) -> None:
    chance = random.Random(SEED)

    def quad(value: float) -> bytes:
        raw = struct.unpack("<Q", struct.pack("<d", value))[0]
        exponent, mantissa = raw >> 52 & 0x7FF, raw & (1 << 52) - 1
        if exponent == 0 and mantissa:  # subnormal here, normal there
            shift = 53 - mantissa.bit_length()
            exponent, mantissa = 1 - shift, mantissa << shift & (1 << 52) - 1
            exponent += 15360
        elif exponent:
            exponent = 0x7FFF if exponent == 0x7FF else exponent + 15360
        return (raw >> 63 << 127 | exponent << 112 | mantissa << 60).to_bytes(16, "little")

    for _ in range(ROUNDS):
        value = some_float(chance)
        program.memory.write(1024, quad(value))
        program.snprintf(16384, 4096, program.place(b"%.17Lg"), 1024)
        assert program.string(16384) == expected(b"%.17g", value)
    # Halfway between two doubles and a little more.
    program.memory.write(1024, (0x3FFF << 112 | 1 << 59 | 1).to_bytes(16, "little"))
    program.snprintf(16384, 4096, program.place(b"%.17Lg"), 1024)
    assert program.string(16384) == b"1.0000000000000002"


def test_output_goes_to_the_stream_and_is_counted() -> None:
    program = Program()
    program.place(b"words", at=8192)
    assert program.printf(program.place(b"%d-%s\n"), program.arguments(7, 8192)) == 8
    assert program.stdout.getvalue() == b"7-words\n"


def test_long_output_comes_in_pieces() -> None:
    program = Program()
    assert program.printf(program.place(b"<%5000d>"), program.arguments(3)) == 5002
    assert program.stdout.getvalue() == b"<" + b"3".rjust(5000) + b">"
    assert program.puts(program.place(b"x" * 3000)) == 3001
    assert program.putchar(ord("y") + 256) == ord("y")
    assert program.stdout.getvalue().endswith(b"x\ny")


def test_widths_and_precisions_have_a_limit(program: Program) -> None:
    most = 1 << 20
    for text in (b"%99999999999999999999d", b"%.4000000000d", b"%.99999999f", b"%2147483647s"):
        arguments = program.arguments(0, 0, 0)
        size = program.snprintf(0, 0, program.place(text), arguments)
        assert most <= size <= most + 2
    assert program.snprintf(0, 0, program.place(b"%*d"), program.arguments(-(2**31), 1)) == most


def test_sizes_of_buffers(program: Program) -> None:
    text = program.place(b"12345")
    program.memory.write(2048, b"........")
    assert program.snprintf(2048, 4, text, 0) == 5
    assert program.memory.read(2048, 8) == b"123\0...."
    assert program.snprintf(0xFFFF_FFFF, 0, text, 0) == 5
    assert program.sprintf(2048, text, 0) == 5
    assert program.memory.read(2048, 8) == b"12345\0.."
    with pytest.raises(wasmote.Trap, match="out of bounds"):
        program.sprintf(PAGE - 5, text, 0)
    with pytest.raises(wasmote.Trap, match="out of bounds"):
        program.snprintf(PAGE - 5, 100, text, 0)
    assert program.sprintf(PAGE - 6, text, 0) == 5


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_pointers_are_checked(engine: str) -> None:
    program = Program(engine)
    program.memory.write(PAGE - 4, b"%d%d")
    cases: list[tuple[int | bytes, int | tuple[int, ...]]] = [
        (PAGE - 2, 0),  # a format that does not end
        (PAGE, 0),
        (0xFFFF_FFFF, 0),
        (b"%d", PAGE - 3),  # arguments that are not there
        (b"%lld", PAGE - 4),
        (b"%d%d", PAGE - 4),
        (b"%Lf", PAGE - 8),
        (b"%*d", 0xFFFF_FFFD),
        (b"%s", (PAGE,)),  # a string that is not
        (b"%s", (PAGE - 4,)),
        (b"%.5s", (PAGE - 4,)),
    ]
    for text, given in cases:
        arguments = given if isinstance(given, int) else program.arguments(*given)
        format = text if isinstance(text, int) else program.place(text)
        with pytest.raises(wasmote.Trap) as caught:
            program.printf(format, arguments)
        assert caught.value.kind is wasmote.TrapKind.MEMORY_OUT_OF_BOUNDS
        assert [frame.function_name for frame in caught.value.frames] == ["call.printf"]
    assert program.printf(program.place(b"%.4s"), program.arguments(PAGE - 4)) == 4


def test_an_exception_of_the_stream_reaches_the_caller() -> None:
    class Full:
        def write(self, text: bytes) -> None:
            raise OSError("disk full")

    from .support import module

    instance = wasmote.Instance(module(), wasmote.Libc(Full()).imports())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="disk full"):
        instance.exports["call.putchar"](65)  # type: ignore[operator]

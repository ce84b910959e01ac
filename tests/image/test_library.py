"""The library's arithmetic gives what this machine's instructions give."""

import ctypes
import math
import random
import struct

import pytest

from wasmote.image.library import find
from wasmote.image.library.names import FUNCTIONS
from wasmote.image.testing import Library

np = pytest.importorskip("numpy")

SPECIAL = {
    64: [0, 1, 0x7FF0 << 48, 0x7FF8 << 48, (1 << 52) - 1, 1 << 52, 0x3FF0 << 48, 0x3FE0 << 48,
         0x7FEF_FFFF_FFFF_FFFF, 0x4330 << 48, (0x4340 << 48) + 1, 0x3FDF_FFFF_FFFF_FFFF],
    32: [0, 1, 0x7F80 << 16, 0x7FC0 << 16, (1 << 23) - 1, 1 << 23, 0x3F80 << 16, 0x3F00 << 16,
         0x7F7F_FFFF, 0x4B00_0000, 0x4B80_0001, 0x3EFF_FFFF],
}  # fmt: skip
ROUNDS = 3000


@pytest.fixture(scope="module")
def library() -> Library:
    functions = [f for name, f in FUNCTIONS.items() if not name.startswith("__aeabi_")]
    return Library(*functions)


def number(rnd: random.Random, bits: int) -> float:
    """A float of any kind."""
    kind = rnd.random()
    if kind < 0.2:
        raw = rnd.choice(SPECIAL[bits]) | rnd.getrandbits(1) << bits - 1
    elif kind < 0.6:
        raw = rnd.getrandbits(bits)
    else:  # two of these are often near each other
        value = rnd.uniform(-4, 4) * 2.0 ** rnd.randint(-30, 40)
        raw = struct.unpack("<Q", struct.pack("<d", value))[0] if bits == 64 else 0
        if bits == 32:
            raw = struct.unpack("<I", struct.pack("<f", value))[0]
    code = "d" if bits == 64 else "f"
    return float(struct.unpack(f"<{code}", raw.to_bytes(bits // 8, "little"))[0])


def same(a: float, b: float) -> bool:
    return (a != a and b != b) or (a == b and math.copysign(1, a) == math.copysign(1, b))


@pytest.mark.parametrize("bits", [32, 64])
def test_floats(library, bits):
    rnd, kind = random.Random(bits), np.float64 if bits == 64 else np.float32
    letter, suffix = ("d", "") if bits == 64 else ("s", "f")
    operations = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
    alone = {"sqrt": np.sqrt, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
             "roundeven": np.rint, "rint": np.rint, "nearbyint": np.rint}  # fmt: skip
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            a, b = number(rnd, bits), number(rnd, bits)
            for name, operation in operations.items():
                found = getattr(library, f"__{name}{letter}f3")(a, b)
                assert same(found, float(operation(kind(a), kind(b)))), (name, a, b)
            for name, operation in alone.items():
                found = getattr(library, name + suffix)(a)
                assert same(found, float(operation(kind(a)))), (name, a)


@pytest.mark.parametrize("bits", [32, 64])
def test_comparisons(library, bits):
    rnd, letter = random.Random(bits), "d" if bits == 64 else "s"

    def call(name: str, a: float, b: float) -> int:
        return int(getattr(library, f"__{name}{letter}f2")(a, b))

    for _ in range(ROUNDS):
        a, b = number(rnd, bits), number(rnd, bits)
        b = a if rnd.random() < 0.1 else b
        assert (call("eq", a, b) == 0) == (a == b)
        assert (call("ne", a, b) != 0) == (a != b)
        assert (call("lt", a, b) < 0) == (a < b)
        assert (call("le", a, b) <= 0) == (a <= b)
        assert (call("gt", a, b) > 0) == (a > b)
        assert (call("ge", a, b) >= 0) == (a >= b)
        assert (call("unord", a, b) != 0) == (a != a or b != b)


@pytest.mark.parametrize("bits", [32, 64])
def test_conversions(library, bits):
    rnd, letter = random.Random(bits), "d" if bits == 64 else "s"
    kind = np.float64 if bits == 64 else np.float32
    for mode, width in (("si", 32), ("di", 64)):
        signed = ctypes.c_int32 if width == 32 else ctypes.c_int64
        for _ in range(ROUNDS):
            a = number(rnd, bits)
            if abs(a) < 2.0 ** (width - 1):
                assert getattr(library, f"__fix{letter}f{mode}")(a) == int(a)
            if -1 < a < 2.0**width:
                assert getattr(library, f"__fixuns{letter}f{mode}")(a) == int(a)
            n = rnd.getrandbits(rnd.randint(1, width))
            own = (np.uint64 if width == 64 else np.uint32)(n)
            assert getattr(library, f"__floatun{mode}{letter}f")(n) == float(kind(own))
            m = signed(n).value
            own = (np.int64 if width == 64 else np.int32)(m)
            assert getattr(library, f"__float{mode}{letter}f")(m) == float(kind(own))


def test_conversions_between_floats(library):
    rnd = random.Random(1)
    extend, truncate = (getattr(library, f"__{n}f2") for n in ("extendsfd", "truncdfs"))
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            a, b = number(rnd, 32), number(rnd, 64)
            assert same(extend(a), a)
            assert same(truncate(b), float(np.float32(b)))


def test_integers(library):
    rnd = random.Random(1)
    mask = (1 << 64) - 1
    call = {name: getattr(library, name) for name in FUNCTIONS if not name.startswith("__aeabi")}
    for _ in range(ROUNDS):
        a = rnd.getrandbits(rnd.randint(1, 64))
        b = rnd.getrandbits(rnd.randint(1, 64)) or 1
        for mode, kind in (("si", ctypes.c_int32), ("di", ctypes.c_int64)):
            bits = 8 * ctypes.sizeof(kind)
            x, y = a & mask >> 64 - bits, (b & mask >> 64 - bits) or 1
            assert call[f"__udiv{mode}3"](x, y) == x // y
            assert call[f"__umod{mode}3"](x, y) == x % y
            s, t = kind(x).value, kind(y).value
            quotient = abs(s) // abs(t) * (1 if (s < 0) == (t < 0) else -1)
            assert call[f"__div{mode}3"](s, t) == kind(quotient).value
            assert call[f"__mod{mode}3"](s, t) == s - quotient * t
            assert call[f"__mul{mode}3"](x, y) == x * y & mask >> 64 - bits
            assert call[f"__clz{mode}2"](x) == bits - x.bit_length()
            assert call[f"__popcount{mode}2"](x) == x.bit_count()
            if x:
                assert call[f"__ctz{mode}2"](x) == (x & -x).bit_length() - 1
        n, signed = rnd.randrange(64), ctypes.c_int64(a).value
        assert call["__ashldi3"](a, n) == a << n & mask
        assert call["__lshrdi3"](a, n) == a >> n
        assert call["__ashrdi3"](a, n) == signed >> n & mask


def test_only_what_it_has_is_found():
    assert set(find(["memcpy", "__adddf3", "printf"])) == {"memcpy", "__adddf3"}

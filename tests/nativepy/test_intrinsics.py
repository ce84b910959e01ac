"""Intrinsics, against the same computation in Python."""

import ctypes
import math
import random
import struct as packing

import pytest

from wasmote.image.testing import Library
from wasmote.nativepy import (
    atomic_add,
    atomic_exchange,
    atomic_load,
    atomic_store,
    ceil,
    clz,
    copy,
    copysign,
    ctz,
    f32,
    f64,
    fabs,
    fill,
    float_to_int_sat,
    floor,
    i8,
    i16,
    i32,
    i64,
    in_lane0,
    lane,
    likely,
    load,
    native,
    nearest,
    popcnt,
    ptr,
    rotl,
    rotr,
    sdiv,
    splat,
    sqrt,
    srem,
    stack,
    store,
    trunc,
    u8,
    u16,
    u32,
    u64,
    unlikely,
    usize,
    vec,
    void,
    volatile_load,
    volatile_store,
    with_lane,
)

WIDTHS = {u8: 8, u16: 16, u32: 32, u64: 64}
FLOATS = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, -3.7, 1e300, math.inf, -math.inf, math.nan]


def unary(intrinsic, kind):
    @native(export=f"{intrinsic.name}_{kind}")
    def apply(x: kind) -> kind:
        return intrinsic(x)

    return apply


def binary(intrinsic, kind):
    @native(export=f"{intrinsic.name}_{kind}")
    def apply(x: kind, y: kind) -> kind:
        return intrinsic(x, y)

    return apply


def saturating(source, wanted):
    @native(export=f"sat_{source}_{wanted}")
    def apply(x: source) -> wanted:
        return float_to_int_sat(wanted, x)

    return apply


@pytest.fixture(scope="module")
def library():
    functions = [unary(i, kind) for i in (clz, ctz, popcnt) for kind in WIDTHS]
    functions += [binary(i, kind) for i in (rotl, rotr) for kind in WIDTHS]
    functions += [binary(i, kind) for i in (sdiv, srem) for kind in (i8, i16, i32, i64)]
    functions += [
        unary(i, k) for i in (sqrt, floor, ceil, trunc, nearest, fabs) for k in (f32, f64)
    ]
    functions += [binary(copysign, kind) for kind in (f32, f64)]
    functions += [saturating(s, w) for s in (f32, f64) for w in (i32, u32, i64, u64)]
    return Library(*functions)


@pytest.mark.parametrize("kind", WIDTHS)
def test_bit_counts_and_rotations(library, kind):
    bits = WIDTHS[kind]
    chosen = random.Random(1)
    values = [0, 1, (1 << bits) - 1, 1 << bits - 1] + [chosen.getrandbits(bits) for _ in range(50)]
    for x in values:
        assert getattr(library, f"clz_{kind}")(x) == bits - x.bit_length()
        assert getattr(library, f"ctz_{kind}")(x) == ((x & -x).bit_length() - 1 if x else bits)
        assert getattr(library, f"popcnt_{kind}")(x) == x.bit_count()
        for n in (0, 1, bits - 1, bits, bits + 3):
            r = n % bits
            left = (x << r | x >> bits - r) & (1 << bits) - 1
            assert getattr(library, f"rotl_{kind}")(x, n) == left
            assert getattr(library, f"rotr_{kind}")(left, n) == x


@pytest.mark.parametrize("kind", (i8, i16, i32, i64))
def test_signed_division_truncates(library, kind):
    low = -(1 << kind.bits - 1)
    for x in (0, 7, -7, 100, -100, -low - 1, low):
        for y in (1, 2, -2, 7, -7, -low - 1, low):
            quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
            assert getattr(library, f"sdiv_{kind}")(x, y) == kind(quotient)
            assert getattr(library, f"srem_{kind}")(x, y) == x - y * quotient


def to_even(x):
    return math.copysign(float(round(x)), x) if math.isfinite(x) else x


def towards(function):
    return lambda x: math.copysign(float(function(x)), x) if math.isfinite(x) else x


EXPECTED = {
    "floor": towards(math.floor),
    "ceil": towards(math.ceil),
    "trunc": towards(math.trunc),
    "nearest": to_even,
    "fabs": math.fabs,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else math.nan,
}


def same_float(a, b):
    return a == b and math.copysign(1, a) == math.copysign(1, b) or (a != a and b != b)


@pytest.mark.parametrize("name", EXPECTED)
def test_float_functions(library, name):
    for x in FLOATS:
        assert same_float(getattr(library, f"{name}_f64")(x), EXPECTED[name](x)), x
        narrow = ctypes.c_float(x).value
        wanted = ctypes.c_float(EXPECTED[name](narrow)).value
        assert same_float(getattr(library, f"{name}_f32")(x), wanted), x


def test_copysign(library):
    for x in FLOATS:
        for y in FLOATS:
            assert same_float(library.copysign_f64(x, y), math.copysign(x, y))


@pytest.mark.parametrize("kind", (i32, u32, i64, u64))
def test_saturating_conversion(library, kind):
    low, high = (-(1 << kind.bits - 1), (1 << kind.bits - 1) - 1) if kind.signed else (0, kind(-1))
    for x in [*FLOATS, 1e9, -1e9, 3e9, 1e19, -1e19]:
        wanted = 0 if math.isnan(x) else max(low, min(high, int(min(max(x, -1e30), 1e30))))
        assert getattr(library, f"sat_f64_{kind}")(x) == wanted, x


# -- memory --------------------------------------------------------------------------------------


@native(export="unaligned")
def unaligned(p: ptr[u8]) -> u64:
    store(p + 1, u32(0x11223344))
    store(p + 5, u16(0x5566), align=1)
    return load(u64, p + 1) & 0xFFFF_FFFF_FFFF


@native(export="blocks")
def blocks(p: ptr[u8], size: usize) -> void:
    fill(p, 7, size)
    p[0] = 1
    copy(p + 1, p, size - 1)
    fill(p + 3, u8(9), 2)


@native(export="scratch")
def scratch(n: u32) -> u32:
    a = stack(u32)
    b = stack(u64, 3)
    a[0] = n
    b[2] = u64(n) * 2
    return a[0] + u32(b[2])


@native(export="shared")
def shared(p: ptr[u32], flag: ptr[u8]) -> u32:
    atomic_store(p, 10)
    before = atomic_add(p, 5)
    old = atomic_exchange(p, atomic_load(p) * 2)
    volatile_store(flag, 3)
    if likely(volatile_load(flag) == 3) and not unlikely(before != 10):
        return old * 100 + p[0]
    return 0


def test_memory():
    library = Library(unaligned, blocks, scratch, shared)
    raw = ctypes.create_string_buffer(16)
    assert library.unaligned(ctypes.addressof(raw)) == 0x5566_1122_3344
    assert raw.raw[:8] == bytes.fromhex("0044332211665500")
    library.blocks(ctypes.addressof(raw), 10)
    assert raw.raw[:10] == bytes([1, 1, 7, 9, 9, 7, 7, 7, 7, 7])
    assert library.scratch(11) == 33
    number, flag = ctypes.c_uint32(), ctypes.c_uint8()
    assert library.shared(ctypes.addressof(number), ctypes.addressof(flag)) == 1530
    assert flag.value == 3


@native(export="move")
def move(to: ptr[u8], source: ptr[u8], size: usize) -> void:
    copy(to, source, size)


@native(export="set_bytes")
def set_bytes(to: ptr[u8], byte: u8, size: usize) -> void:
    fill(to, byte, size)


def test_block_functions_of_the_image_at_every_size_and_overlap():
    library = Library(move, set_bytes)
    for size in (0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 200):
        for distance in (-70, -9, -1, 0, 1, 9, 70, 300):
            raw = bytearray(random.Random(size).randbytes(900))
            view = (ctypes.c_uint8 * len(raw)).from_buffer(raw)
            start = ctypes.addressof(view) + 400
            wanted = bytearray(raw)
            wanted[400 + distance : 400 + distance + size] = raw[400 : 400 + size]
            library.move(start + distance, start, size)
            assert raw == wanted, (size, distance)
            library.set_bytes(start, 0xA5, size)
            wanted[400 : 400 + size] = b"\xa5" * size
            assert raw == wanted


# -- vectors -------------------------------------------------------------------------------------

I32X4 = vec[i32, 4]
F32X4 = vec[f32, 4]
U8X16 = vec[u8, 16]


@native(export="vector_sum")
def vector_sum(p: ptr[i32]) -> i32:
    v = load(I32X4, p, align=4)
    v = v * splat(I32X4, 2) + v
    v = with_lane(v, 3, 1000)
    store(p, v, align=4)
    return lane(v, 0) + lane(v, 1) + lane(v, 2) + lane(v, 3)


@native(export="vector_floats")
def vector_floats(p: ptr[f32]) -> f32:
    v = sqrt(load(F32X4, p))
    store(p, -v)
    return lane(v, 3) + lane(in_lane0(F32X4, 0.5), 0)


@native(export="vector_rotate")
def vector_rotate(p: ptr[u32]) -> void:
    v = load(vec[u32, 4], p)
    store(p, rotl(v, splat(vec[u32, 4], 8)) ^ splat(vec[u32, 4], 1))


@native(export="vector_bytes")
def vector_bytes(p: ptr[u8], byte: u8) -> void:
    store(p, popcnt(load(U8X16, p) & splat(U8X16, byte)))


def test_vectors():
    library = Library(vector_sum, vector_floats, vector_rotate, vector_bytes)
    numbers = (ctypes.c_int32 * 4)(1, -2, 3, 4)
    assert library.vector_sum(ctypes.addressof(numbers)) == 3 - 6 + 9 + 1000
    assert list(numbers) == [3, -6, 9, 1000]
    floats = (ctypes.c_float * 4)(1, 4, 9, 16)
    assert library.vector_floats(ctypes.addressof(floats)) == 4.5
    assert list(floats) == [-1, -2, -3, -4]
    words = (ctypes.c_uint32 * 4)(1, 0x80000000, 0x01020304, 0xFFFFFFFF)
    library.vector_rotate(ctypes.addressof(words))
    assert list(words) == [0x101, 0x81, 0x02030400, 0xFFFFFFFE]
    raw = ctypes.create_string_buffer(bytes(range(16)), 16)
    library.vector_bytes(ctypes.addressof(raw), 0x0E)
    assert raw.raw == bytes((n & 0x0E).bit_count() for n in range(16))


def test_float_constants_are_exact():
    values = [0.1, -0.0, 1e-310, math.inf, 2**-149, packing.unpack("<f", b"\1\0\x80\x3f")[0]]

    def constant(i, kind):
        @native(export=f"constant_{kind}_{i}")
        def get() -> kind:
            return values[i]

        return get

    library = Library(*(constant(i, kind) for i in range(len(values)) for kind in (f32, f64)))
    for i, value in enumerate(values):
        assert same_float(getattr(library, f"constant_f64_{i}")(), value)
        assert same_float(getattr(library, f"constant_f32_{i}")(), ctypes.c_float(value).value)

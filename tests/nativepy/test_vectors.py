"""Masks, shuffles and saturation on vectors, against the same computation in Python."""

import ctypes
import random

import pytest

from wasmote.image.testing import Library
from wasmote.nativepy import (
    add_sat,
    all_lanes,
    i8,
    i16,
    i32,
    inline,
    lane_bits,
    load,
    mask,
    native,
    ptr,
    select,
    shuffle,
    store,
    sub_sat,
    swizzle,
    u8,
    u16,
    u32,
    vec,
    vectors,
    void,
    with_lane,
)

U8X16, I8X16, U16X8, I16X8 = vec[u8, 16], vec[i8, 16], vec[u16, 8], vec[i16, 8]


@inline
def swizzle_bytes(a, b):
    return swizzle(a, b)


@inline
def reverse_and_join(a, b):
    return shuffle(a, b, (7, 6, 5, 4, 3, 2, 1, 0, 16, 17, 18, 19, 20, 21, 22, 23))


@inline
def sums_of_halves(a, b):
    half = (0, 1, 2, 3, 4, 5, 6, 7)
    return I16X8(shuffle(a, a, half)) + I16X8(shuffle(b, b, half))


@inline
def mix(a, b):
    return (-a ^ ~(b >> a) ^ I16X8((1, 2, 3, 4, 5, 6, 7, 8))) + 3


def combine(name, kind, meaning):
    """A native function: [p] becomes meaning([p], [q])."""

    @native(export=name)
    def run(p: ptr[u8], q: ptr[u8]) -> void:
        store(p, meaning(load(kind, p), load(kind, q)))

    return run


def apply(function, a, b):
    """Run what `combine` made on two vectors of 16 bytes."""
    p, q = (ctypes.create_string_buffer(raw, 16) for raw in (a, b))
    function(ctypes.addressof(p), ctypes.addressof(q))
    return p.raw


def signed(raw, size=1):
    parts = (raw[i : i + size] for i in range(0, 16, size))
    return [int.from_bytes(part, "little", signed=True) for part in parts]


def some_vectors():
    generator = random.Random(7)
    pairs = [(generator.randbytes(16), generator.randbytes(16)) for _ in range(20)]
    edges = bytes((0, 1, 15, 16, 17, 0x7F, 0x80, 0xFF)) * 2
    return [*pairs, (edges, edges[::-1]), (bytes(16), b"\xff" * 16)]


def test_comparisons_make_masks():
    @inline
    def less(a, b):
        return mask(I8X16, a < b)

    @inline
    def lesser(a, b):
        return select(a < b, a, b)

    @native(export="bits")
    def bits(p: ptr[u8], q: ptr[u8]) -> u32:
        return lane_bits(load(I8X16, p) < load(I8X16, q))

    @native(export="all_less")
    def all_less(p: ptr[u8], q: ptr[u8]) -> u32:
        return u32(all_lanes(load(I8X16, p) < load(I8X16, q)))

    library = Library(
        combine("less", I8X16, less), combine("lesser", I8X16, lesser), bits, all_less
    )
    for a, b in some_vectors():
        expected = [x < y for x, y in zip(signed(a), signed(b), strict=True)]
        assert apply(library.less, a, b) == bytes(0xFF * each for each in expected)
        smallest = [min(x, y) & 0xFF for x, y in zip(signed(a), signed(b), strict=True)]
        assert apply(library.lesser, a, b) == bytes(smallest)
        p, q = (ctypes.create_string_buffer(raw, 16) for raw in (a, b))
        addresses = ctypes.addressof(p), ctypes.addressof(q)
        assert library.bits(*addresses) == sum(each << i for i, each in enumerate(expected))
        assert library.all_less(*addresses) == all(expected)


@pytest.mark.parametrize("has_instruction", [True, False])
def test_swizzle(has_instruction, monkeypatch):
    """With the machine's own instruction, and byte by byte as where there is none."""
    if not has_instruction:
        monkeypatch.setattr(vectors, "PICK_BYTES", {})
    library = Library(combine("swizzled", U8X16, swizzle_bytes))
    for a, b in some_vectors():
        expected = bytes(a[index] if index < 16 else 0 for index in b)
        assert apply(library.swizzled, a, b) == expected


@pytest.mark.parametrize("by_blending", [True, False])
def test_a_lane_that_only_the_run_knows(by_blending, monkeypatch):
    if not by_blending:
        monkeypatch.setattr(vectors, "PICK_BYTES", {})

    @native(export="put")
    def put(p: ptr[u8], index: i32, value: u16) -> void:
        store(p, with_lane(load(U16X8, p), index, value))

    library = Library(put)
    for index in range(8):
        p = ctypes.create_string_buffer(bytes(range(16)), 16)
        library.put(ctypes.addressof(p), index, 0xBEEF)
        expected = bytearray(range(16))
        expected[2 * index : 2 * index + 2] = b"\xef\xbe"
        assert p.raw == bytes(expected)


def test_shuffles_widening_and_narrowing():
    library = Library(
        combine("reversed_", U8X16, reverse_and_join), combine("widened", I8X16, sums_of_halves)
    )
    for a, b in some_vectors():
        assert apply(library.reversed_, a, b) == a[7::-1] + b[:8]
        sums = [x + y for x, y in zip(signed(a)[:8], signed(b)[:8], strict=True)]
        assert signed(apply(library.widened, a, b), 2) == sums


@pytest.mark.parametrize("kind", [I8X16, U8X16, I16X8, U16X8], ids=str)
def test_saturation(kind):
    @inline
    def sums(a, b):
        return add_sat(a, b)

    @inline
    def differences(a, b):
        return sub_sat(a, b)

    library = Library(combine("sums", kind, sums), combine("differences", kind, differences))
    size, is_signed = kind.element.bits // 8, kind.element.signed
    bits = kind.element.bits
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1)

    def lanes(raw):
        return [each if is_signed else each % (1 << bits) for each in signed(raw, size)]

    for a, b in some_vectors():
        for function, sign in ((library.sums, 1), (library.differences, -1)):
            exact = [x + sign * y for x, y in zip(lanes(a), lanes(b), strict=True)]
            expected = [min(max(each, low), high) for each in exact]
            assert lanes(apply(function, a, b)) == expected


def test_constants_negation_complement_and_shifts():
    library = Library(combine("mixed", I16X8, mix))
    for a, b in some_vectors():
        expected = []
        for i, (x, y) in enumerate(zip(signed(a, 2), signed(b, 2), strict=True)):
            value = (-x) ^ ~(y >> (x % 16)) ^ (i + 1)
            expected.append((value + 3 + 0x8000) % 0x10000 - 0x8000)
        assert signed(apply(library.mixed, a, b), 2) == expected

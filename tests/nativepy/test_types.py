"""Types: conversions, integer widths, booleans, structs and their layout, arrays, pointers."""

import ctypes
from itertools import pairwise

import pytest

from wasmote.image.testing import Library
from wasmote.nativepy import (
    TARGETS,
    addr,
    array,
    bitcast,
    boolean,
    f32,
    f64,
    fn,
    i8,
    i16,
    i32,
    i64,
    mirror,
    native,
    offsetof,
    ptr,
    sizeof,
    stack,
    struct,
    u8,
    u16,
    u32,
    u64,
    usize,
    void,
)
from wasmote.nativepy.types import same

INTEGERS = (i8, i16, i32, i64, u8, u16, u32, u64)
INTERESTING = (0, 1, 2, 5, 127, 128, 200, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31)
INTERESTING += (2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64 - 1)


def conversion(source, wanted):
    @native(export=f"{source}_to_{wanted}")
    def convert(x: source) -> wanted:
        return wanted(x)

    return convert


@pytest.fixture(scope="module")
def conversions():
    functions = [conversion(a, b) for a in INTEGERS for b in (*INTEGERS, f32, f64)]
    functions += [conversion(f, i) for f in (f32, f64) for i in INTEGERS]
    return Library(*functions, conversion(f32, f64), conversion(f64, f32))


@pytest.mark.parametrize("source", INTEGERS)
@pytest.mark.parametrize("wanted", INTEGERS)
def test_integers_wrap_or_extend_by_the_source(conversions, source, wanted):
    convert = getattr(conversions, f"{source}_to_{wanted}")
    for number in INTERESTING:
        for value in (source(number), source(-number)):
            assert convert(value) == wanted(value)


@pytest.mark.parametrize("source", INTEGERS)
def test_integers_become_the_nearest_float(conversions, source):
    for number in INTERESTING:
        value = source(number)
        assert getattr(conversions, f"{source}_to_f64")(value) == float(value)
        if abs(value) < 2**53:  # Python would round twice
            narrow = ctypes.c_float(value).value
            assert getattr(conversions, f"{source}_to_f32")(value) == narrow


@pytest.mark.parametrize("wanted", INTEGERS)
def test_floats_truncate_towards_zero(conversions, wanted):
    for value in (0.0, 0.99, 1.0, 1.5, 99.999, 126.5):
        signed = [value, -value] if wanted.signed else [value]
        for x in signed:
            assert getattr(conversions, f"f64_to_{wanted}")(x) == int(x)
            assert getattr(conversions, f"f32_to_{wanted}")(x) == int(ctypes.c_float(x).value)


def test_floats_change_width(conversions):
    assert conversions.f64_to_f32(0.1) == ctypes.c_float(0.1).value
    assert conversions.f32_to_f64(0.5) == 0.5


@native(export="greater")
def greater(a: u32, b: u32) -> boolean:
    return a > b


@native(export="flip")
def flip(x: boolean) -> boolean:
    return not x


@native(export="count")
def count(x: boolean) -> u32:
    return u32(x)


@native(export="reinterpret")
def reinterpret(x: f64) -> u64:
    return bitcast(u64, x)


@native(export="narrow")
def narrow(x: i8) -> i8:
    return x


def test_booleans_and_small_integers_cross_the_c_boundary():
    library = Library(greater, flip, count, reinterpret, narrow, level=0)
    byte = ctypes.CFUNCTYPE(ctypes.c_uint8, ctypes.c_uint32, ctypes.c_uint32)
    raw = byte(library.image.symbol("greater"))  # all eight bits are defined
    assert [raw(2, 1), raw(1, 2), raw(2**32 - 1, 0)] == [1, 0, 1]
    assert library.flip(True) is False
    assert library.flip(False) is True
    assert [library.count(True), library.count(False)] == [1, 0]
    assert library.reinterpret(-0.0) == 1 << 63
    assert library.narrow(-5) == -5


# -- structs -------------------------------------------------------------------------------------


@struct
class Inner:
    tag: u8
    weight: f64


@struct
class Mixed:
    a: u8
    b: u64
    c: u16
    inner: Inner
    flags: array[u8, 3]
    d: f32
    next: ptr["Mixed"]
    callback: fn[[u32], u32]
    done: boolean
    counts: array[u16, 5]
    parts: array[Inner, 2]
    size: usize


def test_layout_is_that_of_c():
    made = mirror(Mixed)
    assert ctypes.sizeof(made) == Mixed.size(8)
    assert ctypes.alignment(made) == Mixed.align(8)
    for name in Mixed.fields:
        assert getattr(made, name).offset == Mixed.offset(name, 8), name


def test_layout_follows_the_width_of_pointers():
    assert Mixed.offset("callback", 8) - Mixed.offset("next", 8) == 8
    assert Mixed.offset("callback", 4) - Mixed.offset("next", 4) == 4
    assert usize.size(4) == 4
    assert Mixed.size(4) < Mixed.size(8)


@native(export="sizes")
def sizes(out: ptr[u32]) -> void:
    out[0] = sizeof(Mixed)
    out[1] = offsetof(Mixed, "next")
    out[2] = sizeof(ptr[u8])
    out[3] = sizeof(usize)


@native(export="write_all")
def write_all(m: ptr[Mixed], other: ptr[Mixed]) -> void:
    m.a = 1
    m.b = 0xFFFF_FFFF_FFFF_FFFE
    m.c = 3
    m.inner.tag = 4
    m.inner.weight = 5.5
    m.flags[2] = 6
    m.d = 0.25
    m.next = other
    m.done = True
    m.counts[4] = 7
    m.parts[1].weight = 8.5
    m.size = 9
    m.next.inner.tag = 10
    tags = addr(m.next.flags)
    tags[1] = 11


@native(export="read_all")
def read_all(m: ptr[Mixed]) -> u64:
    total = u64(m.a) + m.b + u64(m.c) + u64(m.inner.tag) + u64(m.inner.weight) + u64(m.flags[2])
    total += u64(m.counts[4]) + u64(m.parts[1].weight) + u64(m.size) + u64(m.done)
    if m.next is not None and m.callback is None:
        total += u64(m.next.flags[1])
    return total


def test_fields_are_where_ctypes_sees_them():
    library = Library(sizes, write_all, read_all)
    numbers = (ctypes.c_uint32 * 4)()
    library.sizes(ctypes.addressof(numbers))
    made = mirror(Mixed)
    assert list(numbers) == [ctypes.sizeof(made), made.next.offset, 8, 8]
    m, other = made(), made()
    library.write_all(ctypes.addressof(m), ctypes.addressof(other))
    assert (m.a, m.b, m.c, m.inner.tag, m.inner.weight) == (1, 2**64 - 2, 3, 4, 5.5)
    assert (m.flags[2], m.d, m.done, m.counts[4], m.size) == (6, 0.25, True, 7, 9)
    assert m.next == ctypes.addressof(other)
    assert m.parts[1].weight == 8.5
    assert (other.inner.tag, other.flags[1]) == (10, 11)
    sum_of_parts = 1 + (2**64 - 2) + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 1 + 11
    assert library.read_all(ctypes.addressof(m)) == sum_of_parts % 2**64


@native(export="walk")
def walk(first: ptr[Mixed]) -> u32:
    found: u32 = 0
    m = first
    while m is not None:
        found += u32(m.a)
        m = m.next
    return found


@native(export="between")
def between(start: ptr[u32], end: ptr[u32]) -> usize:
    n = (usize(end) - usize(start)) // sizeof(u32)
    if end - n != start or start + n != end or addr(start[n]) != end:
        return 0
    return n


@native(export="reverse")
def reverse(items: ptr[u16], n: u32) -> void:
    copied = stack(u16, 16)
    for i in range(n):
        copied[i] = items[n - 1 - i]
    for i in range(n):
        items[i] = copied[i]


def test_pointers():
    library = Library(walk, between, reverse)
    items = [mirror(Mixed)(a=a) for a in (3, 4, 5)]
    for item, following in pairwise(items):
        item.next = ctypes.addressof(following)
    assert library.walk(ctypes.addressof(items[0])) == 12
    assert library.walk(None) == 0
    assert library.between(0x1000, 0x1010) == 4
    numbers = (ctypes.c_uint16 * 5)(1, 2, 3, 4, 5)
    library.reverse(ctypes.addressof(numbers), 5)
    assert list(numbers) == [5, 4, 3, 2, 1]


def test_types_are_the_same_by_shape():
    assert same(array[u8, 3], array[u8, 3])
    assert not same(array[u8, 3], array[u8, 4])
    assert same(fn[[ptr[u8]], u32], fn[[ptr[u8]], u32])
    assert not same(fn[[ptr[u8]], u32], fn[[ptr[i8]], u32])
    assert same(ptr["Mixed"], ptr[Mixed])
    assert not same(u32, i32)


def test_every_target_lays_c_structs_out_alike_but_for_pointers():
    assert {target.pointer for target in TARGETS.values()} == {4, 8}
    for target in TARGETS.values():
        assert Inner.layout(target.pointer) == ({"tag": 0, "weight": 8}, 16, 8)

"""Memory in little-endian order, the bits of vectors, and what big-endian machines make of both."""

import ctypes
import re

from wasmote.image.testing import Library
from wasmote.nativepy import (
    TARGETS,
    bitcast,
    f32,
    f64,
    is_big_endian,
    little,
    load,
    load_le,
    native,
    ptr,
    store,
    store_le,
    u8,
    u16,
    u32,
    u64,
    vec,
)

from .support import compile_ir

BIG, LITTLE = TARGETS["mips-linux"], TARGETS["mipsel-linux"]


@native(export="read")
def read(p: ptr[u8]) -> f64:
    return load_le(f64, p)


@native(export="write")
def write(p: ptr[u8], x: u64) -> u32:
    store_le(ptr[u16](p), u16(x >> 48))
    store_le(p + 2, f32(1.0))
    return little(u32(x))


@native(export="first_lane")
def first_lane(x: u64) -> u64:
    return bitcast(u64, bitcast(vec[u16, 4], x) + bitcast(vec[u16, 4], u64(1)))


@native(export="cells")
def cells(p: ptr[u32]) -> u32:
    store(p, load(u64, p) + 1)
    if is_big_endian():
        return 1
    return 0


def test_on_this_machine():
    library = Library(read, write, first_lane, cells)
    memory = ctypes.create_string_buffer(b"\0\0\0\0\0\0\x04\x40" + bytes(8), 16)
    at = ctypes.addressof(memory)
    assert library.read(at) == 2.5
    assert library.write(at + 8, 0x1234_0000_5566_7788) == 0x5566_7788
    assert memory.raw[8:14] == b"\x34\x12\0\0\x80\x3f"
    assert library.first_lane(0xFFFF) == 0
    assert library.cells(at) == 0
    assert memory.raw[:8] == b"\1\0\0\0\0\0\x04\x40"


def test_bytes_are_reversed_where_the_machine_has_them_otherwise():
    for function, count in ((read, 1), (write, 3)):
        assert len(re.findall(r"call i\d+ @llvm.bswap", compile_ir(function, target=BIG))) == count
        assert "bswap" not in compile_ir(function, target=LITTLE)


def test_lanes_and_halves_are_reordered_there_as_well():
    assert compile_ir(first_lane, target=BIG).count("shufflevector") == 3
    assert "shufflevector" not in compile_ir(first_lane, target=LITTLE)
    assert compile_ir(cells, target=BIG).count("call i64 @llvm.fshl.i64") == 2
    assert "fshl" not in compile_ir(cells, target=LITTLE)

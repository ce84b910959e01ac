"""Constant expressions, as initial values of globals."""

import random
import struct

import pytest

from .support import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    REF_NULL,
    V128,
    Global,
    ModuleBuilder,
    World,
    core,
    global_get,
    i32_const,
    i64_const,
    pointers,
    ref_func,
)

ADD, SUB, MUL = b"\x6a", b"\x6b", b"\x6c"
ADD64, SUB64, MUL64 = b"\x7c", b"\x7d", b"\x7e"
CELLS = {I32: 1, F32: 1, FUNCREF: 1, EXTERNREF: 1, I64: 2, F64: 2, V128: 4}


def run(world: World, *variables: tuple[int, bytes]) -> list[int]:
    """Values of the globals, as unsigned numbers of their width. There are two functions."""
    builder = ModuleBuilder()
    builder.type()
    builder.function()
    builder.function()
    for content, init in variables:
        builder.variable(content, init)
    module = world.load(builder)
    made = world.instantiate(module)
    assert made.code == 0
    found = [Global.from_address(at) for at in pointers(made.instance.globals, len(variables))]
    values = []
    for (content, _), variable in zip(variables, found, strict=True):
        assert (variable.content, variable.mutable) == (content, 0)
        cells = list(variable.value)[: CELLS[content]]
        values.append(sum(cell << 32 * i for i, cell in enumerate(cells)))
    core().instance_destroy(made.at)
    world.unload(module)
    return values


NUMBERS = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8193, 1 << 20, 2**31 - 1, -(2**31)]


def test_integers_of_every_length(world: World) -> None:
    assert run(world, *((I32, i32_const(n)) for n in NUMBERS)) == [n % 2**32 for n in NUMBERS]
    wide = [*NUMBERS, 2**31, -(2**31) - 1, 2**62, -(2**62), 2**63 - 1, -(2**63), 2**63 - 2]
    assert run(world, *((I64, i64_const(n)) for n in wide)) == [n % 2**64 for n in wide]


def test_integers_in_more_bytes_than_needed(world: World) -> None:
    padded = {b"\x41\x80\x80\x80\x80\x00": 0, b"\x41\xff\xff\xff\xff\x7f": 2**32 - 1}
    assert run(world, *((I32, code) for code in padded)) == list(padded.values())
    assert run(world, (I64, b"\x42" + b"\xff" * 9 + b"\x7f")) == [2**64 - 1]


def test_floats_and_vectors_bit_for_bit(world: World) -> None:
    f32, f64 = 0x7FA00001, 0xFFF4000000000001  # signalling NaNs
    vector = bytes(range(1, 17))
    values = run(
        world,
        (F32, b"\x43" + struct.pack("<I", f32)),
        (F64, b"\x44" + struct.pack("<Q", f64)),
        (V128, b"\xfd\x0c" + vector),
        (V128, global_get(2)),
        (F64, global_get(1)),
    )
    whole = int.from_bytes(vector, "little")
    assert values == [f32, f64, whole, whole, f64]


def test_references(world: World) -> None:
    null, first, again, second, copied, extern = run(
        world,
        (FUNCREF, REF_NULL),
        (FUNCREF, ref_func(0)),
        (FUNCREF, ref_func(0)),
        (FUNCREF, ref_func(1)),
        (FUNCREF, global_get(3)),
        (EXTERNREF, b"\xd0\x6f"),
    )
    assert (null, extern) == (0, 0)
    assert first == again != 0
    assert second == copied not in (0, first)


def test_arithmetic_wraps(world: World) -> None:
    assert run(
        world,
        (I32, i32_const(-1) + i32_const(2) + ADD),
        (I32, i32_const(1) + i32_const(2) + SUB),
        (I32, i32_const(-(2**31)) + i32_const(3) + MUL),
        (I64, i64_const(-1) + i64_const(2) + ADD64),
        (I64, i64_const(1) + i64_const(2) + SUB64),
        (I64, i64_const(2**62 + 1) + i64_const(5) + MUL64),
        (I32, global_get(1) + i32_const(10) + global_get(0) + MUL + ADD),
    ) == [1, 2**32 - 1, 2**31, 1, 2**64 - 1, (2**62 + 1) * 5 % 2**64, 9]


@pytest.mark.parametrize("depth", [15, 16, 17, 33, 1000])
def test_deep_expressions(world: World, depth: int) -> None:
    random.seed(depth)
    numbers = [random.randrange(-(2**63), 2**63) for _ in range(depth)]
    code = b"".join(map(i64_const, numbers)) + SUB64 * (depth - 1)
    expected = numbers[-1]
    for n in reversed(numbers[:-1]):
        expected = n - expected
    assert run(world, (I64, code)) == [expected % 2**64]

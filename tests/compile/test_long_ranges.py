"""memory.copy and memory.fill of more than the host can wait for, in compiled code."""

import threading

import pytest

from wasmote import Instance, Module, Trap
from wasmote.compile.compiler import compile_module
from wasmote.errors import TrapKind
from wasmote.interp.common.bulk import PIECE
from wasmote.wat import wat2wasm

MIB = 1 << 20
#: 128 MiB of memory. `forever` fills all of it, each time with another byte.
MODULE = """(module (memory (export "memory") 2048)
  (func (export "fill") (param i32 i32 i32)
    (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "copy") (param i32 i32 i32)
    (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func $forever (export "forever") (local i32)
    (loop $again
      (memory.fill (i32.const 0) (local.tee 0 (i32.add (local.get 0) (i32.const 1)))
        (i32.const 0x8000000))
      (br $again))))"""


@pytest.fixture
def instance() -> Instance:
    module = Module(wat2wasm(MODULE))
    return Instance(Module(compile_module(module, level=1).encode()))


def test_a_fill_and_copies_that_overlap(instance: Instance) -> None:
    exports, size, shift = instance.exports, 3 * PIECE + 5, 7 * MIB + 3
    exports.fill(1, 0xAB, size)
    memory = memoryview(exports.memory)
    assert (memory[0], memory[1], memory[size], memory[size + 1]) == (0, 0xAB, 0xAB, 0)
    marks = range(1, size, MIB - 1)
    for number, at in enumerate(marks):
        memory[at] = number
    exports.copy(1 + shift, 1, size)
    assert [memory[at + shift] for at in marks] == list(range(len(marks)))
    exports.copy(1, 1 + shift, size)
    assert [memory[at] for at in marks] == list(range(len(marks)))


def test_what_does_not_fit_changes_nothing(instance: Instance) -> None:
    with pytest.raises(Trap) as trap:
        instance.exports.fill(1, 9, 128 * MIB)
    assert trap.value.kind is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert instance.exports.memory.read(0, 2) == bytes(2)


def test_a_fill_can_be_interrupted_half_way(instance: Instance) -> None:
    timer = threading.Timer(0.3, instance.interrupt)
    timer.start()
    with pytest.raises(Trap) as trap:
        instance.exports.forever()
    assert trap.value.kind is TrapKind.INTERRUPTED
    assert [frame.function_name for frame in trap.value.frames] == ["forever"]
    memory = memoryview(instance.exports.memory)
    found = {memory[at] for at in range(0, 128 * MIB, PIECE)}
    assert len(found) <= 2

"""The app heap: allocation, where it is put, and programs that overwrite it."""

import random
import struct
import threading
from typing import Any

import pytest

import wasmote
from wasmote.core.app_heap import LARGEST
from wasmote.wat import wat2wasm

from .support import PAGE, Program

HEAP = 16384


@pytest.fixture
def program() -> Program:
    return Program(heap_size=HEAP)


def instance(text: str, heap_size: int = HEAP, **options: str) -> wasmote.Instance:
    return wasmote.Instance(wasmote.Module(wat2wasm(text)), heap_size=heap_size, **options)


def test_random_allocations_do_not_overlap(program: Program) -> None:
    """Against a model: places and contents of all blocks, for thousands of steps."""
    chance = random.Random(5)
    blocks: dict[int, bytes] = {}
    refused = 0

    def check(place: int, size: int) -> None:
        assert place % 16 == 0 and place >= PAGE and place + size <= PAGE + HEAP
        for other, data in blocks.items():
            assert place + size <= other or other + len(data) <= place

    for _ in range(6000):
        kind = chance.random()
        size = chance.choice((0, 1, 8, 24, 100, chance.randrange(3000)))
        if kind < 0.35 or not blocks:
            place = program.malloc(size)
        elif kind < 0.45:
            place = program.calloc(size, 3)
            size *= 3
            assert not place or program.memory.read(place, size) == bytes(size)
        elif kind < 0.5:
            alignment = 1 << chance.randrange(2, 10)
            assert program.posix_memalign(64, alignment, size) in (0, 48)
            place = int.from_bytes(program.memory.read(64, 4), "little")
            program.memory.write(64, bytes(4))
            assert place % alignment == 0
        elif kind < 0.65:
            old = chance.choice(list(blocks))
            place = program.realloc(old, size)
            if place:
                data = blocks.pop(old)
                kept = min(len(data), size)
                assert program.memory.read(place, kept) == data[:kept]
        else:
            old = chance.choice(list(blocks))
            assert program.memory.read(old, len(blocks[old])) == blocks.pop(old)
            program.free(old)
            continue
        refused += not place
        if place:
            check(place, size)
            blocks[place] = chance.randbytes(size)
            program.memory.write(place, blocks[place])
    assert 0 < refused < 3000
    for place in blocks:
        program.free(place)
    assert program.malloc(HEAP - 24)  # all is one block again
    assert program.malloc(HEAP) == program.calloc(-1, -1) == 0


def test_strdup(program: Program) -> None:
    for name in ("strdup", "_strdup"):
        place = getattr(program, name)(program.place(b"copied"))
        assert program.string(place) == b"copied" and place >= PAGE
    assert program.strdup(program.place(b"x" * HEAP)) == 0


def test_nothing_happens_when_what_is_no_pointer_is_freed(program: Program) -> None:
    for place in (0, 8, PAGE - 1, PAGE + HEAP, -1):
        program.free(place)
    assert program.realloc(0, 10) >= PAGE
    assert program.realloc(8, 10) == 0


@pytest.mark.parametrize("engine", ["fast", "classic"])
def test_freeing_twice_is_noticed(engine: str) -> None:
    program = Program(engine, heap_size=HEAP)
    place = program.malloc(10)
    program.free(place)
    with pytest.raises(wasmote.Trap) as caught:
        program.free(place)
    assert caught.value.kind is wasmote.TrapKind.APP_HEAP_CORRUPTED
    for call in (lambda: program.malloc(1), lambda: program.instance.malloc(1)):
        with pytest.raises(wasmote.Trap, match="app heap corrupted"):
            call()


@pytest.mark.parametrize("seed", range(40))
def test_a_program_can_overwrite_the_heap(seed: int) -> None:
    """Whatever is there: traps or places within the heap, and nothing else is written."""
    chance = random.Random(seed)
    program = Program(heap_size=2048, memory="2")
    start = 2 * PAGE
    blocks = [0]
    likely = [0, 1, 8, 16, 24, 32, 2040, 2041, 2048, 2056, 2**31, 2**32 - 8, 2**32 - 1]
    for _ in range(300):
        if chance.random() < 0.2:
            at = start + chance.randrange(0, 2045, chance.choice((1, 4, 8)))
            value = chance.choice((*likely, chance.getrandbits(32), chance.randrange(2048)))
            program.memory.write(at, struct.pack("<I", value & 0xFFFF_FFFF))
        size = chance.choice((1, 20, 100, 500, 3000))
        try:
            kind = chance.randrange(4)
            if kind == 0:
                program.free(chance.choice(blocks))
                continue
            place = chance.choice(blocks) if kind == 1 else 0
            place = program.realloc(place, size) if kind < 3 else program.calloc(size, 1)
        except wasmote.Trap as trap:
            assert trap.kind is wasmote.TrapKind.APP_HEAP_CORRUPTED
            break
        assert place == 0 or start <= place <= start + 2048 - size
        blocks.append(place)
    assert program.memory.read(0, start) == bytes(start)
    assert program.memory.read(start + 2048, PAGE - 2048) == bytes(PAGE - 2048)


THREADS = """(module
    (import "env" "malloc" (func $malloc (param i32) (result i32)))
    (import "env" "realloc" (func $realloc (param i32 i32) (result i32)))
    (import "env" "free" (func $free (param i32)))
    (import "e" "m" (memory 1 4 shared))
    (func (export "allocate") (param $n i32) (param $size i32) (local $p i32) (local $q i32)
      (loop $again
        (local.set $p (call $malloc (local.get $size)))
        (local.set $q (call $malloc (i32.const 24)))
        (if (local.get $p) (then (i32.store (local.get $p) (local.get $n))))
        (local.set $p (call $realloc (local.get $p) (i32.mul (local.get $size) (i32.const 3))))
        (call $free (local.get $q)) (call $free (local.get $p))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "corrupt") (param $n i32) (param $x i32)
      (loop $again
        (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525))
          (i32.const 1013904223)))
        (i32.store
          (i32.add (i32.const 65536)
            (i32.and (i32.shr_u (local.get $x) (i32.const 8)) (i32.const 8188)))
          (i32.shr_u (local.get $x) (i32.const 16)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"""


@pytest.mark.parametrize("hostile", [False, True])
def test_threads_allocate_at_once(hostile: bool) -> None:
    """Nothing is lost between them; while one overwrites the heap, others trap at worst."""
    loaded = wasmote.Module(wat2wasm(THREADS))
    for turn in range(20):
        memory = wasmote.Memory(wasmote.MemoryType(1, 4, shared=True))
        imports: Any = {**wasmote.Libc().imports(), "e": {"m": memory}}
        made: list[Any] = [
            wasmote.Instance(loaded, imports, heap_size=8200, engine=engine)
            for engine in ("fast", "classic", "fast", "classic")
        ]
        errors: list[Exception] = []

        def work(i: int) -> None:
            try:
                if hostile and i == 0:
                    made[i].exports.corrupt(3000, turn)
                else:
                    made[i].exports.allocate(1000, 100 * i + turn + 1)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a thread hangs"
        assert hostile or not errors
        assert all(isinstance(error, wasmote.Trap) for error in errors), errors
        if not hostile:
            assert made[0].malloc(8150)  # all of it was given back


# -- where it is ---------------------------------------------------------------------------------


def test_it_comes_after_the_memory() -> None:
    made = instance('(module (memory (export "memory") 1 1))', 100_000)
    assert made.exports.memory.size == 3  # type: ignore[union-attr]
    assert made.malloc(50_000) == PAGE + 16
    made.free(PAGE + 16)
    with pytest.raises(MemoryError, match="no room for 100001 bytes"):
        made.malloc(100_001)


def test_it_begins_at_the_heap_base() -> None:
    text = """(module (memory (export "memory") 2)
        (global (export "__heap_base") i32 (i32.const 1000)))"""
    made = instance(text)
    assert made.exports.memory.size == 2  # type: ignore[union-attr]
    assert made.exports["__heap_base"].value == 1008 + HEAP  # type: ignore[union-attr]
    assert made.malloc(1) == 1024
    made = instance(text, 200_000)
    assert made.exports.memory.size == 4  # type: ignore[union-attr]


def test_modules_that_allocate_themselves_have_none() -> None:
    text = """(module (memory (export "memory") 1) (func (export "free") (param i32))
        (func (export "malloc") (param i32) (result i32) (i32.const 64)))"""
    made = instance(text)
    assert made.exports.memory.size == 1 and made.malloc(1) == 64  # type: ignore[union-attr]
    made.free(64)
    only = text.replace('(func (export "free") (param i32))', "")
    assert instance(only).malloc(1) == PAGE + 16


def test_assemblyscript_modules_allocate_themselves() -> None:
    text = """(module (memory (export "memory") 1) (global (export "held") (mut i32) (i32.const 0))
        (func (export "__new") (param i32 i32) (result i32) (i32.const 128))
        (func (export "__pin") (param i32) (result i32) (global.set 0 (local.get 0)) (local.get 0))
        (func (export "__unpin") (param i32) (global.set 0 (i32.const 0))))"""
    made = instance(text)
    assert made.malloc(10) == 128
    assert made.exports.held.value == 128  # type: ignore[union-attr]
    made.free(128)
    assert made.exports.held.value == 0  # type: ignore[union-attr]


def test_functions_fall_back_to_what_the_module_exports() -> None:
    text = """(module (import "env" "strdup" (func $strdup (param i32) (result i32)))
        (import "env" "calloc" (func $calloc (param i32 i32) (result i32)))
        (import "env" "free" (func $free (param i32)))
        (memory (export "memory") 1) (data (i32.const 16) "text\\00")
        (global $next (mut i32) (i32.const 1024)) (global (export "freed") (mut i32) (i32.const 0))
        (func (export "malloc") (param i32) (result i32)
          (global.get $next) (global.set $next (i32.add (global.get $next) (local.get 0))))
        (func (export "free") (param i32) (global.set 1 (local.get 0)))
        (func (export "dup") (result i32) (call $strdup (i32.const 16)))
        (func (export "zeros") (result i32) (call $calloc (i32.const 3) (i32.const 5)))
        (func (export "drop") (call $free (i32.const 1024))))"""
    made = wasmote.Instance(
        wasmote.Module(wat2wasm(text)), wasmote.Libc().imports(), heap_size=HEAP
    )
    exports = made.exports
    assert exports.dup() == 1024  # type: ignore[operator]
    assert exports.memory.read(1024, 5) == b"text\0"  # type: ignore[union-attr]
    assert exports.zeros() == 1029  # type: ignore[operator]
    exports.drop()  # type: ignore[operator]
    assert exports.freed.value == 1024  # type: ignore[union-attr]


def test_without_a_heap_malloc_fails() -> None:
    program = Program()
    assert program.malloc(1) == program.realloc(0, 1) == program.strdup(0) == 0
    assert program.posix_memalign(64, 8, 8) == 48
    program.free(1)
    with pytest.raises(LookupError, match="give it a heap_size"):
        program.instance.malloc(1)


def test_sizes() -> None:
    with pytest.raises(ValueError, match="heap_size is 0 to"):
        instance("(module (memory 1))", LARGEST + 1)
    assert instance("(module)", 4096).exports is not None
    small = instance('(module (memory (export "memory") 1))', 1)
    assert small.malloc(200) == PAGE + 16
    large = instance('(module (memory (export "memory") 1))', LARGEST)
    assert large.malloc(LARGEST - 24) == PAGE + 16
    limited = wasmote.Module(wat2wasm("(module (memory 1))"), limits=wasmote.Limits(memory_pages=1))
    with pytest.raises(MemoryError, match="failed to insert app heap"):
        wasmote.Instance(limited, heap_size=HEAP)


def test_instances_that_share_a_memory_share_the_heap() -> None:
    memory = wasmote.Memory(wasmote.MemoryType(1, 4))
    module = wasmote.Module(wat2wasm('(module (import "env" "memory" (memory 1)))'))
    first, second = (
        wasmote.Instance(module, {"env": {"memory": memory}}, heap_size=HEAP) for _ in "ab"
    )
    assert memory.size == 2
    assert [first.malloc(1), second.malloc(1)] == [PAGE + 16, PAGE + 32]


def test_programs_may_grow_the_memory_further() -> None:
    made = instance(
        '(module (memory (export "memory") 1 4) (func (export "grow") (result i32)'
        " (memory.grow (i32.const 2))))"
    )
    assert made.exports.grow() == 2  # type: ignore[operator]
    place = made.malloc(HEAP - 100)
    made.to_native(place, HEAP - 100)[:] = b"x" * (HEAP - 100)

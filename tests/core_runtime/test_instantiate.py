"""Instances: linking, initialisation, segments, running out of memory, ownership."""

import ctypes
from collections.abc import Callable

import pytest

from wasmote.core.linking import Mismatch
from wasmote.core.status import ExternKind, SegmentMode, TrapCode

from .support import (
    EXTERNREF,
    FUNCREF,
    I32,
    I64,
    NO_MAXIMUM,
    PAGE,
    V128,
    Created,
    FuncInst,
    FuncType,
    Global,
    Instance,
    Memory,
    MemoryType,
    ModuleBuilder,
    Table,
    TableType,
    World,
    address,
    core,
    elements,
    global_get,
    i32_const,
    i64_const,
    pointers,
    raw_bytes,
    ref_func,
)

FUNCTION, TABLE, MEMORY, GLOBAL, _ = ExternKind


def destroy(made: Created) -> None:
    core().instance_destroy(made.at)


def export(made: Created, index: int) -> int:
    at = core().instance_export(made.at, index)
    assert at
    return at


def handle_target(world: World, handle: int) -> ctypes.Structure:
    entries = pointers(world.store.functions, world.store.function_capacity)
    return FuncInst.from_address(entries[handle])


def rich_module() -> ModuleBuilder:
    """One of everything; importable by `rich_importer`."""
    b = ModuleBuilder()
    b.type()
    b.type((I32, I64), (I32,))
    for i in range(80):  # more handles than the store's first block
        b.function(i % 2)
    b.table(100, 200)
    b.table(3, element=EXTERNREF)
    b.memory(2, 4)
    b.variable(I32, i32_const(8))
    b.variable(I64, i64_const(-5), mutable=True)
    b.variable(FUNCREF, ref_func(79))
    deep = b"".join(i32_const(n) for n in range(20)) + b"\x6a" * 19
    b.variable(I32, deep)
    b.element(list(range(70)), offset=global_get(0))
    b.element([ref_func(3), ref_func(4)], offset=i32_const(98))
    b.element([1, 2], SegmentMode.PASSIVE)
    b.element([5], SegmentMode.DECLARATIVE)
    b.segment(b"later wins", offset=i32_const(PAGE - 4))
    b.segment(b"WINS", offset=i32_const(PAGE + 2))
    b.segment(b"passive", SegmentMode.PASSIVE)
    for kind, index in [(FUNCTION, 1), (TABLE, 0), (MEMORY, 0), (GLOBAL, 1), (FUNCTION, 0)]:
        b.export(kind, index)
    return b


def rich_importer() -> ModuleBuilder:
    b = ModuleBuilder()
    b.type()
    b.type((I32, I64), (I32,))
    b.function(1, imported=True)
    b.table(50, 300, imported=True)
    b.memory(1, 4, imported=True)
    b.variable(I64, mutable=True, imported=True)
    b.function(0, imported=True)
    b.function(0)
    b.table(1)
    b.memory(1)
    b.variable(I32, i32_const(1))
    b.element([0, 1, 2], offset=i32_const(0))
    b.element([2], table=1)
    b.segment(b"imported")
    b.segment(b"own", memory=1)
    b.export(FUNCTION, 0)
    b.export(FUNCTION, 1)
    return b


def test_everything_is_in_place(world: World) -> None:
    module = world.load(rich_module())
    made = world.instantiate(module)
    assert made.code == 0
    instance = made.instance
    table, externs = (Table.from_address(at) for at in pointers(instance.tables, 2))
    memory = Memory.from_address(pointers(instance.memories, 1)[0])
    variables = [Global.from_address(at) for at in pointers(instance.globals, 4)]
    functions = [handle_target(world, h).index for h in elements(table)[8:78]]
    assert functions == list(range(70))
    assert [bool(h) for h in elements(table)] == [False] * 8 + [True] * 70 + [False] * 20 + [
        True
    ] * 2
    assert [handle_target(world, h).index for h in elements(table)[98:]] == [3, 4]
    assert elements(table)[98] == elements(table)[8 + 3]
    assert elements(externs) == [0] * 3
    assert raw_bytes(memory, PAGE - 4, 10) == b"later WINS"
    assert variables[1].mutable == 1
    assert handle_target(world, variables[2].value[0]).index == 79
    assert variables[3].value[0] == sum(range(20))
    assert list(ctypes.string_at(instance.dropped_elements, 4)) == [1, 1, 0, 1]
    assert list(ctypes.string_at(instance.dropped_data, 3)) == [1, 1, 0]
    # Only what is referenced has a function instance: 70 in the table and 79 in the global.
    assert world.store.function_count == 71
    destroy(made)
    assert world.store.function_count == 0
    world.unload(module)


def test_own_functions_know_their_type_and_instance(world: World) -> None:
    module = world.load(rich_module())
    made, other = world.instantiate(module), world.instantiate(module)
    for index in (0, 1, 79):
        f = FuncInst.from_address(core().instance_function(made.at, index))
        assert (f.index, f.instance, f.host) == (index, made.at, None)
        assert core().instance_function(made.at, index) == address(f)
        assert core().instance_function(other.at, index) != address(f)
        assert address(handle_target(world, f.handle)) == address(f)
        assert f.type == module.types + index % 2 * ctypes.sizeof(FuncType)
        twin = FuncInst.from_address(core().instance_function(other.at, index))
        assert (twin.type_id, twin.type) == (f.type_id, f.type)
    even, odd = (FuncInst.from_address(core().instance_function(made.at, i)) for i in (0, 1))
    assert even.type_id != odd.type_id
    destroy(made)
    destroy(other)
    world.unload(module)


def test_linking_two_instances(world: World) -> None:
    exporter, importer = world.load(rich_module()), world.load(rich_importer())
    a = world.instantiate(exporter)
    b = world.instantiate(importer, *(export(a, i) for i in range(5)))
    assert b.code == 0
    instance = b.instance
    table = Table.from_address(export(a, 1))
    imported = pointers(instance.imported, 2)
    assert imported == [export(a, 0), export(a, 4)]
    first = [address(handle_target(world, h)) for h in elements(table)[:3]]
    assert first == [*imported, core().instance_function(b.at, 2)]
    memories = [Memory.from_address(at) for at in pointers(instance.memories, 2)]
    assert address(memories[0]) == export(a, 2)
    assert raw_bytes(memories[0], 0, 8) == b"imported"
    assert raw_bytes(memories[1], 0, 3) == b"own"
    assert pointers(instance.globals, 2)[0] == export(a, 3)
    assert export(b, 0) == export(a, 0)
    # What b owned is gone; its function's handle in a's table names nobody.
    stale = elements(table)[2]
    destroy(b)
    assert handle_target(world, stale).instance is None
    assert address(handle_target(world, stale)) == address(handle_target(world, 0))
    assert raw_bytes(memories[0], 0, 8) == b"imported"
    destroy(a)
    world.unload(exporter)
    world.unload(importer)


def test_missing_function_becomes_one_that_nobody_implements(world: World) -> None:
    b = ModuleBuilder()
    b.type((I32,), (I64,))
    b.function(imported=True)
    b.table(1)
    b.element([0])
    b.export(FUNCTION, 0)
    module = world.load(b)
    made = world.instantiate(module, None)
    assert made.code == 0
    f = FuncInst.from_address(export(made, 0))
    assert (f.instance, f.host, f.index) == (None, None, 0)
    assert f.type == module.types
    table = Table.from_address(pointers(made.instance.tables, 1)[0])
    assert elements(table) == [f.handle]
    assert f.handle != 0
    # Somebody else may import it; it stays the first instance's.
    second = world.instantiate(module, address(f))
    assert second.code == 0
    destroy(second)
    assert FuncInst.from_address(export(made, 0)).handle == elements(table)[0]
    destroy(made)
    world.unload(module)


# -- import matching ---------------------------------------------------------------------------


def mismatch(
    world: World, declare: Callable[[ModuleBuilder], object], given: int | None
) -> Mismatch:
    """Instantiate a module with a good import, then the one declared; why is that refused?"""
    b = ModuleBuilder()
    b.type((I32,), ())
    b.variable(I32, imported=True)
    declare(b)
    module = world.load(b)
    blocks = len(world.platform.blocks)
    good = Global(content=I32)
    made = world.instantiate(module, address(good), given)
    if made.at is None:
        assert made.code == TrapCode.UNLINKED_IMPORT
        assert made.error.detail == 1
        assert len(world.platform.blocks) == blocks
    else:
        destroy(made)
    world.unload(module)
    return Mismatch(made.error.detail2)


def test_function_types_must_be_equal(world: World) -> None:
    b = ModuleBuilder()
    b.type((I32,), ())
    b.type((I32, I32), ())
    b.function(0)
    b.function(1)
    b.export(FUNCTION, 0)
    b.export(FUNCTION, 1)
    module = world.load(b)
    made = world.instantiate(module)

    def wanted(b: ModuleBuilder) -> None:
        b.function(0, imported=True)

    assert mismatch(world, wanted, export(made, 0)) == Mismatch.NONE
    assert mismatch(world, wanted, export(made, 1)) == Mismatch.FUNCTION_TYPE
    assert mismatch(world, wanted, None) == Mismatch.NONE
    destroy(made)
    world.unload(module)


@pytest.mark.parametrize("wide", [0, 4])
@pytest.mark.parametrize(
    ("minimum", "maximum", "expected"),
    [
        (10, NO_MAXIMUM, Mismatch.NONE),
        (0, 20, Mismatch.NONE),
        (12, 20, Mismatch.NONE),
        (10, 21, Mismatch.NONE),
        (13, NO_MAXIMUM, Mismatch.SIZE),
        (10, 19, Mismatch.MAXIMUM),
        (0, 0, Mismatch.MAXIMUM),
    ],
)
def test_limits_of_tables_and_memories(
    world: World, minimum: int, maximum: int, expected: Mismatch, wide: int
) -> None:
    """The size is that of now, 12, not the minimum of the type."""
    platform = world.platform.address
    kind = TableType(element=FUNCREF, minimum=10, maximum=20, flags=1 | wide)
    table = core().table_create(platform, address(kind), 100)
    assert core().table_grow(table, 2, 0) == 10
    kind = MemoryType(minimum=10, maximum=20, flags=1 | wide, page_shift=16)
    memory = core().memory_create(platform, address(kind), 100)
    assert core().memory_grow(memory, 2) == 10
    flags = wide | (maximum != NO_MAXIMUM)
    for other, outcome in ((flags, expected), (flags ^ 4, Mismatch.INDEX_TYPE)):
        assert outcome == mismatch(
            world, lambda b: b.table(minimum, maximum, flags=other, imported=True), table
        )
        assert outcome == mismatch(
            world, lambda b: b.memory(minimum, maximum, other, imported=True), memory
        )
    core().table_release(table)
    core().memory_release(memory)


def test_a_growing_table_or_memory_is_no_bounded_one(world: World) -> None:
    platform = world.platform.address
    table_type = TableType(element=FUNCREF, maximum=NO_MAXIMUM)
    table = core().table_create(platform, address(table_type), 9)
    memory_type = MemoryType(maximum=NO_MAXIMUM, page_shift=16)
    memory = core().memory_create(platform, address(memory_type), 9)
    for maximum, outcome in ((NO_MAXIMUM, Mismatch.NONE), (65536, Mismatch.MAXIMUM)):
        assert mismatch(world, lambda b: b.table(0, maximum, imported=True), table) == outcome
        assert mismatch(world, lambda b: b.memory(0, maximum, imported=True), memory) == outcome
    element = mismatch(world, lambda b: b.table(0, element=EXTERNREF, imported=True), table)
    assert element == Mismatch.ELEMENT_TYPE
    shared = mismatch(world, lambda b: b.memory(0, flags=2, imported=True), memory)
    assert shared == Mismatch.SHARED
    small = mismatch(world, lambda b: b.memory(0, page_shift=0, imported=True), memory)
    assert small == Mismatch.PAGE_SIZE
    for declare in (
        lambda b: b.table(0, imported=True),
        lambda b: b.memory(0, imported=True),
        lambda b: b.variable(I32, imported=True),
    ):
        assert mismatch(world, declare, None) == Mismatch.MISSING
    core().table_release(table)
    core().memory_release(memory)


def test_globals_must_match_exactly(world: World) -> None:
    constant, variable = Global(content=I32), Global(content=I32, mutable=1)
    for given, mutable in ((constant, False), (variable, True)):
        for wanted in (False, True):
            found = mismatch(
                world,
                lambda b: b.variable(I32, mutable=wanted, imported=True),
                address(given),
            )
            assert found == (Mismatch.NONE if wanted == mutable else Mismatch.MUTABILITY)
        other = mismatch(
            world, lambda b: b.variable(I64, mutable=mutable, imported=True), address(given)
        )
        assert other == Mismatch.CONTENT_TYPE


def test_values_of_imported_globals(world: World) -> None:
    b = ModuleBuilder()
    b.variable(V128, imported=True)
    b.variable(I32, imported=True)
    b.variable(V128, global_get(0))
    b.variable(I32, global_get(1) + i32_const(1) + b"\x6a")
    b.memory(1)
    b.segment(b"x", offset=global_get(1))
    module = world.load(b)
    vector = Global(content=V128, value=(1, 2, 3, 0xFFFFFFFF))
    number = Global(content=I32, value=(41, 99, 99, 99))
    made = world.instantiate(module, address(vector), address(number))
    variables = [Global.from_address(at) for at in pointers(made.instance.globals, 4)]
    assert list(variables[2].value) == [1, 2, 3, 0xFFFFFFFF]
    assert variables[3].value[0] == 42
    memory = Memory.from_address(pointers(made.instance.memories, 1)[0])
    assert raw_bytes(memory, 40, 3) == b"\0x\0"
    destroy(made)
    world.unload(module)


# -- segments that do not fit ------------------------------------------------------------------


@pytest.mark.parametrize("bad", [-1, 4, 5, 0x7FFFFFFF])
def test_what_earlier_segments_wrote_stays(world: World, bad: int) -> None:
    table_type = TableType(element=FUNCREF, minimum=4, maximum=NO_MAXIMUM)
    table = core().table_create(world.platform.address, address(table_type), 100)
    b = ModuleBuilder()
    b.type()
    b.function()
    b.table(4, imported=True)
    b.memory(1)
    b.element([0, 0], offset=i32_const(2))
    b.element([0], offset=i32_const(bad))
    b.element([0], offset=i32_const(0))
    b.segment(b"never")
    module = world.load(b)
    made = world.instantiate(module, table)
    assert (made.code, made.error.detail) == (TrapCode.TABLE_OUT_OF_BOUNDS, 1)
    handles = elements(Table.from_address(table))
    assert [bool(h) for h in handles] == [False, False, True, True]
    f = handle_target(world, handles[2])
    assert (f.instance, f.index) == (made.at, 0)
    assert Instance.from_address(f.instance).module == address(module)
    destroy(made)
    core().table_release(table)
    world.unload(module)


@pytest.mark.parametrize(
    ("offset", "data", "flags", "fits"),
    [
        (i32_const(PAGE), b"", 0, True),
        (i32_const(PAGE - 1), b"x", 0, True),
        (i32_const(PAGE), b"x", 0, False),
        (i32_const(PAGE + 1), b"", 0, False),
        (i32_const(-1), b"x", 0, False),
        (i64_const(PAGE - 1), b"x", 4, True),
        (i64_const((1 << 32) + 1), b"x", 4, False),
        (i64_const(-1), b"xx", 4, False),
    ],
)
def test_data_segments_at_the_end_of_memory(
    world: World, offset: bytes, data: bytes, flags: int, fits: bool
) -> None:
    b = ModuleBuilder()
    b.memory(1, flags=flags)
    b.segment(b"first")
    b.segment(data, offset=offset)
    module = world.load(b)
    made = world.instantiate(module)
    memory = Memory.from_address(pointers(made.instance.memories, 1)[0])
    assert raw_bytes(memory, 0, 5) == b"first"
    if fits:
        assert made.code == 0
        assert raw_bytes(memory, PAGE - len(data), len(data)) == data
    else:
        assert (made.code, made.error.detail) == (TrapCode.MEMORY_OUT_OF_BOUNDS, 1)
        assert list(ctypes.string_at(made.instance.dropped_data, 2)) == [1, 0]
    destroy(made)
    world.unload(module)


# -- resources ---------------------------------------------------------------------------------


def test_limits_of_the_module(world: World) -> None:
    for wish, kind in (("memory", MEMORY), ("table", TABLE)):
        b = ModuleBuilder(memory_pages=5, table_elements=5)
        getattr(b, wish)(5)
        getattr(b, wish)(6)
        module = world.load(b)
        made = world.instantiate(module)
        assert (made.code, made.at) == (TrapCode.OUT_OF_MEMORY, None)
        assert (made.error.detail, made.error.detail2) == (1, kind)
        world.unload(module)


def fail_each_request(world: World, attempt: Callable[[], Created]) -> int:
    """Let the first, second, … request fail until an attempt makes fewer.

    Returns how many attempts failed; the others coped, with a smaller reservation for instance.
    """
    platform, failures = world.platform, 0
    for n in range(1, 1000):
        platform.fail_at = platform.requests + n
        made = attempt()
        if made.code != 0:
            assert made.code == TrapCode.OUT_OF_MEMORY
            failures += 1
        if made.at is not None:
            destroy(made)
        if platform.requests < platform.fail_at:
            platform.fail_at = None
            assert made.code == 0
            return failures
    raise AssertionError("no end of requests")


def test_running_out_of_memory_at_every_request(world: World) -> None:
    exporter = world.load(rich_module())
    # The first round also fails to add handles to the store; after it, there are enough.
    assert fail_each_request(world, lambda: world.instantiate(exporter)) > 70
    blocks = len(world.platform.blocks)
    # The instance, its two tables, its memory (2), 71 functions, a deep expression. A table's array
    # and a memory's address space are asked for again.
    failed = fail_each_request(world, lambda: world.instantiate(exporter))
    assert failed == 1 + 2 + 2 + 71 + 1
    assert len(world.platform.blocks) == blocks
    assert world.store.function_count == 0
    importer = world.load(rich_importer())
    a = world.instantiate(exporter)
    exports = [export(a, i) for i in range(5)]
    handles, blocks = world.store.function_count, len(world.platform.blocks)
    # The instance, its table, its memory (2), one function.
    assert fail_each_request(world, lambda: world.instantiate(importer, *exports)) == 5
    without = [None, *exports[1:]]
    assert fail_each_request(world, lambda: world.instantiate(importer, *without)) == 6
    assert (world.store.function_count, len(world.platform.blocks)) == (handles, blocks)
    destroy(a)
    world.unload(importer)
    world.unload(exporter)
    assert world.store.type_count == 0


def test_running_out_of_memory_in_store_init(world: World) -> None:
    platform = world.platform
    blocks, memory = len(platform.blocks), ctypes.create_string_buffer(256)
    for failing in (1, 2, 3):
        platform.fail_at = platform.requests + failing
        code = core().store_init(ctypes.addressof(memory), platform.address)
        assert code == TrapCode.OUT_OF_MEMORY
        assert len(platform.blocks) == blocks


def test_cycles_leave_nothing(world: World) -> None:
    capacity = None
    for _ in range(300):
        module = world.load(rich_module())
        destroy(world.instantiate(module))
        world.unload(module)
        capacity = capacity or world.store.function_capacity
    assert world.store.function_capacity == capacity
    assert world.store.function_count == 0


def test_a_memory_may_outlive_its_instance(world: World) -> None:
    b = ModuleBuilder()
    b.memory(1)
    b.segment(b"kept")
    module = world.load(b)
    made = world.instantiate(module)
    slot = ctypes.c_void_p.from_address(made.instance.memories)
    memory = Memory.from_address(slot.value or 0)
    slot.value = None
    destroy(made)
    world.unload(module)
    assert raw_bytes(memory, 0, 4) == b"kept"
    core().memory_release(address(memory))


def test_an_instance_is_small(world: World) -> None:
    """The figures that the documentation gives, in bytes on a 64-bit host."""

    def size(build: Callable[[ModuleBuilder], object], count: int) -> int:
        b = ModuleBuilder()
        b.type()
        for _ in range(count):
            build(b)
        return core().instance_size(address(b.build(world.platform)))

    empty = size(lambda b: None, 0)
    assert empty == ctypes.sizeof(Instance) == 168
    parts: dict[str, tuple[Callable[[ModuleBuilder], object], int]] = {
        "function": (lambda b: b.function(), 8),
        "import": (lambda b: b.function(imported=True), 16),
        "global": (lambda b: b.variable(I32, i32_const(0)), 32),
        "table": (lambda b: b.table(0), 8),
        "memory": (lambda b: b.memory(0), 8),
        "element segment": (lambda b: b.element([]), 9),
        "data segment": (lambda b: b.segment(b""), 1),
    }
    for name, (build, cost) in parts.items():
        assert size(build, 100) - empty == 100 * cost, name

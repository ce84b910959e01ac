"""Tables: sizes, limits and bulk operations."""

import ctypes
import random

import pytest

from wasmote.core.status import SegmentMode, TrapCode

from .support import (
    EXTERNREF,
    FUNCREF,
    GROW_FAILED,
    NO_MAXIMUM,
    REF_NULL,
    FuncInst,
    ModuleBuilder,
    Table,
    TableType,
    WatchedPlatform,
    World,
    address,
    core,
    elements,
    pointers,
    ref_func,
)

TOP = (1 << 64) - 1
OUT = TrapCode.TABLE_OUT_OF_BOUNDS


def create(platform: WatchedPlatform, minimum: int, maximum: int = NO_MAXIMUM, limit: int = 1000):
    kind = TableType(element=EXTERNREF, minimum=minimum, maximum=maximum)
    at = core().table_create(platform.address, address(kind), limit)
    return Table.from_address(at) if at else None


def release(table) -> None:
    core().table_release(address(table))


def grow(table, delta: int, value: int = 0) -> int:
    return core().table_grow(address(table), delta, value)


def test_new_table_is_null(platform: WatchedPlatform) -> None:
    table = create(platform, 10)
    assert elements(table) == [0] * 10
    assert (table.size, table.capacity, table.type.element) == (10, 10, EXTERNREF)
    release(table)


@pytest.mark.parametrize("minimum", [1001, 1 << 32, TOP])
def test_minimum_over_the_limit_is_refused(platform: WatchedPlatform, minimum: int) -> None:
    assert create(platform, minimum) is None


@pytest.mark.parametrize("delta", [8, 1000, (1 << 32) - 3, 1 << 32, TOP, TOP - 2])
def test_grow_past_the_limits_changes_nothing(platform: WatchedPlatform, delta: int) -> None:
    for table in (create(platform, 3, 10), create(platform, 3, limit=10)):
        assert grow(table, delta) == GROW_FAILED
        assert elements(table) == [0] * 3
        assert grow(table, 7, 5) == 3
        assert elements(table) == [0] * 3 + [5] * 7
        assert grow(table, 0) == 10
        assert grow(table, 1) == GROW_FAILED
        release(table)


def test_growth_takes_few_allocations(platform: WatchedPlatform) -> None:
    table = create(platform, 0, limit=1000)
    before = platform.requests
    for i in range(1000):
        assert grow(table, 1, i) == i
    assert platform.requests - before <= 12
    assert elements(table) == list(range(1000))
    assert table.capacity == 1000
    release(table)


def test_growth_settles_for_less_when_doubling_fails(platform: WatchedPlatform) -> None:
    table = create(platform, 10)
    platform.fail_at = platform.requests + 1
    assert grow(table, 1, 7) == 10
    assert table.capacity == 11
    assert elements(table) == [0] * 10 + [7]
    release(table)


def test_growth_without_memory_changes_nothing(platform: WatchedPlatform) -> None:
    table = create(platform, 10, limit=(1 << 32) - 1)
    platform.refuses = lambda: True  # type: ignore[method-assign]
    assert grow(table, 1) == GROW_FAILED
    assert grow(table, (1 << 32) - 11) == GROW_FAILED
    assert elements(table) == [0] * 10
    release(table)


def test_get_and_set(platform: WatchedPlatform) -> None:
    table = create(platform, 3)
    at, value = address(table), ctypes.c_uint32(99)
    assert core().table_set(at, 2, 42) == 0
    assert core().table_get(at, 2, ctypes.addressof(value)) == 0
    assert value.value == 42
    for index in (3, 1 << 32, TOP):
        assert core().table_set(at, index, 1) == OUT
        assert core().table_get(at, index, ctypes.addressof(value)) == OUT
    assert (elements(table), value.value) == ([0, 0, 42], 42)
    release(table)


EDGES = [0, 1, 9, 10, 11, 1 << 32, TOP - 10, TOP - 9, TOP]


@pytest.mark.parametrize("d", EDGES)
@pytest.mark.parametrize("n", EDGES)
def test_bounds_at_every_edge(platform: WatchedPlatform, d: int, n: int) -> None:
    table, at = create(platform, 10), 0
    at = address(table)
    inside = d + n <= 10
    wanted = 0 if inside else OUT
    assert core().table_fill(at, d, 8, n) == wanted
    assert elements(table) == ([0] * d + [8] * n + [0] * 10)[:10] if inside else [0] * 10
    assert core().table_copy(at, at, d, 0, n) == wanted
    assert core().table_copy(at, at, 0, d, n) == wanted
    release(table)


def test_copy_is_that_of_a_list(platform: WatchedPlatform) -> None:
    random.seed(4)
    table = create(platform, 50)
    model = list(range(50))
    for i in model:
        core().table_set(address(table), i, i)
    for _ in range(200):
        n = random.randrange(51)
        d, s = random.randrange(51 - n), random.randrange(51 - n)
        assert core().table_copy(address(table), address(table), d, s, n) == 0
        model[d : d + n] = model[s : s + n]
        assert elements(table) == model
    release(table)


@pytest.mark.parametrize("as_expressions", [False, True])
def test_init_and_drop(world: World, as_expressions: bool) -> None:
    builder = ModuleBuilder()
    builder.type()
    for _ in range(300):  # indices of one and two bytes
        builder.function()
    builder.table(10, element=FUNCREF)
    indices = [5, 200, 5, 127, 128, 299]
    items = [ref_func(i) for i in indices] + [REF_NULL] if as_expressions else indices
    segment = builder.element(items, SegmentMode.PASSIVE)
    count = len(items)
    module = world.load(builder)
    made = world.instantiate(module)
    table = Table.from_address(pointers(made.instance.tables, 1)[0])

    def init(d: int, s: int, n: int) -> int:
        return core().table_init(made.at, segment, address(table), d, s, n)

    def indices_in_table() -> list[int | None]:
        entries = pointers(world.store.functions, world.store.function_capacity)
        return [FuncInst.from_address(entries[h]).index if h else None for h in elements(table)]

    for d, s, n in [(0, 0, count + 1), (5, 0, 6), (0, 1, count), (0, TOP, 1), (TOP, 0, 1)]:
        assert init(d, s, n) == OUT
    assert indices_in_table() == [None] * 10
    assert world.store.function_count == 0
    assert init(10, count, 0) == 0
    assert init(1, 2, 4) == 0
    assert indices_in_table() == [None, 5, 127, 128, 299, *[None] * 5]
    assert world.store.function_count == 4
    assert init(0, 0, count) == 0
    expected = [*indices, None] if as_expressions else indices
    assert indices_in_table()[:count] == expected
    first, third = elements(table)[0], elements(table)[2]
    assert first == third
    core().elem_drop(made.at, segment)
    assert init(0, 0, 0) == 0
    assert init(0, 0, 1) == OUT
    core().instance_destroy(made.at)
    world.unload(module)

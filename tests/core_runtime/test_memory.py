"""Linear memories: sizes, limits, reservations and bulk operations."""

import ctypes
import random

import pytest

from wasmote.core.status import SegmentMode, TrapCode
from wasmote.host.linux import MEMORY_RESERVATION

from .support import (
    GROW_FAILED,
    NO_MAXIMUM,
    PAGE,
    Memory,
    MemoryType,
    ModuleBuilder,
    WatchedPlatform,
    World,
    address,
    core,
    raw_bytes,
)

GIB = 1 << 30
INDEX_64 = 4
TOP = (1 << 64) - 1


def create(platform: WatchedPlatform, minimum: int, maximum: int = NO_MAXIMUM, **rest: int):
    limit = rest.pop("limit", 65536)
    kind = MemoryType(
        minimum=minimum, maximum=maximum, page_shift=rest.pop("page_shift", 16), **rest
    )
    at = core().memory_create(platform.address, address(kind), limit)
    return Memory.from_address(at) if at else None


def release(memory) -> None:
    core().memory_release(address(memory))


def grow(memory, delta: int) -> int:
    return core().memory_grow(address(memory), delta)


def test_new_memory_is_zero_and_reserves_the_guard_region(platform: WatchedPlatform) -> None:
    memory = create(platform, 2)
    assert (memory.pages, memory.size) == (2, 2 * PAGE)
    assert memory.reserved == MEMORY_RESERVATION > 8 * GIB
    assert raw_bytes(memory, 0, 2 * PAGE) == bytes(2 * PAGE)
    release(memory)


def test_grow_keeps_data_in_place_and_adds_zeros(platform: WatchedPlatform) -> None:
    memory = create(platform, 1, 3)
    data = memory.data
    ctypes.memset(data, 7, PAGE)
    assert grow(memory, 0) == 1
    assert grow(memory, 2) == 1
    assert grow(memory, 1) == GROW_FAILED
    assert (memory.pages, memory.size, memory.data) == (3, 3 * PAGE, data)
    assert raw_bytes(memory, 0, 3 * PAGE) == b"\x07" * PAGE + bytes(2 * PAGE)
    release(memory)


@pytest.mark.parametrize("delta", [4, 65536, 1 << 32, 1 << 47, 1 << 48, 1 << 63, TOP, TOP - 1])
def test_grow_past_the_limits_changes_nothing(platform: WatchedPlatform, delta: int) -> None:
    for arguments in ({"maximum": 5}, {"limit": 5}, {"limit": 5, "flags": INDEX_64}):
        memory = create(platform, 2, **arguments)
        assert grow(memory, delta) == GROW_FAILED
        assert (memory.pages, memory.size) == (2, 2 * PAGE)
        assert grow(memory, 3) == 2
        release(memory)


@pytest.mark.parametrize("minimum", [11, 65537, 1 << 48, TOP])
def test_minimum_over_the_limit_is_refused(platform: WatchedPlatform, minimum: int) -> None:
    assert create(platform, minimum, limit=10) is None
    assert create(platform, minimum, limit=10, flags=INDEX_64) is None


def test_four_gib_cost_what_is_touched(platform: WatchedPlatform) -> None:
    memory = create(platform, 65536)
    assert memory.size == 4 * GIB
    ctypes.memset(memory.data + 4 * GIB - 1, 0xEE, 1)
    assert raw_bytes(memory, 4 * GIB - 2, 2) == b"\0\xee"
    assert grow(memory, 1) == GROW_FAILED
    release(memory)


def test_memory_without_limit_stays_within_32_bit_indices(platform: WatchedPlatform) -> None:
    memory = create(platform, 0, limit=TOP)
    assert memory.limit == 65536
    release(memory)
    wide = create(platform, 0, limit=1 << 20, flags=INDEX_64)
    assert wide.limit == 1 << 20
    assert wide.reserved == 64 * GIB
    release(wide)


def test_pages_of_one_byte(platform: WatchedPlatform) -> None:
    memory = create(platform, 5, page_shift=0, limit=2)
    assert (memory.pages, memory.size) == (5, 5)
    assert grow(memory, 2 * PAGE - 5) == 5
    assert raw_bytes(memory, 0, 2 * PAGE) == bytes(2 * PAGE)
    assert grow(memory, 1) == GROW_FAILED
    release(memory)


def test_smaller_reservations_when_address_space_is_short(platform: WatchedPlatform) -> None:
    platform.largest_reservation = 3 * GIB
    memory = create(platform, 1)
    assert memory.reserved == MEMORY_RESERVATION >> 2
    assert grow(memory, 32768) == GROW_FAILED
    assert grow(memory, 32767) == 1
    release(memory)
    platform.largest_reservation = 3 * PAGE
    memory = create(platform, 3)
    assert memory.reserved == 3 * PAGE
    assert grow(memory, 1) == GROW_FAILED
    release(memory)
    assert create(platform, 4) is None


def test_platform_without_guard_regions(platform: WatchedPlatform) -> None:
    platform.struct.memory_reservation = 0
    memory = create(platform, 1, 4)
    assert memory.reserved == 4 * PAGE
    release(memory)
    empty = create(platform, 0, 0)
    assert (empty.data, empty.size, empty.reserved) == (None, 0, 0)
    assert grow(empty, 0) == 0
    assert grow(empty, 1) == GROW_FAILED
    assert core().memory_fill(address(empty), 0, 1, 0) == 0
    assert core().memory_fill(address(empty), 0, 1, 1) == TrapCode.MEMORY_OUT_OF_BOUNDS
    assert core().memory_copy(address(empty), address(empty), 0, 0, 0) == 0
    release(empty)


def test_failed_commit_leaves_the_memory_as_it_was(platform: WatchedPlatform) -> None:
    memory = create(platform, 1)
    platform.fail_at = platform.requests + 1
    assert grow(memory, 1) == GROW_FAILED
    assert (memory.pages, memory.size) == (1, PAGE)
    assert grow(memory, 1) == 1
    release(memory)


EDGES = [0, 1, PAGE - 1, PAGE, PAGE + 1, 1 << 32, TOP - 1, TOP, TOP - PAGE, TOP - PAGE + 1]


def fits(size: int, offset: int, n: int) -> bool:
    return offset + n <= size


@pytest.mark.parametrize("d", EDGES)
@pytest.mark.parametrize("n", EDGES)
def test_bounds_at_every_edge(platform: WatchedPlatform, d: int, n: int) -> None:
    memory = create(platform, 1)
    at = address(memory)
    inside = fits(PAGE, d, n)
    wanted = 0 if inside else TrapCode.MEMORY_OUT_OF_BOUNDS
    assert core().memory_fill(at, d, 9, n) == wanted
    filled = d + n if inside else 0
    expected = bytes(min(d, PAGE)) + b"\x09" * n if inside else bytes(PAGE)
    assert raw_bytes(memory, 0, PAGE) == expected.ljust(PAGE, b"\0"), filled
    assert core().memory_copy(at, at, d, 0, n) == wanted
    assert core().memory_copy(at, at, 0, d, n) == wanted
    release(memory)


def test_copy_is_that_of_a_buffer(platform: WatchedPlatform) -> None:
    random.seed(3)
    memory, other = create(platform, 1), create(platform, 1)
    model = bytearray(random.randbytes(PAGE))
    for m in (memory, other):
        ctypes.memmove(m.data, bytes(model), PAGE)
    for _ in range(300):
        n = random.choice([0, 1, 7, 8, 63, 64, 65, 200, 5000])
        d, s = (random.randrange(PAGE - n + 1) for _ in "ds")
        if random.random() < 0.5:
            s = max(0, min(PAGE - n, d + random.randrange(-70, 70)))
        assert core().memory_copy(address(memory), address(memory), d, s, n) == 0
        model[d : d + n] = model[s : s + n]
    assert raw_bytes(memory, 0, PAGE) == model
    assert core().memory_copy(address(other), address(memory), 0, 0, PAGE) == 0
    assert raw_bytes(other, 0, PAGE) == model
    release(memory)
    release(other)


@pytest.mark.parametrize(
    ("d", "s", "n", "fine"),
    [
        (0, 0, 5, True),
        (PAGE - 2, 3, 2, True),
        (PAGE, 5, 0, True),
        (0, 1, 5, False),
        (0, 6, 0, False),
        (PAGE - 1, 0, 2, False),
        (0, TOP, 2, False),
        (TOP, 0, 2, False),
        (1, 1, TOP, False),
    ],
)
def test_init_and_drop(world: World, d: int, s: int, n: int, fine: bool) -> None:
    builder = ModuleBuilder()
    builder.memory(1)
    segment = builder.segment(b"hello", SegmentMode.PASSIVE)
    module = world.load(builder)
    made = world.instantiate(module)
    memory = Memory.from_address(ctypes.c_void_p.from_address(made.instance.memories).value)

    def init(d: int, s: int, n: int) -> int:
        return core().memory_init(made.at, segment, address(memory), d, s, n)

    assert init(d, s, n) == (0 if fine else TrapCode.MEMORY_OUT_OF_BOUNDS)
    expected = bytes(d) + b"hello"[s : s + n] if fine else b""
    assert raw_bytes(memory, 0, PAGE) == expected.ljust(PAGE, b"\0")
    core().data_drop(made.at, segment)
    assert init(0, 0, 0) == 0
    assert init(0, 0, 1) == TrapCode.MEMORY_OUT_OF_BOUNDS
    core().instance_destroy(made.at)
    world.unload(module)

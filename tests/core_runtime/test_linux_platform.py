"""Address space on Linux, as the kernel sees it."""

import ctypes
import mmap
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from wasmote.core.structs import Platform
from wasmote.host.linux import MEMORY_RESERVATION
from wasmote.host.platform import create_platform
from wasmote.nativepy import mirror

from .support import NO_MAXIMUM, PAGE, Memory, MemoryType, address, core

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
GIB = 1 << 30


class Space:
    """The platform's functions for address space."""

    def __init__(self) -> None:
        self.struct = create_platform(core().image.symbol)
        at, size = ctypes.c_void_p, ctypes.c_size_t
        here = ctypes.addressof(self.struct)
        reserve = ctypes.CFUNCTYPE(at, at, size)(self.struct.reserve)
        commit = ctypes.CFUNCTYPE(ctypes.c_uint32, at, at, size, size)(self.struct.commit)
        unreserve = ctypes.CFUNCTYPE(None, at, at, size)(self.struct.unreserve)
        self.reserve, self.commit = partial(reserve, here), partial(commit, here)
        self.unreserve = partial(unreserve, here)


@pytest.fixture
def space() -> Iterator[Space]:
    made, before = Space(), mapped()
    yield made
    assert mapped() - before < 64 << 20  # nothing large is left


def mappings() -> list[tuple[int, int, str]]:
    """(start, end, permissions) of all mappings of this process."""
    found = []
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            span, permissions, *_ = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            found.append((start, end, permissions))
    return found


def mapped() -> int:
    return sum(end - start for start, end, _ in mappings())


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * mmap.PAGESIZE


def permissions(at: int) -> str:
    return next((p for start, end, p in mappings() if start <= at < end), "unmapped")


def test_only_what_is_committed_is_accessible(space: Space) -> None:
    base, page = space.reserve(1 << 20), mmap.PAGESIZE
    assert base % page == 0
    assert permissions(base) == "---p"
    assert space.commit(base, 0, 3 * page) == 0
    assert permissions(base + 3 * page - 1) == "rw-p"
    assert permissions(base + 3 * page) == "---p"
    ctypes.memset(base, 1, 3 * page)
    assert space.commit(base, 3 * page, 5 * page) == 0
    assert ctypes.string_at(base, 5 * page) == b"\1" * 3 * page + bytes(2 * page)
    assert space.commit(base, 5 * page, 1 << 20) == 0
    assert permissions(base + (1 << 20) - 1) == "rw-p"
    space.unreserve(base, 1 << 20)
    assert permissions(base) == "unmapped"


def test_commit_in_parts_of_a_page(space: Space) -> None:
    base, page = space.reserve(1 << 16), mmap.PAGESIZE
    assert space.commit(base, 0, 1) == 0
    ctypes.memset(base, 7, 10)
    assert permissions(base + page) == "---p"
    assert space.commit(base, 1, 10) == 0
    assert space.commit(base, 10, page + 1) == 0
    assert permissions(base + page) == "rw-p"
    assert ctypes.string_at(base, 12) == b"\7" * 10 + bytes(2)
    space.unreserve(base, 1 << 16)


def test_no_room(space: Space) -> None:
    assert space.reserve(1 << 62) is None


def test_a_thousand_guarded_memories(space: Space) -> None:
    kind = MemoryType(minimum=1, maximum=NO_MAXIMUM, page_shift=16)
    made = []
    for _ in range(1000):
        at = core().memory_create(address(space.struct), address(kind), 65536)
        made.append(Memory.from_address(at))
        ctypes.memset(made[-1].data + PAGE - 1, 1, 1)
    assert all(m.reserved == MEMORY_RESERVATION > 8 * GIB for m in made)
    assert permissions(made[500].data + PAGE - 1) == "rw-p"
    assert permissions(made[500].data + PAGE) == "---p"
    assert permissions(made[500].data + 8 * GIB - 1) == "---p"
    for m in made:
        core().memory_release(address(m))


def test_four_gib_are_not_resident(space: Space) -> None:
    kind = MemoryType(minimum=65536, maximum=NO_MAXIMUM, page_shift=16)
    before = resident()
    memory = Memory.from_address(core().memory_create(address(space.struct), address(kind), 65536))
    for offset in range(0, 4 * GIB, GIB):
        ctypes.memset(memory.data + offset, 1, 1)
    assert resident() - before < 64 << 20  # a huge page each, at most
    core().memory_release(address(memory))


def test_the_platform_is_complete_but_for_the_engine(space: Space) -> None:
    missing = [name for name, _ in mirror(Platform)._fields_ if not getattr(space.struct, name)]
    assert missing == ["poll", "call_host", "collect"]

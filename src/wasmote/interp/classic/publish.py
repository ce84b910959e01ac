"""Writes the side table of a function that was prepared."""

from wasmote.core.arena import arena_allocate_even
from wasmote.core.status import TrapCode
from wasmote.nativepy import (
    addr,
    atomic_store,
    boolean,
    copy,
    native,
    ptr,
    sizeof,
    store,
    u8,
    u16,
    u32,
    usize,
)

from .branches import Preparation
from .exceptions import publish_catches
from .registers import HEADER_CELLS
from .side_table import (
    KIND_STEP,
    SHORT_LOCALS,
    WIDE,
    WIDE_INDEX,
    FarBranch,
    SideTable,
    WideTable,
    entry_of,
    far_branches,
    locals_of,
    set32,
    wide_locals_at,
    wide_of,
)


@native
def short_locals(p: ptr[Preparation]) -> u32:
    return p.local_count if p.local_count < SHORT_LOCALS else SHORT_LOCALS


@native
def size_of_head(p: ptr[Preparation]) -> u32:
    """Bytes up to the far branches, which are aligned to their own size."""
    wide = u32(4) if p.local_count > SHORT_LOCALS else 0
    return sizeof(SideTable) + short_locals(p) * 2 + wide


@native
def far_end(p: ptr[Preparation]) -> u32:
    """Bytes from the `SideTable` to the end of the far branches."""
    if p.far.count == 0:
        return size_of_head(p)
    return (p.far_base + p.far.count) * sizeof(FarBranch)


@native
def size_behind(p: ptr[Preparation]) -> usize:
    """Bytes from the `SideTable` on."""
    return usize(far_end(p) + (p.local_count - short_locals(p)) * 4)


@native
def size_in_front(p: ptr[Preparation]) -> usize:
    wide = usize(sizeof(WideTable)) if needs_wide(p) else usize(0)
    return usize(p.entries.count) * 2 + wide


@native
def needs_wide(p: ptr[Preparation]) -> boolean:
    """Whether some number does not fit a `SideTable`."""
    function = p.module.functions + p.index
    results = p.module.types[function.type].result_cells
    if p.index >= WIDE_INDEX or function.body_size > 0x10000:
        return True
    return p.param_cells >= WIDE or results > 255 or p.zero > 255 or p.start > 255


@native
def publish(p: ptr[Preparation]):
    """Put the side table where it stays, as long as the module."""
    in_front = size_in_front(p)
    made = arena_allocate_even(p.module, in_front + size_behind(p))
    operands = p.param_cells + HEADER_CELLS + p.zero
    if made is None or not publish_catches(p, p.index, operands):
        p.failed = TrapCode.OUT_OF_MEMORY
        return
    side = ptr[SideTable](made + in_front)
    write_numbers(p, side)
    write_locals(p, side)
    copy(far_branches(side) + p.far_base, p.far.items, usize(p.far.count) * sizeof(FarBranch))
    for i in range(p.entries.count):
        entry_of(side, i)[0] = ptr[u16](p.entries.items)[i]
    atomic_store(addr(p.module.functions[p.index].side_table), ptr[u8](side))


@native
def write_numbers(p: ptr[Preparation], side: ptr[SideTable]):
    function = p.module.functions + p.index
    results = p.module.types[function.type].result_cells
    side.frame = u16(p.frame)
    side.end = u16(usize(function.body) + usize(function.body_size) - 1)
    if not needs_wide(p):
        side.index = u16(p.index)
        side.start = u8(p.start)
        side.param_cells = u8(p.param_cells)
        side.result_cells = u8(results)
        side.zero = u8(p.zero)
        return
    side.param_cells = WIDE
    side.index = WIDE_INDEX
    wide = wide_of(side)
    set32(addr(wide.start), p.start)
    set32(addr(wide.index), p.index)
    wide.param_cells = u16(p.param_cells)
    wide.result_cells = u16(results)
    wide.zero = u16(p.zero)


@native
def write_locals(p: ptr[Preparation], side: ptr[SideTable]):
    short = short_locals(p)
    for i in range(short):
        local = p.locals[i]
        locals_of(side)[i] = u16((local >> 16) * KIND_STEP + (local & 0xFFFF))
    if p.local_count > short:
        start = far_end(p)
        set32(wide_locals_at(side), start)
        to = ptr[u8](side) + start
        for i in range(short, p.local_count):
            store(to, p.locals[i], align=2)
            to = to + 4

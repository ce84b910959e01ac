"""What the classic interpreter keeps of a function besides its bytes.

One block of memory around a `SideTable`. Behind it, entries of the parameters and locals, and the
records of far branches. In front of it, in descending order, the entries of the instructions that
use one: `br`, `br_if`, `if`, `else`, each label of `br_table`, `drop` and `select`. An interpreter
that has come to an instruction is also at its entry. All of it is in units of 16 bits.

The entry of a branch holds, from the top, the distance to its target from its opcode in bytes
(10 bits, signed), the distance to the target's entry (5 bits, signed), and whether it is far (1
bit). A far one, which drops operands or does not fit these bits, has the position of a `FarBranch`
instead, counted from the `SideTable` in units of its size (15 bits); branches to one label may have
it in common. The entry of `drop` and `select` says what their operands are (see `branches`), in the
lower four bits, and how long the instruction is.
"""

from wasmote.nativepy import (
    array,
    i32,
    inline,
    load,
    native,
    ptr,
    store,
    struct,
    u8,
    u16,
    u32,
    usize,
)

FAR = 1
#: Bits of distances in entries.
DISTANCE, ENTRIES = 10, 5
#: An entry of a local is its slot plus its kind times this.
KIND_STEP = 1 << 13
#: Locals with one-byte indices. Their slots are small, so an entry takes 16 bits; of the others 32,
#: with the kind in the upper half. Where those entries are, 32 bits behind the short ones say.
SHORT_LOCALS = 128
#: `SideTable.param_cells` and `index` where the numbers do not fit: a `WideTable` is in front.
WIDE, WIDE_INDEX = 0xFF, 0xFFFF


class LocalKind:
    """How a value is copied; the most frequent first."""

    I32, I64, F64, F32, V128 = range(5)


@struct
class SideTable:
    frame: u16  # cells of a frame, all included
    index: u16  # of the function
    end: u16  # address of the `end` that closes the function, its lower bits
    start: u8  # first instruction, in bytes from the start of the body
    param_cells: u8
    result_cells: u8
    zero: u8  # cells of locals, which start as zero


@struct
class WideTable:
    """What does not fit a `SideTable`. The body may also be longer than `end` can tell."""

    start: array[u16, 2]
    index: array[u16, 2]
    param_cells: u16
    result_cells: u16
    zero: u16


@struct
class FarBranch:
    target: array[u16, 2]  # offset in the binary
    entry: array[u16, 2]  # number of the target's entry
    drop: u16  # cells to drop below
    keep: u16  # cells that stay on top


@inline
def get32(halves):
    """A number of 32 bits that is aligned to 16."""
    return load(u32, halves, align=2)


@inline
def set32(halves, value):
    store(halves, value, align=2)


@inline
def is_wide(side):
    return side.param_cells == WIDE


@inline
def wide_of(side):
    return ptr[WideTable](side) - 1


@inline
def index_of(side):
    return u32(side.index) if not is_wide(side) else get32(wide_of(side).index)


@inline
def start_of(side):
    return u32(side.start) if not is_wide(side) else get32(wide_of(side).start)


@inline
def param_cells_of(side):
    return u32(side.param_cells) if not is_wide(side) else u32(wide_of(side).param_cells)


@inline
def result_cells_of(side):
    return u32(side.result_cells) if not is_wide(side) else u32(wide_of(side).result_cells)


@inline
def zero_of(side):
    return u32(side.zero) if not is_wide(side) else u32(wide_of(side).zero)


@inline
def entry_of(side, number):
    """An entry by its number."""
    first = ptr[u16](side) if not is_wide(side) else ptr[u16](wide_of(side))
    return first - (number + 1)


@inline
def position_of(side, stp):
    """Where an interpreter is in a side table, as frames have it."""
    return u32((usize(side) - usize(stp)) >> 1)


@inline
def at_position(side, position):
    return ptr[u16](side) - position


@inline
def far_branches(side):
    """By their positions; see above."""
    return ptr[FarBranch](side)


@inline
def locals_of(side):
    """The entries of the locals with indices below 128."""
    return ptr[u16](side + 1)


@inline
def wide_locals_at(side):
    """Says where those of the others are, in bytes from the side table."""
    return locals_of(side) + SHORT_LOCALS


@native
def local_of(side: ptr["SideTable"], index: u32) -> u32:
    """A local's slot, and its kind in the upper half."""
    if index >= SHORT_LOCALS:
        entries = ptr[u8](side) + get32(wide_locals_at(side))
        return load(u32, entries + (index - SHORT_LOCALS) * 4, align=2)
    entry = u32(locals_of(side)[index])
    return (entry // KIND_STEP) << 16 | (entry % KIND_STEP)


@inline
def near_distance(entry):
    """From a branch to its target in bytes, by the entry of a branch that is not far."""
    return i32(entry << 16) >> (32 - DISTANCE)


@inline
def near_entries(entry):
    """… and in entries."""
    return i32(entry << (31 - ENTRIES)) >> (32 - ENTRIES)

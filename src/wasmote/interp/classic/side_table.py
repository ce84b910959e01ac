"""What the classic interpreter keeps of a function besides its bytes.

One block of memory: a `SideTable`, an entry for each parameter and local, then the entries, 32
bits each, in the order of the instructions that use one: `br`, `br_if`, `if`, `else`, each label of
`br_table`, `drop` and `select`. An interpreter that has come to an instruction is also at its
entry.

The entry of a branch holds, from the top, the distance to its target from its opcode in bytes
(16 bits, signed), the distance to the target's entry (15 bits, signed), and whether it is far (1
bit).
A far one, which drops operands or does not fit these bits, has the distance to a `FarBranch` behind
the entries instead, in 32-bit units (31 bits). The entry of `drop` and `select` is the number of
cells of their operands, plus the length of the instruction in the upper 16 bits.
"""

from wasmote.nativepy import i32, inline, native, ptr, struct, u16, u32

FAR = 1
#: An entry of a local is its slot plus its kind times this.
KIND_STEP = 1 << 13
#: Locals with one-byte indices. Their slots are small, so an entry takes 16 bits; of the others 32,
#: with the kind in the upper half.
SHORT_LOCALS = 128


class LocalKind:
    """How a value is copied; the most frequent first."""

    I32, I64, F64, F32, V128 = range(5)


@struct
class SideTable:
    start: u32  # first instruction, in bytes from the start of the body
    end: u32  # address of the `end` that closes the function, its lower 32 bits
    function: u32  # index
    frame: u16  # cells of a frame, all included
    param_cells: u16
    result_cells: u16
    zero: u16  # cells of locals, which start as zero
    entries: u16  # where the entries are: their offset in 32-bit units
    size: u16  # of the whole in 32-bit units; 65535: that or more


@struct
class FarBranch:
    distance: i32  # bytes from the branch's opcode to its target
    entry_distance: i32
    drop: u32  # cells to drop below
    keep: u32  # cells that stay on top
    entry: u32  # the number of its entry


@inline
def locals_of(side):
    """The entries of the locals with indices below 128."""
    return ptr[u16](side + 1)


@inline
def wide_locals_of(side):
    """The entries of the locals from index 128 on."""
    return ptr[u32](locals_of(side) + SHORT_LOCALS)


@native
def local_of(side: ptr["SideTable"], index: u32) -> u32:
    """A local's entry in the wide form: its slot, and its kind in the upper half."""
    if index >= SHORT_LOCALS:
        return wide_locals_of(side)[index - SHORT_LOCALS]
    entry = u32(locals_of(side)[index])
    return (entry // KIND_STEP) << 16 | (entry % KIND_STEP)


@native
def set_local_entry(side: ptr["SideTable"], index: u32, slot: u32, kind: u32):
    if index >= SHORT_LOCALS:
        wide_locals_of(side)[index - SHORT_LOCALS] = kind << 16 | slot
    else:
        locals_of(side)[index] = u16(kind * KIND_STEP + slot)


@inline
def size_of_locals(count):
    """32-bit units that the entries of so many locals take."""
    return (count + 1) // 2 if count < SHORT_LOCALS else count - SHORT_LOCALS // 2


@inline
def entries_of(side):
    return ptr[u32](side) + u32(side.entries)

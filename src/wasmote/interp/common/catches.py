"""What catches exceptions in a function: its protected ranges of code, found only by a throw.

Entering and leaving a `try_table` costs nothing. The clauses of a function are in an array, those
of inner blocks before those of the blocks around them; of the clauses whose range the throwing
instruction is in, the first that fits catches.
"""

from wasmote.core.gc.exceptions import exception_fields
from wasmote.core.structs import NONE, Exec, Instance, Platform
from wasmote.nativepy import copy, native, ptr, sizeof, struct, u8, u32, u64, usize

#: In place of a tag: a clause for all tags, and a legacy `delegate`.
ALL = 0xFFFF_FFFF
DELEGATES = 0xFFFF_FFFE


@struct
class Catch:
    """A clause. Where code is and where values go is counted as the interpreter likes it."""

    start: u32  # the protected code,
    end: u32  # without the end
    depth: u32  # how many blocks the clause's block is in
    tag: u32  # index of a tag; ALL, DELEGATES
    target: u32  # where control goes; DELEGATES: clauses of blocks deeper than this are passed over
    entry: u32  # classic interpreter: the target's position in the side table
    slot: u32  # where the values go
    reference: u32  # where the exception itself goes; NONE: nowhere


@struct
class Catches:
    """An array of clauses that grows while a function is prepared."""

    items: ptr[Catch]
    count: u32
    capacity: u32


@native
def add_catch(platform: ptr[Platform], catches: ptr[Catches]) -> ptr[Catch]:
    """One more clause, for all tags and to be completed; None: out of memory."""
    if catches.count == catches.capacity:
        capacity = u64(catches.capacity) * 2 + 8
        made: ptr[u8] = None
        if capacity * sizeof(Catch) < 0x4000_0000:
            made = platform.resize(ptr[u8](catches.items), usize(capacity) * sizeof(Catch))
        if made is None:
            return None
        catches.items = ptr[Catch](made)
        catches.capacity = u32(capacity)
    clause = catches.items + catches.count
    catches.count += 1
    clause.tag = ALL
    clause.entry = 0
    clause.slot = 0
    clause.reference = NONE
    return clause


@native
def land_catches(catches: ptr[Catches], chain: u32, target: u32, entry: u32):
    """Set where the clauses of a chain go. It runs through their targets; numbers are from 1."""
    while chain != 0:
        c = catches.items + (chain - 1)
        chain = c.target
        c.target = target
        c.entry = entry


# -- at a throw ------------------------------------------------------------------------------------


@native
def find_catch(
    exec: ptr[Exec], inst: ptr[Instance], catches: ptr[Catch], count: u32, position: u32
) -> ptr[Catch]:
    """The clause that catches the exception under way at a position; None: none of these."""
    tag = exception_fields(inst.store, exec.exception)[0]
    deepest = u32(NONE)
    for i in range(count):
        c = catches + i
        if c.start <= position and position < c.end and c.depth <= deepest:
            if c.tag == DELEGATES:
                deepest = c.target
            elif c.tag == ALL or inst.tags[c.tag].handle == tag:
                return c
    return None


@native
def deliver(exec: ptr[Exec], inst: ptr[Instance], c: ptr[Catch], fp: ptr[u32]):
    """Put what a clause takes from the exception under way into the frame: it is caught."""
    if c.tag != ALL:
        fields = exception_fields(inst.store, exec.exception)
        cells = inst.tags[c.tag].type.param_cells
        copy(fp + c.slot, fields + 1, usize(cells) * sizeof(u32))
    if c.reference != NONE:
        fp[c.reference] = exec.exception
    exec.exception = 0
    exec.trap_pending = 0

"""Translation of the atomic instructions: those behind the prefix 0xFE."""

from wasmote.core.status import ValueType
from wasmote.interp.common.leb import read_u32
from wasmote.isa import INSTRUCTIONS
from wasmote.isa.instruction import PREFIX_ATOMIC
from wasmote.nativepy import addr, constants, native, ptr, store, u8, u16, u32, u64

from .accesses import read_offset
from .bytecode import OPCODES
from .handlers_atomic import ADDRESS
from .stack import Translator, begin, finish, in_slot, operand_at, pop, push_saved, release_r

COUNT = 0x4F
_ROWS = [INSTRUCTIONS.get(PREFIX_ATOMIC | code) for code in range(COUNT)]
OPCODE = constants(u16, [0 if i is None else OPCODES[i.name] for i in _ROWS])
OPERANDS = constants(u8, [0 if i is None else len(i.params or ()) for i in _ROWS])
RESULT = constants(u8, [0 if i is None or not i.results else i.results[0] for i in _ROWS])


@native
def atomic(t: ptr[Translator]):
    code = read_u32(addr(t.pc))
    operands = u32(OPERANDS[code])
    if operands == 0:  # atomic.fence
        t.pc = t.pc + 1
        begin(t, u32(OPCODE[code]))
        finish(t, 1)
        return
    offset = read_offset(t)
    access(t, u32(OPCODE[code]), operands, u32(RESULT[code]), offset)


@native
def access(t: ptr[Translator], opcode: u32, operands: u32, result: u32, offset: u64):
    """[op, dst, 64-bit address, memory, offset (4), address, operands…]"""
    first = t.height - operands
    for i in range(first, t.height):
        in_slot(t, t.operands + i)
    wide = u32((t.operands + first).type == ValueType.I64)
    for i in range(u32(0), operands):
        t.held[i] = u16((t.operands + (first + i)).slot)
    for i in range(u32(0), operands):
        pop(t)
    if result != 0:
        release_r(t)
    p = begin(t, opcode)
    p[2] = u16(wide)
    p[3] = u16(t.memory)
    store(ptr[u64](p + 4), offset, align=2)
    for i in range(u32(0), operands):
        p[ADDRESS + i] = t.held[i]
    finish(t, ADDRESS + operands)
    if result != 0:
        push_saved(t, result)
        p[1] = u16(operand_at(t, 0).home)

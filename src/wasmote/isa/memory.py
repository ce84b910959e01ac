"""Memory instructions: loads, stores and what works on whole memories.

A load or store gets an address whose `access` bytes were checked; it need not be aligned. The types
here are those for memories of 32-bit addresses; in a 64-bit memory addresses and sizes are i64 (and
`memory.copy` between memories of both kinds takes an i32 size).
"""

from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_MISC, Definitions, Immediate
from wasmote.nativepy import (
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    inline,
    load_le,
    ptr,
    store_le,
    u8,
    u16,
    u32,
    u64,
)

_I32, _I64, _F32, _F64 = ValueType.I32, ValueType.I64, ValueType.F32, ValueType.F64
_MEMARG = (Immediate.MEMARG,)
_MEMORY = (Immediate.MEMORY,)
_load = Definitions("load")
_store = Definitions("store")
_memory = Definitions("memory")
_bulk = Definitions("memory", Feature.BULK_MEMORY)


def _loads(opcode: int, name: str, result: ValueType, value: Any, held: Any, access: int) -> None:
    """`held` is the type in memory, `value` the one it is extended to."""

    @_load(opcode, name, (_I32,), (result,), immediates=_MEMARG, access=access)
    @inline
    def extend(p: ptr[u8]) -> value:
        return value(load_le(held, p))


def _stores(opcode: int, name: str, operand: ValueType, value: Any, held: Any, access: int) -> None:
    """`value` is the operand's type, `held` what it is cut to in memory."""

    @_store(opcode, name, (_I32, operand), (), immediates=_MEMARG, access=access)
    @inline
    def cut(p: ptr[u8], x: value):
        store_le(ptr[held](p), held(x))


_loads(0x28, "i32.load", _I32, u32, u32, 4)
_loads(0x29, "i64.load", _I64, u64, u64, 8)
_loads(0x2A, "f32.load", _F32, f32, f32, 4)
_loads(0x2B, "f64.load", _F64, f64, f64, 8)
_loads(0x2C, "i32.load8_s", _I32, i32, i8, 1)
_loads(0x2D, "i32.load8_u", _I32, u32, u8, 1)
_loads(0x2E, "i32.load16_s", _I32, i32, i16, 2)
_loads(0x2F, "i32.load16_u", _I32, u32, u16, 2)
_loads(0x30, "i64.load8_s", _I64, i64, i8, 1)
_loads(0x31, "i64.load8_u", _I64, u64, u8, 1)
_loads(0x32, "i64.load16_s", _I64, i64, i16, 2)
_loads(0x33, "i64.load16_u", _I64, u64, u16, 2)
_loads(0x34, "i64.load32_s", _I64, i64, i32, 4)
_loads(0x35, "i64.load32_u", _I64, u64, u32, 4)
_stores(0x36, "i32.store", _I32, u32, u32, 4)
_stores(0x37, "i64.store", _I64, u64, u64, 8)
_stores(0x38, "f32.store", _F32, f32, f32, 4)
_stores(0x39, "f64.store", _F64, f64, f64, 8)
_stores(0x3A, "i32.store8", _I32, u32, u8, 1)
_stores(0x3B, "i32.store16", _I32, u32, u16, 2)
_stores(0x3C, "i64.store8", _I64, u64, u8, 1)
_stores(0x3D, "i64.store16", _I64, u64, u16, 2)
_stores(0x3E, "i64.store32", _I64, u64, u32, 4)

_memory.add(0x3F, "memory.size", (), (_I32,), immediates=_MEMORY)
_memory.add(0x40, "memory.grow", (_I32,), (_I32,), immediates=_MEMORY)
_bulk.add(
    PREFIX_MISC | 8,
    "memory.init",
    (_I32, _I32, _I32),
    (),
    immediates=(Immediate.DATA, Immediate.MEMORY),
)
_bulk.add(PREFIX_MISC | 9, "data.drop", (), (), immediates=(Immediate.DATA,))
_bulk.add(
    PREFIX_MISC | 10,
    "memory.copy",
    (_I32, _I32, _I32),
    (),
    immediates=(Immediate.MEMORY, Immediate.MEMORY),
)
_bulk.add(PREFIX_MISC | 11, "memory.fill", (_I32, _I32, _I32), (), immediates=_MEMORY)

INSTRUCTIONS = _load.instructions + _store.instructions + _memory.instructions + _bulk.instructions

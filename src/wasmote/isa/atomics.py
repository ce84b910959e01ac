"""Atomic instructions: loads, stores and read-modify-write operations that threads agree on.

Every one is sequentially consistent. An address has its `access` bytes checked and is aligned to
them; an engine sees to both, and traps where it is not aligned. `memory.atomic.wait32` and its like
are left to engines, as their meaning needs a running instance.
"""

from typing import Any

from wasmote.core.status import ValueType
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_ATOMIC, Definitions, Immediate
from wasmote.nativepy import (
    atomic_add,
    atomic_and,
    atomic_compare_exchange,
    atomic_exchange,
    atomic_load,
    atomic_or,
    atomic_store,
    atomic_sub,
    atomic_xor,
    const,
    inline,
    is_big_endian,
    little,
    ptr,
    u8,
    u16,
    u32,
    u64,
)

_I32, _I64 = ValueType.I32, ValueType.I64
_MEMARG = (Immediate.MEMARG,)
_atomic = Definitions("atomic", Feature.THREADS)
_wait = Definitions("atomic wait", Feature.THREADS)


def _load(opcode: int, name: str, result: ValueType, value: Any, held: Any, access: int) -> None:
    """`held` is the type in memory, `value` the one it is extended to."""

    @_atomic(opcode, name, (_I32,), (result,), immediates=_MEMARG, access=access)
    @inline
    def extend(p: ptr[u8]) -> value:
        return value(little(atomic_load(ptr[held](p), "seq_cst")))


def _store(opcode: int, name: str, operand: ValueType, value: Any, held: Any, access: int) -> None:
    """`value` is the operand's type, `held` what it is cut to in memory."""

    @_atomic(opcode, name, (_I32, operand), (), immediates=_MEMARG, access=access)
    @inline
    def cut(p: ptr[u8], x: value):
        atomic_store(ptr[held](p), little(held(x)), "seq_cst")


#: Operations on more than each bit by itself.
_SUMS = (atomic_add, atomic_sub)


@inline
def sum_le(operation: const, place, x):
    """What the operation does, for a number whose bytes are not in the machine's order."""
    while True:
        before = atomic_load(place, "relaxed")
        old = little(before)
        new = old + x if operation is atomic_add else old - x
        if atomic_compare_exchange(place, before, little(new)) == before:
            return old


def _modify(
    opcode: int, name: str, operand: ValueType, value: Any, held: Any, access: int, operation: Any
) -> None:
    """The result is what was there before."""
    options: dict[str, Any] = {"immediates": _MEMARG, "access": access}

    @_atomic(opcode, name, (_I32, operand), (operand,), **options)
    @inline
    def modify(p: ptr[u8], x: value) -> value:
        if is_big_endian() and operation in _SUMS:
            return value(sum_le(operation, ptr[held](p), held(x)))
        return value(little(operation(ptr[held](p), little(held(x)))))


def _compare_exchange(
    opcode: int, name: str, operand: ValueType, value: Any, held: Any, access: int
) -> None:
    """The expected value is cut to the type in memory, too."""
    options: dict[str, Any] = {"immediates": _MEMARG, "access": access}

    @_atomic(opcode, name, (_I32, operand, operand), (operand,), **options)
    @inline
    def exchange(p: ptr[u8], expected: value, x: value) -> value:
        found = atomic_compare_exchange(ptr[held](p), little(held(expected)), little(held(x)))
        return value(little(found))


#: The widths that every operation has, in the order of the opcodes: type, its bits in memory.
_WIDTHS = ((_I32, 32), (_I64, 64), (_I32, 8), (_I32, 16), (_I64, 8), (_I64, 16), (_I64, 32))
_HELD = {8: u8, 16: u16, 32: u32, 64: u64}
_OPERATIONS = (
    ("add", atomic_add),
    ("sub", atomic_sub),
    ("and", atomic_and),
    ("or", atomic_or),
    ("xor", atomic_xor),
    ("xchg", atomic_exchange),
)

for _i, (_type, _bits) in enumerate(_WIDTHS):
    _prefix, _value = f"{_type.name.lower()}.atomic", u32 if _type == _I32 else u64
    _narrow = "" if _bits == _value.bits else str(_bits)
    _sign = "_u" if _narrow else ""
    _kinds: Any = (_type, _value, _HELD[_bits], _bits // 8)
    _load(PREFIX_ATOMIC | 0x10 + _i, f"{_prefix}.load{_narrow}{_sign}", *_kinds)
    _store(PREFIX_ATOMIC | 0x17 + _i, f"{_prefix}.store{_narrow}", *_kinds)
    for _j, (_word, _operation) in enumerate(_OPERATIONS):
        _name = f"{_prefix}.rmw{_narrow}.{_word}{_sign}"
        _modify(PREFIX_ATOMIC | 0x1E + 7 * _j + _i, _name, *_kinds, _operation)
    _compare_exchange(PREFIX_ATOMIC | 0x48 + _i, f"{_prefix}.rmw{_narrow}.cmpxchg{_sign}", *_kinds)

_wait.add(
    PREFIX_ATOMIC | 0, "memory.atomic.notify", (_I32, _I32), (_I32,), immediates=_MEMARG, access=4
)
for _code, _operand, _access in ((1, _I32, 4), (2, _I64, 8)):
    _wait.add(
        PREFIX_ATOMIC | _code,
        f"memory.atomic.wait{_access * 8}",
        (_I32, _operand, _I64),
        (_I32,),
        immediates=_MEMARG,
        access=_access,
    )
_wait.add(PREFIX_ATOMIC | 3, "atomic.fence", (), (), immediates=(Immediate.ZERO,))

INSTRUCTIONS = _atomic.instructions + _wait.instructions

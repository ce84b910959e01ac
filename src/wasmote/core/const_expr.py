"""Evaluates constant expressions that validation has accepted (spec: Constant Expressions).

They are kept as the bytes of the binary and read with a `Reader`, which an evaluation leaves behind
the expression's `end`. Values are cells, as everywhere: one for i32, f32 and references, two for
i64 and f64, four for v128, low half first.
"""

from wasmote.core.bounds import LimitsFlag
from wasmote.core.function import instance_function
from wasmote.core.reader import Reader, open_reader, read_byte, read_signed, read_u32, skip_bytes
from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import ConstExpr, Error, Instance, Platform
from wasmote.isa import by_name
from wasmote.nativepy import (
    array,
    boolean,
    copy,
    inline,
    load,
    native,
    ptr,
    sizeof,
    stack,
    struct,
    u8,
    u32,
    u64,
    usize,
    void,
)


class Opcode:
    """The instructions of constant expressions."""

    END = by_name("end").opcode
    GLOBAL_GET = by_name("global.get").opcode
    I32_CONST = by_name("i32.const").opcode
    I64_CONST = by_name("i64.const").opcode
    F32_CONST = by_name("f32.const").opcode
    F64_CONST = by_name("f64.const").opcode
    I32_ADD = by_name("i32.add").opcode
    I32_SUB = by_name("i32.sub").opcode
    I32_MUL = by_name("i32.mul").opcode
    I64_ADD = by_name("i64.add").opcode
    I64_SUB = by_name("i64.sub").opcode
    I64_MUL = by_name("i64.mul").opcode
    REF_NULL = by_name("ref.null").opcode
    REF_FUNC = by_name("ref.func").opcode
    #: Prefix; in constant expressions only v128.const follows.
    VECTOR = 0xFD


#: Operands that fit the evaluator's frame; more (extended constant expressions) take an allocation.
LOCAL_OPERANDS = 16


@struct
class Operands:
    """The operand stack of an evaluation. A v128 is never on it: no instruction here takes one."""

    values: ptr[u64]
    count: u32
    capacity: u32
    local: array[u64, LOCAL_OPERANDS]


@native
def const_skip(r: ptr[Reader]) -> void:
    """Move past one constant expression, its `end` included."""
    while True:
        match read_byte(r):
            case Opcode.END:
                return
            case (
                Opcode.I32_CONST
                | Opcode.I64_CONST
                | Opcode.GLOBAL_GET
                | Opcode.REF_NULL
                | Opcode.REF_FUNC
            ):
                read_signed(r, 64)
            case Opcode.F32_CONST:
                skip_bytes(r, 4)
            case Opcode.F64_CONST:
                skip_bytes(r, 8)
            case Opcode.VECTOR:
                read_u32(r)
                skip_bytes(r, 16)
            case _:  # arithmetic has no immediates
                pass


@native(cold=True)
def grow_operands(o: ptr[Operands], platform: ptr[Platform]) -> boolean:
    size = usize(o.capacity) * sizeof(u64)
    is_local = o.values == o.local
    values = ptr[u64](platform.resize(None if is_local else ptr[u8](o.values), size * 2))
    if values is None:
        return False
    if is_local:
        copy(values, o.local, size)
    o.values = values
    o.capacity = o.capacity * 2
    return True


@native
def push(o: ptr[Operands], platform: ptr[Platform], value: u64) -> boolean:
    if o.count == o.capacity and not grow_operands(o, platform):
        return False
    o.values[o.count] = value
    o.count += 1
    return True


@native
def evaluate(instance: ptr[Instance], r: ptr[Reader], o: ptr[Operands], value: ptr[u32]) -> u32:
    while True:
        operand = u64(0)
        opcode = read_byte(r)
        match opcode:
            case Opcode.END:
                if o.count != 0:  # else it is a v128, and in place
                    value[0] = u32(o.values[0])
                    value[1] = u32(o.values[0] >> 32)
                return 0
            case Opcode.I32_CONST | Opcode.I64_CONST:
                operand = u64(read_signed(r, 64))
            case Opcode.F32_CONST:
                operand = u64(load(u32, skip_bytes(r, 4)))
            case Opcode.F64_CONST:
                operand = load(u64, skip_bytes(r, 8))
            case Opcode.VECTOR:
                read_u32(r)
                copy(value, skip_bytes(r, 16), 16)
                continue
            case Opcode.GLOBAL_GET:
                source = instance.globals[read_u32(r)]
                if source.content == ValueType.V128:
                    copy(value, source.value, 16)
                    continue
                operand = u64(source.value[0]) | (u64(source.value[1]) << 32)
            case Opcode.REF_NULL:
                read_signed(r, 64)
            case Opcode.REF_FUNC:
                f = instance_function(instance, read_u32(r))
                if f is None:
                    return TrapCode.OUT_OF_MEMORY
                operand = u64(f.handle)
            case _:
                combine(o, opcode)
                continue
        if not push(o, instance.platform, operand):
            return TrapCode.OUT_OF_MEMORY


@inline
def combine(o: ptr[Operands], opcode: u32):
    """Add, subtract or multiply the two topmost operands.

    The low half of the result depends on the low halves only, so i32 needs no cases of its own.
    """
    o.count -= 1
    a = o.values + (o.count - 1)
    match opcode:
        case Opcode.I32_ADD | Opcode.I64_ADD:
            a[0] = a[0] + a[1]
        case Opcode.I32_SUB | Opcode.I64_SUB:
            a[0] = a[0] - a[1]
        case _:
            a[0] = a[0] * a[1]


@native
def const_evaluate(instance: ptr[Instance], r: ptr[Reader], value: ptr[u32]) -> u32:
    """Evaluate the expression at the reader and move past it.

    `value` has room for four cells; those that the type does not take are unspecified afterwards.
    Returns 0 or OUT_OF_MEMORY.
    """
    o = stack(Operands)
    o.values = o.local
    o.count = 0
    o.capacity = LOCAL_OPERANDS
    status = evaluate(instance, r, o, value)
    if o.values != o.local:
        instance.platform.release(ptr[u8](o.values))
    return status


@native
def const_value(instance: ptr[Instance], expr: ptr[ConstExpr], value: ptr[u32]) -> u32:
    """Evaluate one expression by itself; otherwise like `const_evaluate`."""
    r = stack(Reader)
    open_reader(r, expr.code, usize(expr.size), stack(Error))  # validated: no read fails
    return const_evaluate(instance, r, value)


@native
def const_offset(
    instance: ptr[Instance], expr: ptr[ConstExpr], limits_flags: u32, offset: ptr[u64]
) -> u32:
    """Evaluate the offset of an active segment of a memory or table with these limits flags."""
    value = stack(u32, 4)
    status = const_value(instance, expr, value)
    offset[0] = u64(value[0])
    if limits_flags & LimitsFlag.INDEX_64 != 0:
        offset[0] = offset[0] | (u64(value[1]) << 32)
    return status

"""Evaluates constant expressions that validation has accepted (spec: Constant Expressions).

They are kept as the bytes of the binary and read with a `Reader`, which an evaluation leaves behind
the expression's `end`. Values are cells, as everywhere: one for i32, f32 and references, two for
i64 and f64, four for v128, low half first.
"""

from wasmote.core.bounds import LimitsFlag
from wasmote.core.function import instance_function
from wasmote.core.gc.collect import pause_collections, resume_collections
from wasmote.core.gc.heap import fields_of, object_at
from wasmote.core.gc.objects import array_new, store_field, structure_new
from wasmote.core.reader import Reader, open_reader, read_byte, read_signed, read_u32, skip_bytes
from wasmote.core.status import TrapCode, ValueType
from wasmote.core.structs import ConstExpr, Error, FuncType, Instance, Platform, Store
from wasmote.core.validate.aggregates import Gc
from wasmote.core.value_types import KIND, size_of
from wasmote.isa import by_name
from wasmote.nativepy import (
    array,
    boolean,
    copy,
    inline,
    load,
    load_le,
    native,
    ptr,
    sizeof,
    stack,
    store,
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
    #: Prefix; those that make references follow.
    GC = 0xFB


#: Operands that fit the evaluator's frame; more (extended constant expressions) take an allocation.
LOCAL_OPERANDS = 16


@struct
class Operands:
    """The operand stack of an evaluation. Each of its values is two cells, and a v128 takes two."""

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
            case Opcode.GC:
                skip_reference_maker(r)
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
    store(o.values + o.count, value, align=8)
    o.count += 1
    return True


@native
def evaluate(instance: ptr[Instance], r: ptr[Reader], o: ptr[Operands], value: ptr[u32]) -> u32:
    while True:
        operand = u64(0)
        opcode = read_byte(r)
        match opcode:
            case Opcode.END:
                copy(value, o.values, usize(o.count) * sizeof(u64))
                return 0
            case Opcode.I32_CONST | Opcode.I64_CONST:
                operand = u64(read_signed(r, 64))
            case Opcode.F32_CONST:
                operand = u64(load_le(u32, skip_bytes(r, 4)))
            case Opcode.F64_CONST:
                operand = load_le(u64, skip_bytes(r, 8))
            case Opcode.VECTOR:
                read_u32(r)
                half = skip_bytes(r, 16)
                if not push(o, instance.platform, load_le(u64, half)):
                    return TrapCode.OUT_OF_MEMORY
                operand = load_le(u64, half + 8)
            case Opcode.GC:
                status = make_reference(instance, r, o)
                if status != 0:
                    return status
                continue
            case Opcode.GLOBAL_GET:
                source = instance.globals[read_u32(r)]
                if source.content == ValueType.V128:
                    if not push(o, instance.platform, load(u64, source.value + 0, align=4)):
                        return TrapCode.OUT_OF_MEMORY
                    operand = load(u64, source.value + 2, align=4)
                    if not push(o, instance.platform, operand):
                        return TrapCode.OUT_OF_MEMORY
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
    x = load(u64, a, align=8)
    y = load(u64, a + 1, align=8)
    match opcode:
        case Opcode.I32_ADD | Opcode.I64_ADD:
            result = x + y
        case Opcode.I32_SUB | Opcode.I64_SUB:
            result = x - y
        case _:
            result = x * y
    store(a, result, align=8)


@native
def skip_reference_maker(r: ptr[Reader]) -> void:
    match read_u32(r):
        case Gc.ARRAY_NEW_FIXED:
            read_u32(r)
            read_u32(r)
        case Gc.REF_I31 | Gc.ANY_CONVERT_EXTERN | Gc.EXTERN_CONVERT_ANY:
            pass
        case _:
            read_u32(r)


@native
def make_reference(instance: ptr[Instance], r: ptr[Reader], o: ptr[Operands]) -> u32:
    """Execute an instruction that makes a reference."""
    result = stack(u32, 1)
    code = read_u32(r)
    operands = u32(0)
    values = o.values + o.count
    status = u32(0)
    match code:
        case Gc.REF_I31:
            operands = 1
            result[0] = (u32(load(u64, values - 1)) << 1) | 1
        case Gc.ANY_CONVERT_EXTERN | Gc.EXTERN_CONVERT_ANY:
            return 0
        case Gc.STRUCT_NEW | Gc.STRUCT_NEW_DEFAULT:
            t = instance.module.types + read_u32(r)
            if code == Gc.STRUCT_NEW:
                operands = values_of(t)
            status = structure_new(instance.store, None, t, None, result)
            if status == 0:
                set_fields(instance.store, result[0], t, values - operands, operands)
        case _:
            t = instance.module.types + read_u32(r)
            each = values_of(t)
            length = u32(0)
            if code == Gc.ARRAY_NEW_FIXED:
                length = read_u32(r)
                operands = each * length
            else:
                length = u32(load(u64, values - 1))
                operands = each + 1 if code == Gc.ARRAY_NEW else u32(1)
            status = array_new(instance.store, None, t, length, None, result)
            if status == 0 and code != Gc.ARRAY_NEW_DEFAULT:
                step = each if code == Gc.ARRAY_NEW_FIXED else u32(0)
                set_elements(instance.store, result[0], t, values - operands, step)
    o.count -= operands
    if status == 0 and not push(o, instance.platform, u64(result[0])):
        return TrapCode.OUT_OF_MEMORY
    return status


@native
def values_of(t: ptr[FuncType]) -> u32:
    """Operands that the fields of a structure, or an element of an array, take."""
    count = t.param_count
    for i in range(t.param_count):
        if t.types[i] & KIND == ValueType.V128:
            count += 1
    return count


@native
def set_fields(s: ptr[Store], handle: u32, t: ptr[FuncType], values: ptr[u64], count: u32) -> void:
    fields = fields_of(object_at(s, handle))
    if count == 0:
        return
    for i in range(t.param_count):
        store_field(fields + t.types[t.param_count + i], size_of(t.types[i]), ptr[u32](values))
        values = values + (2 if t.types[i] & KIND == ValueType.V128 else u32(1))


@native
def set_elements(s: ptr[Store], handle: u32, t: ptr[FuncType], values: ptr[u64], step: u32) -> void:
    """Give an array's elements the values at `values`, each `step` behind the one before."""
    array = object_at(s, handle)
    fields = fields_of(array)
    for i in range(array.length):
        store_field(fields + usize(i) * usize(t.size), t.size, ptr[u32](values))
        values = values + step


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
    pause_collections(instance.store)
    status = evaluate(instance, r, o, value)
    resume_collections(instance.store)
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

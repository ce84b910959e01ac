"""Constant expressions (spec: Validation, Constant Expressions), and what they make referable.

Besides constants: `global.get` of an immutable global that is already defined, and 32- and 64-bit
`add`, `sub` and `mul` (extended constant expressions).
"""

from wasmote.core.decode.types import read_heap_type
from wasmote.core.loader import Loader, allocate_array, fail_here, has_feature, unsupported
from wasmote.core.reader import fail, failed, read_signed, read_u32, skip_bytes
from wasmote.core.status import Status, ValueType
from wasmote.core.structs import ConstExpr, Module
from wasmote.core.validate.aggregates import makes_reference, reference_maker
from wasmote.core.validate.operands import NOTHING, apply_signature, mismatch, pop, push
from wasmote.core.validate.tables import FEATURE, KIND, NO_FEATURE, SIGNATURE, Kind
from wasmote.isa import by_name
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_GC, PREFIX_MISC, PREFIX_SIMD
from wasmote.nativepy import boolean, native, ptr, u8, u32, u64, usize, void


class Opcode:
    """What a constant expression may consist of."""

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
    V128_CONST = by_name("v128.const").code
    VECTOR = PREFIX_SIMD >> 16
    GC = PREFIX_GC >> 16


@native
def decode_constant(loader: ptr[Loader], t: u32, out: ptr[ConstExpr]) -> void:
    """Validate a constant expression of type `t` and keep where it is."""
    if failed(loader.reader):
        return
    start = loader.reader.pos
    loader.height = 0
    loader.peak = 0
    loader.base = 0
    loader.frame_count = 1
    loader.frames[0].unreachable = 0
    while constant_instruction(loader):
        pass
    if failed(loader.reader):
        return
    if pop(loader, t) and loader.height != 0:
        mismatch(loader, NOTHING, loader.operands[loader.height - 1])
    out.code = start
    out.size = u32(usize(loader.reader.pos) - usize(start))


@native
def constant_instruction(loader: ptr[Loader]) -> boolean:
    """Validate one instruction; False after `end` or an error."""
    r = loader.reader
    if r.pos == r.end:
        return fail(r, r.pos, r.end_status, 0, 0)
    opcode = u32(r.pos[0])
    loader.at = r.pos
    loader.opcode = opcode
    r.pos = r.pos + 1
    match opcode:
        case Opcode.END:
            return False
        case Opcode.I32_CONST:
            read_signed(r, 32)
            return push(loader, ValueType.I32) and not failed(r)
        case Opcode.I64_CONST:
            read_signed(r, 64)
            return push(loader, ValueType.I64) and not failed(r)
        case Opcode.F32_CONST:
            skip_bytes(r, 4)
            return push(loader, ValueType.F32) and not failed(r)
        case Opcode.F64_CONST:
            skip_bytes(r, 8)
            return push(loader, ValueType.F64) and not failed(r)
        case (
            Opcode.I32_ADD
            | Opcode.I32_SUB
            | Opcode.I32_MUL
            | Opcode.I64_ADD
            | Opcode.I64_SUB
            | Opcode.I64_MUL
        ):
            if not has_feature(loader, Feature.EXTENDED_CONST):
                return unsupported(loader, loader.at, Feature.EXTENDED_CONST.bit)
            return apply_signature(loader, SIGNATURE[opcode])
        case Opcode.GLOBAL_GET:
            return constant_global(loader)
        case Opcode.REF_NULL:
            return push(loader, read_heap_type(loader)) and not failed(r)
        case Opcode.REF_FUNC:
            return constant_function(loader)
        case Opcode.VECTOR:
            return constant_vector(loader)
        case Opcode.GC:
            return constant_reference(loader)
        case _:
            return not_constant(loader, opcode)


@native
def constant_global(loader: ptr[Loader]) -> boolean:
    m = loader.module
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if index >= m.global_count:
        return fail_here(loader, Status.UNKNOWN_GLOBAL, u64(index), 0)
    if m.globals[index].mutable != 0:
        return fail_here(loader, Status.CONSTANT_EXPRESSION, Opcode.GLOBAL_GET, 0)
    return push(loader, m.globals[index].content)


@native
def constant_function(loader: ptr[Loader]) -> boolean:
    index = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if index >= loader.module.function_count:
        return fail_here(loader, Status.UNKNOWN_FUNCTION, u64(index), 0)
    t = function_reference(loader.module, index)
    return declare_function(loader, index) and push(loader, t)


@native
def function_reference(m: ptr[Module], index: u32) -> u32:
    """The type of a reference to a function."""
    return m.types[m.functions[index].type].references[1]


@native
def constant_reference(loader: ptr[Loader]) -> boolean:
    """Those behind the prefix 0xFB that make references."""
    code = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if not has_feature(loader, Feature.GC):
        return unsupported(loader, loader.at, Feature.GC.bit)
    loader.opcode = PREFIX_GC | code
    if not makes_reference(code):
        return fail_here(loader, Status.CONSTANT_EXPRESSION, u64(loader.opcode), 0)
    return reference_maker(loader, code)


@native
def constant_vector(loader: ptr[Loader]) -> boolean:
    """v128.const: the only one of the vector instructions."""
    code = read_u32(loader.reader)
    if failed(loader.reader):
        return False
    if not has_feature(loader, Feature.SIMD):
        return unsupported(loader, loader.at, Feature.SIMD.bit)
    if code != Opcode.V128_CONST:
        return fail_here(loader, Status.CONSTANT_EXPRESSION, u64(PREFIX_SIMD | code), 0)
    skip_bytes(loader.reader, 16)
    return push(loader, ValueType.V128) and not failed(loader.reader)


@native
def declare_function(loader: ptr[Loader], index: u32) -> boolean:
    """Note that a function is named outside of function bodies: `ref.func` may name it."""
    m = loader.module
    if m.declared is None:
        m.declared = allocate_array(loader, (m.function_count + 7) // 8, 1)
        if m.declared is None:
            return False
    m.declared[index // 8] = m.declared[index // 8] | u8(u32(1) << (index % 8))
    return True


@native
def is_declared(loader: ptr[Loader], index: u32) -> boolean:
    declared = loader.module.declared
    return declared is not None and (u32(declared[index // 8]) >> (index % 8)) & 1 != 0


@native(cold=True)
def not_constant(loader: ptr[Loader], opcode: u32) -> boolean:
    """Tell an instruction that is not constant from what is no instruction."""
    if KIND[opcode] != Kind.ILLEGAL or opcode == PREFIX_MISC >> 16:
        return fail_here(loader, Status.CONSTANT_EXPRESSION, u64(opcode), 0)
    return illegal(loader, opcode, FEATURE[opcode])


@native(cold=True)
def illegal(loader: ptr[Loader], opcode: u32, feature: u8) -> boolean:
    if feature != NO_FEATURE:
        return unsupported(loader, loader.at, u32(feature))
    return fail_here(loader, Status.ILLEGAL_OPCODE, u64(opcode), 0)

"""Translation of the instructions behind the prefix 0xFB."""

from wasmote.core.status import TrapCode, ValueType
from wasmote.core.validate.gc import Gc
from wasmote.core.value_types import KIND, cells_of, is_object_reference, unpacked
from wasmote.interp.common.casts import read_target
from wasmote.interp.common.leb import read_s33, read_u32
from wasmote.nativepy import addr, boolean, constants, native, ptr, store, u16, u32

from .bytecode import OPCODES
from .labels import PLAIN, arity, branch_when, target
from .stack import (
    SLOT,
    TEMPORARY,
    Translator,
    begin,
    finish,
    next_home,
    operand_at,
    pop,
    push,
    release_r,
    settle,
    settle_top,
    written,
)

#: Opcodes by how a field is accessed.
_SIZES = ("8s", "8u", "16s", "16u", "32", "64", "128")
_STORES = ("8u", "8u", "16u", "16u", "32", "64", "128", "ref")
REFERENCE = _STORES.index("ref")
STRUCT_GET = constants(u16, [OPCODES[f"struct.get {name}"] for name in _SIZES])
STRUCT_SET = constants(u16, [OPCODES[f"struct.set {name}"] for name in _STORES])
ARRAY_GET = constants(u16, [OPCODES[f"array.get {name}"] for name in _SIZES])
ARRAY_SET = constants(u16, [OPCODES[f"array.set {name}"] for name in _STORES])
NAMES = (
    *("struct.new", "struct.new_default", "", "", "", ""),
    *("array.new", "array.new_default", "array.new_fixed", "array.new_data", "array.new_elem"),
    *("", "", "", "", "array.len", "array.fill", "array.copy"),
    *("array.init_data", "array.init_elem", "", "", "", "", "", "", "", ""),
    *("ref.i31", "i31.get_s", "i31.get_u"),
)
OPCODE = constants(u16, [OPCODES.get(name, 0) for name in NAMES])


@native
def access_of(field: u32, signed: boolean) -> u32:
    """How a field of a type is accessed: an index into the tables above."""
    match field & KIND:
        case ValueType.I8:
            return u32(0) if signed else u32(1)
        case ValueType.I16:
            return u32(2) if signed else u32(3)
        case _:
            cells = cells_of(unpacked(field))
            return u32(4) if cells == 1 else u32(5) if cells == 2 else u32(6)


@native
def take(t: ptr[Translator], opcode: u32, operands: u32) -> ptr[u16]:
    """Start an instruction on operands in their homes. `held[0]` is the first slot behind them."""
    release_r(t)  # a reference that is only there would escape the garbage collector
    settle_top(t, operands)
    t.held[0] = u16(next_home(t))
    for _ in range(operands):
        pop(t)
    base = next_home(t)
    p = begin(t, opcode)
    p[1] = u16(base)
    written(t, base)
    return p


@native
def gc(t: ptr[Translator]):
    code = read_u32(addr(t.pc))
    match code:
        case Gc.STRUCT_NEW | Gc.STRUCT_NEW_DEFAULT:
            structure_new(t, code)
        case Gc.STRUCT_GET | Gc.STRUCT_GET_S | Gc.STRUCT_GET_U | Gc.STRUCT_SET:
            structure_access(t, code)
        case (
            Gc.ARRAY_NEW
            | Gc.ARRAY_NEW_DEFAULT
            | Gc.ARRAY_NEW_FIXED
            | Gc.ARRAY_NEW_DATA
            | Gc.ARRAY_NEW_ELEM
        ):
            array_new(t, code)
        case Gc.ARRAY_GET | Gc.ARRAY_GET_S | Gc.ARRAY_GET_U | Gc.ARRAY_SET:
            array_access(t, code)
        case Gc.ARRAY_LEN | Gc.REF_I31 | Gc.I31_GET_S | Gc.I31_GET_U:
            take(t, u32(OPCODE[code]), 1)
            finish(t, 2)
            push(t, TEMPORARY, u32(ValueType.I31REF) if code == Gc.REF_I31 else u32(ValueType.I32))
        case Gc.ARRAY_FILL | Gc.ARRAY_COPY | Gc.ARRAY_INIT_DATA | Gc.ARRAY_INIT_ELEM:
            array_range(t, code)
        case Gc.REF_TEST | Gc.REF_TEST_NULL:
            reference_test(t, code)
        case Gc.REF_CAST | Gc.REF_CAST_NULL:
            reference_cast(t, code)
        case Gc.BR_ON_CAST | Gc.BR_ON_CAST_FAIL:
            branch_on_cast(t, code)
        case Gc.ANY_CONVERT_EXTERN | Gc.EXTERN_CONVERT_ANY:
            pass  # handles are alike in both hierarchies
        case _:
            t.failed = TrapCode.UNTRANSLATABLE


@native
def structure_new(t: ptr[Translator], code: u32):
    index = read_u32(addr(t.pc))
    fields = t.module.types[index].param_count if code == Gc.STRUCT_NEW else u32(0)
    p = take(t, u32(OPCODE[code]), fields)
    p[2] = t.held[0]
    store(ptr[u32](p + 3), index, align=2)
    finish(t, 5)
    push(t, TEMPORARY, ValueType.STRUCTREF)


@native
def structure_access(t: ptr[Translator], code: u32):
    type = t.module.types + read_u32(addr(t.pc))
    field = read_u32(addr(t.pc))
    access = access_of(type.types[field], code == Gc.STRUCT_GET_S)
    is_set = code == Gc.STRUCT_SET
    if is_set and is_object_reference(type.types[field]):
        access = REFERENCE
    opcode = u32(STRUCT_SET[access]) if is_set else u32(STRUCT_GET[access])
    p = take(t, opcode, u32(2) if is_set else u32(1))
    store(ptr[u32](p + 2), type.types[type.param_count + field], align=2)
    finish(t, 4)
    if not is_set:
        push(t, TEMPORARY, unpacked(type.types[field]))


@native
def array_new(t: ptr[Translator], code: u32):
    index = read_u32(addr(t.pc))
    operands: u32 = 2
    count: u32 = 0
    if code == Gc.ARRAY_NEW_DEFAULT:
        operands = 1
    elif code != Gc.ARRAY_NEW:
        count = read_u32(addr(t.pc))
        if code == Gc.ARRAY_NEW_FIXED:
            operands = count
    p = take(t, u32(OPCODE[code]), operands)
    p[2] = t.held[0]
    store(ptr[u32](p + 3), index, align=2)
    store(ptr[u32](p + 5), count, align=2)
    simple = code == Gc.ARRAY_NEW or code == Gc.ARRAY_NEW_DEFAULT
    finish(t, u32(5) if simple else u32(7))
    push(t, TEMPORARY, ValueType.ARRAYREF)


@native
def array_access(t: ptr[Translator], code: u32):
    type = t.module.types + read_u32(addr(t.pc))
    access = access_of(type.types[0], code == Gc.ARRAY_GET_S)
    if code == Gc.ARRAY_SET:
        if is_object_reference(type.types[0]):
            access = REFERENCE
        take(t, u32(ARRAY_SET[access]), 3)
        finish(t, 2)
        return
    take(t, u32(ARRAY_GET[access]), 2)
    finish(t, 2)
    push(t, TEMPORARY, unpacked(type.types[0]))


@native
def array_range(t: ptr[Translator], code: u32):
    index = read_u32(addr(t.pc))
    second: u32 = 0
    if code != Gc.ARRAY_FILL:
        second = read_u32(addr(t.pc))
    p = take(t, u32(OPCODE[code]), u32(5) if code == Gc.ARRAY_COPY else u32(4))
    store(ptr[u32](p + 2), index, align=2)
    store(ptr[u32](p + 4), second, align=2)
    short = code == Gc.ARRAY_FILL or code == Gc.ARRAY_COPY
    finish(t, u32(4) if short else u32(6))


# -- casts -----------------------------------------------------------------------------------------


@native
def reference_test(t: ptr[Translator], code: u32):
    wanted = read_target(addr(t.pc), t.module, code == Gc.REF_TEST_NULL)
    p = take(t, OPCODES["ref.test"], 1)
    p[2] = p[1]
    store(ptr[u32](p + 3), wanted, align=2)
    finish(t, 5)
    push(t, TEMPORARY, ValueType.I32)


@native
def reference_cast(t: ptr[Translator], code: u32):
    """The reference stays where it is."""
    wanted = read_target(addr(t.pc), t.module, code == Gc.REF_CAST_NULL)
    o = operand_at(t, 0)
    settle(t, o)
    p = begin(t, OPCODES["ref.cast"])
    p[1] = u16(o.home)
    store(ptr[u32](p + 2), wanted, align=2)
    finish(t, 4)


@native
def branch_on_cast(t: ptr[Translator], code: u32):
    """The reference is the last of the branch's values, and stays for the code after it."""
    flags = u32(t.pc[0])
    t.pc = t.pc + 1
    c = target(t, read_u32(addr(t.pc)))
    read_s33(addr(t.pc))
    wanted = read_target(addr(t.pc), t.module, flags & 2 != 0)
    settle_top(t, arity(c))
    reference = operand_at(t, 0).home
    result = push(t, TEMPORARY, ValueType.I32).home
    p = begin(t, OPCODES["ref.test"])
    p[1] = u16(result)
    p[2] = u16(reference)
    store(ptr[u32](p + 3), wanted, align=2)
    finish(t, 5)
    written(t, result)
    pop(t)
    t.held[0] = u16(result)
    branch_when(t, c, PLAIN, SLOT, code == Gc.BR_ON_CAST)

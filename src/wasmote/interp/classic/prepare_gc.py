"""What the instructions behind the prefix 0xFB do to the operand stack: a part of `prepare`."""

from wasmote.core.validate.aggregates import Gc
from wasmote.core.value_types import unpacked
from wasmote.interp.common.leb import read_u32
from wasmote.interp.common.skip import skip_immediates
from wasmote.isa import by_name
from wasmote.nativepy import addr, constants, native, ptr, stack, u8, u32

from .branches import OPERANDS, Preparation, add_branch, apply, drop_operands, pop, push

#: Operands and cells of the result where the type does not matter; what is not here leaves the
#: stack as it is.
_OPERANDS = {
    "struct.new_default": (0, 1),
    "struct.set": (2, 0),
    "array.new": (2, 1),
    "array.new_default": (1, 1),
    "array.new_data": (2, 1),
    "array.new_elem": (2, 1),
    "array.set": (3, 0),
    "array.len": (1, 1),
    "array.fill": (4, 0),
    "array.copy": (5, 0),
    "array.init_data": (4, 0),
    "array.init_elem": (4, 0),
    "ref.test": (1, 1),
    "ref.test null": (1, 1),
    "ref.i31": (1, 1),
    "i31.get_s": (1, 1),
    "i31.get_u": (1, 1),
}
_BY_CODE = {by_name(name).code: effect for name, effect in _OPERANDS.items()}
#: As `branches.apply` takes them.
EFFECTS = constants(
    u8,
    [count | (cells + 1) << 4 for count, cells in (_BY_CODE.get(c, (0, 0)) for c in range(32))],
)


@native
def gc(p: ptr[Preparation], source: ptr[u8]):
    code = read_u32(addr(p.pc))
    at = stack(ptr[u8])
    at[0] = p.pc
    p.pc = source + 1
    skip_immediates(addr(p.pc), u32(source[0]))
    match code:
        case Gc.STRUCT_NEW:
            drop_operands(p, p.module.types[read_u32(at)].param_count)
            push(p, 1)
        case Gc.ARRAY_NEW_FIXED:
            read_u32(at)
            drop_operands(p, read_u32(at))
            push(p, 1)
        case Gc.STRUCT_GET | Gc.STRUCT_GET_S | Gc.STRUCT_GET_U:
            t = p.module.types + read_u32(at)
            pop(p)
            push(p, u32(OPERANDS[unpacked(t.types[read_u32(at)]) & 0xFF]))
        case Gc.ARRAY_GET | Gc.ARRAY_GET_S | Gc.ARRAY_GET_U:
            drop_operands(p, 2)
            push(p, u32(OPERANDS[unpacked(p.module.types[read_u32(at)].types[0]) & 0xFF]))
        case Gc.BR_ON_CAST | Gc.BR_ON_CAST_FAIL:
            at[0] = at[0] + 1
            add_branch(p, source, read_u32(at))
        case _:
            apply(p, u32(EFFECTS[code]))

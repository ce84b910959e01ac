"""The two registers that hold a value between handlers: `r` for integers and references, `f` for
floats and vectors.
"""

from wasmote.isa import Instruction
from wasmote.nativepy import (
    Type,
    bitcast,
    const,
    f32,
    f64,
    in_lane0,
    inline,
    lane,
    type_of,
    u32,
    u64,
    vec,
)
from wasmote.nativepy.types import Float, Int, Vector

#: The accumulator of floats and vectors: one vector register, so that no value has to cross over.
FLOATS = vec[f32, 4]
DOUBLES = vec[f64, 2]


def native_params(instruction: Instruction) -> list[Type]:
    """The types that an instruction's semantics takes its operands in."""
    function = instruction.semantics.function
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return [function.__annotations__[name] for name in names]


@inline
def from_accumulator(kind: const, r, f):
    if isinstance(kind, Int):
        return kind(r)
    if isinstance(kind, Vector):
        return bitcast(kind, f)
    if kind.bits == 32:
        return lane(f, 0)
    return lane(bitcast(DOUBLES, f), 0)


@inline
def new_r(value, r):
    """The integer accumulator after an instruction whose result is `value`."""
    if isinstance(type_of(value), Int):
        if type_of(value).bits == 64:
            return u64(value)
        return u64(u32(value))
    return r


@inline
def new_f(value, f):
    """The accumulator of floats and vectors after an instruction whose result is `value`."""
    if isinstance(type_of(value), Vector):
        return bitcast(FLOATS, value)
    if isinstance(type_of(value), Float):
        if type_of(value).bits == 32:
            return in_lane0(FLOATS, value)
        return bitcast(FLOATS, in_lane0(DOUBLES, value))
    return f

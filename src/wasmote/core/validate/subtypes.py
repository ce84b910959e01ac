"""Does a defined type match the supertype that it declares? (spec: Validation, Types)"""

from wasmote.core.loader import Loader
from wasmote.core.reader import fail
from wasmote.core.status import Status
from wasmote.core.structs import FuncType, Module
from wasmote.core.value_types import MUTABLE, Form, matches
from wasmote.nativepy import boolean, native, ptr, u32, u64

#: Supertypes above a type: what the JavaScript interface allows.
MAXIMUM_DEPTH = 63


@native
def check_supertype(loader: ptr[Loader], index: u32) -> boolean:
    m = loader.module
    t = m.types + index
    above = m.types + m.types[t.supertype - 1].same
    t.depth = above.depth + 1
    if t.depth > MAXIMUM_DEPTH:
        return fail(
            loader.reader, loader.reader.pos, Status.LIMIT_SUBTYPING, u64(t.depth), MAXIMUM_DEPTH
        )
    if above.extensible == 0 or above.form != t.form or not shape_matches(m, t, above):
        return fail(
            loader.reader, loader.reader.pos, Status.SUPERTYPE, u64(index), u64(t.supertype - 1)
        )
    return True


@native
def shape_matches(m: ptr[Module], t: ptr[FuncType], above: ptr[FuncType]) -> boolean:
    if t.form == Form.FUNCTION:
        return function_matches(m, t, above)
    if t.param_count < above.param_count:
        return False
    for i in range(above.param_count):
        if not field_matches(m, t.types[i], above.types[i]):
            return False
    return True


@native
def function_matches(m: ptr[Module], t: ptr[FuncType], above: ptr[FuncType]) -> boolean:
    """Parameters may be wider, results narrower."""
    if t.param_count != above.param_count or t.result_count != above.result_count:
        return False
    for i in range(t.param_count):
        if not matches(m, above.types[i], t.types[i]):
            return False
    for i in range(t.param_count, t.param_count + t.result_count):
        if not matches(m, t.types[i], above.types[i]):
            return False
    return True


@native
def field_matches(m: ptr[Module], field: u32, above: u32) -> boolean:
    """A field that can be written must have the very same type."""
    if field == above:
        return True
    return (field | above) & MUTABLE == 0 and matches(m, field, above)

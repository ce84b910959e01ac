"""ctypes views of nativepy structs, derived from their definitions."""

import ctypes
from functools import cache

from .types import Array, Boolean, Float, FunctionType, Int, Pointer, Struct, Type

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

HOST_POINTER = ctypes.sizeof(ctypes.c_void_p)


def ctype(t: Type) -> "Any":
    """The ctypes type of a nativepy type; pointers are plain addresses."""
    match t:
        case Int():
            return getattr(ctypes, f"c_{'' if t.signed else 'u'}int{t.width(HOST_POINTER)}")
        case Float():
            return ctypes.c_float if t.bits == 32 else ctypes.c_double
        case Boolean():
            return ctypes.c_bool
        case Pointer() | FunctionType():
            return ctypes.c_void_p
        case Array():
            return ctype(t.element) * t.length
        case Struct():
            return mirror(t)
    return None


@cache
def mirror(struct: Struct) -> type[ctypes.Structure]:
    """The `ctypes.Structure` with this struct's layout on the host."""
    fields = [(name, ctype(field)) for name, field in struct.fields.items()]
    made = type(struct.name, (ctypes.Structure,), {"_fields_": fields, "__doc__": struct.__doc__})
    assert ctypes.sizeof(made) == struct.size(HOST_POINTER), struct.name
    return made

"""Conversion between Python objects and the cells of WebAssembly values.

Integers come in as anything with `__index__`, signed or unsigned, and go out signed. Floats come in
as anything with `__float__` or `__index__`. A v128 is 16 bytes. References are None, `Func` objects
and (externref) any object.
"""

from wasmote.core.status import ValueType
from wasmote.core.value_types import is_defaultable, is_function_reference
from wasmote.host.cpython.objects import func_of
from wasmote.host.cpython.structs import Activation, Object, OwnerObject, Python
from wasmote.nativepy import (
    boolean,
    copy,
    f32,
    f64,
    i32,
    i64,
    inline,
    load,
    native,
    ptr,
    stack,
    store,
    u8,
    u32,
    u64,
    usize,
)

#: What C API functions return for an error of which PyErr_Occurred knows.
FAILED = -1


@native
def call_python(
    python: ptr[Python],
    function: ptr[Object],
    a: ptr[Object],
    b: ptr[Object],
    c: ptr[Object],
    d: ptr[Object],
) -> ptr[Object]:
    """Call a Python function and give back the references to all arguments but `a`.

    It gets three arguments if `d` is None. None, as the result or for `b` or `c` (which could not
    be made): a Python exception is set.
    """
    result: ptr[Object] = None
    arguments = stack(ptr[Object], 4)
    arguments[0] = a
    arguments[1] = b
    arguments[2] = c
    arguments[3] = d
    count = usize(3) if d is None else 4
    if b is not None and c is not None:
        result = python.PyObject_Vectorcall(function, arguments, count, None)
    for i in range(u32(1), 4):
        if arguments[i] is not None:
            python.Py_DecRef(arguments[i])
    return result


@native
def borrow(python: ptr[Python], thing: ptr[Object]) -> ptr[Object]:
    """A new reference to an object, or to Python's None."""
    object = python.none if thing is None else thing
    python.Py_IncRef(object)
    return object


@native
def caller(activation: ptr[Activation]) -> ptr[OwnerObject]:
    """The owner of the instance that is running, else of the one that was called, if any."""
    entry = activation.exec.entry
    if entry is None or entry.instance is None:
        return activation.owner
    return ptr[OwnerObject](entry.instance.host)


# -- Python to WebAssembly -----------------------------------------------------------------------


@native(cold=True)
def large_i64(python: ptr[Python], value: ptr[Object], number: ptr[i64]) -> boolean:
    """An integer past the largest signed one: accepted up to 2**64 - 1."""
    index = python.PyNumber_Index(value)
    if index is None:
        return False
    number[0] = python.PyLong_AsUnsignedLongLong(index)
    python.Py_DecRef(index)
    return number[0] != FAILED or python.PyErr_Occurred() is None


@inline
def integer_to(python, value, is_i64, cells) -> boolean:
    overflow = stack(i32)
    number = stack(i64)
    number[0] = python.PyLong_AsLongLongAndOverflow(value, overflow)
    if number[0] == FAILED:  # the number, an error, or too large
        if overflow[0] > 0 and is_i64:
            if not large_i64(python, value, number):
                return False
        elif overflow[0] != 0 or python.PyErr_Occurred() is not None:
            return False
    if is_i64:
        store(cells, number[0], align=4)
        return True
    if number[0] < -0x8000_0000 or number[0] > 0xFFFF_FFFF:
        return False
    cells[0] = u32(number[0])
    return True


@inline
def float_to(python, value, is_f64, cells) -> boolean:
    number = python.PyFloat_AsDouble(value)
    if number == -1.0 and python.PyErr_Occurred() is not None:
        return False
    if is_f64:
        store(cells, number, align=4)
    else:
        store(cells, f32(number), align=4)
    return True


@native(cold=True)
def vector_to(python: ptr[Python], value: ptr[Object], cells: ptr[u32]) -> boolean:
    data = stack(ptr[u8])
    size = stack(usize)
    if python.PyBytes_AsStringAndSize(value, data, size) != 0 or size[0] != 16:
        return False
    copy(cells, data[0], 16)
    return True


@native
def reference_to(
    python: ptr[Python], owner: ptr[OwnerObject], type: u32, value: ptr[Object], cells: ptr[u32]
) -> boolean:
    cells[0] = 0
    if value == python.none:
        return is_defaultable(type)
    keeper = python.none if owner is None else ptr[Object](owner)
    kind = python.PyLong_FromLongLong(i64(type))
    address = python.PyLong_FromLongLong(i64(usize(cells)))
    done = call_python(python, python.to_reference, keeper, kind, borrow(python, value), address)
    if done is None:
        return False
    python.Py_DecRef(done)
    return True


@native
def bits_type(type: u32) -> u32:
    """The integer type that holds the bits of a float type; other types are left as they are."""
    if type == ValueType.F32:
        return ValueType.I32
    return u32(ValueType.I64) if type == ValueType.F64 else type


@native
def to_cells(
    activation: ptr[Activation], type: u32, value: ptr[Object], cells: ptr[u32]
) -> boolean:
    """Write a value's cells. False: it does not fit the type; a Python exception may be set."""
    python = activation.python
    match type:
        case ValueType.I32:
            return integer_to(python, value, False, cells)
        case ValueType.I64:
            return integer_to(python, value, True, cells)
        case ValueType.F32:
            return float_to(python, value, False, cells)
        case ValueType.F64:
            return float_to(python, value, True, cells)
        case ValueType.V128:
            return vector_to(python, value, cells)
        case _:
            return reference_to(python, caller(activation), type, value, cells)


# -- WebAssembly to Python -----------------------------------------------------------------------


@native
def reference_from(
    python: ptr[Python], owner: ptr[OwnerObject], type: u32, handle: u32
) -> ptr[Object]:
    if handle == 0:
        return borrow(python, None)
    if is_function_reference(type):
        return func_of(python, python.store.functions[handle])
    keeper = python.none if owner is None else ptr[Object](owner)
    kind = python.PyLong_FromLongLong(i64(type))
    number = python.PyLong_FromLongLong(i64(handle))
    return call_python(python, python.from_reference, keeper, kind, number, None)


@native
def from_cells(activation: ptr[Activation], type: u32, cells: ptr[u32]) -> ptr[Object]:
    """A value as a Python object, a new reference. None: a Python exception is set."""
    python = activation.python
    match type:
        case ValueType.I32:
            return python.PyLong_FromLongLong(i64(i32(cells[0])))
        case ValueType.I64:
            return python.PyLong_FromLongLong(load(i64, cells, align=4))
        case ValueType.F32:
            return python.PyFloat_FromDouble(f64(load(f32, cells, align=4)))
        case ValueType.F64:
            return python.PyFloat_FromDouble(load(f64, cells, align=4))
        case ValueType.V128:
            return python.PyBytes_FromStringAndSize(ptr[u8](cells), 16)
        case _:
            return reference_from(python, caller(activation), type, cells[0])


@native
def bits_from_cells(activation: ptr[Activation], type: u32, cells: ptr[u32]) -> ptr[Object]:
    """Like `from_cells`, but numbers come as their bits, in an unsigned integer."""
    python = activation.python
    match bits_type(type):
        case ValueType.I32:
            return python.PyLong_FromLongLong(i64(cells[0]))
        case ValueType.I64:
            return python.PyLong_FromUnsignedLongLong(load(u64, cells, align=4))
        case _:
            return from_cells(activation, type, cells)

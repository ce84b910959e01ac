"""Calls in both directions: Python's vectorcall into WebAssembly, WebAssembly's calls of Python."""

from wasmote.core.status import TrapCode
from wasmote.core.structs import EXCEPTION, Crossing, Exec, FuncInst
from wasmote.host.cpython.activation import (
    begin_activation,
    end_activation,
    end_after_host_call,
    now,
    stop_running,
)
from wasmote.host.cpython.convert import (
    bits_from_cells,
    bits_type,
    borrow,
    call_python,
    from_cells,
    to_cells,
)
from wasmote.host.cpython.objects import cells_of
from wasmote.host.cpython.profile import take_sample
from wasmote.host.cpython.structs import Activation, FuncObject, Object, Python
from wasmote.nativepy import (
    boolean,
    const,
    i64,
    inline,
    native,
    ptr,
    sizeof,
    stack,
    u8,
    u32,
    unlikely,
    usize,
    void,
)

#: Arguments of a host function that need no allocation.
FEW = 16


# -- errors --------------------------------------------------------------------------------------


@native(cold=True)
def raise_made(python: ptr[Python], exception: ptr[Object]) -> void:
    """Raise an exception that a callback has made; None: the callback itself raised."""
    if exception is not None:
        python.PyErr_SetObject(exception.type, exception)
        python.Py_DecRef(exception)


@native(cold=True)
def raise_wrong_count(self: ptr[FuncObject], count: i64) -> void:
    python = self.python
    number = python.PyLong_FromLongLong(count)
    nothing = borrow(python, None)
    raise_made(
        python, call_python(python, python.on_wrong_count, ptr[Object](self), number, nothing, None)
    )


@native(cold=True)
def raise_wrong_value(
    self: ptr[FuncObject], index: i64, value: ptr[Object], role: ptr[Object]
) -> void:
    """Say which argument or result is wrong, unless a conversion method of the value has raised."""
    python = self.python
    pending = stack(ptr[Object], 3)
    python.PyErr_Fetch(pending, pending + 1, pending + 2)
    arguments = stack(ptr[Object], 4)
    arguments[0] = ptr[Object](self)
    arguments[1] = python.PyLong_FromLongLong(index)
    arguments[2] = value
    arguments[3] = role
    made: ptr[Object] = None
    if arguments[1] is not None:
        made = python.PyObject_Vectorcall(python.on_wrong_value, arguments, 4, None)
        python.Py_DecRef(arguments[1])
    if made == python.none:
        python.Py_DecRef(made)
        python.PyErr_Restore(pending[0], pending[1], pending[2])
        return
    for i in range(u32(0), 3):
        if pending[i] is not None:
            python.Py_DecRef(pending[i])
    raise_made(python, made)


@native(cold=True)
def raise_trap(python: ptr[Python], activation: ptr[Activation], code: u32) -> void:
    """Raise the Trap for a trap code. The activation, if any, still shows where it happened."""
    if code == TrapCode.HOST_EXCEPTION:
        return  # raised already
    number = python.PyLong_FromLongLong(i64(code))
    address = python.PyLong_FromLongLong(i64(usize(activation)))
    callee = borrow(python, None if activation is None else activation.callee)
    if number is not None:
        raise_made(python, call_python(python, python.on_trap, number, address, callee, None))
        python.Py_DecRef(number)


# -- Python calls WebAssembly --------------------------------------------------------------------


@native
def arguments_to_cells(
    self: ptr[FuncObject], activation: ptr[Activation], arguments: ptr[ptr[Object]], bits: const
) -> boolean:
    type = self.function.type
    cells = activation.exec.stack
    for i in range(type.param_count):
        kind = bits_type(type.types[i]) if bits else type.types[i]
        if unlikely(not to_cells(activation, kind, arguments[i], cells)):
            raise_wrong_value(self, i64(i), arguments[i], self.python.none)
            return False
        cells = cells + cells_of(kind)
    return True


@inline
def result_from(activation, kind, cells, bits):
    return bits_from_cells(activation, kind, cells) if bits else from_cells(activation, kind, cells)


@native
def results_from_cells(
    self: ptr[FuncObject], activation: ptr[Activation], bits: const
) -> ptr[Object]:
    """None, the one result, or a tuple."""
    python = self.python
    type = self.function.type
    types = type.types + type.param_count
    cells = activation.exec.stack
    if type.result_count == 1:
        return result_from(activation, types[0], cells, bits)
    if type.result_count == 0:
        return borrow(python, None)
    results = python.PyTuple_New(usize(type.result_count))
    for i in range(type.result_count):
        if results is None:
            return None
        value = result_from(activation, types[i], cells, bits)
        if value is None:
            python.Py_DecRef(results)
            return None
        python.PyTuple_SetItem(results, usize(i), value)
        cells = cells + cells_of(types[i])
    return results


@native
def enough_stack(self: ptr[FuncObject], activation: ptr[Activation]) -> boolean:
    """Whether arguments and results fit the stack at all."""
    type = self.function.type
    exec = activation.exec
    cells = type.param_cells if type.param_cells > type.result_cells else type.result_cells
    if usize(cells) * sizeof(u32) > activation.pool.stack_size:
        return False
    exec.top = exec.stack + cells
    return True


@native
def run(self: ptr[FuncObject], activation: ptr[Activation], crossing: ptr[Crossing]) -> boolean:
    """Run the function on the first cells of the activation's stack. False: an exception is set.

    The results are in `crossing` then.
    """
    f = self.function
    exec = activation.exec
    owner = self.owner
    crossing.outer = None
    crossing.types = f.type.types + f.type.param_count
    crossing.count = 0
    crossing.cells = exec.stack
    exec.crossing = crossing
    activation.running = 1
    code = u32(0)
    if owner is not None:
        code = owner.call(exec, f, exec.stack)
    elif f.native is not None:
        code = f.native(exec, f, exec.stack)
    else:
        code = call_host(exec, f, exec.stack)
    if code == 0:
        crossing.count = f.type.result_count
    stop_running(activation)
    if unlikely(code != 0):
        raise_trap(self.python, activation, code)
        return False
    return True


@inline
def call(self, arguments, count, bits) -> ptr[Object]:
    """The call proper. `bits`: numbers are given and returned as their bits."""
    python = self.python
    if unlikely(count != usize(self.function.type.param_count)):
        raise_wrong_count(self, i64(count))
        return None
    activation = begin_activation(python, self.owner)
    if unlikely(activation is None):
        raise_trap(python, None, TrapCode.STACK_OVERFLOW)
        return None
    crossing = stack(Crossing)
    result: ptr[Object] = None
    if unlikely(not enough_stack(self, activation)):
        raise_trap(python, activation, TrapCode.STACK_OVERFLOW)
    elif arguments_to_cells(self, activation, arguments, bits) and run(self, activation, crossing):
        result = results_from_cells(self, activation, bits)
    end_activation(activation)
    return result


@native(export="cpython_func_call")
def func_call(
    self: ptr[FuncObject], arguments: ptr[ptr[Object]], flagged_count: usize, names: ptr[Object]
) -> ptr[Object]:
    """Func's vectorcall: `self(*arguments)`. The count's top bit only says what CPython allows."""
    if unlikely(names is not None):
        raise_wrong_count(self, -1)
        return None
    return call(self, arguments, flagged_count & (~usize(0) >> 1), False)


@native(export="cpython_func_call_bits")
def func_call_bits(self: ptr[FuncObject], arguments: ptr[ptr[Object]], count: usize) -> ptr[Object]:
    """The same for `Func.call_bits`."""
    return call(self, arguments, count, True)


# -- WebAssembly calls Python --------------------------------------------------------------------


@native
def call_with(
    activation: ptr[Activation], func: ptr[FuncObject], cells: ptr[u32], objects: ptr[ptr[Object]]
) -> ptr[Object]:
    """Call the function's callable; `objects` has room for one more than the arguments."""
    python = activation.python
    type = func.function.type
    arguments = objects + 1  # the callable may use the place before for `self`
    result: ptr[Object] = None
    made: u32 = 0
    at = cells
    while made < type.param_count:
        arguments[made] = from_cells(activation, type.types[made], at)
        if arguments[made] is None:
            break
        at = at + cells_of(type.types[made])
        made += 1
    if made == type.param_count:
        permission = (~usize(0) >> 1) + 1
        result = python.PyObject_Vectorcall(
            func.callable, arguments, usize(made) | permission, None
        )
    for i in range(made):
        python.Py_DecRef(arguments[i])
    return result


@native(cold=True)
def call_with_many(
    activation: ptr[Activation], func: ptr[FuncObject], cells: ptr[u32]
) -> ptr[Object]:
    python = activation.python
    size = (usize(func.function.type.param_count) + 1) * sizeof(ptr[Object])
    objects = ptr[ptr[Object]](python.PyMem_Malloc(size))
    if objects is None:
        return python.PyErr_NoMemory()
    result = call_with(activation, func, cells, objects)
    python.PyMem_Free(ptr[u8](objects))
    return result


@native(cold=True)
def several_results(
    activation: ptr[Activation], func: ptr[FuncObject], result: ptr[Object], cells: ptr[u32]
) -> boolean:
    """Results of a function that has not just one: None, or as many values as there are results."""
    python = activation.python
    type = func.function.type
    if type.result_count == 0:
        raise_wrong_value(func, -1, result, result)
        return False
    values = python.PySequence_Tuple(result)
    if values is None or python.PyTuple_Size(values) != usize(type.result_count):
        raise_wrong_value(func, -1, result, result)
        if values is not None:
            python.Py_DecRef(values)
        return False
    at = cells
    fine = True
    for i in range(type.result_count):
        if fine:
            kind = type.types[type.param_count + i]
            value = python.PyTuple_GetItem(values, usize(i))
            fine = to_cells(activation, kind, value, at)
            if not fine:
                raise_wrong_value(func, i64(i), value, values)
            at = at + cells_of(kind)
            activation.exec.crossing.count += 1
    python.Py_DecRef(values)
    return fine


@native
def result_to_cells(
    activation: ptr[Activation], func: ptr[FuncObject], result: ptr[Object], cells: ptr[u32]
) -> boolean:
    type = func.function.type
    crossing = activation.exec.crossing
    crossing.types = type.types + type.param_count  # the results take the arguments' place
    crossing.count = 0
    if type.result_count == 1:
        fine = to_cells(activation, type.types[type.param_count], result, cells)
        if unlikely(not fine):
            raise_wrong_value(func, 0, result, result)
        crossing.count = 1
        return fine
    if type.result_count == 0 and result == activation.python.none:
        return True
    return several_results(activation, func, result, cells)


@native(cold=True)
def throw(activation: ptr[Activation]) -> u32:
    """A host function raised. What WebAssembly can catch goes on as an exception there, the rest
    through it. Returns EXCEPTION or a trap code.
    """
    python = activation.python
    pending = stack(ptr[Object], 3)
    python.PyErr_Fetch(pending, pending + 1, pending + 2)
    python.PyErr_NormalizeException(pending, pending + 1, pending + 2)
    value = pending[1]
    address = python.PyLong_FromLongLong(i64(usize(activation)))
    answer = call_python(python, python.throw, value, address, borrow(python, None), None)
    if answer is None:
        for i in range(u32(0), 3):
            if pending[i] is not None:
                python.Py_DecRef(pending[i])
        return TrapCode.HOST_EXCEPTION
    thrown = answer == python.true
    python.Py_DecRef(answer)
    if not thrown:
        python.PyErr_Restore(pending[0], pending[1], pending[2])
        return TrapCode.HOST_EXCEPTION
    if pending[2] is not None:
        python.PyException_SetTraceback(value, pending[2])
        python.Py_DecRef(pending[2])
    python.Py_DecRef(pending[0])
    former = activation.raised
    activation.raised = value
    activation.raised_handle = activation.exec.exception
    if former is not None:
        python.Py_DecRef(former)
    return EXCEPTION


@native(export="cpython_call_host")
def call_host(exec: ptr[Exec], f: ptr[FuncInst], cells: ptr[u32]) -> u32:
    """Platform.call_host: call the Python function behind a host function instance."""
    activation = ptr[Activation](exec)
    python = activation.python
    stop_running(activation)
    func = ptr[FuncObject](f.host)
    if func.callable is None:
        activation.callee = ptr[Object](func)
        return TrapCode.UNLINKED_IMPORT
    if activation.thread is None:
        activation.thread = python.PyThreadState_Get()
        activation.identity = python.PyThread_get_thread_ident()
    if unlikely(python.profile is not None):
        take_sample(activation, now(python), None)
    # The callable may drop the last reference to the Func that holds it.
    python.Py_IncRef(ptr[Object](func))
    if f.type.param_count <= FEW:
        result = call_with(activation, func, cells, stack(ptr[Object], FEW + 1))
    else:
        result = call_with_many(activation, func, cells)
    fine = False
    if result is not None:
        fine = result_to_cells(activation, func, result, cells)
        python.Py_DecRef(result)
    if unlikely(python.profile is not None):
        take_sample(activation, now(python), ptr[Object](func))
    python.Py_DecRef(ptr[Object](func))
    code = end_after_host_call(activation) if fine else throw(activation)
    activation.running = 1
    return code

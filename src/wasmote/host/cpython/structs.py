"""Layouts shared by the native and the Python side of the boundary.

Of CPython's own objects only the header is laid out here; its size is checked at start-up, so a
build of CPython with another header is refused and never misread.
"""

from wasmote.core.structs import (
    Exec,
    FuncInst,
    FuncType,
    Instance,
    Memory,
    Platform,
    Store,
    TraceFrame,
)
from wasmote.nativepy import array, f64, fn, i32, i64, ptr, struct, u8, u32, u64, usize, void

#: Innermost frames that a sample of a profile takes into account.
PROFILE_FRAMES = 512


@struct
class Object:
    """The header of every Python object (PyObject)."""

    references: usize  # CPython's own business: only Py_IncRef and Py_DecRef touch it
    type: ptr["Object"]


@struct
class OwnerObject:
    """What keeps native memory alive: freed with the last Python object that can reach it.

    An instance has one (`Instance.host` points back to it), and so has each memory, table or global
    that the host made. `links` is a Python object, visible to the garbage collector, with whatever
    else must live as long. `base` is released last: the module whose code an instance runs.
    """

    header: Object
    python: ptr["Python"]
    resource: ptr[u8]
    release: fn[[ptr["OwnerObject"]], void]  # frees the resource
    call: fn[[ptr[Exec], ptr[FuncInst], ptr[u32]], u32]  # instances: `call_from_host`
    pool: ptr["Pool"]  # instances: where calls get their stacks
    links: ptr[Object]
    base: ptr[Object]
    weak_references: ptr[Object]


@struct
class FuncObject:
    """`wasmote.Func`. There is one per function instance at most: `FuncInst.host` points back to
    it.

    A host function's object owns the `FuncInst`; a WebAssembly function's object owns nothing and
    keeps its instance alive.
    """

    header: Object
    vectorcall: fn[[ptr["FuncObject"], ptr[ptr[Object]], usize, ptr[Object]], ptr[Object]]
    python: ptr["Python"]
    function: ptr[FuncInst]
    owner: ptr[OwnerObject]  # None: a host function
    callable: ptr[Object]  # host functions; None: an import that nobody supplied
    label: ptr[Object]  # host functions: what messages call it
    weak_references: ptr[Object]


@struct
class MemoryObject:
    """`wasmote.Memory`: gives out the bytes of a linear memory through the buffer protocol."""

    header: Object
    python: ptr["Python"]
    memory: ptr[Memory]
    owner: ptr[OwnerObject]
    weak_references: ptr[Object]


@struct
class HostFunction:
    """A host function's instance together with its type; the value types follow."""

    instance: FuncInst
    type: FuncType


@struct
class Buffer:
    """Py_buffer, as far as it is looked at here."""

    data: ptr[u8]
    object: ptr[Object]


@struct
class Time:
    """struct timespec."""

    seconds: i64
    nanoseconds: i64


@struct
class Deadline:
    """When the calls of one thread have to end, as `wasmote.timeout` has it."""

    thread: usize
    time: i64  # nanoseconds of `Python.clock`
    next: ptr["Deadline"]


@struct
class StackRequest:
    """What somebody wants to know of a call: its frames, as soon as it can tell."""

    frames: ptr[TraceFrame]
    limit: u32
    count: u32  # frames that there are
    done: u32
    thread: usize  # its identity; 0: not known


@struct
class ProfileNode:
    """A function in a tree of calls: who called whom. Node 0 is the root."""

    instance: ptr[Instance]  # None: a host function
    host: ptr[Object]  # its Func, with a reference to it
    function: u32
    parent: u32
    child: u32  # the first; 0: none
    sibling: u32
    samples: u64  # while it ran itself


@struct
class Profile:
    """What samples of running calls tell; see `profile`."""

    instance: ptr[Instance]  # calls of its functions only; None: all calls
    interval: i64  # nanoseconds
    nodes: ptr[ProfileNode]
    count: u32
    capacity: u32
    lost: u64  # samples for which there was no memory
    samples: u64
    frames: array[TraceFrame, PROFILE_FRAMES]


@struct
class Pool:
    """Idle activations whose value stacks have one size."""

    python: ptr["Python"]
    idle: ptr["Activation"]
    idle_count: u32
    stack_size: usize  # bytes


@struct
class Activation:
    """One call from Python into WebAssembly, nested ones included: each has a value stack of its
    own.

    That a nested call does not continue on the caller's stack costs a page of memory or two and
    lets greenlets and threads interleave calls as they like. The GIL protects all lists of
    activations.
    """

    exec: Exec  # first, so that a pointer to either is a pointer to both
    python: ptr["Python"]
    pool: ptr[Pool]
    owner: ptr[OwnerObject]  # of the function that was called; None: a host function
    next: ptr["Activation"]  # in Python.active, latest first, or in Pool.idle
    previous: ptr["Activation"]
    thread: ptr[u8]  # the Python thread state, once this activation has called Python
    released: ptr[u8]  # the Python thread state while the GIL is released, None while it is held
    running: (
        u32  # WebAssembly code runs: what is on the stack changes, and `exec.top` means nothing
    )
    checked: i64  # when signals were last looked at, in nanoseconds
    deadline: i64  # when this call has to end, in nanoseconds; 0: never
    stops_seen: u32  # of `Python.stops`
    request: usize  # address of a StackRequest; 0: none
    sampled: i64  # until when samples were taken, in nanoseconds; 0: never
    identity: usize  # of the thread, once this activation has released the GIL or called Python
    on_main_thread: u32
    callee: ptr[Object]  # the Func that stopped the run with UNLINKED_IMPORT
    raised: ptr[Object]  # what a host function raised last that is an exception of WebAssembly,
    raised_handle: u32  # and its handle


@struct
class Python:
    """CPython's C API, as far as it is used, and the state of the boundary."""

    # Functions of the C API, under their own names.
    Py_IncRef: fn[[ptr[Object]], void]
    Py_DecRef: fn[[ptr[Object]], void]
    PyType_GenericAlloc: fn[[ptr[Object], usize], ptr[Object]]
    PyObject_GC_UnTrack: fn[[ptr[Object]], void]
    PyObject_GC_Del: fn[[ptr[Object]], void]
    PyObject_ClearWeakRefs: fn[[ptr[Object]], void]
    PyObject_Vectorcall: fn[[ptr[Object], ptr[ptr[Object]], usize, ptr[Object]], ptr[Object]]
    PyBuffer_FillInfo: fn[[ptr[Buffer], ptr[Object], ptr[u8], usize, i32, i32], i32]
    PyLong_AsLongLongAndOverflow: fn[[ptr[Object], ptr[i32]], i64]
    PyLong_AsUnsignedLongLong: fn[[ptr[Object]], i64]
    PyLong_FromLongLong: fn[[i64], ptr[Object]]
    PyLong_FromUnsignedLongLong: fn[[u64], ptr[Object]]
    PyNumber_Index: fn[[ptr[Object]], ptr[Object]]
    PyFloat_AsDouble: fn[[ptr[Object]], f64]
    PyFloat_FromDouble: fn[[f64], ptr[Object]]
    PyBytes_AsStringAndSize: fn[[ptr[Object], ptr[ptr[u8]], ptr[usize]], i32]
    PyBytes_FromStringAndSize: fn[[ptr[u8], usize], ptr[Object]]
    PyTuple_New: fn[[usize], ptr[Object]]
    PyTuple_SetItem: fn[[ptr[Object], usize, ptr[Object]], i32]
    PyTuple_GetItem: fn[[ptr[Object], usize], ptr[Object]]
    PyTuple_Size: fn[[ptr[Object]], usize]
    PySequence_Tuple: fn[[ptr[Object]], ptr[Object]]
    PyMem_Malloc: fn[[usize], ptr[u8]]
    PyMem_Free: fn[[ptr[u8]], void]
    PyErr_Occurred: fn[[], ptr[Object]]
    PyErr_SetObject: fn[[ptr[Object], ptr[Object]], void]
    PyErr_Fetch: fn[[ptr[ptr[Object]], ptr[ptr[Object]], ptr[ptr[Object]]], void]
    PyErr_Restore: fn[[ptr[Object], ptr[Object], ptr[Object]], void]
    PyErr_NormalizeException: fn[[ptr[ptr[Object]], ptr[ptr[Object]], ptr[ptr[Object]]], void]
    PyException_SetTraceback: fn[[ptr[Object], ptr[Object]], i32]
    PyErr_NoMemory: fn[[], ptr[Object]]
    PyErr_CheckSignals: fn[[], i32]
    PyThreadState_Get: fn[[], ptr[u8]]
    PyEval_SaveThread: fn[[], ptr[u8]]
    PyEval_RestoreThread: fn[[ptr[u8]], void]
    PyThread_get_thread_ident: fn[[], usize]
    # Of the C library.
    clock_gettime: fn[[i32, ptr[Time]], i32]
    clock: i32  # which clock to ask
    # Objects, borrowed: the binding keeps them alive.
    none: ptr[Object]
    true: ptr[Object]
    func_type: ptr[Object]
    memory_type: ptr[Object]
    owner_type: ptr[Object]
    # Python functions of `wasmote.api`; the first three return an exception to raise.
    on_trap: ptr[Object]  # (trap code, address of the Activation, callee or None)
    on_wrong_count: ptr[Object]  # (Func, number of arguments or -1: keywords were given, None)
    on_wrong_value: ptr[
        Object
    ]  # (Func, index or -1: the number of results, value, None: an argument); may return None
    to_reference: ptr[Object]  # (Owner or None, value type, object, address of the cell)
    from_reference: ptr[Object]  # (Owner or None, value type, handle) -> object
    throw: ptr[Object]  # (exception, address of the Activation, None) -> is it one of WebAssembly?
    # State.
    vectorcall: fn[[ptr[FuncObject], ptr[ptr[Object]], usize, ptr[Object]], ptr[Object]]
    platform: ptr[Platform]
    store: ptr[Store]
    attach: fn[[ptr[Exec], ptr[usize]], void]  # `interp_attach`, for a new value stack
    handlers: ptr[usize]  # the interpreters' table of handlers
    main_thread: usize
    pool: ptr[Pool]  # for calls of host functions
    active: ptr[Activation]  # calls under way, latest first
    deadlines: ptr[Deadline]  # of all threads
    stops: u32  # how many instances were terminated
    profile: ptr[Profile]  # None: nothing is sampled
    profile_lock: u32
    stopping: u32  # a thread waits until all calls have stopped at a poll

"""Binds the core's image to this CPython: function pointers, native types, the process's store.

Everything above uses the one `BINDING`, made when this module is imported.
"""

import ctypes
import threading
import time
from collections.abc import Callable, Mapping

from wasmote.core.structs import Store
from wasmote.host import core_image
from wasmote.host.cpython import structs
from wasmote.host.platform import create_platform
from wasmote.nativepy import Struct, mirror

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

    from wasmote.image.loader import LoadedImage

# Type flags, slot numbers and member types of CPython's stable ABI (object.h, typeslots.h,
# descrobject.h).
_DISALLOW_INSTANTIATION = 1 << 7
_HAVE_VECTORCALL = 1 << 11
_HAVE_GC = 1 << 14
_BF_GETBUFFER, _SQ_LENGTH, _TP_CALL, _TP_DEALLOC, _TP_TRAVERSE, _TP_MEMBERS = 1, 45, 50, 52, 71, 72
_OBJECT, _UNSIGNED_LONG_LONG, _SSIZE = 6, 18, 19
_READ_ONLY = 1

#: Bytes of a value stack, where nothing else is asked for.
DEFAULT_STACK_SIZE = 1 << 20
#: Addresses (and sizes) in calls of native functions.
Address = ctypes.c_void_p
_API = ctypes.pythonapi


class _Slot(ctypes.Structure):
    _fields_ = [("slot", ctypes.c_int), ("function", ctypes.c_void_p)]


class _Member(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


class _Spec(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("basic_size", ctypes.c_int),
        ("item_size", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_Slot)),
    ]


def _address(function: "Any") -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class Binding:
    """The loaded core and what connects it to this interpreter."""

    def __init__(self, core: "LoadedImage") -> None:
        header = ctypes.sizeof(mirror(structs.Object))
        if object.__basicsize__ != header:
            raise ImportError(
                f"this build of CPython has object headers of {object.__basicsize__} bytes; "
                f"Wasmote works with the standard ones of {header} (not free-threaded, not debug)"
            )
        self.image = core
        self.python = mirror(structs.Python)()
        self.address = ctypes.addressof(self.python)
        self._kept: list[object] = []
        self._pools: dict[int, ctypes.Structure] = {}
        self._fill_functions()
        self._make_platform()
        self._make_types()
        self._make_handlers()
        self.python.pool = self.pool(DEFAULT_STACK_SIZE)
        # Native objects use these structures until the process ends, after modules are gone.
        _API.Py_IncRef(ctypes.py_object(self))

    # -- start-up --------------------------------------------------------------------------------

    def _fill_functions(self) -> None:
        for name in structs.Python.fields:
            if name.startswith("Py"):
                setattr(self.python, name, _address(getattr(_API, name)))
        self.python.clock_gettime = _address(ctypes.CDLL(None).clock_gettime)
        self.python.clock = time.CLOCK_MONOTONIC
        self.python.none = id(None)
        self.python.true = id(True)
        self.python.main_thread = threading.main_thread().ident
        self.python.vectorcall = self.image.symbol("cpython_func_call")

    def _make_platform(self) -> None:
        self.platform = create_platform(self.image.symbol)
        self.platform.poll = self.image.symbol("cpython_poll")
        self.platform.collect = self.image.symbol("cpython_collect")
        self.platform.call_host = self.image.symbol("cpython_call_host")
        self.store = mirror(Store)()
        init = self.function("store_init", ctypes.c_uint32, Address, Address)
        if init(ctypes.addressof(self.store), ctypes.addressof(self.platform)) != 0:
            raise MemoryError("no memory for the store of function references")
        self.python.platform = ctypes.addressof(self.platform)
        self.python.store = ctypes.addressof(self.store)

    def _make_types(self) -> None:
        references = {"_owner": ("owner", _OBJECT)}
        self.owner_type = self._make_type(
            "Owner",
            structs.OwnerObject,
            0,
            {},
            {"links": ("links", _OBJECT), "base": ("base", _OBJECT)},
        )
        self.func_type = self._make_type(
            "Func",
            structs.FuncObject,
            _HAVE_VECTORCALL,
            {_TP_CALL: _address(_API.PyVectorcall_Call)},
            references
            | {
                "__vectorcalloffset__": ("vectorcall", _SSIZE),
                "_address": ("function", _UNSIGNED_LONG_LONG),
                "_callable": ("callable", _OBJECT),
                "_label": ("label", _OBJECT),
            },
        )
        self.memory_type = self._make_type(
            "Memory",
            structs.MemoryObject,
            0,
            {
                _BF_GETBUFFER: self.image.symbol("cpython_memory_getbuffer"),
                _SQ_LENGTH: self.image.symbol("cpython_memory_length"),
            },
            references | {"_address": ("memory", _UNSIGNED_LONG_LONG)},
        )
        self.python.owner_type = id(self.owner_type)
        self.python.func_type = id(self.func_type)
        self.python.memory_type = id(self.memory_type)

    def _make_type(
        self,
        name: str,
        layout: Struct,
        flags: int,
        slots: Mapping[int, int],
        members: Mapping[str, tuple[str, int]],
    ) -> type:
        """A type with that layout; `members` maps attributes to the field shown and its kind."""
        fields = mirror(layout)
        members = {**members, "__weaklistoffset__": ("weak_references", _SSIZE)}
        entries = (_Member * (len(members) + 1))()
        for entry, (member, (field, kind)) in zip(entries, members.items(), strict=False):
            offset = getattr(fields, field).offset
            entry.name, entry.type = member.encode(), kind
            entry.offset, entry.flags = offset, _READ_ONLY
        symbol = f"cpython_{name.lower()}"
        functions = {
            **slots,
            _TP_DEALLOC: self.image.symbol(f"{symbol}_dealloc"),
            _TP_TRAVERSE: self.image.symbol(f"{symbol}_traverse"),
            _TP_MEMBERS: ctypes.addressof(entries),
        }
        table = (_Slot * (len(functions) + 1))(*functions.items())  # type: ignore[misc]
        flags |= _HAVE_GC | _DISALLOW_INSTANTIATION
        spec = _Spec(f"wasmote.{name}".encode(), ctypes.sizeof(fields), 0, flags, table)
        self._kept += [entries, table, spec]
        make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p)(("PyType_FromSpec", _API))
        made: type = make(ctypes.addressof(spec))
        return made

    def _make_handlers(self) -> None:
        count = self.python_function("interp_handler_count", ctypes.c_uint32)()
        table = (ctypes.c_size_t * count)()
        self.python_function("interp_init", None, Address)(ctypes.addressof(table))
        self._kept.append(table)
        self.python.handlers = ctypes.addressof(table)
        self.python.attach = self.image.symbol("interp_attach")

    # -- for the layers above ----------------------------------------------------------------------

    def function(self, name: str, result: "Any", *arguments: "Any") -> "Callable[..., Any]":
        """A native function that runs without the GIL."""
        return ctypes.CFUNCTYPE(result, *arguments)(self.image.symbol(name))

    def python_function(self, name: str, result: "Any", *arguments: "Any") -> "Callable[..., Any]":
        """A native function that holds the GIL: it uses Python objects, or is short."""
        return ctypes.PYFUNCTYPE(result, *arguments)(self.image.symbol(name))

    def allocate(self, size: int) -> int:
        """A zeroed block of memory for an owner with "cpython_release_block".

        The memory of a ctypes structure would not do: the garbage collector frees it before the
        owner's turn comes.
        """
        allocate = ctypes.CFUNCTYPE(Address, ctypes.c_size_t)(self.platform.allocate)
        address: int | None = allocate(size)
        if not address:
            raise MemoryError(f"cannot allocate {size} bytes")
        ctypes.memset(address, 0, size)
        return address

    def set_callbacks(self, **callbacks: Callable[..., object]) -> None:
        """Set the Python functions that native code calls; see `structs.Python`."""
        for name, callback in callbacks.items():
            self._kept.append(callback)
            setattr(self.python, name, id(callback))

    def pool(self, stack_size: int) -> int:
        """The address of the pool of value stacks of `stack_size` bytes."""
        if stack_size not in self._pools:
            made = mirror(structs.Pool)(python=self.address, stack_size=stack_size)
            self._pools[stack_size] = made
        return ctypes.addressof(self._pools[stack_size])


BINDING = Binding(core_image.load())

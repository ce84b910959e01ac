"""What keeps what alive, and which Python objects WebAssembly holds references to.

Native memory belongs to `Owner` objects (`wasmote.host.cpython.structs.OwnerObject`): an instance
has one, and so has each memory, table or global made by the host. Every `Func`, `Memory`, `Table`
and `Global` holds its owner, so native memory lives as long as anybody can reach it. What an owner
needs in turn is in its `Links`:

- `holds`: what an instance imports. The importer keeps the exporter alive, not the reverse.
- `group`: the owners among which references can travel unseen, because they share a table, a
  global or a tag of references, or call functions that take, return or throw references. Only then
  can a function of the importer end up where the exporter finds it; so the members of a group live
  and die together. Nearly always an instance is alone in its group.

A group also holds the Python objects that went into WebAssembly as references: objects passed as
externref, and functions from outside the group. When there are many, `Group.sweep` looks through
the tables, globals and stacks where handles can be and lets go of the rest.
"""

import ctypes
import itertools
import threading

from wasmote.api.aggregates import (
    HANDLE_SHIFT,
    HOST_TAG,
    I31,
    I31_TAG,
    Aggregate,
    matches,
)
from wasmote.api.layouts import FuncInstLayout, OwnerLayout
from wasmote.core.status import ValueType
from wasmote.core.value_types import INDEX_SHIFT, KIND, NON_NULL, Typed
from wasmote.host.cpython.binding import BINDING, Address

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    from wasmote.api.module import Module

    #: A native Owner object.
    Owner: TypeAlias = Any
else:
    Owner = BINDING.owner_type

_EXCEPTION_KINDS = (ValueType.EXNREF, ValueType.NULLEXNREF)
_FUNCTION_KINDS = (ValueType.FUNCREF, ValueType.NULLFUNCREF, Typed.FUNCTION)
#: Objects that a group holds before the first sweep.
_FIRST_LIMIT = 1024
#: Handles of externrefs: new numbers, and those that are free again.
_numbers = itertools.count(HOST_TAG, 1 << HANDLE_SHIFT)
_free_handles: list[int] = []
#: Held while a handle is found and stored where a sweep sees it, and while there is a sweep.
#: Reentrant: a finalizer may come in between.
reference_lock = threading.RLock()
_mark_references = BINDING.python_function(
    "cpython_mark_references",
    ctypes.c_uint64,
    Address,
    *[Address, ctypes.c_uint32] * 3,
)


class Group:
    """Owners among which references travel, and the Python objects that they refer to."""

    __slots__ = ("externs", "functions", "handles", "limit", "owners", "throws_references")

    def __init__(self) -> None:
        self.owners: list[Owner] = []  # empty while there is just one, which would be a cycle
        self.functions: dict[int, object] = {}  # functions of other groups and the host, by handle
        self.externs: dict[int, object] = {}  # by handle
        self.handles: dict[int, int] = {}  # handles of `externs` by the id of the object
        self.limit = _FIRST_LIMIT
        self.throws_references = False  # exceptions carry references out of any function

    def __del__(self, give_back: "Callable[[Iterable[int]], None]" = _free_handles.extend) -> None:
        give_back(self.externs)  # at the process's end the module's names are gone already

    def extern_handle(self, value: object, owner: "Owner | None") -> int:
        """The handle that refers to `value`."""
        handle = self.handles.get(id(value))
        if handle is None:
            self.make_room(owner)
            try:
                handle = _free_handles.pop()
            except IndexError:
                handle = next(_numbers)
            self.handles[id(value)] = handle
            self.externs[handle] = value
        return handle

    def hold_function(self, handle: int, func: object, owner: "Owner | None") -> None:
        """Keep a function from outside while its handle may be stored."""
        if handle not in self.functions:
            self.make_room(owner)
            self.functions[handle] = func

    def make_room(self, owner: "Owner | None") -> None:
        """Sweep, if the group has doubled since the last time."""
        if len(self.externs) + len(self.functions) >= self.limit:
            scanned = self.sweep(self.owners or ([owner] if owner else []))
            self.limit = max(_FIRST_LIMIT, 2 * (len(self.externs) + len(self.functions)), scanned)

    def sweep(self, owners: list[Owner]) -> int:
        """Let go of objects that no table, global or stack refers to. Returns the cells looked at.

        Nothing is let go while another call runs without the GIL, with its stack in motion.
        """
        functions, externs = list(self.functions), list(self.externs)
        found = (ctypes.c_uint8 * (max(functions + externs) + 1))()
        tables = _addresses({table for owner in owners for table in owner.links.tables})
        variables = _addresses({each for owner in owners for each in owner.links.globals})
        looked_at: int = _mark_references(
            BINDING.address, *_array(tables), *_array(variables), *_array(found)
        )
        if looked_at:
            self._let_go(
                [handle for handle in functions if not found[handle]],
                [handle for handle in externs if not found[handle]],
            )
        return looked_at

    def _let_go(self, functions: list[int], externs: list[int]) -> None:
        gone = [self.functions.pop(handle) for handle in functions]
        for handle in externs:
            value = self.externs.pop(handle)
            if self.handles.get(id(value)) == handle:
                del self.handles[id(value)]
            gone.append(value)
        _free_handles.extend(externs)
        # Only now do the objects go: their end may run Python code that passes new references.


def _addresses(values: set[int]) -> "ctypes.Array[ctypes.c_void_p]":
    return (ctypes.c_void_p * len(values))(*values)


def _array(array: "ctypes.Array[Any]") -> tuple[int, int]:
    return ctypes.addressof(array), len(array)


class Links:
    """What an owner needs besides its own memory."""

    __slots__ = (
        "globals",
        "group",
        "holds",
        "instance",
        "module",
        "tables",
        "tags",
        "user_data",
    )

    def __init__(self, module: "Module | None" = None) -> None:
        self.module = module  # instances: whose code it is
        self.instance: Callable[[], Any] | None = None  # a weak reference to the Instance
        self.user_data: object = None
        self.holds: list[object] = []
        self.group = Group()
        self.tables: list[int] = []  # addresses of tables,
        self.globals: list[int] = []  # and of globals with references, own and imported ones
        self.tags: dict[int, object] = {}  # instances: the Tag objects there are, by address


def join(a: Owner, b: Owner) -> None:
    """References may travel between two owners from now on: make their groups one."""
    with reference_lock:
        mine, other = a.links.group, b.links.group
        if mine is other:
            return
        owners = [*(mine.owners or [a]), *(other.owners or [b])]
        mine.functions.update(other.functions)
        mine.externs.update(other.externs)
        mine.handles.update(other.handles)
        mine.throws_references |= other.throws_references
        other.externs = {}
        for owner in owners:
            owner.links.group = mine
        mine.owners = owners


_owner_new = BINDING.python_function(
    "cpython_owner_new",
    ctypes.py_object,
    *[Address] * 3,
    ctypes.py_object,
    ctypes.py_object,
)


def make_owner(resource: int, release: str, links: Links | None, base: object) -> Owner:
    """An owner of native memory, freed by the native function `release`.

    `base` is an object that must outlive the memory. It must not have a `tp_clear`, by which the
    garbage collector could empty it first: an owner, bytes, but no container or ctypes structure.
    """
    return _owner_new(BINDING.address, resource, BINDING.image.symbol(release), links, base)


def owner_at(address: int) -> Owner:
    """The owner whose address a native structure has."""
    return ctypes.cast(address, ctypes.py_object).value


def owner_layout(owner: Owner) -> ctypes.Structure:
    """The fields of an owner."""
    return OwnerLayout.from_address(id(owner))


# -- references ----------------------------------------------------------------------------------

#: For references in calls of host functions from Python, which belong to no instance.
_host_group = Group()


def _group(owner: "Owner | None") -> Group:
    return _host_group if owner is None else owner.links.group


def handle_of(owner: "Owner | None", type: int, value: object) -> int:
    """The handle for a value that goes to the owner. Raises TypeError for one of another type.

    The caller holds `reference_lock` until the handle is in a table, a global or on a stack.
    """
    if value is None:
        if type & NON_NULL:
            raise TypeError("never null")
        return 0
    group = _group(owner)
    if type & KIND not in _FUNCTION_KINDS:
        return _data_handle(group, owner, type, value)
    if not isinstance(value, BINDING.func_type):
        raise TypeError("not a Func")
    if type & KIND != ValueType.FUNCREF and not _function_fits(value._address, type):  # type: ignore[attr-defined]
        raise TypeError("a Func of another type")
    handle: int = FuncInstLayout.from_address(value._address).handle  # type: ignore[attr-defined]
    home = value._owner  # type: ignore[attr-defined]
    if home is None or home.links.group is not group:
        group.hold_function(handle, value, owner)
    return handle


def to_reference(owner: "Owner | None", type: int, value: object, cell: int) -> None:
    """Write the handle of a value to the cell at an address on a stack or in a global."""
    with reference_lock:
        ctypes.c_uint32.from_address(cell).value = handle_of(owner, type, value)


def _data_handle(group: Group, owner: "Owner | None", type: int, value: object) -> int:
    """The handle for a reference of the any or extern hierarchy."""
    if type & KIND in _EXCEPTION_KINDS:
        handle = _exception_handle(owner, value)
    elif isinstance(value, I31):
        handle = value.value << 1 & 0xFFFF_FFFF | I31_TAG
    elif isinstance(value, Aggregate):
        handle = value._handle
    elif type & KIND in (ValueType.EXTERNREF, ValueType.ANYREF):
        return group.extern_handle(value, owner)
    else:
        raise TypeError("not a reference of that type")
    if not matches(handle, type):
        raise TypeError("a reference of another type")
    return handle


def _exception_handle(owner: "Owner | None", value: object) -> int:
    from wasmote.api.exceptions import WasmException  # which needs this module

    if not isinstance(value, WasmException) or not value._handle:
        raise TypeError("not an exception of WebAssembly")
    return value._handle


def _function_fits(address: int, type: int) -> bool:
    """Whether a function may be where references of that type are wanted."""
    if type & KIND == ValueType.NULLFUNCREF:
        return False
    given = FuncInstLayout.from_address(address).type_id
    return bool(_defined_matches(ctypes.addressof(BINDING.store), given, type >> INDEX_SHIFT))


_defined_matches = BINDING.python_function(
    "store_defined_matches", ctypes.c_uint32, Address, ctypes.c_uint32, ctypes.c_uint32
)
_func_of = BINDING.python_function("cpython_func_of", ctypes.py_object, Address, Address)


def func_at(address: int) -> "Any":
    """The Func of a function instance."""
    return _func_of(BINDING.address, address)


def from_reference(owner: "Owner | None", type: int, handle: int) -> object:
    """The Python object that a handle of the owner refers to."""
    if handle == 0:
        return None
    if type & KIND not in _FUNCTION_KINDS:
        if type & KIND in _EXCEPTION_KINDS:
            from wasmote.api.exceptions import exception_at

            return exception_at(owner, handle)
        if handle & I31_TAG:
            return I31(((handle >> 1) ^ 0x4000_0000) - 0x4000_0000)
        return _group(owner).externs[handle] if handle & HOST_TAG else Aggregate(handle)
    functions = BINDING.store.functions
    size = ctypes.sizeof(ctypes.c_void_p)
    return func_at(ctypes.c_void_p.from_address(functions + handle * size).value or 0)

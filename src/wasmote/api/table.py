"""Tables of references."""

import ctypes
from collections.abc import Iterator

from wasmote.api.layouts import TableLayout, table_type, table_type_layout
from wasmote.api.lifetime import (
    Links,
    Owner,
    from_reference,
    handle_of,
    make_owner,
    reference_lock,
)
from wasmote.api.values import complaint
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import TableType

_create = BINDING.python_function("table_create", Address, Address, Address, ctypes.c_uint32)
_grow = BINDING.python_function(
    "table_grow", ctypes.c_uint64, Address, ctypes.c_uint64, ctypes.c_uint32
)
_get = BINDING.python_function("table_get", ctypes.c_uint32, Address, ctypes.c_uint64, Address)
_set = BINDING.python_function(
    "table_set", ctypes.c_uint32, Address, ctypes.c_uint64, ctypes.c_uint32
)
_add_root = BINDING.python_function("roots_add_table", None, Address, Address)
_FAILED = 2**64 - 1
#: Elements that a table made by the host may have.
_MOST_ELEMENTS = 10_000_000


class Table:
    """A table of functions or objects, shared with the instances that import or export it.

    Works like a list of fixed length: `len(table)`, `table[i]`, `table[i] = value`, iteration.
    Elements of a funcref table are `Func` or None; of an externref table any object, None is null.
    """

    __slots__ = ("__weakref__", "_address", "_element", "_owner")

    def __init__(self, type: TableType, init: object = None) -> None:
        """A table to pass to instances, filled with `init`. Raises ValueError, MemoryError."""
        if not type.element.is_reference:
            raise ValueError(f"a table cannot hold {type.element}")
        if init is None and not getattr(type.element, "nullable", True):
            raise TypeError(f"a table of {type.element} needs an initial value")
        bits = 64 if type.is64 else 32
        most = 2**bits - 1
        if not 0 <= type.minimum <= (most if type.maximum is None else type.maximum) <= most:
            raise ValueError(f"{type}: sizes are 0 to 2**{bits} - 1, minimum before maximum")
        layout = table_type_layout(type)
        platform = ctypes.addressof(BINDING.platform)
        address = _create(platform, ctypes.addressof(layout), _MOST_ELEMENTS)
        if not address:
            raise MemoryError(f"cannot allocate a {type}")
        _add_root(ctypes.addressof(BINDING.store), address)
        links = Links()
        links.tables.append(address)
        self._bind(address, make_owner(address, "cpython_release_table", links, None))
        if init is not None:
            for i in range(type.minimum):
                self[i] = init

    def _bind(self, address: int, owner: Owner) -> None:
        self._address = address
        self._owner = owner
        self._element: int = self._layout().type.element

    @property
    def type(self) -> TableType:
        """The type; its minimum is the size now."""
        declared = table_type(self._layout().type)
        return TableType(declared.element, len(self), declared.maximum, declared.is64)

    def __len__(self) -> int:
        return int(self._layout().size)

    def __getitem__(self, index: int) -> object:
        cell = ctypes.c_uint32()
        with reference_lock:
            if _get(self._address, self._position(index), ctypes.addressof(cell)):
                raise self._outside(index)
            return from_reference(self._owner, self._element, cell.value)

    def __setitem__(self, index: int, value: object) -> None:
        with reference_lock:
            if _set(self._address, self._position(index), self._handle(value)):
                raise self._outside(index)

    def __iter__(self) -> Iterator[object]:
        return (self[i] for i in range(len(self)))

    def grow(self, count: int, init: object = None) -> int:
        """Add `count` elements, all `init`; returns the size before. Raises MemoryError."""
        if not 0 <= count < 2**64:
            raise ValueError(f"cannot grow a table by {count} elements")
        with reference_lock:
            old: int = _grow(self._address, count, self._handle(init))
        if old == _FAILED:
            raise MemoryError(f"cannot grow a table of {len(self)} elements by {count}")
        return old

    def _layout(self) -> ctypes.Structure:
        return TableLayout.from_address(self._address)

    def _position(self, index: int) -> int:
        """An index from the start, as the core takes it."""
        size = len(self)
        if not -size <= index < size:
            raise self._outside(index)
        return index if index >= 0 else size + index

    def _outside(self, index: int) -> IndexError:
        return IndexError(f"table index {index} is outside a table of {len(self)} elements")

    def _handle(self, value: object) -> int:
        try:
            return handle_of(self._owner, self._element, value)
        except TypeError:
            problem = complaint(self.type.element, value)
            raise TypeError(f"a table's element {problem}") from None

    def __repr__(self) -> str:
        return f"<wasmote.Table of {len(self)} {self.type.element}>"


def wrap_table(address: int, owner: Owner) -> Table:
    """The Python object for a table that `owner` keeps alive."""
    table = Table.__new__(Table)
    table._bind(address, owner)
    return table

"""Global variables."""

import ctypes

from wasmote.api.layouts import GlobalLayout, HostGlobalLayout, global_type
from wasmote.api.lifetime import (
    Links,
    Owner,
    from_reference,
    make_owner,
    reference_lock,
    to_reference,
)
from wasmote.api.values import complaint, from_bytes, size_of, to_bytes
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import GlobalType

_add_root = BINDING.python_function("roots_add_global", None, Address, Address)


class Global:
    """A global variable, shared with the instances that import or export it."""

    __slots__ = ("__weakref__", "_address", "_content", "_owner")

    def __init__(self, type: GlobalType, value: object = None) -> None:
        """A global to pass to instances. Raises TypeError or OverflowError for a wrong value.

        `value` is zero or null by default.
        """
        if value is None and not getattr(type.content, "nullable", True):
            raise TypeError(f"a global of type {type.content} needs a value")
        links = Links()
        address = BINDING.allocate(ctypes.sizeof(HostGlobalLayout))
        layout = GlobalLayout.from_address(address)
        layout.content, layout.mutable = type.content.value, type.mutable
        if type.content.is_reference:
            links.globals.append(address)
            _add_root(ctypes.addressof(BINDING.store), address)
        self._bind(address, make_owner(address, "cpython_release_global", links, None))
        if value is not None:
            self._store(value)

    def _bind(self, address: int, owner: Owner) -> None:
        self._address = address
        self._owner = owner
        self._content = self.type.content

    @property
    def type(self) -> GlobalType:
        """Type of the value and mutability."""
        return global_type(GlobalLayout.from_address(self._address))

    @property
    def value(self) -> object:
        """The value, converted as results of functions are.

        Setting raises TypeError or OverflowError for what does not fit, AttributeError if the
        global is immutable.
        """
        type = self._content
        if type.is_reference:
            with reference_lock:
                return from_reference(self._owner, type.value, self._bits())
        return from_bytes(type, ctypes.string_at(self._address, size_of(type)))

    @value.setter
    def value(self, value: object) -> None:
        if not self.type.mutable:
            raise AttributeError("this global is immutable")
        self._store(value)

    @property
    def bits(self) -> object:
        """The value as `Func.call_bits` has it: the unsigned bit pattern of a number or vector."""
        return self.value if self._content.is_reference else self._bits()

    def _bits(self) -> int:
        raw = ctypes.string_at(self._address, size_of(self._content))
        return int.from_bytes(raw, "little")

    def _store(self, value: object) -> None:
        type = self._content
        try:
            if type.is_reference:
                to_reference(self._owner, type.value, value, self._address)
                return
            raw = to_bytes(type, value)
        except (TypeError, OverflowError):
            problem = complaint(type, value)
            raise problem.__class__(f"a global's value {problem}") from None
        ctypes.memmove(self._address, raw, len(raw))

    def __repr__(self) -> str:
        return f"<wasmote.Global {self.type} = {self.value!r}>"


def wrap_global(address: int, owner: Owner) -> Global:
    """The Python object for a global that `owner` keeps alive."""
    variable = Global.__new__(Global)
    variable._bind(address, owner)
    return variable

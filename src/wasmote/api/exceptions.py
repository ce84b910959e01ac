"""Exceptions of WebAssembly in Python, and the tags that tell them apart."""

import ctypes

from wasmote.api.aggregates import pin
from wasmote.api.layouts import (
    ActivationLayout,
    ExportLayout,
    FuncTypeLayout,
    InstanceLayout,
    NameLayout,
    TagLayout,
    addresses,
    func_type,
    items,
    text,
)
from wasmote.api.lifetime import (
    Links,
    Owner,
    from_reference,
    handle_of,
    make_owner,
    owner_layout,
    reference_lock,
)
from wasmote.api.values import complaint, from_bytes, size_of, to_bytes
from wasmote.core.status import ExternKind, TrapCode
from wasmote.errors import Frame, Trap, TrapKind, WasmoteError, backtrace
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.types import TagType

_store = ctypes.addressof(BINDING.store)
_type_id = BINDING.python_function("store_type_id", ctypes.c_uint32, Address, Address)
_release_type = BINDING.python_function("store_release_type", None, Address, ctypes.c_uint32)
_create = BINDING.python_function("tag_create", Address, Address, Address)
_retain = BINDING.python_function("tag_retain", Address, Address, ctypes.c_uint32)
_release = BINDING.python_function("tag_release", None, Address)
_new = BINDING.python_function("cpython_exception_new", ctypes.c_uint32, *[Address] * 4)
_fields = BINDING.python_function("exception_fields", Address, Address, ctypes.c_uint32)
_unpin = BINDING.python_function("heap_unpin", None, Address, ctypes.c_uint32)
_tag_name = BINDING.python_function("tag_name", ctypes.c_uint32, Address, ctypes.c_uint32, Address)
_CELL = 4


class Tag:
    """A kind of exception, and the types of the values that it carries.

    `Tag(TagType((ValType.I32,)))` makes a tag that is like no other: to be imported by instances,
    and to throw exceptions of (`WasmException`). Tags that come out of instances compare equal if
    they are the same one.
    """

    __slots__ = ("__weakref__", "_address", "_owner", "type")

    #: The types of the values.
    type: TagType

    def __init__(self, type: TagType) -> None:
        """Raises MemoryError."""
        types = (ctypes.c_uint32 * len(type.params))(*(each.value for each in type.params))
        cells = sum(size_of(each) for each in type.params) // _CELL
        layout = FuncTypeLayout(
            types=ctypes.addressof(types), param_count=len(types), param_cells=cells
        )
        layout.id = _type_id(_store, ctypes.addressof(layout))
        address = _create(_store, ctypes.addressof(layout)) if layout.id else None
        if layout.id:
            _release_type(_store, layout.id)
        if not address:
            raise MemoryError("no memory for a tag")
        self._bind(address, Links(), None)

    def _bind(self, address: int, links: Links, owner: Owner | None) -> None:
        """Become the tag at an address, and the owner of a reference to it."""
        self._address = address
        self._owner = make_owner(address, "cpython_release_tag", links, owner)
        layout = TagLayout.from_address(address)
        self.type = TagType(func_type(ctypes.addressof(layout.type)).params)

    @property
    def name(self) -> str | None:
        """What the module that it comes from calls it; None where that is not known."""
        instance = self._owner.base
        return None if instance is None else _name_in(instance, self._address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tag) and other._address == self._address

    def __hash__(self) -> int:
        return hash((Tag, self._address))

    def __repr__(self) -> str:
        return f"<wasmote.Tag {self.name or ''}{self.type}>"


def tag_of(owner: Owner, handle: int) -> Tag:
    """The Python object for a tag that an instance has, or that an exception in it is of."""
    tags = owner.links.tags
    address = _retain(_store, handle)
    if address in tags:
        _release(address)
        return tags[address]  # type: ignore[no-any-return]
    tag = Tag.__new__(Tag)
    tag._bind(address, owner.links, owner)
    tags[address] = tag
    return tag


def wrap_tag(address: int, owner: Owner) -> Tag:
    """The Python object for the tag of an instance."""
    return tag_of(owner, TagLayout.from_address(address).handle)


def _name_in(instance: Owner, address: int) -> str | None:
    """An instance's tag: the name of its export, else in the name section."""
    module = instance.links.module
    layout = InstanceLayout.from_address(owner_layout(instance).resource)
    try:
        index = addresses(layout.tags, module._layout.tag_count).index(address)
    except ValueError:
        return None
    for export in items(ExportLayout, module._layout.exports, module._layout.export_count):
        if export.kind == ExternKind.TAG and export.index == index:
            return text(export.name)
    found = NameLayout()
    if _tag_name(ctypes.addressof(module._layout), index, ctypes.addressof(found)):
        return text(found)
    return None


class WasmException(WasmoteError):
    """An exception of WebAssembly, thrown there or by a host function.

    Raised by a host function, it is thrown in the WebAssembly code that called it, which may catch
    it by its tag. Thrown there and not caught, it is raised in Python, with the backtrace of the
    place in `frames` and `omitted`, as a `Trap`. No other exception of Python's, and no trap, can
    be caught by WebAssembly.

    References of type exnref are such objects too, so they can be kept, looked at and raised.

    `tag` tells exceptions apart; `values` is what it carries, converted as results of functions.
    """

    tag: Tag
    values: tuple[object, ...]
    frames: tuple[Frame, ...]
    omitted: int
    _handle = 0  # until there is an exception

    def __init__(self, tag: Tag, *values: object) -> None:
        """Raises TypeError or OverflowError for values that do not fit the tag's type, and a
        `Trap` of kind OUT_OF_MEMORY.
        """
        type = tag.type
        if len(values) != len(type.params):
            raise TypeError(f"an exception of {type} carries {len(type.params)}, not {len(values)}")
        with reference_lock:
            handle = _make(tag, values)
        self._handle = handle  # which is pinned
        self.tag, self.values, self.frames = tag, values, ()
        self.omitted = 0

    def __del__(self) -> None:
        if self._handle:
            _unpin(_store, self._handle)

    def backtrace(self) -> str:
        """The backtrace in `iwasm`'s form, a line a frame."""
        return backtrace(self.frames, self.omitted)

    @property
    def message(self) -> str:
        """What is said of it where nobody catches it."""
        return f"uncaught exception {self}"

    def __str__(self) -> str:
        values = ", ".join(map(repr, self.values))
        return f"{self.tag.name or self.tag.type}({values})"

    def __reduce__(self) -> "tuple[object, ...]":
        raise TypeError("an exception of WebAssembly belongs to this process")


def _make(tag: Tag, values: tuple[object, ...]) -> int:
    """The handle of a new exception, with a pin."""
    types = tag.type.params
    size = max(1, sum(map(size_of, types)) // _CELL)
    cells = (ctypes.c_uint32 * size)()
    made = ctypes.c_uint32()
    at = ctypes.addressof(cells)
    for index, (type, value) in enumerate(zip(types, values, strict=True)):
        try:
            if type.is_reference:
                handle = handle_of(tag._owner, type.value, value)
                ctypes.c_uint32.from_address(at).value = handle
            else:
                raw = to_bytes(type, value)
                ctypes.memmove(at, raw, len(raw))
        except (TypeError, OverflowError):
            problem = complaint(type, value)
            raise problem.__class__(f"an exception's value {index + 1} {problem}") from None
        at += size_of(type)
    code = _new(BINDING.address, tag._address, ctypes.addressof(cells), ctypes.addressof(made))
    if code:
        raise Trap(TrapKind[TrapCode(code).name])
    return made.value


def exception_at(owner: Owner, handle: int) -> WasmException:
    """The Python object for an exception of the heap; `owner` is an instance it has come to."""
    pin(handle)  # before anything else may collect garbage
    made = WasmException.__new__(WasmException)
    made._handle = handle
    made.frames, made.omitted = (), 0
    fields = _fields(_store, handle)
    made.tag = tag_of(owner, ctypes.c_uint32.from_address(fields).value)
    at, values = fields + _CELL, []
    for type in made.tag.type.params:
        raw = ctypes.string_at(at, size_of(type))
        if type.is_reference:
            with reference_lock:
                values.append(from_reference(owner, type.value, int.from_bytes(raw, "little")))
        else:
            values.append(from_bytes(type, raw))
        at += size_of(type)
    made.values = tuple(values)
    return made


def throw(value: object, address: int, _: None) -> bool:
    """A host function raised: if that is an exception of WebAssembly, it is under way there.

    `address` is that of the call's Activation.
    """
    if not isinstance(value, WasmException) or not value._handle:
        return False
    ActivationLayout.from_address(address).exec.exception = value._handle
    return True

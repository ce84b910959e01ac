"""Frames of running code with the values in them."""

import ctypes
import struct
from collections.abc import Iterator

from wasmote.api.layouts import FrameDescriptionLayout, FrameValueLayout, InstanceLayout, items
from wasmote.api.lifetime import Owner, from_reference, owner_at
from wasmote.core.status import ValueType
from wasmote.core.structs import NONE
from wasmote.core.value_types import KIND
from wasmote.errors import Frame, Origin
from wasmote.host.cpython.binding import BINDING, Address

_own_activation = BINDING.python_function(
    "cpython_own_activation", Address, Address, Address, ctypes.c_uint32
)
_describe = BINDING.python_function("frame_describe", Address, Address, ctypes.c_uint32, Address)
_release = BINDING.python_function("frame_release", None, Address)

#: Frames whose values are shown, the innermost ones: finding them takes time.
_FRAMES = 64
_CELL = 4
#: How numbers lie in cells; a v128 is its bytes.
_FORMATS = {
    ValueType.I32: "<i",
    ValueType.I64: "<q",
    ValueType.F32: "<f",
    ValueType.F64: "<d",
    ValueType.V128: "16s",
}


class LiveFrame(Frame):
    """A frame of running code: also the values of its locals (parameters come first) and operands
    (the topmost last), as Python values.
    """

    __slots__ = ("locals", "operands")
    __match_args__ = (*Frame.__match_args__, "locals", "operands")
    locals: tuple[object, ...]
    operands: tuple[object, ...]

    def __init__(
        self,
        function_index: int,
        function_name: str | None,
        offset: int,
        module_name: str,
        locals: tuple[object, ...],
        operands: tuple[object, ...],
        origin: "Origin | None" = None,
    ) -> None:
        self._set(function_index, function_name, offset, module_name, locals, operands)
        object.__setattr__(self, "_origin", origin)


def live_frames(owner: Owner | None) -> tuple[LiveFrame, ...]:
    """The innermost frames of this thread's calls, or those of an owner's functions."""
    found: list[LiveFrame] = []
    number = 0
    while len(found) < _FRAMES:
        address = _own_activation(BINDING.address, None if owner is None else id(owner), number)
        if not address:
            break
        found += _frames(address, _FRAMES - len(found))
        number += 1
    return tuple(found)


def _frames(execution: int, limit: int) -> Iterator[LiveFrame]:
    """The frames of one call."""
    for number in range(limit):
        description = FrameDescriptionLayout()
        address = ctypes.addressof(description)
        cells = _describe(execution, number, address)
        if not cells:
            break
        try:
            frame = _made(description, cells)
        finally:
            _release(address)
        yield frame


def _made(description: ctypes.Structure, cells: int) -> LiveFrame:
    owner = owner_at(InstanceLayout.from_address(description.instance).host)
    module = owner.links.module
    count = description.local_count + description.operand_count
    values = tuple(
        _value(owner, each, cells) for each in items(FrameValueLayout, description.values, count)
    )
    return LiveFrame(
        description.function,
        module.function_name(description.function),
        description.offset,
        module.name,
        values[: description.local_count],
        values[description.local_count :],
        module._sources_at,
    )


def _value(owner: Owner, value: ctypes.Structure, cells: int) -> object:
    """A value of a frame."""
    kind = value.type & KIND
    wanted = _FORMATS.get(ValueType(kind)) if kind in tuple(ValueType) else None
    size = struct.calcsize(wanted or "<I")
    if value.cell == NONE:
        raw = value.bits.to_bytes(8, "little").ljust(size, b"\0")[:size]
    else:
        raw = ctypes.string_at(cells + value.cell * _CELL, size)
    if wanted is None:
        return from_reference(owner, value.type, int.from_bytes(raw, "little"))
    return struct.unpack(wanted, raw)[0]

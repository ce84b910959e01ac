"""The module that an image carries: all of it but the code, which became machine code."""

from collections.abc import Collection

from wasmote.compile.reading import Cursor
from wasmote.compile.source import Source

_CUSTOM, _CODE = 0, 10
#: A body that is never run: its size, no locals, `unreachable`, `end`.
_BODY = b"\x03\x00\x00\x0b"


def without_code(source: Source, customs: Collection[str]) -> bytes:
    """The module with bodies that do nothing, and only the custom sections named.

    It is as valid as before, and so can be loaded like any other.
    """
    binary = source.binary
    kept = [binary[:8]]
    cursor = Cursor(binary, 8)
    while cursor.pos < len(binary):
        start = cursor.pos
        section = cursor.raw(1)[0]
        size = cursor.unsigned()
        end = cursor.pos + size
        if section == _CODE:
            count = _leb(len(source.bodies))
            body = count + _BODY * len(source.bodies)
            kept.append(bytes([_CODE]) + _leb(len(body)) + body)
        elif section != _CUSTOM or cursor.raw(cursor.unsigned()).decode() in customs:
            kept.append(binary[start:end])
        cursor.pos = end
    return b"".join(kept)


def _leb(value: int) -> bytes:
    """An unsigned number as LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)

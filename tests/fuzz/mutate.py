"""Mutations of module binaries: a few anywhere, most within one section or body, sizes kept right.

What keeps the sizes right gets past the decoder's first checks and so reaches the validator.
"""

import random
from collections.abc import Callable

from wasmote.isa import INSTRUCTIONS

_OPCODES = [i.opcode for i in INSTRUCTIONS.values() if i.opcode < 256]
_PREFIXED = [(i.prefix, i.code) for i in INSTRUCTIONS.values() if i.opcode >= 256]
_INTERESTING = [
    *(bytes([b]) for b in range(0x60, 0x7C)),  # types of values and heaps
    *(bytes([b]) for b in (0x4E, 0x4F, 0x50, 0x5E, 0x5F)),  # groups, subtypes, aggregates
    *(bytes([b, t]) for b in (0x63, 0x64) for t in (0, 1, 0x69, 0x6A, 0x6B, 0x6C, 0x6E, 0x71)),
    *(bytes([b]) for b in (0, 1, 2, 0x3F, 0x40, 0x41, 0x6F, 0x70, 0x7B, 0x7C, 0x7F, 0x80, 0xFF)),
    *(b"\x80\x00", b"\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x10"),
    *(
        b"\xff\xff\xff\xff\x7f",
        b"\x80\x80\x80\x80\x80\x00",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    ),
]
_CODE = 10


def unsigned(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_unsigned(data: bytes, pos: int) -> tuple[int, int]:
    """Value and the position behind it; raises IndexError at the end of the data."""
    value = shift = 0
    while True:
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, pos


def sections(binary: bytes) -> list[tuple[int, bytes]]:
    """Ids and contents of the sections of a well-formed module."""
    found, pos = [], 8
    while pos < len(binary):
        size, start = read_unsigned(binary, pos + 1)
        found.append((binary[pos], binary[start : start + size]))
        pos = start + size
    return found


def join_sections(parts: list[tuple[int, bytes]]) -> bytes:
    joined = (bytes([i]) + unsigned(len(content)) + content for i, content in parts)
    return b"\0asm\1\0\0\0" + b"".join(joined)


def bodies(code: bytes) -> list[bytes]:
    """The bodies in a code section."""
    count, pos = read_unsigned(code, 0)
    found = []
    for _ in range(count):
        size, pos = read_unsigned(code, pos)
        found.append(code[pos : pos + size])
        pos += size
    return found


def join_bodies(parts: list[bytes]) -> bytes:
    return unsigned(len(parts)) + b"".join(unsigned(len(b)) + b for b in parts)


def _piece(rng: random.Random) -> bytes:
    """Something to put into a binary: an opcode with a small immediate, or a notable number."""
    match rng.randrange(4):
        case 0:
            return bytes([rng.choice(_OPCODES)])
        case 1:
            return bytes([rng.choice(_OPCODES), rng.randrange(4)])
        case 2:
            prefix, code = rng.choice(_PREFIXED)
            return bytes([prefix]) + unsigned(code) + bytes([rng.randrange(2), 0])
    return rng.choice(_INTERESTING)


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """One small change of a byte string."""
    if not data:
        return _piece(rng)
    at = rng.randrange(len(data))
    match rng.randrange(7):
        case 0:
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        case 2:
            return data[:at] + _piece(rng) + data[at:]
        case 3:
            piece = _piece(rng)
            return data[:at] + piece + data[at + len(piece) :]
        case 4:
            return data[:at] + data[at + rng.randint(1, 4) :]
        case 5:
            end = at + rng.randint(1, 12)
            return data[:at] + data[at:end] * 2 + data[end:]
    to = rng.randrange(len(data))
    return data[:at] + data[to : to + rng.randint(1, 12)] + data[at:]


def _mutate_body(binary: bytes, rng: random.Random) -> bytes:
    parts = sections(binary)
    codes = [i for i, (section, _) in enumerate(parts) if section == _CODE]
    all_bodies = bodies(parts[codes[0]][1])
    chosen = rng.randrange(len(all_bodies))
    body = all_bodies[chosen]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        body = (
            mutate_bytes(body[:-1], rng) + b"\x0b"
            if rng.random() < 0.9
            else mutate_bytes(body, rng)
        )
    all_bodies[chosen] = body
    parts[codes[0]] = _CODE, join_bodies(all_bodies)
    return join_sections(parts)


def _mutate_section(binary: bytes, rng: random.Random) -> bytes:
    parts = sections(binary)
    chosen = rng.randrange(len(parts))
    if rng.random() < 0.1:
        parts.insert(rng.randrange(len(parts)), parts[chosen])
    elif rng.random() < 0.1:
        del parts[chosen]
    else:
        parts[chosen] = parts[chosen][0], mutate_bytes(parts[chosen][1], rng)
    return join_sections(parts)


def mutate(binary: bytes, rng: random.Random) -> bytes:
    """A mutant of a module; of one that cannot be taken apart, any change of its bytes."""
    ways: list[Callable[[bytes, random.Random], bytes]] = [
        _mutate_body,
        _mutate_section,
        mutate_bytes,
    ]
    (way,) = rng.choices(ways, (6, 3, 1))
    try:
        return way(binary, rng)
    except (IndexError, ValueError):
        return mutate_bytes(binary, rng)

"""Builds module binaries by hand, for what no assembler would write."""

from tests.fuzz.mutate import join_bodies, join_sections, unsigned

TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT = range(1, 8)
START, ELEMENT, CODE, DATA, DATA_COUNT, TAG = range(8, 14)
CUSTOM = 0
I32, I64, F32, F64, FUNCREF, EXTERNREF = 0x7F, 0x7E, 0x7D, 0x7C, 0x70, 0x6F
END = b"\x0b"
PREAMBLE = b"\0asm\1\0\0\0"


def vector(*items: bytes) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def name(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return unsigned(len(raw)) + raw


def func_type(params: bytes = b"", results: bytes = b"") -> bytes:
    return b"\x60" + unsigned(len(params)) + params + unsigned(len(results)) + results


def body(instructions: bytes, locals_: bytes = b"\0") -> bytes:
    """A body without its size; `locals_` is the whole vector of declarations."""
    return locals_ + instructions + END


def module(*parts: tuple[int, bytes]) -> bytes:
    return join_sections(list(parts))


def functions(
    *instructions: bytes,
    type_: bytes | None = None,
    locals_: bytes = b"\0",
    before: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """A module with functions of one type; `before` are sections between functions and code."""
    return module(
        (TYPE, vector(type_ or func_type())),
        (FUNCTION, vector(*(b"\0" for _ in instructions))),
        *before,
        (CODE, join_bodies([body(code, locals_) for code in instructions])),
    )

"""A module that imports all of libc-builtin, and exports a function for each that calls it.

Their names begin with `call.`: if it exported a `malloc` it would get no heap.
"""

import io
import struct
from functools import cache
from typing import Any

import wasmote
from wasmote.libc.table import FALLBACKS, NATIVE

#: Where arguments of printf's kind go, and room for strings.
ARGUMENTS, STRINGS = 1024, 4096
TYPES = {"i": "i32", "I": "i64", "*": "i32", "$": "i32"}
PAGE = 65536


def wrapper(name: str, signature: str) -> tuple[str, str]:
    """The import of a function, and the function that calls it."""
    params, results = signature[1:].split(")")
    kinds = " ".join(TYPES[letter] for letter in params)
    type = f"(param {kinds})" + (f" (result {TYPES[results]})" if results else "")
    given = " ".join(f"(local.get {i})" for i in range(len(params)))
    return (
        f'(import "env" "{name}" (func ${name} {type}))',
        f'(func (export "call.{name}") {type} (call ${name} {given}))',
    )


@cache
def module(memory: str = "1") -> wasmote.Module:
    """The module, with a memory of these limits."""
    from wasmote.wat import wat2wasm

    pairs = [wrapper(*each) for each in (NATIVE | FALLBACKS).items()]
    imports = "".join(each for each, _ in pairs)
    functions = "".join(each for _, each in pairs)
    return wasmote.Module(
        wat2wasm(f'(module {imports} (memory (export "memory") {memory}) {functions})')
    )


class Program:
    """An instance of the module."""

    def __init__(self, engine: str = "fast", heap_size: int = 0, memory: str = "1") -> None:
        self.stdout = io.BytesIO()
        self.libc = wasmote.Libc(self.stdout)
        self.instance = wasmote.Instance(
            module(memory), self.libc.imports(), engine=engine, heap_size=heap_size
        )
        self.memory: Any = self.instance.exports.memory

    def __getattr__(self, name: str) -> Any:
        return self.instance.exports[f"call.{name}"]

    def place(self, text: bytes, at: int = STRINGS) -> int:
        """Put a string into memory; its place."""
        self.memory.write(at, text + b"\0")
        return at

    def string(self, at: int) -> bytes:
        """The string at a place."""
        data: bytes = self.memory.read(at, len(self.memory) - at)
        return data[: data.index(0)]

    def arguments(self, *values: "int | float | Wide", at: int = ARGUMENTS) -> int:
        """Put arguments into memory as C's callers do; their place."""
        data = b""
        for value in values:
            if isinstance(value, int) and not isinstance(value, Wide):
                data += struct.pack("<I", value & 0xFFFF_FFFF)
                continue
            data += bytes(-len(data) % 8)
            packed = value & (1 << 64) - 1 if isinstance(value, Wide) else value
            data += struct.pack("<Q" if isinstance(value, Wide) else "<d", packed)
        self.memory.write(at, data or b"\0")
        return at

    def format(self, text: bytes, *values: "int | float | Wide") -> bytes:
        """What `snprintf` makes of a format and arguments."""
        place, room = 16384, 32768
        size = self.snprintf(place, room, self.place(text), self.arguments(*values))
        found = self.string(place)
        assert size == len(found) or size >= room
        return found


class Wide(int):
    """A 64-bit argument."""

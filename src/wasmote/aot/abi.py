"""What compiled code takes for granted of the core it runs on, as one number."""

import zlib

from wasmote.aot.structs import PLACES, Context
from wasmote.core.structs import (
    Exec,
    Fuel,
    FuncInst,
    Global,
    Heap,
    HeapObject,
    Memory,
    Pool,
    Store,
    Table,
)
from wasmote.core.type_store import TypeEntry
from wasmote.nativepy import Struct

#: Structures whose layout compiled code depends on.
STRUCTURES: tuple[Struct, ...] = (
    *(Exec, Context, FuncInst, Fuel, Global, Memory, Store, Table),
    *(Heap, HeapObject, Pool, TypeEntry),
)


def abi(pointer: int) -> int:
    """A number for all that compiled code takes for granted of the core it runs on."""
    text = repr([(s.name, s.layout(pointer)) for s in STRUCTURES]) + repr(sorted(PLACES.items()))
    return zlib.crc32(text.encode())

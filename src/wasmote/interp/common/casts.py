"""The types that casts name."""

from wasmote.core.structs import Module
from wasmote.core.value_types import NON_NULL
from wasmote.nativepy import boolean, native, ptr, u8, u32

from .leb import read_s33


@native
def read_target(at: ptr[ptr[u8]], module: ptr[Module], nullable: boolean) -> u32:
    """The reference type, with ids, whose heap type is at a cursor, which moves past it."""
    heap = read_s33(at)
    if heap >= 0:
        return module.types[u32(heap)].references[u32(0) if nullable else u32(1)]
    return u32(heap + 128) | (u32(0) if nullable else u32(NON_NULL))

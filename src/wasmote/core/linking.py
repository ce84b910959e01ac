"""Do the supplied imports have the types that a module wants? (spec: Import Matching)"""

from enum import IntEnum

from wasmote.core.bounds import LimitsFlag
from wasmote.core.status import ExternKind
from wasmote.core.structs import (
    FuncInst,
    Global,
    GlobalType,
    Import,
    Memory,
    MemoryType,
    Module,
    Store,
    Table,
    TableType,
    Tag,
)
from wasmote.core.type_store import store_defined_matches, store_matches
from wasmote.nativepy import inline, native, ptr, u8, u32, u64


class Mismatch(IntEnum):
    """Why a value does not do for an import; 0: it does."""

    NONE = 0
    #: There is no value. (A missing function is no mismatch: it traps when called.)
    MISSING = 1
    FUNCTION_TYPE = 2
    #: The reference type of a table's elements.
    ELEMENT_TYPE = 3
    #: Smaller than the module's minimum.
    SIZE = 4
    #: May grow past the module's maximum.
    MAXIMUM = 5
    #: Indexed by i64 on one side, by i32 on the other.
    INDEX_TYPE = 6
    #: A memory that is shared between threads on one side only.
    SHARED = 7
    PAGE_SIZE = 8
    #: The type of a global's value.
    CONTENT_TYPE = 9
    MUTABILITY = 10
    TAG_TYPE = 11


@inline
def match_limits(size: u64, limits, wanted) -> u32:
    """Limits of tables and memories: `limits` is the type of what is given, `size` its size now."""
    if (limits.flags ^ wanted.flags) & LimitsFlag.INDEX_64 != 0:
        return Mismatch.INDEX_TYPE
    if size < wanted.minimum:
        return Mismatch.SIZE
    # NO_MAXIMUM is the largest number, so a missing maximum is over every maximum.
    if limits.maximum > wanted.maximum:
        return Mismatch.MAXIMUM
    return Mismatch.NONE


@native
def match_table(table: ptr[Table], wanted: ptr[TableType]) -> u32:
    if table.type.element != wanted.element:
        return Mismatch.ELEMENT_TYPE
    return match_limits(u64(table.size), table.type, wanted)


@native
def match_memory(memory: ptr[Memory], wanted: ptr[MemoryType]) -> u32:
    if (memory.type.flags ^ wanted.flags) & LimitsFlag.SHARED != 0:
        return Mismatch.SHARED
    if memory.type.page_shift != wanted.page_shift:
        return Mismatch.PAGE_SIZE
    return match_limits(memory.pages, memory.type, wanted)


@native
def match_global(store: ptr[Store], given: ptr[Global], wanted: ptr[GlobalType]) -> u32:
    """A global that can be written must have the very same type."""
    if given.content != wanted.content and (
        wanted.mutable != 0 or not store_matches(store, given.content, wanted.content)
    ):
        return Mismatch.CONTENT_TYPE
    if (given.mutable != 0) != (wanted.mutable != 0):
        return Mismatch.MUTABILITY
    return Mismatch.NONE


@native
def match_import(
    store: ptr[Store], module: ptr[Module], wanted: ptr[Import], given: ptr[u8]
) -> u32:
    """Compare one import, whose value `given` is of the right kind, with its type. A `Mismatch`."""
    index = wanted.index
    if given is None:
        if wanted.kind == ExternKind.FUNCTION:
            return Mismatch.NONE
        return Mismatch.MISSING
    match wanted.kind:
        case ExternKind.FUNCTION:
            type = module.types + module.functions[index].type
            if not store_defined_matches(store, ptr[FuncInst](given).type_id, type.id):
                return Mismatch.FUNCTION_TYPE
            return Mismatch.NONE
        case ExternKind.TABLE:
            return match_table(ptr[Table](given), module.tables + index)
        case ExternKind.MEMORY:
            return match_memory(ptr[Memory](given), module.memories + index)
        case ExternKind.GLOBAL:
            return match_global(store, ptr[Global](given), module.globals + index)
        case _:
            type = module.types + module.tags[index].type
            if ptr[Tag](given).type.id != type.id:
                return Mismatch.TAG_TYPE
            return Mismatch.NONE

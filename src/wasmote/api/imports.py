"""Finds what a module imports in what the embedder gives, and says clearly what is missing."""

from collections.abc import Mapping

from wasmote.api.exceptions import Tag
from wasmote.api.func import Bindable, Func, make_host_func
from wasmote.api.globals import Global
from wasmote.api.memory import Memory
from wasmote.api.table import Table
from wasmote.errors import LinkError
from wasmote.types import (
    ExternType,
    FuncType,
    GlobalType,
    ImportType,
    MemoryType,
    TableType,
    TagType,
)

#: Names that a message lists at most.
_SHOWN_NAMES = 10
_ABSENT = object()
_KINDS: dict[type, type] = {
    FuncType: Func,
    TableType: Table,
    MemoryType: Memory,
    GlobalType: Global,
    TagType: Tag,
}

Extern = Func | Memory | Table | Global | Tag


def resolve(
    wanted: tuple[ImportType, ...], given: Mapping[str, object], missing: str
) -> list[Extern]:
    """The value of each import. Raises LinkError for one that is missing or no such thing."""
    return [_resolve(each, given, missing == "trap") for each in wanted]


def _resolve(wanted: ImportType, given: Mapping[str, object], may_trap: bool) -> Extern:
    value = _find(wanted, given)
    if value is not _ABSENT:
        return _convert(wanted, value)
    if may_trap and isinstance(wanted.type, FuncType):
        return make_host_func(wanted.type, None, (wanted.module, wanted.name))
    raise LinkError(
        f"unknown import: {_name(wanted)}, a {describe(wanted.type)}, is missing; "
        f"{_whats_there(wanted.module, given)}"
    )


def _find(wanted: ImportType, given: Mapping[str, object]) -> object:
    try:
        return given[wanted.module][wanted.name]  # type: ignore[index]
    except KeyError:
        return _ABSENT
    except TypeError:
        raise LinkError(
            f"imports[{wanted.module!r}] must be a mapping from names to values or "
            f"an instance's exports, not {type(given[wanted.module]).__name__}"
        ) from None


def _convert(wanted: ImportType, value: object) -> Extern:
    type_ = wanted.type
    if isinstance(value, _KINDS[type(type_)]):
        return value  # type: ignore[return-value]
    if isinstance(type_, FuncType) and isinstance(value, Bindable):
        return value.bind(type_, _name(wanted))
    if isinstance(type_, FuncType) and callable(value):
        return make_host_func(type_, value, _name(wanted))
    if isinstance(type_, GlobalType) and not (type_.mutable or isinstance(value, Extern)):
        try:
            return Global(type_, value)
        except (TypeError, OverflowError) as error:
            raise LinkError(f"incompatible import type: {_name(wanted)}: {error}") from None
    raise incompatible(wanted, value)


def incompatible(wanted: ImportType, value: object) -> LinkError:
    """The error for a value of another type than the import's."""
    type_ = getattr(value, "type", None)
    found = describe(type_) if isinstance(value, Extern) else f"of type {type(value).__name__}"
    return LinkError(
        f"incompatible import type: {_name(wanted)} is {found}, "
        f"but the module needs a {describe(wanted.type)}"
    )


def describe(type_: ExternType | None) -> str:
    """The kind and type, as messages show them: `function (i32) -> ()`."""
    return f"function {type_}" if isinstance(type_, FuncType) else str(type_)


def _name(wanted: ImportType) -> str:
    return f"{wanted.module}.{wanted.name}"


def _whats_there(module: str, given: Mapping[str, object]) -> str:
    """What could have been meant."""
    if module not in given:
        return f"there are no imports for module {module!r}{_list('only for', given)}"
    return f"module {module!r} has{_list('', given[module]) or ' nothing'}"


def _list(prefix: str, names: object) -> str:
    found = sorted(map(str, names))  # type: ignore[call-overload]
    if not found:
        return ""
    more = f" and {len(found) - _SHOWN_NAMES} more" if len(found) > _SHOWN_NAMES else ""
    start = f", {prefix} " if prefix else " "
    return start + ", ".join(found[:_SHOWN_NAMES]) + more

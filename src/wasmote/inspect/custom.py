"""Custom sections that have a meaning. A malformed one has less contents; that is no error."""

from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum

from wasmote.errors import DecodeError
from wasmote.inspect.branch_hints import SECTION, read_branch_hints
from wasmote.inspect.model import ModuleInfo, Section
from wasmote.inspect.reader import Reader


class Subsection(IntEnum):
    """Parts of the section "name"; the last three are of the extended name section."""

    MODULE = 0
    FUNCTIONS = 1
    LOCALS = 2
    GLOBALS = 7
    DATA = 9
    TAGS = 11


def parse_custom_sections(info: ModuleInfo) -> None:
    """Read the custom sections that are known, but for those about functions' bodies."""
    _parse(info, _PARSERS)


def parse_code_metadata(info: ModuleInfo) -> None:
    """Read those, once it is known where the bodies are."""
    _parse(info, {SECTION: _parse_branch_hints})


def _parse(info: ModuleInfo, parsers: dict[str, Callable[[ModuleInfo, Reader], None]]) -> None:
    for section in info.sections:
        parse = parsers.get(section.name) if section.is_custom else None
        if parse is not None:
            _tolerant(parse, info, section)


def _tolerant(
    parse: Callable[[ModuleInfo, Reader], None], info: ModuleInfo, section: Section
) -> None:
    with suppress(DecodeError):
        parse(info, Reader(info.binary, section.offset, section.offset + section.size))


def _parse_names(info: ModuleInfo, reader: Reader) -> None:
    names = info.names
    while not reader.at_end:
        kind = reader.byte()
        part = reader.part(reader.u32())
        match kind:
            case Subsection.MODULE:
                names.module = part.name()
            case Subsection.FUNCTIONS:
                _name_map(part, names.functions)
            case Subsection.LOCALS:
                for _ in range(part.count()):
                    _name_map(part, names.locals.setdefault(part.u32(), {}))
            case Subsection.GLOBALS:
                _name_map(part, names.globals)
            case Subsection.DATA:
                _name_map(part, names.data)
            case Subsection.TAGS:
                _name_map(part, names.tags)


def _name_map(reader: Reader, found: dict[int, str]) -> None:
    for _ in range(reader.count()):
        index = reader.u32()
        found[index] = reader.name()


def _parse_producers(info: ModuleInfo, reader: Reader) -> None:
    for _ in range(reader.count()):
        values = info.producers.setdefault(reader.name(), {})
        for _ in range(reader.count()):
            name = reader.name()
            values[name] = reader.name()


def _parse_target_features(info: ModuleInfo, reader: Reader) -> None:
    for _ in range(reader.count()):
        prefix = chr(reader.byte())
        info.target_features.append(prefix + reader.name())


def _parse_branch_hints(info: ModuleInfo, reader: Reader) -> None:
    info.branch_hints = read_branch_hints(info, reader)


_PARSERS: dict[str, Callable[[ModuleInfo, Reader], None]] = {
    "name": _parse_names,
    "producers": _parse_producers,
    "target_features": _parse_target_features,
}

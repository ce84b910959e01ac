"""Reads a whole binary into a `ModuleInfo`."""

from collections.abc import Callable

from wasmote.core.decode.module import MAGIC, VERSION
from wasmote.core.decode.module import Section as SectionId
from wasmote.errors import DecodeError
from wasmote.inspect.code import skip_expression
from wasmote.inspect.custom import parse_code_metadata, parse_custom_sections
from wasmote.inspect.defined_types import read_types
from wasmote.inspect.disassemble import expression
from wasmote.inspect.model import Export, Function, Global, Import, ModuleInfo, Section, Segment
from wasmote.inspect.reader import Reader
from wasmote.types import ExternType, FuncType, TagType

KINDS = ("func", "table", "memory", "global", "tag")
#: What the definition of a table begins with whose elements are given.
_WITH_INITIAL = 0x40
_PREAMBLE = MAGIC.to_bytes(4, "little") + VERSION.to_bytes(4, "little")
#: Flags of element segments: not active, with a table index or declared, expressions.
_PASSIVE, _EXPLICIT, _EXPRESSIONS = 1, 2, 4


def parse(binary: bytes) -> ModuleInfo:
    """Everything that a module defines. Raises DecodeError for a malformed one."""
    if not binary.startswith(_PREAMBLE):
        raise DecodeError("magic header not detected", 0)
    info = ModuleInfo(binary)
    reader = Reader(binary, len(_PREAMBLE))
    while not reader.at_end:
        section_id = reader.byte()
        part = reader.part(reader.u32())
        info.sections.append(_section(section_id, part))
    parse_custom_sections(info)
    for section in info.sections:
        parse_section = _PARSERS.get(section.id)
        if parse_section is not None:
            parse_section(info, Reader(binary, section.offset, section.offset + section.size))
    _name_functions(info)
    parse_code_metadata(info)
    return info


def _section(section_id: int, part: Reader) -> Section:
    if section_id == SectionId.CUSTOM:
        name = part.name()
        return Section(section_id, name, part.pos, part.end - part.pos)
    if section_id not in _NAMES:
        raise part.fail(f"malformed section id {section_id}")
    name, offset = _NAMES[section_id], part.pos
    count = None if section_id == SectionId.START else part.u32()
    return Section(section_id, name, offset, part.end - offset, count)


_NAMES = {int(each): each.name.lower() for each in SectionId}


def _parse_types(info: ModuleInfo, reader: Reader) -> None:
    info.types += read_types(reader)


def _type(info: ModuleInfo, reader: Reader) -> FuncType:
    index = reader.u32()
    found = info.types[index].type if index < len(info.types) else None
    if not isinstance(found, FuncType):
        raise reader.fail(f"unknown {'type' if found is None else 'function type'} {index}")
    return found


def _parse_imports(info: ModuleInfo, reader: Reader) -> None:
    for _ in range(reader.count()):
        module, name = reader.name(), reader.name()
        kind = reader.byte()
        if kind >= len(KINDS):
            raise reader.fail(f"malformed import kind {kind:#04x}")
        imported: ExternType
        match KINDS[kind]:
            case "func":
                index, imported = len(info.functions), _type(info, reader)
                info.functions.append(Function(index, info.names.functions.get(index), imported))
            case "table":
                index, imported = len(info.tables), reader.table_type()
                info.tables.append(imported)
            case "memory":
                index, imported = len(info.memories), reader.memory_type()
                info.memories.append(imported)
            case "global":
                index, imported = len(info.globals), reader.global_type()
                info.globals.append(Global(index, info.names.globals.get(index), imported))
            case _:
                index, imported = len(info.tags), _tag_type(info, reader)
                info.tags.append(imported)
        info.imports.append(Import(module, name, imported, index))


def _tag_type(info: ModuleInfo, reader: Reader) -> TagType:
    reader.byte()  # an attribute
    return TagType(_type(info, reader).params)


def _parse_tags(info: ModuleInfo, reader: Reader) -> None:
    info.tags += [_tag_type(info, reader) for _ in range(reader.count())]


def _parse_functions(info: ModuleInfo, reader: Reader) -> None:
    for _ in range(reader.count()):
        index = len(info.functions)
        info.functions.append(Function(index, info.names.functions.get(index), _type(info, reader)))


def _parse_tables(info: ModuleInfo, reader: Reader) -> None:
    for _ in range(reader.count()):
        has_initial = reader.peek() == _WITH_INITIAL
        if has_initial:
            reader.skip(2)  # the second byte is for the future
        info.tables.append(reader.table_type())
        if has_initial:
            skip_expression(reader)


def _parse_memories(info: ModuleInfo, reader: Reader) -> None:
    info.memories += [reader.memory_type() for _ in range(reader.count())]


def _parse_globals(info: ModuleInfo, reader: Reader) -> None:
    for _ in range(reader.count()):
        index = len(info.globals)
        content = reader.global_type()
        initial = expression(info, skip_expression(reader))
        info.globals.append(Global(index, info.names.globals.get(index), content, initial))


def _parse_exports(info: ModuleInfo, reader: Reader) -> None:
    for _ in range(reader.count()):
        name, kind = reader.name(), reader.byte()
        if kind >= len(KINDS):
            raise reader.fail(f"malformed export kind {kind:#04x}")
        info.exports.append(Export(name, KINDS[kind], reader.u32()))


def _parse_start(info: ModuleInfo, reader: Reader) -> None:
    info.start = reader.u32()


def _parse_elements(info: ModuleInfo, reader: Reader) -> None:
    for index in range(reader.count()):
        flags = reader.u32()
        segment = Segment(index, "active", 0, 0)
        if flags & _PASSIVE:
            segment.mode = "declared" if flags & _EXPLICIT else "passive"
        else:
            segment.target = reader.u32() if flags & _EXPLICIT else 0
            segment.place = expression(info, skip_expression(reader))
        if flags & (_PASSIVE | _EXPLICIT) and flags & _EXPRESSIONS:
            reader.value_type()
        elif flags & (_PASSIVE | _EXPLICIT):
            reader.byte()  # the elements' kind: functions
        segment.size = reader.count()
        segment.offset = reader.pos
        for _ in range(segment.size):
            if flags & _EXPRESSIONS:
                skip_expression(reader)
            else:
                reader.u32()
        info.elements.append(segment)


def _parse_code(info: ModuleInfo, reader: Reader) -> None:
    defined = [each for each in info.functions if each.index >= _imported_functions(info)]
    for function, _ in zip(defined, range(reader.count()), strict=False):
        body = reader.part(reader.u32())
        function.offset, function.size = body.pos, body.end - body.pos


def _imported_functions(info: ModuleInfo) -> int:
    return sum(isinstance(each.type, FuncType) for each in info.imports)


def _parse_data(info: ModuleInfo, reader: Reader) -> None:
    for index in range(reader.count()):
        flags = reader.u32()
        segment = Segment(index, "passive" if flags == 1 else "active", 0, 0)
        if flags != 1:
            segment.target = reader.u32() if flags == 2 else 0
            segment.place = expression(info, skip_expression(reader))
        contents = reader.part(reader.u32())
        segment.offset, segment.size = contents.pos, contents.end - contents.pos
        info.data.append(segment)


def _name_functions(info: ModuleInfo) -> None:
    """Functions without a name get that of their export or import."""
    unnamed = {each.index: each for each in info.functions if each.name is None}
    for export in info.exports:
        if export.kind == "func" and export.index in unnamed:
            unnamed.pop(export.index).name = export.name
    for each in info.imports:
        if isinstance(each.type, FuncType) and each.index in unnamed:
            unnamed.pop(each.index).name = f"{each.module}.{each.name}"


_PARSERS: dict[int, Callable[[ModuleInfo, Reader], None]] = {
    SectionId.TYPE: _parse_types,
    SectionId.IMPORT: _parse_imports,
    SectionId.FUNCTION: _parse_functions,
    SectionId.TABLE: _parse_tables,
    SectionId.MEMORY: _parse_memories,
    SectionId.TAG: _parse_tags,
    SectionId.GLOBAL: _parse_globals,
    SectionId.EXPORT: _parse_exports,
    SectionId.START: _parse_start,
    SectionId.ELEMENT: _parse_elements,
    SectionId.CODE: _parse_code,
    SectionId.DATA: _parse_data,
}

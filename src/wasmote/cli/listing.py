"""The parts of `wasmote inspect` as text: each is a function from a module to lines."""

from collections.abc import Iterator

from wasmote.cli.colour import Palette
from wasmote.cli.report import printable
from wasmote.inspect import ModuleInfo, disassemble
from wasmote.inspect.disassemble import local_types
from wasmote.inspect.model import Function, Segment
from wasmote.types import FuncType

#: Entries of a list that the summary shows at most.
_SHOWN = 12
_BYTES_A_LINE = 16

Lines = Iterator[str]
#: Sizes of functions by engine and index, as `engine_sizes` has them.
Sizes = dict[str, dict[int, int]]


def summary(info: ModuleInfo, colours: Palette, largest: int) -> Lines:
    """A page about the module."""
    yield from sections(info, colours)
    yield from titled(colours, "imports", imports(info, colours), len(info.imports), "--imports")
    yield from titled(colours, "exports", exports(info, colours), len(info.exports), "--exports")
    yield from titled(colours, "definitions", definitions(info), 0, "")
    yield from titled(colours, "made by", tools(info), 0, "--names")
    defined = sum(not each.is_imported for each in info.functions)
    title = f"largest of {defined} functions"
    yield from titled(colours, title, functions(info, colours, {}, largest), 0, "")


def titled(colours: Palette, title: str, lines: Lines, count: int, option: str) -> Lines:
    """A part with its title; nothing if there are no lines, and only the first of very many."""
    shown = list(lines)
    if not shown:
        return
    yield ""
    yield colours.heading(f"{title} ({count})" if count else title)
    limit = _SHOWN if option else len(shown)
    yield from shown[:limit]
    if len(shown) > limit:
        yield colours.offset(f"  and {len(shown) - limit} more: {option} lists them")


def sections(info: ModuleInfo, colours: Palette) -> Lines:
    """Where each section is."""
    yield colours.heading(f"{'section':26} {'offset':>10} {'bytes':>10} {'elements':>10}")
    for each in info.sections:
        title = f'custom "{printable(each.name)}"' if each.is_custom else each.name
        count = "" if each.count is None else str(each.count)
        yield f"  {title:24} {each.offset:#10x} {each.size:10} {count:>10}".rstrip()


def types(info: ModuleInfo, colours: Palette) -> Lines:
    """Types by index."""
    for index, each in enumerate(info.types):
        yield f"  {index:5} {each}"


def imports(info: ModuleInfo, colours: Palette) -> Lines:
    """What the module needs."""
    for each in info.imports:
        name = colours.name(f"{printable(each.module)}.{printable(each.name)}")
        yield f"  {_described(each.type, name, colours)}"


def exports(info: ModuleInfo, colours: Palette) -> Lines:
    """What the module offers."""
    spaces: dict[str, list[object]] = {
        "func": [each.type for each in info.functions],
        "table": [*info.tables],
        "memory": [*info.memories],
        "global": [each.type for each in info.globals],
        "tag": [*info.tags],
    }
    for each in info.exports:
        space = spaces[each.kind]
        kind = space[each.index] if each.index < len(space) else f"{each.kind} {each.index}"
        yield f"  {_described(kind, colours.name(printable(each.name)), colours)}"


def _described(kind: object, name: str, colours: Palette) -> str:
    """`func NAME (i32) -> ()`, `memory NAME 1 2`."""
    if isinstance(kind, FuncType):
        return f"{colours.word('func')} {name} {kind}"
    word, _, rest = str(kind).partition(" ")
    return f"{colours.word(word)} {name} {rest}".rstrip()


def definitions(info: ModuleInfo) -> Lines:
    for memory in info.memories:
        most = "" if memory.maximum is None else f", at most {memory.maximum}"
        shared = ", shared" if memory.shared else ""
        size = memory.minimum * memory.page_size
        shown = f"{size} bytes" if memory.page_size == 1 else f"{size >> 10} KiB"
        yield f"  memory of {memory.minimum} pages ({shown}){most}{shared}"
    for table in info.tables:
        most = "" if table.maximum is None else f", at most {table.maximum}"
        yield f"  table of {table.minimum} {table.element}{most}"
    for index, tag in enumerate(info.tags[:_SHOWN]):
        name = info.names.tags.get(index, "")
        yield f"  tag {printable(name)} {str(tag).removeprefix('tag ')}".replace("  (", " (")
    if len(info.tags) > _SHOWN:
        yield f"  and {len(info.tags) - _SHOWN} more tags"
    if info.globals:
        yield f"  {len(info.globals)} globals"
    if info.data:
        yield f"  {len(info.data)} data segments, {sum(each.size for each in info.data)} bytes"
    if info.elements:
        elements = sum(each.size for each in info.elements)
        yield f"  {len(info.elements)} element segments, {elements} elements"
    if info.start is not None:
        yield f"  start function: {printable(info.function_title(info.start))}"


def tools(info: ModuleInfo) -> Lines:
    """The sections "producers" and "target_features"."""
    for field, values in info.producers.items():
        made_by = ", ".join(f"{name} {version}".strip() for name, version in values.items())
        yield printable(f"  {field}: {made_by}")
    if info.target_features:
        yield printable(f"  features: {' '.join(info.target_features)}")


def functions(
    info: ModuleInfo, colours: Palette, sizes: Sizes, largest: int = 0, order: str = "index"
) -> Lines:
    """Functions with their size, those with the largest bodies if a number is given, else all."""
    found = [each for each in info.functions if not each.is_imported]
    if largest or order == "size":
        found = sorted(found, key=lambda each: -each.size)[: largest or len(found)]
    elif order == "name":
        found = sorted(found, key=lambda each: each.title)
    if not found:
        return
    columns = "".join(f"{engine:>9}" for engine in sizes)
    yield colours.offset(f"  {'index':>6} {'offset':>10} {'bytes':>8}{columns}  function")
    for each in found:
        columns = "".join(f"{size.get(each.index, '-'):>9}" for size in sizes.values())
        name = colours.name(printable(each.title))
        yield f"  {each.index:6} {each.offset:#10x} {each.size:8}{columns}  {name} {each.type}"


def segments(info: ModuleInfo, colours: Palette) -> Lines:
    """Data and element segments."""
    for title, target, found in (("data", "memory", info.data), ("elem", "table", info.elements)):
        for each in found:
            yield f"  {colours.word(title)} {each.index}: {_segment(each, target)}"


def _segment(segment: Segment, target: str) -> str:
    what = "bytes" if target == "memory" else "elements"
    place = f" to {target} {segment.target} at {segment.place}" if segment.place else ""
    return f"{segment.mode}, {segment.size} {what} from {segment.offset:#x}{place}"


def variables(info: ModuleInfo, colours: Palette) -> Lines:
    """Globals with their first values."""
    for each in info.globals:
        name = colours.name(printable(each.name or ""))
        initial = f" = {each.initial}" if each.initial is not None else " (imported)"
        yield f"  {each.index:5} {name} {each.type}{initial}"


def names(info: ModuleInfo, colours: Palette) -> Lines:
    """The name section."""
    if info.names.module is not None:
        yield f"  module {colours.name(printable(info.names.module))}"
    spaces = (
        ("func", info.names.functions),
        ("global", info.names.globals),
        ("data", info.names.data),
        ("tag", info.names.tags),
    )
    for word, found in spaces:
        for index, name in sorted(found.items()):
            yield f"  {colours.word(word)} {index} {colours.name(printable(name))}"
    for function, local_names in sorted(info.names.locals.items()):
        for index, name in sorted(local_names.items()):
            yield f"  {colours.word('local')} {function}.{index} {colours.name(printable(name))}"


def code(info: ModuleInfo, colours: Palette, function: Function) -> Lines:
    """The disassembly of a function."""
    yield ""
    title = f"func {function.index} {colours.name(printable(function.title))} {function.type}"
    yield colours.heading(title)
    if function.is_imported:
        yield "  imported"
        return
    declared = local_types(info, function)
    if declared:
        locals_ = ", ".join(f"{count} {kind}" for count, kind in declared)
        yield f"  {colours.offset('locals:')} {locals_}"
    for line in disassemble(info, function):
        word, _, rest = line.text.partition(" ")
        offset = colours.offset(f"{line.offset:#010x}")
        yield f"  {offset}  {'  ' * line.depth}{colours.word(word)} {rest}".rstrip()


def dump(info: ModuleInfo, colours: Palette, name: str) -> Lines:
    """The bytes of the sections of that name."""
    for each in info.sections:
        if each.name == name:
            yield from hex_dump(info.binary, colours, name, each.offset, each.size)


def hex_dump(binary: bytes, colours: Palette, name: str, start: int, size: int) -> Lines:
    """A part of a file."""
    yield colours.heading(f"{printable(name)}: {size} bytes")
    for at in range(start, start + size, _BYTES_A_LINE):
        row = binary[at : min(at + _BYTES_A_LINE, start + size)]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        yield f"  {colours.offset(f'{at:#010x}')}  {row.hex(' '):47}  {text}"

"""`wasmote inspect` of images: what they are for, how large their functions are, machine code."""

from collections.abc import Iterator
from types import SimpleNamespace

from wasmote.cli import listing
from wasmote.cli.colour import Palette
from wasmote.cli.inspect import definitions, find_function, plain
from wasmote.cli.options import UsageError, closest, shortened
from wasmote.cli.report import CANNOT_RUN, CallError, CommandError, printable
from wasmote.inspect.image import Code, ImageInfo, parse_image
from wasmote.inspect.native import disassemble_code

Lines = Iterator[str]

#: What the compiler's notes are about, by the name in the image.
_FACTS = {
    "abi": "runtime ABI",
    "cpu": "compiled for",
    "needs": "needs",
    "level": "optimisation level",
}


def inspect_image(options: SimpleNamespace, binary: bytes) -> int:
    """Print what the options ask for; returns the exit code."""
    path, *wanted = options.words
    info = parse_image(binary)
    codes = [_code(info, name) for name in wanted] or info.functions or info.symbols
    if options.section and options.section not in {each.name for each in info.parts}:
        names = shortened((each.name for each in info.parts), 30)
        raise UsageError(f"no section {options.section}; there are {names}")
    try:
        if options.json:
            _print_json(options, info, codes)
            return 0
        for line in _lines(options, path, info, codes):
            print(line)
    except ImportError as error:
        raise CommandError(f"{path}: {error}", CANNOT_RUN, str(error)) from None
    return 0


def _code(info: ImageInfo, name: str) -> Code:
    """What a word means: a function of the module, or a symbol."""
    symbol = next((each for each in info.symbols if each.name == name), None)
    if info.module is None or (symbol and name not in {each.name for each in info.functions}):
        if symbol is None:
            names = [each.name for each in info.symbols]
            hint = closest(name, names, f"; there are {shortened(names)}")
            raise CallError(f"no function {name}{hint}", f"lookup function {name} failed")
        return symbol
    found = find_function(info.module, name)
    if found.is_imported:
        message = f"{found.title} is imported: its code is elsewhere"
        raise CallError(message, message)
    return next(each for each in info.functions if each.index == found.index)


def _lines(options: SimpleNamespace, path: str, info: ImageInfo, codes: list[Code]) -> Lines:
    """All that is asked for, else the summary."""
    colours = Palette()
    parts = [_parts(info, colours)] if options.sections else []
    if info.module:
        parts += definitions(options, info.module, colours)
    if options.functions:
        parts.append(_functions(info, colours, options.sort, 0))
    if options.section:
        part = next(each for each in info.parts if each.name == options.section)
        parts.append(listing.hex_dump(info.binary, colours, part.name, part.offset, part.size))
    if options.disassemble:
        parts += [
            _disassembly(info, colours, code) for code in codes if code.size or len(codes) < 9
        ]
    if not parts:
        yield colours.heading(f"{path}: image of {len(info.binary)} bytes")
        parts.append(_summary(info, colours, options.largest))
    for part_lines in parts:
        yield from part_lines


def _summary(info: ImageInfo, colours: Palette, largest: int) -> Lines:
    yield f"  {'format':18} version {info.version}"
    yield f"  {'target':18} {printable(info.target)}"
    for name, value in info.facts.items():
        if name in ("fuel", "guard", "objects"):
            continue
        yield printable(
            f"  {_FACTS.get(name, name):18} {value.replace(',', ' ') or 'nothing more'}"
        )
    if "guard" in info.facts:
        how = "by inaccessible pages" if info.facts["guard"] == "1" else "explicitly, or not needed"
        yield f"  {'memory is checked':18} {how}"
    if info.facts.get("objects") == "1":
        yield f"  {'references':18} to the heap of structures and arrays, or to the host's objects"
    if info.facts.get("fuel") == "1":
        yield f"  {'instructions':18} are counted, for fuel"
    yield f"  {'SHA-256':18} {info.hash}"
    yield f"  {'signature':18} {f'by the key {info.key}' if info.key else 'none'}"
    yield ""
    yield from _parts(info, colours)
    module = info.module
    if module:
        for name, option in (("imports", "--imports"), ("exports", "--exports")):
            found = getattr(module, name)
            lines = getattr(listing, name)(module, colours)
            yield from listing.titled(colours, name, lines, len(found), option)
        yield from listing.titled(colours, "definitions", listing.definitions(module), 0, "")
        yield from listing.titled(colours, "made by", listing.tools(module), 0, "--names")
    count = len(info.functions if module else info.symbols)
    what = "functions" if module else "symbols"
    title = f"largest of {count} {what}"
    yield from listing.titled(colours, title, _functions(info, colours, "size", largest), 0, "")


def _fact(name: str, value: str) -> Lines:
    from textwrap import wrap

    for number, line in enumerate(wrap(value, 78)):
        yield printable(f"  {'' if number else name:18} {line}")


def _parts(info: ImageInfo, colours: Palette) -> Lines:
    yield colours.heading(f"{'section':26} {'offset':>10} {'bytes':>10}")
    for each in info.parts:
        yield f"  {printable(each.name):24} {each.offset:#10x} {each.size:10}"


def _functions(info: ImageInfo, colours: Palette, order: str, largest: int) -> Lines:
    """Functions and the bytes of their code; of an image without module, its symbols."""
    found = list(info.functions or info.symbols)
    if order == "size":
        found.sort(key=lambda each: -each.size)
    elif order == "name":
        found.sort(key=lambda each: each.name)
    yield colours.offset(f"  {'index':>6} {'offset':>10} {'bytes':>8}  function")
    for each in found[: largest or len(found)]:
        index = "-" if each.index is None else each.index
        place = f"{each.offset:#10x} {each.size:8}" if each.size else f"{'-':>10} {'-':>8}"
        yield f"  {index:>6} {place}  {colours.name(printable(each.name))}"
    if info.module and not largest:
        total = sum(each.size for each in info.functions)
        rest = info.code_size - total
        yield f"  functions {total} bytes, what calls in and out, constants and tables {rest}"


def _disassembly(info: ImageInfo, colours: Palette, code: Code) -> Lines:
    yield ""
    title = f"func {code.index} " if code.index is not None else ""
    yield colours.heading(f"{title}{colours.name(printable(code.name))} {code.size} bytes")
    if not code.size:
        yield "  no code of its own: all its callers contain it, or nothing calls it"
    for line in disassemble_code(info, code):
        if line.origin:
            origin = ", inlined in ".join(line.origin)
            yield colours.offset(f"  {'':10}  ; {printable(origin)}")
        word, _, rest = line.text.partition(" ")
        target = colours.name(f"  ; {printable(line.target)}") if line.target else ""
        offset = colours.offset(f"{line.offset:#010x}")
        yield f"  {offset}  {colours.word(word):8} {rest}{target}".rstrip()


def _print_json(options: SimpleNamespace, info: ImageInfo, codes: list[Code]) -> None:
    import json

    found = plain(info)
    found["binary"] = {"file": options.words[0], "size": len(info.binary)}
    if info.module:
        found["module"]["binary"] = {"file": options.words[0], "size": len(info.module.binary)}
    if options.disassemble:
        found["code"] = {
            code.name if code.index is None else code.index: [
                plain(line) for line in disassemble_code(info, code)
            ]
            for code in codes
        }
    print(json.dumps(found, indent=2))

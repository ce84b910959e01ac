"""`wasmote inspect`: shows what is in a module or an image, or disassembles it."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

from wasmote.cli.options import Command, Option, UsageError, closest, number, one_of, shortened
from wasmote.cli.report import CallError, CommandError, LoadError, Reporter

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

    from wasmote.cli.colour import Palette
    from wasmote.inspect.model import Function, ModuleInfo

COMMAND = Command(
    "wasmote inspect",
    "[OPTIONS] FILE [FUNCTION…]",
    "Show what is in a module or an image (of wasmote compile): a summary, or the parts that the "
    "options name. With FUNCTIONs (names or indices), disassemble these: to WebAssembly, or an "
    "image's to machine code, which needs the extra 'disassemble'. Colours appear on terminals "
    "only, and not if NO_COLOR is set.",
    (
        Option("--sections", "where each section is and how large"),
        Option("--types", "types"),
        Option("--imports", "what the module needs"),
        Option("--exports", "what the module offers"),
        Option("--functions", "all functions, and how many bytes they are in each engine"),
        Option(
            "--sort KEY",
            "order of --functions: index (the default), size or name",
            convert=one_of("index", "size", "name"),
            default="index",
        ),
        Option("--globals", "globals and their first values"),
        Option("--segments", "data and element segments"),
        Option("--names", "names of functions, locals and others, and what made the module"),
        Option("--section NAME", "the bytes of this section"),
        Option("-d, --disassemble", "the instructions of all functions, or those that are named"),
        Option(
            "--largest N",
            "functions that the summary shows (default 10)",
            convert=number(1, 1_000_000),
            default=10,
        ),
        Option("--json", "everything as JSON, with --disassemble instructions too"),
    ),
    """\
exit codes:
  0  all went well               126  not a valid module
  2  wrong options or arguments  127  no such file

examples:
  wasmote inspect prog.wasm
  wasmote inspect prog.wasm main 12      disassemble the function main, and the one with index 12
  wasmote inspect --section producers prog.wasm
  wasmote inspect --functions --sort=size prog.wasm | head
  wasmote inspect plugin.aot             target, processor, signature, sizes of an image
  wasmote inspect plugin.aot main        the machine code of the function main
  wasmote inspect --json prog.wasm | jq '.imports[].name'
""",
)


def main(argv: Sequence[str]) -> int:
    """Run `wasmote inspect`; returns the exit code."""
    reporter = Reporter(COMMAND.name)
    try:
        options = COMMAND.parse(argv)
        if options.help:
            print(COMMAND.help())
            return 0
        if not options.words:
            raise UsageError("which FILE? For example: wasmote inspect prog.wasm")
        return _inspect(options)
    except UsageError as error:
        return reporter.usage_error(error)
    except CommandError as error:
        return reporter.refusal(error)


def _inspect(options: SimpleNamespace) -> int:
    from wasmote import Module, WasmoteError
    from wasmote.cli.files import read_binary
    from wasmote.inspect import parse

    path, *wanted = options.words
    options.disassemble = options.disassemble or bool(wanted)
    try:
        binary = read_binary(path)
        if binary.startswith(b"\0wmi"):
            from wasmote.cli.inspect_image import inspect_image

            return inspect_image(options, binary)
        module = Module(binary)
        info = parse(binary)
    except WasmoteError as error:
        raise LoadError(f"{path}: {error}", f"WASM module load failed: {error}") from None
    functions = [find_function(info, name) for name in wanted] or info.functions
    if options.section and options.section not in {each.name for each in info.sections}:
        raise UsageError(f"no section {options.section}; {_sections(info)}")
    if options.json:
        _print_json(options, module, info, functions)
        return 0
    for line in _lines(options, module, info, functions):
        print(line)
    return 0


def _sections(info: "ModuleInfo") -> str:
    return f"there are {shortened(dict.fromkeys(each.name for each in info.sections), 30)}"


def find_function(info: "ModuleInfo", name: str) -> "Function":
    """The function that a word means: its index, name or export."""
    if name.isascii() and name.isdigit() and len(name) < 10 and int(name) < len(info.functions):
        return info.functions[int(name)]
    exported = [each.index for each in info.exports if (each.kind, each.name) == ("func", name)]
    named = [each for each in info.functions if each.title == name]
    if exported:
        return info.functions[exported[0]]
    if named:
        return named[0]
    names = [each.name for each in info.functions if each.name and not each.is_imported]
    indices = f"; functions have the indices 0 to {len(info.functions) - 1}"
    listed = f"{indices} and names like {shortened(names)}" if names else indices
    message = f"no function {name}{closest(name, names, listed)}"
    raise CallError(message, f"lookup function {name} failed")


def _lines(
    options: SimpleNamespace, module: "Any", info: "ModuleInfo", functions: "list[Function]"
) -> Iterator[str]:
    """All that is asked for, else the summary."""
    from wasmote.cli import listing
    from wasmote.cli.colour import Palette

    colours = Palette()
    parts = [listing.sections(info, colours)] if options.sections else []
    parts += definitions(options, info, colours)
    if options.functions:
        from wasmote.inspect import engine_sizes

        sizes = engine_sizes(module)
        parts.append(listing.functions(info, colours, sizes, order=options.sort))
    if options.section:
        parts.append(listing.dump(info, colours, options.section))
    if options.disassemble:
        parts += [listing.code(info, colours, function) for function in functions]
    if not parts:
        yield colours.heading(f"{options.words[0]}: {len(info.binary)} bytes")
        yield ""
        parts.append(listing.summary(info, colours, options.largest))
    for part in parts:
        yield from part


def definitions(
    options: SimpleNamespace, info: "ModuleInfo", colours: "Palette"
) -> "list[Iterator[str]]":
    """What is asked for of a module's definitions."""
    from wasmote.cli import listing

    parts = []
    for name in ("types", "imports", "exports", "segments", "names"):
        if getattr(options, name):
            parts.append(getattr(listing, name)(info, colours))
    if options.globals:
        parts.append(listing.variables(info, colours))
    if options.names:
        parts.append(listing.tools(info))
    return parts


def _print_json(
    options: SimpleNamespace, module: "Any", info: "ModuleInfo", functions: "list[Function]"
) -> None:
    import json

    from wasmote.inspect import disassemble, engine_sizes

    found = plain(info)
    found["binary"] = {"file": options.words[0], "size": len(info.binary)}
    found["engines"] = engine_sizes(module)
    if options.disassemble:
        found["code"] = {
            function.index: [plain(line) for line in disassemble(info, function)]
            for function in functions
            if not function.is_imported
        }
    print(json.dumps(found, indent=2))


def plain(value: "Any") -> "Any":
    """What JSON can say: dataclasses as objects, types as text."""
    from dataclasses import fields, is_dataclass

    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | range):
        return [plain(each) for each in value]
    return value if isinstance(value, int | str | bytes | None) else str(value)

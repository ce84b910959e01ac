"""From a module to an image: its parts compiled, linked, and what the loader needs added."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import process_time
from typing import TYPE_CHECKING, Any

from wasmote.aot.abi import abi
from wasmote.aot.places import encode
from wasmote.api.module import Module
from wasmote.compile.loops import ENTER_LOOP, loops_in
from wasmote.compile.machines import machine_of
from wasmote.compile.messages import captured
from wasmote.compile.options import Options, target_named
from wasmote.compile.partition import Plan
from wasmote.compile.pipeline import compile_partition, emitted, optimised, partition_ir
from wasmote.compile.source import Source, read_source
from wasmote.compile.stack_usage import stack_usage
from wasmote.compile.strip import without_code
from wasmote.core.structs import NONE
from wasmote.dwarf.packed import NAMES, pack
from wasmote.image.build import with_library
from wasmote.image.debug_sections import debug_sections
from wasmote.image.elf import Object
from wasmote.image.format import Image
from wasmote.image.join import Joined, join
from wasmote.nativepy.targets import Target

if TYPE_CHECKING:
    from wasmote.compile.workers import Progress

__all__ = ["Options", "compile_module", "output", "target_named"]

#: Symbols of functions, and of those that begin at a loop.
_FUNCTION = re.compile(r"(?:f|loop\.)(\d+)(?:\.\d+)?")


def compile_module(
    module: Module,
    options: Options | None = None,
    *,
    jobs: int | None = None,
    progress: "Progress | None" = None,
    **changes: Any,
) -> Image:
    """The image of a module, compiled with these options, or the default ones and some others.

    A large module is compiled by `jobs` processes, by default as many as there are processors; the
    image does not depend on it. Raises CompileError for what compiled code cannot do yet.
    """
    plan = Plan(read_source(module), options or Options(**changes))
    return link(plan, compile_parts(plan, jobs, progress))


def compile_parts(
    plan: Plan, jobs: int | None = None, progress: "Progress | None" = None
) -> list[bytes]:
    """The object files of all parts of a module, in their order."""
    if not plan.small:
        from wasmote.compile.workers import compile_in_workers

        return compile_in_workers(plan, jobs, progress)
    objects = []
    for partition in plan.partitions:
        start = process_time()
        objects.append(compile_partition(plan, partition))
        if progress:
            progress(partition, process_time() - start)
    return objects


def compile_measured(
    module: Module, options: Options, progress: "Progress | None" = None
) -> tuple[Image, str]:
    """The image of a module, and how much native stack its functions take (`stack_usage`).

    Compiled by this process alone, as what LLVM says goes to its standard error output.
    """
    plan = Plan(read_source(module), replace(options, stack_usage=True))
    objects, messages = [], []
    for partition in plan.partitions:
        start = process_time()
        raw, text = captured(partial(compile_partition, plan, partition))
        objects.append(raw)
        messages.append(text)
        if progress:
            progress(partition, process_time() - start)
    return link(plan, objects), stack_usage(messages, plan.source)


def link(plan: Plan, objects: Sequence[bytes]) -> Image:
    """The image of a module whose parts are compiled."""
    target = plan.options.target
    read = [Object(raw) for raw in objects]
    joined = join(with_library(read, target), target, machine_of(target).assembled())
    image = make_image(plan, joined)
    if plan.options.debug:
        image.sections["places"] = places(plan.source, read, joined.addresses, target)
    carried = pack(debug_information(plan.source.module)) if plan.options.debug > 1 else b""
    if carried:
        image.sections["dwarf"] = carried
    return image


def debug_information(module: Module) -> dict[str, bytes]:
    """What a module has for source lines."""
    found = {name: b"".join(module.custom_sections(name)) for name in NAMES}
    return {name: data for name, data in found.items() if data}


def places(
    source: Source, objects: Sequence[Object], found: Sequence[Mapping[int, int]], target: Target
) -> bytes:
    """The section that says which instruction the code at an address comes from; `found` has where
    the sections of each object are.
    """
    from wasmote.compile.debug_lines import read_pieces

    pieces, mark = [], machine_of(target).mark
    for obj, addresses in zip(objects, found, strict=False):
        sections = debug_sections(obj, addresses, target.machine)
        functions = [
            (int(name[1]), addresses[symbol.section] + (symbol.value & ~mark), symbol.size)
            for symbol in obj.symbols
            if symbol.section in addresses and (name := _FUNCTION.fullmatch(symbol.name))
        ]
        pieces += read_pieces(sections, source, functions)
    return encode(pieces, source.code_section)


def output(
    module: Module,
    options: Options,
    format: str,
    jobs: int | None = None,
    progress: "Progress | None" = None,
) -> bytes:
    """What `wasmote compile --format` names, as bytes. Raises CompileError."""
    if format == "aot":
        return compile_module(module, options, jobs=jobs, progress=progress).encode()
    plan = Plan(read_source(module), options, divided=False)
    if options.debug:
        from wasmote.compile.source_lines import SourceLocations

        plan.make_locations = partial(SourceLocations, plan.source)
    ir = partition_ir(plan, plan.partitions[0])
    if format == "llvmir-unopt":
        return ir.encode()
    llvm_module, tm = optimised(ir, options, plan.partitions[0].full)
    return (
        str(llvm_module).encode() if format == "llvmir-opt" else emitted(llvm_module, tm, options)
    )


def make_image(plan: Plan, joined: Joined) -> Image:
    """Add to the code what the loader needs: tables of functions, and the module without code."""
    source, options = plan.source, plan.options
    symbols = joined.symbols
    functions = [symbols.get(f"f{body.index}", (0, 0)) for body in source.bodies]
    entries = [symbols.get(f"entry.{type.key}", (0, 0))[0] for type in source.types]
    order = ">" if options.target.big_endian else "<"
    found = {
        # An empty table has a place, too.
        "functions": joined.append(
            b"".join(struct.pack(f"{order}II", *each) for each in functions)
        ),
        "entries": joined.append(struct.pack(f"{order}{len(entries) + 1}I", *entries, 0)),
        "counting": joined.append(counting_bits(plan)),
        "enter": symbols["wasmote.enter"][0],
        "entered": symbols["wasmote.entered"][0],
        "trap": symbols["wasmote.trap"][0],
    }
    loops = loops_in(symbols)
    if loops:
        table = b"".join(struct.pack(f"{order}4I", *each) for each in loops)
        start = struct.pack(f"{order}I", symbols[ENTER_LOOP][0])
        found["loops"] = joined.append(start + table + struct.pack(f"{order}I", NONE))
    sections = {
        "module": without_code(source, options.custom_sections),
        "compiled": facts(source, options),
    }
    return Image(options.target.name, found, bytes(joined.code), sections)


def counting_bits(plan: Plan) -> bytes:
    """A bit for each of the module's own functions, from the lowest: it has polls of its own."""
    first = plan.source.imported_functions
    bits = sum(1 << (index - first) for index in plan.counting)
    return bits.to_bytes(len(plan.source.bodies) // 8 + 1, "little")


def facts(source: Source, options: Options) -> bytes:
    """What the loader checks and people may want to know: lines of `name=value`."""
    from wasmote.compile.processor import required

    cpu, features = options.processor()
    is_guarded = machine_of(options.target).guard and not options.bounds_checks
    guarded = any(not m.is64 and m.page_shift == 16 and is_guarded for m in source.memories)
    known = {
        "abi": f"{abi(options.target.pointer):08x}",
        "cpu": cpu,
        "enterable": str(int(options.enterable)),
        "fuel": str(int(options.fuel)),
        "guard": str(int(guarded)),
        "level": str(options.level),
        "needs": ",".join(required(features)),
        "objects": str(int(source.holds_objects)),
        "polls": options.polls,
    }
    return "".join(f"{name}={value}\n" for name, value in known.items()).encode()

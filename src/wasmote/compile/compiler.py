"""From a module to an image: IR text, LLVM, object file, linked code."""

import struct
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from wasmote.aot.abi import abi
from wasmote.api.module import Module
from wasmote.compile.source import Source, read_source
from wasmote.compile.strip import without_code
from wasmote.compile.templates import load_templates
from wasmote.compile.unit import NeedsTailCalls, Unit
from wasmote.errors import CompileError
from wasmote.image.build import build_object
from wasmote.image.elf import Object
from wasmote.image.format import Image
from wasmote.image.join import Joined, join
from wasmote.nativepy import targets
from wasmote.nativepy.targets import Target, host_target

#: Machines that modules can be compiled for.
TARGETS = ("x86_64-linux",)


@dataclass(slots=True)
class Options:
    """How to compile.

    `level` is LLVM's, 0 to 3; `cpu` and `features` are LLVM's names, by default this machine's.
    Without `bounds_checks`, inaccessible pages behind a memory stand in for them where they can.
    """

    target: Target = field(default_factory=host_target)
    level: int = 3
    cpu: str = ""
    features: str = ""
    bounds_checks: bool = False
    #: Custom sections that the image keeps.
    custom_sections: tuple[str, ...] = ("name",)

    def processor(self) -> tuple[str, str]:
        """LLVM's names of the processor and its features."""
        import llvmlite.binding as llvm

        if self.cpu or self.features or self.target.name != host_target().name:
            return self.cpu or self.target.cpu, self.features or self.target.features
        return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def target_named(name: str | None) -> Target:
    """A target by its name, or this machine. Raises CompileError for one that there is not."""
    try:
        target = targets.TARGETS[name] if name else host_target()
    except LookupError:
        target = None
    if target is None or target.name not in TARGETS:
        raise CompileError(f"no code for {name or 'this machine'}; there is for {TARGETS[0]}")
    return target


def module_ir(source: Source, options: Options) -> str:
    """A whole module as LLVM IR text. Raises CompileError."""
    templates = load_templates(options.target)
    guard = not options.bounds_checks
    try:
        return Unit(source, options.target, templates, guard).text()
    except NeedsTailCalls:
        return Unit(source, options.target, templates, guard, "tailcc ").text()


@cache
def memory_functions(target: Target) -> bytes:
    """memcpy and its like, which LLVM takes for granted, as an object file."""
    return build_object((), target)


def machine(options: Options) -> Any:
    """LLVM's target machine."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.initialize_native_asmparser()  # for the few functions in assembly
    cpu, features = options.processor()
    return llvm.Target.from_triple(options.target.triple).create_target_machine(
        cpu=cpu, features=features, opt=options.level, reloc="pic", codemodel="small"
    )


def optimised(ir: str, options: Options) -> tuple[Any, Any]:
    """LLVM's module of a text after optimisation, and the target machine."""
    import llvmlite.binding as llvm

    tm = machine(options)
    module = llvm.parse_assembly(ir)
    module.verify()  # LLVM ends the process if it comes upon a mistake later
    tuning = llvm.create_pipeline_tuning_options(speed_level=options.level)
    tuning.loop_vectorization = options.level >= 2
    # What C compilers leave as scalars is faster so: with it, sha256 takes 1.6 times as long.
    tuning.slp_vectorization = False
    tuning.loop_unrolling = options.level >= 2
    builder = llvm.create_pass_builder(tm, tuning)
    builder.getModulePassManager().run(module, builder)
    return module, tm


def compile_module(module: Module, options: Options | None = None, **changes: Any) -> Image:
    """The image of a module, compiled with these options, or the default ones and some others.

    Raises CompileError for what compiled code cannot do yet.
    """
    options = options or Options(**changes)
    source = read_source(module)
    llvm_module, tm = optimised(module_ir(source, options), options)
    objects = [bytes(tm.emit_object(llvm_module)), memory_functions(options.target)]
    joined = join([Object(raw) for raw in objects], options.target)
    return make_image(source, joined, options)


def output(module: Module, options: Options, format: str) -> bytes:
    """What `wasmote compile --format` names, as bytes. Raises CompileError."""
    if format == "aot":
        return compile_module(module, options).encode()
    ir = module_ir(read_source(module), options)
    if format == "llvmir-unopt":
        return ir.encode()
    llvm_module, tm = optimised(ir, options)
    return (
        str(llvm_module).encode() if format == "llvmir-opt" else bytes(tm.emit_object(llvm_module))
    )


def make_image(source: Source, joined: Joined, options: Options) -> Image:
    """Add to the code what the loader needs: tables of functions, and the module without code."""
    symbols = joined.symbols
    functions = [symbols.get(f"f{body.index}", (0, 0)) for body in source.bodies]
    entries = [symbols.get(f"entry.{type.key}", (0, 0))[0] for type in source.types]
    found = {
        # An empty table has a place, too.
        "functions": joined.append(b"".join(struct.pack("<II", *each) for each in functions)),
        "entries": joined.append(struct.pack(f"<{len(entries) + 1}I", *entries, 0)),
        "enter": symbols["wasmote.enter"][0],
        "entered": symbols["wasmote.entered"][0],
        "trap": symbols["wasmote.trap"][0],
    }
    sections = {
        "module": without_code(source, options.custom_sections),
        "compiled": facts(source, options),
    }
    return Image(options.target.name, found, bytes(joined.code), sections)


def facts(source: Source, options: Options) -> bytes:
    """What the loader checks and people may want to know: lines of `name=value`."""
    from wasmote.compile.processor import required

    cpu, features = options.processor()
    guarded = any(
        not m.is64 and m.page_shift == 16 and not options.bounds_checks for m in source.memories
    )
    known = {
        "abi": f"{abi(options.target.pointer):08x}",
        "cpu": cpu,
        "guard": str(int(guarded)),
        "level": str(options.level),
        "needs": ",".join(required(features)),
    }
    return "".join(f"{name}={value}\n" for name, value in known.items()).encode()

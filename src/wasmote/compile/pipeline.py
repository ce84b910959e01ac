"""From a part of a module to an object file, through LLVM."""

from typing import Any

from wasmote.compile.llvm_options import ALWAYS, apply_options, loop_reduction
from wasmote.compile.machines import machine_of
from wasmote.compile.options import Options
from wasmote.compile.partition import Partition, Plan
from wasmote.compile.passes import run_passes
from wasmote.compile.stack_usage import ATTRIBUTE
from wasmote.compile.templates import load_templates
from wasmote.compile.unit import Unit
from wasmote.errors import CompileError


def partition_ir(plan: Plan, partition: Partition) -> str:
    """A part of a module as LLVM IR text. Raises CompileError."""
    text = Unit(plan, partition, load_templates(plan.options.target)).text()
    return with_attributes(text, plan.options)


def with_attributes(text: str, options: Options) -> str:
    """The text with what the options ask for added to the attributes of all functions."""
    tables = options.jump_tables and machine_of(options.target).relative
    more = "" if tables else '"no-jump-tables"="true" '
    more += f"{ATTRIBUTE} " if options.stack_usage else ""
    for number in (0, 4) if more else ():
        text = text.replace(f"attributes #{number} = {{ ", f"attributes #{number} = {{ {more}")
    return text


def compile_partition(plan: Plan, partition: Partition) -> bytes:
    """A part of a module as an object file. Its functions are the symbols `f` and their index;
    it refers to those of other parts, and to what the glue has. Raises CompileError.
    """
    module, tm = optimised(partition_ir(plan, partition), plan.options, partition.full)
    with loop_reduction(partition.full, plan.options):
        return emitted(module, tm, plan.options)


def emitted(module: Any, tm: Any, options: Options) -> bytes:
    """The object file of an optimised module. Raises CompileError."""
    from wasmote.nativepy.codegen import emit_object
    from wasmote.nativepy.llc import ToolError

    try:
        return emit_object(module, tm, options.target, *processor(options), options.level)
    except ToolError as error:
        raise CompileError(str(error)) from None


def prepare(options: Options) -> None:
    """Load what all parts of a module need, before processes that share it are made."""
    machine(options)
    load_templates(options.target)


def machine(options: Options) -> Any:
    """LLVM's target machine."""
    import llvmlite.binding as llvm

    from wasmote.nativepy.codegen import target_machine

    apply_options((*ALWAYS, *options.llvm_options))
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.initialize_native_asmparser()  # for the few functions in assembly
    return target_machine(options.target, *processor(options), options.level)


def processor(options: Options) -> tuple[str, str]:
    """The processor and its features, with those that code is always compiled with."""
    cpu, features = options.processor()
    return cpu, ",".join(filter(None, (features, machine_of(options.target).features)))


#: What is left to do for code that was optimised when it became WebAssembly: expand what the
#: translation left as calls, give variables registers, simplify what instructions became.
_PLAIN = ("always-inline", "sroa", "instcombine", "simplifycfg", "globaldce")


def optimised(ir: str, options: Options, full: bool = True) -> tuple[Any, Any]:
    """LLVM's module of a text after optimisation, and the target machine.

    Not `full`, it takes a tenth of the time.
    """
    import llvmlite.binding as llvm

    from wasmote.nativepy.codegen import data_layout

    tm = machine(options)
    text = data_layout(options.target, tm) + ir
    # A context of its own: in the common one the next module would take longer, and the next.
    module = llvm.parse_assembly(text, context=llvm.create_context())
    module.verify()  # LLVM ends the process if it comes upon a mistake later
    tuning = llvm.create_pipeline_tuning_options(speed_level=options.level)
    tuning.loop_vectorization = options.level >= 2
    # What C compilers leave as scalars is faster so: with it, sha256 takes 1.6 times as long.
    tuning.slp_vectorization = False
    tuning.loop_unrolling = options.level >= 2
    builder = llvm.create_pass_builder(tm, tuning)
    run_passes(options.passes, module, builder)
    if full:
        builder.getModulePassManager().run(module, builder)
    else:
        run_passes(_PLAIN, module, builder)
    return module, tm

"""LLVM, through llvmlite: optimise a unit and emit machine code as an ELF object."""

from typing import Any

from . import llc
from .targets import Target


def machine(target: Target, level: int) -> Any:
    """LLVM's target machine."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return target_machine(target, target.cpu, target.features, level)


def target_machine(target: Target, cpu: str, features: str, level: int) -> Any:
    """LLVM's target machine for a processor; for what only `llc` compiles for, one like it."""
    import llvmlite.binding as llvm

    triple = target.triple
    if target.external:
        triple, cpu, features = llc.STAND_IN
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu,
        features=features,
        opt=level,
        reloc="pic",
        codemodel="small",
        abiname=target.abi,
    )


def data_layout(target: Target, tm: Any) -> str:
    """The line of LLVM IR that says how large and how aligned values are."""
    return f'target datalayout = "{llc.LAYOUT if target.external else tm.target_data}"\n'


def optimise(ir: str, target: Target, level: int = 2) -> tuple[Any, Any]:
    """Parse, verify and optimise; returns the module and its target machine."""
    import llvmlite.binding as llvm

    tm = machine(target, level)
    # Else LLVM takes addresses to have 64 bits.
    module = llvm.parse_assembly(data_layout(target, tm) + ir)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_vectorization = options.slp_vectorization = (
        False  # bytecode handlers have nothing to gain
    )
    builder = llvm.create_pass_builder(tm, options)
    builder.getModulePassManager().run(module, builder)
    return module, tm


def compile_object(ir: str, target: Target, level: int = 2) -> bytes:
    """The ELF object of LLVM IR text."""
    module, tm = optimise(ir, target, level)
    return emit_object(module, tm, target, target.cpu, target.features, level)


def emit_object(module: Any, tm: Any, target: Target, cpu: str, features: str, level: int) -> bytes:
    """The ELF object of an optimised module. Raises `llc.ToolError`."""
    if target.external:
        return llc.emit_object(str(module), target, cpu, features, level)
    return bytes(tm.emit_object(module))


def compile_assembly(ir: str, target: Target, level: int = 2) -> str:
    """The assembler text, for looking at what became of a handler."""
    module, tm = optimise(ir, target, level)
    return str(tm.emit_assembly(module))

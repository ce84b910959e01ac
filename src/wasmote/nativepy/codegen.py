"""LLVM, through llvmlite: optimise a unit and emit machine code as an ELF object."""

from typing import Any

from .targets import Target


def machine(target: Target, level: int) -> Any:
    """LLVM's target machine."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu,
        features=target.features,
        opt=level,
        reloc="pic",
        codemodel="small",
        abiname=target.abi,
    )


def optimise(ir: str, target: Target, level: int = 2) -> tuple[Any, Any]:
    """Parse, verify and optimise; returns the module and its target machine."""
    import llvmlite.binding as llvm

    tm = machine(target, level)
    # Else LLVM takes addresses to have 64 bits.
    module = llvm.parse_assembly(f'target datalayout = "{tm.target_data}"\n{ir}')
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
    return bytes(tm.emit_object(module))


def compile_assembly(ir: str, target: Target, level: int = 2) -> str:
    """The assembler text, for looking at what became of a handler."""
    module, tm = optimise(ir, target, level)
    return str(tm.emit_assembly(module))

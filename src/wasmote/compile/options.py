"""What the compiler is told: the machine, and how to compile for it."""

from dataclasses import dataclass, field

from wasmote.compile.machines.names import target_named
from wasmote.nativepy.targets import Target, host_target

__all__ = ["Options", "target_named"]


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
    #: Whether code counts instructions, so that instances can have `fuel`.
    fuel: bool = False
    #: Custom sections that the image keeps.
    custom_sections: tuple[str, ...] = ("name",)
    #: Whether `br_table` may become a jump through a table of addresses.
    jump_tables: bool = True
    #: LLVM's passes that run before the usual ones (`passes.PASSES`).
    passes: tuple[str, ...] = ()
    #: Options of LLVM itself, for the whole process.
    llvm_options: tuple[str, ...] = ()
    #: Whether LLVM is to say how much of the native stack each function takes.
    stack_usage: bool = False
    #: What the image knows of the code's origin: 0 nothing, 1 which instruction of the module and
    #: which inlined functions it comes from, for backtraces, 2 also source lines, if the module has
    #: debug information.
    debug: int = 2
    #: Whether any function can be entered from outside: for code that takes over from an
    #: interpreter. Otherwise LLVM may change what only the module's own code calls.
    enterable: bool = False
    #: Functions, by index, that can also be entered at their loops; see `compile.loops`.
    loops: tuple[int, ...] = ()
    #: How running code lets the host look in: when a signal comes ("signals"), for which code needs
    #: nothing but Linux, or whenever it has counted so many calls and iterations ("counting").
    polls: str = "signals"

    def processor(self) -> tuple[str, str]:
        """LLVM's names of the processor and its features."""
        import llvmlite.binding as llvm

        if self.cpu or self.features or self.target.name != host_target().name:
            return self.cpu or self.target.cpu, self.features or self.target.features
        return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()

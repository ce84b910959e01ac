"""The instruction set: one definition per instruction.

Each file holds one family. A definition gives an instruction's opcode, immediates, operand and
result types and, where it does not depend on a running instance, its meaning as a few lines of
nativepy. The decoder, validator, disassembler, interpreters and compilers are derived from these
definitions. Nothing here may know how an engine stores operands, or import anything but
`core.status` and the nativepy language.
"""

from wasmote.isa.features import DEFAULT_FEATURES, SUPPORTED_FEATURES, Feature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmote.isa.all import INSTRUCTIONS, by_name
    from wasmote.isa.instruction import Immediate, Instruction
    from wasmote.isa.reserved import feature_of_reserved_opcode

__all__ = [
    "DEFAULT_FEATURES",
    "INSTRUCTIONS",
    "SUPPORTED_FEATURES",
    "Feature",
    "Immediate",
    "Instruction",
    "by_name",
    "feature_of_reserved_opcode",
]

_HOME = {
    "INSTRUCTIONS": "all",
    "by_name": "all",
    "Immediate": "instruction",
    "Instruction": "instruction",
    "feature_of_reserved_opcode": "reserved",
}


def __getattr__(name: str) -> object:
    """Definitions are made when first asked for: running a module needs only the names of
    features.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value

"""Reference instructions. A reference is a 32-bit handle, 0 is null."""

from wasmote.isa.features import Feature
from wasmote.isa.instruction import Definitions, Immediate

_reference = Definitions("reference", Feature.REFERENCE_TYPES)

_reference.add(0xD0, "ref.null", immediates=(Immediate.REF_TYPE,))
_reference.add(0xD1, "ref.is_null")
_reference.add(0xD2, "ref.func", immediates=(Immediate.FUNCTION,))

INSTRUCTIONS = _reference.instructions

"""Reference instructions. A reference is a 32-bit handle, 0 is null."""

from wasmote.isa.features import Feature
from wasmote.isa.instruction import Definitions, Immediate

_reference = Definitions("reference", Feature.REFERENCE_TYPES)
_typed = Definitions("reference", Feature.FUNCTION_REFERENCES)

_reference.add(0xD0, "ref.null", immediates=(Immediate.REF_TYPE,))
_reference.add(0xD1, "ref.is_null")
_reference.add(0xD2, "ref.func", immediates=(Immediate.FUNCTION,))
_typed.add(0xD4, "ref.as_non_null")
_typed.add(0xD5, "br_on_null", immediates=(Immediate.LABEL,), family="control")
_typed.add(0xD6, "br_on_non_null", immediates=(Immediate.LABEL,), family="control")
_typed.add(0x14, "call_ref", immediates=(Immediate.TYPE_INDEX,), family="control")
_typed.add(0x15, "return_call_ref", immediates=(Immediate.TYPE_INDEX,), family="control")

INSTRUCTIONS = _reference.instructions + _typed.instructions

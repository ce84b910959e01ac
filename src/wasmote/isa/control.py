"""Control and parametric instructions; every engine gives them their meaning."""

from wasmote.isa.features import Feature
from wasmote.isa.instruction import Definitions, Immediate

_control = Definitions("control")
_tail = Definitions("control", Feature.TAIL_CALLS)
_parametric = Definitions("parametric")

_control.add(0x00, "unreachable")
_control.add(0x01, "nop", (), ())
_control.add(0x02, "block", immediates=(Immediate.BLOCK_TYPE,))
_control.add(0x03, "loop", immediates=(Immediate.BLOCK_TYPE,))
_control.add(0x04, "if", immediates=(Immediate.BLOCK_TYPE,))
_control.add(0x05, "else")
_control.add(0x0B, "end")
_control.add(0x0C, "br", immediates=(Immediate.LABEL,))
_control.add(0x0D, "br_if", immediates=(Immediate.LABEL,))
_control.add(0x0E, "br_table", immediates=(Immediate.LABEL_TABLE,))
_control.add(0x0F, "return")
_control.add(0x10, "call", immediates=(Immediate.FUNCTION,))
_control.add(0x11, "call_indirect", immediates=(Immediate.TYPE, Immediate.TABLE))
_tail.add(0x12, "return_call", immediates=(Immediate.FUNCTION,))
_tail.add(0x13, "return_call_indirect", immediates=(Immediate.TYPE, Immediate.TABLE))

_parametric.add(0x1A, "drop")
_parametric.add(0x1B, "select")
# The typed form has the same name in the text format.
_parametric.add(
    0x1C,
    "select t",
    immediates=(Immediate.VALUE_TYPES,),
    feature=Feature.REFERENCE_TYPES,
)

INSTRUCTIONS = _control.instructions + _tail.instructions + _parametric.instructions

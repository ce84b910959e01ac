"""Instructions that read and write locals and globals."""

from wasmote.isa.instruction import Definitions, Immediate

_variable = Definitions("variable")

_variable.add(0x20, "local.get", immediates=(Immediate.LOCAL,))
_variable.add(0x21, "local.set", immediates=(Immediate.LOCAL,))
_variable.add(0x22, "local.tee", immediates=(Immediate.LOCAL,))
_variable.add(0x23, "global.get", immediates=(Immediate.GLOBAL,))
_variable.add(0x24, "global.set", immediates=(Immediate.GLOBAL,))

INSTRUCTIONS = _variable.instructions

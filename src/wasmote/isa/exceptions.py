"""Exception handling, in its standard form and in the legacy one that browsers had first.

Engines give them their meaning. `throw` belongs to both forms.
"""

from wasmote.isa.features import Feature
from wasmote.isa.instruction import Definitions, Immediate

_exceptions = Definitions("exception", Feature.EXCEPTIONS)
_legacy = Definitions("exception", Feature.LEGACY_EXCEPTIONS)

_exceptions.add(0x08, "throw", immediates=(Immediate.TAG,))
_exceptions.add(0x0A, "throw_ref")
_exceptions.add(0x1F, "try_table", immediates=(Immediate.BLOCK_TYPE, Immediate.CATCHES))

_legacy.add(0x06, "try", immediates=(Immediate.BLOCK_TYPE,))
_legacy.add(0x07, "catch", immediates=(Immediate.TAG,))
_legacy.add(0x09, "rethrow", immediates=(Immediate.LABEL,))
_legacy.add(0x18, "delegate", immediates=(Immediate.LABEL,))
_legacy.add(0x19, "catch_all")


class CatchKind:
    """First byte of a clause of `try_table` (spec: Binary Format, Control Instructions)."""

    CATCH = 0  # a tag and a label
    CATCH_REF = 1  # a tag and a label
    CATCH_ALL = 2  # a label
    CATCH_ALL_REF = 3  # a label


INSTRUCTIONS = _exceptions.instructions + _legacy.instructions

"""Table instructions.

The types here are those for tables with 32-bit indices; in a 64-bit table indices and sizes are
i64.
"""

from wasmote.core.status import ValueType
from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_MISC, Definitions, Immediate

_I32 = ValueType.I32
_TABLE = (Immediate.TABLE,)
_table = Definitions("table", Feature.REFERENCE_TYPES)
_bulk = Definitions("table", Feature.BULK_MEMORY)

_table.add(0x25, "table.get", immediates=_TABLE)
_table.add(0x26, "table.set", immediates=_TABLE)
_bulk.add(
    PREFIX_MISC | 12,
    "table.init",
    (_I32, _I32, _I32),
    (),
    immediates=(Immediate.ELEMENT, Immediate.TABLE),
)
_bulk.add(PREFIX_MISC | 13, "elem.drop", (), (), immediates=(Immediate.ELEMENT,))
_bulk.add(
    PREFIX_MISC | 14,
    "table.copy",
    (_I32, _I32, _I32),
    (),
    immediates=(Immediate.TABLE, Immediate.TABLE),
)
_table.add(PREFIX_MISC | 15, "table.grow", immediates=_TABLE)
_table.add(PREFIX_MISC | 16, "table.size", (), (_I32,), immediates=_TABLE)
_table.add(PREFIX_MISC | 17, "table.fill", immediates=_TABLE)

INSTRUCTIONS = _table.instructions + _bulk.instructions

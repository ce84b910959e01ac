"""Instructions on structures, arrays, i31 and casts. Engines give them their meaning."""

from wasmote.isa.features import Feature
from wasmote.isa.instruction import PREFIX_GC, Definitions, Immediate

_gc = Definitions("gc", Feature.GC)

_TYPE = (Immediate.TYPE_INDEX,)
_FIELD = (Immediate.TYPE_INDEX, Immediate.FIELD)
_HEAP = (Immediate.REF_TYPE,)
_CAST = (Immediate.CAST, Immediate.LABEL, Immediate.REF_TYPE, Immediate.REF_TYPE)

_gc.add(0xD3, "ref.eq")

for _code, (_name, _immediates) in enumerate(
    (
        ("struct.new", _TYPE),
        ("struct.new_default", _TYPE),
        ("struct.get", _FIELD),
        ("struct.get_s", _FIELD),
        ("struct.get_u", _FIELD),
        ("struct.set", _FIELD),
        ("array.new", _TYPE),
        ("array.new_default", _TYPE),
        ("array.new_fixed", (Immediate.TYPE_INDEX, Immediate.COUNT)),
        ("array.new_data", (Immediate.TYPE_INDEX, Immediate.DATA)),
        ("array.new_elem", (Immediate.TYPE_INDEX, Immediate.ELEMENT)),
        ("array.get", _TYPE),
        ("array.get_s", _TYPE),
        ("array.get_u", _TYPE),
        ("array.set", _TYPE),
        ("array.len", ()),
        ("array.fill", _TYPE),
        ("array.copy", (Immediate.TYPE_INDEX, Immediate.TYPE_INDEX)),
        ("array.init_data", (Immediate.TYPE_INDEX, Immediate.DATA)),
        ("array.init_elem", (Immediate.TYPE_INDEX, Immediate.ELEMENT)),
        ("ref.test", _HEAP),
        ("ref.test null", _HEAP),
        ("ref.cast", _HEAP),
        ("ref.cast null", _HEAP),
        ("br_on_cast", _CAST),
        ("br_on_cast_fail", _CAST),
        ("any.convert_extern", ()),
        ("extern.convert_any", ()),
        ("ref.i31", ()),
        ("i31.get_s", ()),
        ("i31.get_u", ()),
    )
):
    _gc.add(PREFIX_GC | _code, _name, immediates=_immediates)

INSTRUCTIONS = _gc.instructions

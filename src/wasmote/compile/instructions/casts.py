"""i31 and what depends on the type of an object: tests, casts and branches on them."""

from wasmote.compile.function import Function
from wasmote.compile.instructions.control import branch_if
from wasmote.compile.instructions.registry import handles
from wasmote.compile.runtime import INVARIANT
from wasmote.compile.types import REFERENCE
from wasmote.core.gc.heap import HOST_TAG, I31_TAG
from wasmote.core.status import TrapCode, ValueType
from wasmote.core.value_types import Form

# -- i31 ---------------------------------------------------------------------------------------


@handles(0xFB001C)
def ref_i31(f: Function) -> None:
    shifted = f.value(f"shl i32 {f.pop()}, 1")
    value = f.value(f"or disjoint i32 {shifted}, {I31_TAG}")
    f.roots.harmless.add(value)
    f.push(REFERENCE, value)


def i31_get(f: Function, shift: str) -> None:
    handle = f.pop()
    f.check(f.value(f"icmp eq i32 {handle}, 0"), TrapCode.NULL_I31_REFERENCE)
    f.push("i32", f.value(f"{shift} i32 {handle}, 1"))


@handles(0xFB001D)
def i31_get_s(f: Function) -> None:
    i31_get(f, "ashr")


@handles(0xFB001E)
def i31_get_u(f: Function) -> None:
    i31_get(f, "lshr")


@handles(0xFB001A, 0xFB001B)
def convert(f: Function) -> None:
    """any.convert_extern, extern.convert_any: handles are alike in both hierarchies."""


# -- tests -------------------------------------------------------------------------------------

_FORMS = {ValueType.STRUCTREF: Form.STRUCTURE, ValueType.ARRAYREF: Form.ARRAY}
#: The top and the bottom of each hierarchy: what all, and what no references match but null.
_ALL = {ValueType.ANYREF, ValueType.EXTERNREF, ValueType.FUNCREF, ValueType.EXNREF}
_NONE = {
    *(ValueType.NULLREF, ValueType.NULLEXTERNREF),
    *(ValueType.NULLFUNCREF, ValueType.NULLEXNREF),
}


def matches(f: Function, handle: str, heap_type: int, nullable: bool) -> str:
    """Whether a reference is of a type, as an i1."""
    null = f.value(f"icmp eq i32 {handle}, 0")
    if heap_type < 0 and heap_type & 0x7F in _NONE:
        return null if nullable else "false"
    if heap_type < 0 and heap_type & 0x7F in _ALL:
        return "true" if nullable else f.value(f"xor i1 {null}, true")
    label, before = f.new_label(), f.last_block
    f.emit(f"br i1 {null}, label %{label}, label %{label}.some")
    f.block(f"{label}.some")
    does = _abstract(f, handle, heap_type & 0x7F) if heap_type < 0 else _typed(f, handle, heap_type)
    f.emit(f"br label %{label}")
    f.block(label)
    of_null = str(nullable).lower()
    return f.value(f"phi i1 [ {of_null}, %{before} ], [ {does}, %{label}.some ]")


def _abstract(f: Function, handle: str, kind: int) -> str:
    """Whether a reference that is not null is to one of an abstract heap type's."""
    if kind in _FORMS:
        return _call(f, "has_form", f"i32 {handle}, i32 {int(_FORMS[ValueType(kind)])}")
    if kind == ValueType.I31REF:
        return f.value(f"trunc i32 {handle} to i1")
    bits = f.value(f"and i32 {handle}, {I31_TAG | HOST_TAG}")
    return f.value(f"icmp ne i32 {bits}, {HOST_TAG}")  # eq: all but objects of the host


def _typed(f: Function, handle: str, index: int) -> str:
    defined = f.source.defined[index]
    offsets = f.unit.offsets
    at = f.value(f"getelementptr i8, ptr %ctx, i64 {offsets.types + offsets.pointer * index}")
    id = f.value(f"load i32, ptr {at}, {INVARIANT}")
    if defined.form == Form.FUNCTION:
        return _call(f, "is_function", f"i32 {handle}, i32 {id}")
    if defined.final:
        return _call(f, "is_exactly", f"i32 {handle}, i32 {id}")
    return _call(f, "is_below", f"i32 {handle}, i32 {id}, i32 {defined.depth}")


def _call(f: Function, name: str, arguments: str) -> str:
    f.needs.add(f"rt.{name}")
    return f.value(f"call i1 @rt.{name}(ptr %exec, ptr %ctx, {arguments})")


def ref_test(f: Function, nullable: bool) -> None:
    condition = matches(f, f.pop(), f.signed(), nullable)
    value = f.value(f"zext i1 {condition} to i32")
    f.conditions[value] = condition
    f.push("i32", value)


def ref_cast(f: Function, nullable: bool) -> None:
    """The reference stays where it is."""
    condition = matches(f, f.values[-1], f.signed(), nullable)
    f.check(f.value(f"xor i1 {condition}, true"), TrapCode.CAST_FAILURE)


handles(0xFB0014)(lambda f: ref_test(f, False))
handles(0xFB0015)(lambda f: ref_test(f, True))
handles(0xFB0016)(lambda f: ref_cast(f, False))
handles(0xFB0017)(lambda f: ref_cast(f, True))


def branch_on_cast(f: Function, wanted: bool) -> None:
    """The reference is the last of the branch's values, and stays for the code after it."""
    flags = f.raw(1)[0]
    depth = f.unsigned()
    f.signed()
    condition = matches(f, f.values[-1], f.signed(), bool(flags & 2))
    branch_if(f, condition if wanted else f.value(f"xor i1 {condition}, true"), depth)


handles(0xFB0018)(lambda f: branch_on_cast(f, True))
handles(0xFB0019)(lambda f: branch_on_cast(f, False))

"""Exceptions. A call that may throw is followed by a look at `Exec.exception` in modules that catch
some; in others an exception leaves the code as a trap does.

Blocks that catch have a handler, where control goes from all places within that may throw. It is
written where the block ends, or, in the legacy form, where its clauses are.
"""

from wasmote.compile.cells import CELLS
from wasmote.compile.function import Frame, Function
from wasmote.compile.instructions.control import ENDS, end, end_label, leave_block
from wasmote.compile.instructions.registry import handles
from wasmote.compile.roots import UNKNOWN
from wasmote.compile.runtime import RUNTIME
from wasmote.compile.types import REFERENCE
from wasmote.core.structs import EXCEPTION, Exec
from wasmote.isa.exceptions import CatchKind

# -- throwing ----------------------------------------------------------------------------------


@handles(0x08)
def throw(f: Function) -> None:
    at = f.pos - 1
    tag = f.unsigned()
    kinds = f.source.tags[tag].params
    values = f.values[len(f.values) - len(kinds) :]
    place = 0
    for kind, value in zip(kinds, values, strict=True):
        to = f.value(f"getelementptr i8, ptr %payload, i64 {place}")
        f.store_cells(kind, value, to, f"align 4, {RUNTIME}")
        place += CELLS[kind]
    f.payload = max(f.payload, place)
    f.calls = True
    f.needs.add("rt.throw")
    cells = "%payload" if place else "null"
    with f.roots.aside():
        f.emit(f"call void @rt.throw(ptr %exec, ptr %ctx, i32 {tag}, ptr {cells})")
    f.pop_many(len(kinds))
    thrown(f, at)


@handles(0x0A)
def throw_ref(f: Function) -> None:
    throw_again(f, f.pop(), f.pos - 1)


@handles(0x09)
def rethrow(f: Function) -> None:
    at = f.pos - 1
    frame = f.frames[-1 - f.unsigned()]
    throw_again(f, f.values[frame.height], at)


def throw_again(f: Function, exception: str, at: int) -> None:
    f.needs.add("rt.throw_ref")
    f.emit(f"call void @rt.throw_ref(ptr %exec, ptr %ctx, i32 {exception})")
    thrown(f, at)


def thrown(f: Function, at: int) -> None:
    """An exception is under way here: on to what handles it."""
    if f.unit.plan.catches:
        f.emit(f"br label %{f.handler(str(at))}")
    else:
        f.emit(f"call void @wasmote.trap(ptr %exec, ptr %ctx, i32 {EXCEPTION}) #1")
        f.emit("unreachable")
    f.dead = True


# -- blocks that catch -------------------------------------------------------------------------


@handles(0x1F)
def try_table(f: Function) -> None:
    params, results = f.block_type()
    frame = Frame("try_table", f.new_label(), len(f.values) - len(params), params, results)
    frame.guards = True
    frame.clauses = f.catches()
    f.frames.append(frame)


def end_try_table(f: Function, frame: Frame) -> None:
    """`end`: the handler follows the block, and its clauses jump to labels outside."""
    if not frame.thrown:
        frame.kind = "block"
        end(f)
        return
    leave_block(f)
    f.frames.pop()
    offset, exception = begin_handler(f, frame)
    fields = ""
    for kind, tag, depth in frame.clauses:
        if kind < CatchKind.CATCH_ALL:
            fields = fields or fields_of(f, exception)
            following = f.new_label()
            if_tag(f, fields, tag, following)
            push_payload(f, fields, tag)
        if kind in (CatchKind.CATCH_REF, CatchKind.CATCH_ALL_REF):
            f.push(REFERENCE, exception)
        caught(f)
        f.emit(f"br label %{f.jump(depth)}")
        del f.values[frame.height :], f.kinds[frame.height :]
        if kind >= CatchKind.CATCH_ALL:
            break
        f.block(following)
    else:
        f.emit(f"br label %{f.handler(offset)}")
    end_label(f, frame)


def begin_handler(f: Function, frame: Frame) -> tuple[str, str]:
    """The block where all go that throw within a frame: the offset of what did, the exception."""
    del f.values[frame.height :], f.kinds[frame.height :]
    f.known, f.roots.state = {}, UNKNOWN
    f.block(frame.handler)
    offset = f.phi_of_offsets(frame.thrown)
    at = f.value(f"getelementptr i8, ptr %exec, i64 {f.unit.offsets.field(Exec, 'exception')}")
    return offset, f.value(f"load i32, ptr {at}, {RUNTIME}")


def fields_of(f: Function, exception: str) -> str:
    f.needs.add("rt.fields")
    return f.value(f"call ptr @rt.fields(ptr %exec, ptr %ctx, i32 {exception})")


def if_tag(f: Function, fields: str, tag: int, otherwise: str) -> None:
    """Go on if the exception has this tag."""
    found = f.value(f"load i32, ptr {fields}, {RUNTIME}")
    wanted = f.unit.tag(f, tag)
    same, label = f.value(f"icmp eq i32 {found}, {wanted}"), f.new_label()
    f.emit(f"br i1 {same}, label %{label}, label %{otherwise}")
    f.block(label)


def push_payload(f: Function, fields: str, tag: int) -> None:
    signature, place = f.source.tags[tag], 4
    for kind in signature.params:
        at = f.value(f"getelementptr i8, ptr {fields}, i64 {place}")
        f.push(kind, f.load_cells(kind, at, f"align 4, {RUNTIME}"))
        place += CELLS[kind]


def caught(f: Function) -> None:
    f.needs.add("rt.caught")
    f.emit("call void @rt.caught(ptr %exec, ptr %ctx)")


# -- the legacy form ---------------------------------------------------------------------------


@handles(0x06)
def try_(f: Function) -> None:
    params, results = f.block_type()
    frame = Frame("try", f.new_label(), len(f.values) - len(params), params, results)
    frame.guards = True
    f.frames.append(frame)


@handles(0x07)
def catch(f: Function) -> None:
    frame, tag = next_clause(f), f.unsigned()
    if not f.dead:
        fields = fields_of(f, frame.exception)
        frame.otherwise = f.new_label()
        if_tag(f, fields, tag, frame.otherwise)
        begin_clause(f, frame)
        push_payload(f, fields, tag)


@handles(0x19)
def catch_all(f: Function) -> None:
    frame = next_clause(f)
    if not f.dead:
        begin_clause(f, frame)
        frame.otherwise = ""


def next_clause(f: Function) -> Frame:
    """The code before a clause goes to the end of the block; the clause is dead if nothing comes to
    it.
    """
    frame = f.frames[-1]
    leave_block(f)
    f.dead = False
    if frame.guards and frame.thrown:
        frame.offset, frame.exception = begin_handler(f, frame)
    elif frame.otherwise:
        del f.values[frame.height :], f.kinds[frame.height :]
        f.known, f.roots.state = {}, UNKNOWN
        f.block(frame.otherwise)
    else:
        f.dead = True
    frame.guards = False
    return frame


def begin_clause(f: Function, frame: Frame) -> None:
    """While a clause is open, the exception is an operand below its own."""
    f.push(REFERENCE, frame.exception)
    caught(f)


def end_try(f: Function, frame: Frame) -> None:
    """`end` of a legacy block: what no clause catches goes on outwards."""
    if frame.guards and not frame.thrown:
        frame.kind = "block"
        end(f)
        return
    leave_block(f)
    f.frames.pop()
    if frame.guards:
        frame.offset, _ = begin_handler(f, frame)
        f.emit(f"br label %{f.handler(frame.offset)}")
    elif frame.otherwise:
        f.block(frame.otherwise)
        f.emit(f"br label %{f.handler(frame.offset)}")
    end_label(f, frame)


@handles(0x18)
def delegate(f: Function) -> None:
    """The end of a block that leaves what is thrown in it to another one around it."""
    frame, depth = f.frames[-1], f.unsigned()
    leave_block(f)
    f.frames.pop()
    if frame.thrown:
        offset, _ = begin_handler(f, frame)
        f.emit(f"br label %{f.handler(offset, depth)}")
    end_label(f, frame)


ENDS["try_table"] = end_try_table
ENDS["try"] = end_try

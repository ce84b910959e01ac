"""Blocks, branches and calls."""

from collections.abc import Callable

from wasmote.compile.function import Frame, Function
from wasmote.compile.instructions.products import note_product
from wasmote.compile.instructions.registry import handles
from wasmote.compile.roots import UNKNOWN
from wasmote.compile.runtime import RUNTIME
from wasmote.compile.table_calls import dispatcher, static_look_up
from wasmote.core.status import TrapCode

#: How blocks end that are not written here, by their kind.
ENDS: dict[str, Callable[[Function, Frame], None]] = {}

# -- control -----------------------------------------------------------------------------------


@handles(0x00)
def unreachable(f: Function) -> None:
    f.trap(TrapCode.UNREACHABLE)


@handles(0x01)
def nop(f: Function) -> None:
    pass


@handles(0x02)
def block(f: Function) -> None:
    params, results = f.block_type()
    height = len(f.values) - len(params)
    f.frames.append(Frame("block", f.new_label(), height, params, results))


@handles(0x03)
def loop(f: Function) -> None:
    start = f.pos - 1
    params, results = f.block_type()
    frame = Frame("loop", f.new_label(), len(f.values) - len(params), params, results)
    f.frames.append(frame)
    f.begin_loop(start, frame)
    f.jump(0)
    f.emit(f"br label %{frame.label}")
    f.block(frame.label)
    frame.phis = len(f.lines)
    f.lines.append("")  # written at the end, when all jumps to the label are known
    for i in range(len(params)):
        f.values[frame.height + i] = f"%{frame.label}.{i}"
    f.known = {}
    f.roots.state = UNKNOWN
    frame.check = len(f.lines)
    if not f.counts:
        return
    f.loops = True
    f.needs.add("rt.poll")
    n = frame.label
    f.lines.append(
        f"  %{n}.f = load i32, ptr %fuel\n  %{n}.g = sub i32 %{n}.f, 1\n"
        f"  store i32 %{n}.g, ptr %fuel\n  %{n}.c = icmp sge i32 %{n}.g, 0\n"
        f"  br i1 %{n}.c, label %{n}.go, label %{n}.poll, !prof !7\n"
    )
    f.block(f"{n}.poll")
    with f.roots.aside():
        f.emit("call void @rt.poll(ptr %exec, ptr %ctx, i32 1000) #2")
    f.emit("store i32 1000, ptr %fuel")
    f.emit(f"br label %{n}.go")
    f.block(f"{n}.go")


@handles(0x04)
def if_(f: Function) -> None:
    hint, condition = f.hint(), f.truth(f.pop())
    params, results = f.block_type()
    frame = Frame("if", f.new_label(), len(f.values) - len(params), params, results)
    frame.start = f.values[frame.height :]
    frame.known = dict(f.known)
    frame.slots = f.roots.state
    f.frames.append(frame)
    n = frame.label
    f.emit(f"br i1 {condition}, label %{n}.then, label %{n}.else{hint}")
    f.block(f"{n}.then")


@handles(0x05)
def else_(f: Function) -> None:
    leave_block(f)
    begin_else(f, f.frames[-1])
    f.frames[-1].kind = "else"


def begin_else(f: Function, frame: Frame) -> None:
    f.dead = False
    f.block(f"{frame.label}.else")
    f.values[frame.height :] = frame.start
    f.kinds[frame.height :] = frame.params
    f.known = frame.known
    f.roots.state = frame.slots


@handles(0x0B)
def end(f: Function) -> None:
    frame = f.frames[-1]
    if frame.kind == "if":
        else_(f)
    if frame.kind in ENDS:
        ENDS[frame.kind](f, frame)
        return
    if frame.kind == "loop":
        write_phis(f, frame)
        f.frames.pop()
        if not f.dead:
            keep_results(f, frame)
        return
    if not f.dead and frame.kind == "block" and not frame.edges:
        f.frames.pop()
        keep_results(f, frame)
        return
    leave_block(f)
    f.frames.pop()
    end_label(f, frame)


def leave_block(f: Function) -> None:
    """The code of the innermost block goes on behind it."""
    if not f.dead:
        f.jump(0)
        f.emit(f"br label %{f.frames[-1].label}")


def end_label(f: Function, frame: Frame) -> None:
    """Behind a block: the values that jumps to its label bring."""
    f.dead = not frame.edges
    if not f.dead:
        f.block(frame.label)
        f.merge(frame)
        if frame.kind == "function":
            f.return_values()


def keep_results(f: Function, frame: Frame) -> None:
    """The block ends where no jump goes to: its results stay where they are."""
    count = len(frame.results)
    if len(f.values) > frame.height + count:
        f.values[frame.height :] = f.values[len(f.values) - count :]
        f.kinds[frame.height :] = frame.results


def write_phis(f: Function, frame: Frame) -> None:
    f.lines[frame.phis] = "".join(
        f"  %{frame.label}.{i} = {f.phi(kind, frame.edges, i)}\n"
        for i, kind in enumerate(frame.params)
    )


@handles(0x0C)
def br(f: Function) -> None:
    f.emit(f"br label %{f.jump(f.unsigned())}")
    f.dead = True


@handles(0x0D)
def br_if(f: Function) -> None:
    hint, condition = f.hint(), f.truth(f.pop())
    branch_if(f, condition, f.unsigned(), hint)


def branch_if(f: Function, condition: str, depth: int, hint: str = "") -> None:
    target, following = f.jump(depth), f.new_label()
    f.emit(f"br i1 {condition}, label %{target}, label %{following}{hint}")
    f.block(following)


@handles(0x0E)
def br_table(f: Function) -> None:
    index = f.pop()
    targets = [f.jump(f.unsigned()) for _ in range(f.unsigned() + 1)]
    cases = " ".join(f"i32 {i}, label %{label}" for i, label in enumerate(targets[:-1]))
    f.emit(f"switch i32 {index}, label %{targets[-1]} [ {cases} ]")
    f.dead = True


@handles(0x0F)
def return_(f: Function) -> None:
    f.emit(f"br label %{f.jump(len(f.frames) - 1)}")
    f.dead = True


# -- calls -------------------------------------------------------------------------------------


@handles(0x10)
def call(f: Function) -> None:
    at, index = f.pos - 1, f.unsigned()
    f.note_call(index)
    thrown = at if index in f.unit.plan.throwing else None
    type, where = f.source.functions[index], f.expansion(index)
    if index in f.unit.plan.products:
        arguments = f.values[-5:]
        f.unit.call(f, f.unit.symbol(index), type, thrown, where=where)
        note_product(f, arguments)
        return
    f.unit.call(f, f.unit.symbol(index), type, thrown, where=where)
    f.stored.clear()


@handles(0x12)
def return_call(f: Function) -> None:
    index = f.unsigned()
    f.note_call(index)
    type, where = f.source.functions[index], f.expansion(index)
    f.unit.call(f, f.unit.symbol(index), type, tail=True, where=where)


@handles(0x11)
def call_indirect(f: Function) -> None:
    at, start = f.pos - 1, f.pos
    type, table = f.unsigned(), f.unsigned()
    few = dispatcher(f.unit, type, table)
    if few and f.kinds[-1] == "i32":
        f.unit.call(f, few, type, at, index=f.pop())
        return
    f.pos = start
    type, callee = looked_up(f)
    f.unit.call(f, callee, type, at)


@handles(0x13)
def return_call_indirect(f: Function) -> None:
    type, callee = looked_up(f)
    f.unit.call(f, callee, type, tail=True)


def looked_up(f: Function) -> tuple[int, str]:
    """The type and the code of a function in a table."""
    type, table = f.unsigned(), f.unsigned()
    elements = f.unit.static_table(table)
    if elements is not None and f.kinds[-1] == "i32":
        return type, looked_up_statically(f, type, table, len(elements))
    index = f.pop_wide()
    f.needs.add("rt.element")
    at = f.value(
        f"call ptr @rt.element(ptr %exec, ptr %ctx, ptr {f.unit.table(f, table)}, i64 {index})"
    )
    handle = f.value(f"load i32, ptr {at}, {RUNTIME}")
    return type, f.unit.callee(f, handle, type, TrapCode.UNINITIALIZED_ELEMENT)


def looked_up_statically(f: Function, type: int, table: int, size: int) -> str:
    """The code of a function in a table that never changes."""
    n, index = f.new_label(), f.pop()
    f.needs.add("rt.find")
    f.lines.append(static_look_up(f.unit, n, index, type, table, size))
    f.block(n)
    return f.value(f"phi ptr [ %{n}.code, %{n}.fast ], [ %{n}.found, %{n}.slow ]")


@handles(0x14)
def call_ref(f: Function) -> None:
    at, type = f.pos - 1, f.unsigned()
    callee = f.unit.callee(f, f.pop(), type, TrapCode.NULL_FUNCTION_REFERENCE, "rt.referred")
    f.unit.call(f, callee, type, at)


@handles(0x15)
def return_call_ref(f: Function) -> None:
    type = f.unsigned()
    callee = f.unit.callee(f, f.pop(), type, TrapCode.NULL_FUNCTION_REFERENCE, "rt.referred")
    f.unit.call(f, callee, type, tail=True)

"""How compiled code is called, and calls out: conversions between native values and cells."""

from wasmote.compile.cells import CELLS, load_cells, store_cells
from wasmote.compile.runtime import INVARIANT, RUNTIME
from wasmote.compile.source import Signature
from wasmote.compile.spilled import load_text, room_text, store_text
from wasmote.compile.unit import Unit
from wasmote.core.status import TrapCode
from wasmote.core.structs import EXCEPTION, Exec


def _offsets(kinds: tuple[str, ...]) -> list[tuple[str, int]]:
    """Where values lie in cells, in bytes."""
    found, position = [], 0
    for kind in kinds:
        found.append((kind, position))
        position += CELLS[kind]
    return found


def _loads(unit: Unit, kinds: tuple[str, ...], base: str, name: str) -> str:
    return "".join(
        f"  %{name}{i}.at = getelementptr i8, ptr {base}, i64 {at}\n"
        + load_cells(unit.target, f"%{name}{i}", kind, f"%{name}{i}.at", f"align 4, {RUNTIME}")
        for i, (kind, at) in enumerate(_offsets(kinds))
    )


def _stores(unit: Unit, kinds: tuple[str, ...], base: str, name: str) -> str:
    return "".join(
        f"  %{name}{i}.to = getelementptr i8, ptr {base}, i64 {at}\n"
        + store_cells(
            unit.target, f"%{name}{i}.to", kind, f"%{name}{i}", f"%{name}{i}.to",
            f"align 4, {RUNTIME}",
        )
        for i, (kind, at) in enumerate(_offsets(kinds))
    )  # fmt: skip


def entry_text(unit: Unit, signature: Signature) -> str:
    """`entry.<signature>`: call a compiled function with its arguments and results in cells."""
    params, results = signature.params, signature.results
    given = [*unit.given]
    room = ""
    if len(results) > 1:
        given.append("ptr %rest")
        room = f"  %rest = alloca i8, i32 {16 * (len(results) - 1)}, align 16\n"
    spilled = unit.spilled(signature)
    given += [f"{kind} %p{i}" for i, kind in enumerate(params) if i not in spilled]
    call = f"call {unit.plan.convention}{signature.result} %function({', '.join(given)})"
    call = f"  %r0 = {call}\n" if results else f"  {call}\n"
    if spilled:
        arguments = [f"%p{i}" for i in range(len(params))]
        call = (
            f"{room_text(unit.offsets, spilled, '%spilled')}"
            f"  br i1 %spilled.full, label %overflow, label %fits, !prof !11\n{_overflow()}fits:\n"
            f"{store_text(signature, spilled, arguments, '%spilled')}{call}"
        )
    rest = "".join(
        f"  %r{i}.at = getelementptr i8, ptr %rest, i64 {16 * i - 16}\n"
        f"  %r{i} = load {results[i]}, ptr %r{i}.at, !tbaa !9\n"
        for i in range(1, len(results))
    )
    return (
        f"define hidden i32 @entry.{signature.key}"
        "(ptr %exec, ptr %ctx, ptr %function, ptr %cells) #0 {\n"
        f"{room}{_loads(unit, params, '%cells', 'p')}{call}{_look(unit)}{rest}"
        f"{_stores(unit, results, '%cells', 'r')}  ret i32 0\n}}\n"
    )


def _overflow() -> str:
    code = int(TrapCode.STACK_OVERFLOW)
    return (
        f"overflow:\n  call void @wasmote.trap(ptr %exec, ptr %ctx, i32 {code}) #1\n  unreachable\n"
    )


def _look(unit: Unit) -> str:
    """Where a function has returned to who entered it: an exception may have come out."""
    if not unit.plan.catches:
        return ""
    return (
        f"  %thrown.at = getelementptr i8, ptr %exec, i64 {unit.offsets.field(Exec, 'exception')}\n"
        f"  %thrown = load i32, ptr %thrown.at, {RUNTIME}\n  %none = icmp eq i32 %thrown, 0\n"
        "  br i1 %none, label %returned, label %thrower, !prof !7\n"
        f"thrower:\n  ret i32 {EXCEPTION}\nreturned:\n"
    )


def import_text(unit: Unit, index: int) -> str:
    """`import.<index>`: call an imported function."""
    signature = unit.source.types[unit.source.functions[index]]
    slot = unit.offsets.imported + unit.offsets.pointer * index
    names = [p.rpartition(" ") for p in unit.parameters(signature).split(", ")]
    given = ", ".join(f"{kind} {name}" for kind, _, name in names)
    text = f"{unit.plan.convention}{signature.result} @outside.{signature.key}({given})"
    how = "musttail" if unit.machine.tail_calls else "tail"
    call = f"  %r = {how} call {text}\n  ret {signature.result} %r\n"
    if not signature.results:
        call = f"  {how} call {text}\n  ret void\n"
    return (
        f"define {unit.plan.linkage}{unit.plan.convention}{signature.result} @import.{index}"
        f"({unit.parameters(signature)}) #0 {{\n"
        f"  %at = getelementptr i8, ptr %ctx, i64 {slot}\n"
        f"  %target = load ptr, ptr %at, {INVARIANT}\n"
        f"  %to = getelementptr i8, ptr %exec, i64 {unit.offsets.field(Exec, 'successor')}\n"
        f"  store ptr %target, ptr %to, {RUNTIME}\n{call}}}\n"
    )


def _unwinding(unit: Unit, signature: Signature) -> str:
    """An exception that came from outside goes on in the caller."""
    if not unit.plan.catches:
        return ""
    result = f"{signature.result} zeroinitializer" if signature.results else "void"
    return (
        f"unwind:\n  %thrown = icmp eq i32 %code, {EXCEPTION - (1 << 32)}\n"
        f"  br i1 %thrown, label %thrower, label %trap\nthrower:\n  ret {result}\n"
    )


def outside_text(unit: Unit, signature: Signature) -> str:
    """`outside.<signature>`: call `Exec.successor` with arguments and results in cells."""
    o, params, results = unit.offsets, signature.params, signature.results
    room = max(sum(CELLS[k] for k in params), sum(CELLS[k] for k in results))

    def exec_field(name: str) -> str:
        return (
            f"  %{name}.at = getelementptr i8, ptr %exec, i64 {o.field(Exec, name)}\n"
            f"  %{name} = load ptr, ptr %{name}.at, {RUNTIME}\n"
        )

    rest = "".join(
        f"  %r{i}.rest = getelementptr i8, ptr %rest, i64 {16 * i - 16}\n"
        f"  store {results[i]} %r{i}, ptr %r{i}.rest, !tbaa !9\n"
        for i in range(1, len(results))
    )
    done = f"  ret {results[0]} %r0\n" if results else "  ret void\n"
    return (
        f"define {unit.plan.linkage}{unit.plan.convention}{signature.result}"
        f" @outside.{signature.key}"
        f"({unit.parameters(signature)}) noinline #0 {{\n"
        f"{load_text(o, signature, unit.spilled(signature))}"
        f"{exec_field('successor')}{exec_field('top')}{exec_field('stack_end')}"
        f"  %last = getelementptr i8, ptr %top, i64 {room}\n"
        "  %full = icmp ugt ptr %last, %stack_end\n"
        "  br i1 %full, label %overflow, label %fits, !prof !11\n"
        f"{_overflow()}fits:\n{_stores(unit, params, '%top', 'p')}"
        f"  %helper.at = getelementptr i8, ptr %ctx, i64 {o.helper('call')}\n"
        f"  %helper = load ptr, ptr %helper.at, {INVARIANT}\n"
        "  %frame = call ptr @llvm.frameaddress.p0(i32 0)\n"
        "  %code = call i32 %helper(ptr %exec, ptr %ctx, ptr %successor, ptr %top, ptr %frame)\n"
        "  %failed = icmp ne i32 %code, 0\n"
        f"  br i1 %failed, label %{'unwind' if unit.plan.catches else 'trap'}, label %fine,"
        " !prof !11\n"
        f"{_unwinding(unit, signature)}trap:\n"
        "  call void @wasmote.raise(ptr %exec, i32 %code) #1\n  unreachable\n"
        f"fine:\n{_loads(unit, results, '%top', 'r')}{rest}{done}}}\n"
    )

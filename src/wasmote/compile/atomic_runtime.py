"""Runtime functions of compiled code for atomic instructions: addresses, waiting and waking."""

from typing import TYPE_CHECKING

from wasmote.core.status import TrapCode

if TYPE_CHECKING:
    from wasmote.compile.runtime import Runtime


def add_atomics(runtime: "Runtime") -> None:
    """Addresses are checked explicitly in every memory: beside an atomic access that costs nothing,
    and LLVM may leave out one that changes nothing and whose result nobody needs.
    """
    for bits in (32, 64):
        runtime.define(
            f"rt.atomic{bits}", "ptr",
            f", ptr %memory, ptr %base, i{bits} %a, i64 %offset, i64 %access", "alwaysinline",
            "  %wide = zext i32 %a to i64\n" if bits == 32 else "  %wide = or i64 %a, 0\n",
            "  %start = add i64 %wide, %offset\n  %mask = sub i64 %access, 1\n"
            "  %rest = and i64 %start, %mask\n  %ok = icmp eq i64 %rest, 0\n",
            runtime.unless("%ok", TrapCode.UNALIGNED_ATOMIC),
            f"  %p = call ptr @rt.address{bits}(ptr %exec, ptr %ctx, ptr %memory, ptr %base,"
            f" i{bits} %a, i64 %offset, i64 %access)\n  ret ptr %p\n",
        )  # fmt: skip
    runtime.define(
        "rt.notify", "i32", ", ptr %memory, i64 %address, i32 %count", "noinline",
        runtime.helper("notify"),
        "  %woken = call i32 %helper(ptr %memory, i64 %address, i32 %count)\n  ret i32 %woken\n",
    )  # fmt: skip
    runtime.define(
        "rt.wait", "i32",
        ", ptr %memory, i64 %address, i64 %expected, i32 %bits, i64 %timeout", "noinline",
        runtime.helper("wait"),
        "  %frame = call ptr @llvm.frameaddress.p0(i32 0)\n"
        "  %both = call i64 %helper(ptr %exec, ptr %ctx, ptr %memory, i64 %address, i64 %expected,"
        " i32 %bits, i64 %timeout, ptr %frame)\n"
        "  %result = trunc i64 %both to i32\n  %upper = lshr i64 %both, 32\n"
        "  %code = trunc i64 %upper to i32\n  %ok = icmp eq i32 %code, 0\n"
        "  br i1 %ok, label %fine, label %trap, !prof !7\n"
        f"trap:\n{runtime.trap('%code')}fine:\n  ret i32 %result\n",
    )  # fmt: skip

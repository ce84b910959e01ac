"""Runtime functions of compiled code for exceptions."""

from typing import TYPE_CHECKING

from wasmote.aot.structs import Context
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec

if TYPE_CHECKING:
    from wasmote.compile.runtime import Runtime


def add_exceptions(runtime: "Runtime") -> None:
    """rt.throw and rt.throw_ref set an exception on its way; rt.fields are where its tag's handle
    and its values are; rt.caught ends its way; rt.unwound notes a function that it leaves.
    """
    exec_field = runtime.o.field
    runtime.define(
        "rt.throw", "void", ", i32 %tag, ptr %cells", "noinline",
        runtime.helper("throw"),
        "  %frame = call ptr @llvm.frameaddress.p0(i32 0)\n"
        "  %code = call i32 %helper(ptr %exec, ptr %ctx, i32 %tag, ptr %cells, ptr %frame)\n"
        "  %ok = icmp eq i32 %code, 0\n"
        "  br i1 %ok, label %fine, label %trap, !prof !7\n"
        f"trap:\n{runtime.trap('%code')}fine:\n  ret void\n",
    )  # fmt: skip
    zero = [
        (exec_field(Exec, "trap_pending"), "pending"),
        (exec_field(Exec, "trace_count"), "traced"),
    ]
    runtime.define(
        "rt.throw_ref", "void", ", i32 %exception", "noinline",
        "  %ok = icmp ne i32 %exception, 0\n",
        runtime.unless("%ok", TrapCode.NULL_EXCEPTION_REFERENCE),
        runtime.stored("i32", "%exception", exec_field(Exec, "exception"), "thrown"),
        *(runtime.stored("i32", "0", offset, name) for offset, name in zero),
        "  ret void\n",
    )  # fmt: skip
    runtime.define(
        "rt.fields", "ptr", ", i32 %exception", "noinline",
        runtime.field("ptr", "%ctx", Context, "store", "!invariant.load !8"),
        runtime.helper("exception_fields"),
        "  %fields = call ptr %helper(ptr %store, i32 %exception)\n  ret ptr %fields\n",
    )  # fmt: skip
    runtime.define(
        "rt.caught", "void", "", "alwaysinline",
        runtime.stored("i32", "0", exec_field(Exec, "exception"), "thrown"),
        runtime.stored("i32", "0", exec_field(Exec, "trap_pending"), "pending"),
        "  ret void\n",
    )  # fmt: skip
    runtime.define(
        "rt.unwound", "void", ", i32 %index, i32 %offset", "noinline cold",
        runtime.helper("unwound"),
        "  call void %helper(ptr %exec, ptr %ctx, i32 %index, i32 %offset)\n  ret void\n",
    )  # fmt: skip

"""The functions that every compiled module may need, as LLVM IR: they go into its image.

Traps, entries and the helpers of the core, which are called through the instance's context.
"""

from collections.abc import Iterable

from wasmote.aot.structs import Context
from wasmote.compile.atomic_runtime import add_atomics
from wasmote.compile.exception_runtime import add_exceptions
from wasmote.compile.frame import Offsets
from wasmote.compile.metering import add_metering
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec, FuncInst, Memory, Store, Table
from wasmote.interp.common.bulk import PIECE

# Metadata: what an access touches (type-based alias analysis), and what is constant.
METADATA = """
!0 = !{!"wasmote"}
!1 = !{!2, !2, i64 0}
!2 = !{!"linear memory", !0}
!3 = !{!4, !4, i64 0}
!4 = !{!"global", !0}
!5 = !{!6, !6, i64 0}
!6 = !{!"runtime", !0}
!7 = !{!"branch_weights", i32 2000, i32 1}
!8 = !{}
!9 = !{!10, !10, i64 0}
!10 = !{!"native stack", !0}
!12 = !{!13, !13, i64 0}
!13 = !{!"field", !0}
!14 = !{!15, !15, i64 0}
!15 = !{!"header", !0}
"""
MEMORY, GLOBAL, RUNTIME = "!tbaa !1", "!tbaa !3", "!tbaa !5"
FIELD, HEADER = "!tbaa !12", "!tbaa !14"  # of objects
LIKELY, UNLIKELY, INVARIANT = "!prof !7", "!prof !11", "!invariant.load !8"


class Runtime:
    """Texts of the runtime functions, by name."""

    def __init__(self, offsets: Offsets) -> None:
        self.o = offsets
        self.texts: dict[str, str] = {}
        self._checks()
        self._helpers()
        add_atomics(self)
        add_exceptions(self)
        add_metering(self)
        self._calls()

    def text(self, names: Iterable[str]) -> str:
        """The functions named and those that they call, in a fixed order."""
        wanted, todo = set(), list(names)
        while todo:
            name = todo.pop()
            if name in wanted:
                continue
            wanted.add(name)
            todo += [other for other in self.texts if f"@{other}(" in self.texts[name]]
        return "".join(self.texts[name] for name in self.texts if name in wanted)

    # -- pieces ----------------------------------------------------------------------------------

    def at(self, base: str, offset: int, name: str) -> str:
        return f"  %{name} = getelementptr i8, ptr {base}, i64 {offset}\n"

    def loaded(self, kind: str, base: str, offset: int, name: str, how: str = RUNTIME) -> str:
        """Load a field into `%name`."""
        return self.at(base, offset, f"{name}.at") + (
            f"  %{name} = load {kind}, ptr %{name}.at, {how}\n"
        )

    def field(self, kind: str, base: str, struct: object, field: str, how: str = RUNTIME) -> str:
        return self.loaded(kind, base, self.o.field(struct, field), field, how)  # type: ignore[arg-type]

    def stored(self, kind: str, value: str, offset: int, name: str) -> str:
        """Store a field of `Exec`; `%name.at` is its address."""
        at = self.at("%exec", offset, f"{name}.at")
        return f"{at}  store {kind} {value}, ptr %{name}.at, {RUNTIME}\n"

    def helper(self, name: str) -> str:
        return self.loaded("ptr", "%ctx", self.o.helper(name), "helper", INVARIANT)

    def define(self, name: str, result: str, params: str, attributes: str, *lines: str) -> None:
        head = f"define internal {result} @{name}(ptr %exec, ptr %ctx{params}) {attributes} #0"
        self.texts[name] = f"{head} {{\n{''.join(lines)}}}\n"

    def trap(self, code: TrapCode | str) -> str:
        shown = str(int(code)) if isinstance(code, TrapCode) else code
        return f"  call void @wasmote.trap(ptr %exec, ptr %ctx, i32 {shown}) #1\n  unreachable\n"

    def unless(self, condition: str, code: TrapCode) -> str:
        """Trap unless the condition holds."""
        return (
            f"  br i1 {condition}, label %fine, label %trap, {LIKELY}\n"
            f"trap:\n{self.trap(code)}fine:\n"
        )

    # -- bounds ----------------------------------------------------------------------------------

    def _checks(self) -> None:
        inline = "alwaysinline"
        self.define(
            "rt.address32", "ptr", ", ptr %memory, ptr %base, i32 %a, i64 %offset, i64 %access",
            inline,
            self.field("i64", "%memory", Memory, "size"),
            "  %wide = zext i32 %a to i64\n  %start = add nuw i64 %wide, %offset\n"
            "  %end = add nuw i64 %start, %access\n  %ok = icmp ule i64 %end, %size\n",
            self.unless("%ok", TrapCode.MEMORY_OUT_OF_BOUNDS),
            "  %p = getelementptr i8, ptr %base, i64 %wide\n"
            "  %q = getelementptr i8, ptr %p, i64 %offset\n  ret ptr %q\n",
        )  # fmt: skip
        # What the memory has at least holds offset and access: nothing is added to the address. The
        # limit is exclusive, as LLVM counts iterations with an inclusive one in more than 64 bits.
        self.define(
            "rt.near32", "ptr", ", ptr %memory, ptr %base, i32 %a, i64 %offset, i64 %access",
            inline,
            self.field("i64", "%memory", Memory, "size"),
            "  %wide = zext i32 %a to i64\n  %needed = add nuw i64 %offset, %access\n"
            "  %more = sub nuw i64 %needed, 1\n  %limit = sub nuw i64 %size, %more\n"
            "  %ok = icmp ult i64 %wide, %limit\n",
            self.unless("%ok", TrapCode.MEMORY_OUT_OF_BOUNDS),
            "  %p = getelementptr i8, ptr %base, i64 %wide\n"
            "  %q = getelementptr i8, ptr %p, i64 %offset\n  ret ptr %q\n",
        )  # fmt: skip
        self.define(
            "rt.address64", "ptr", ", ptr %memory, ptr %base, i64 %a, i64 %offset, i64 %access",
            inline,
            self.field("i64", "%memory", Memory, "size"),
            "  %last = call { i64, i1 } @llvm.uadd.with.overflow.i64(i64 %offset, i64 %access)\n"
            "  %needed = extractvalue { i64, i1 } %last, 0\n"
            "  %over = extractvalue { i64, i1 } %last, 1\n  %room = sub i64 %size, %needed\n"
            "  %fits = icmp uge i64 %size, %needed\n  %low = icmp ule i64 %a, %room\n"
            "  %in = and i1 %fits, %low\n  %no = xor i1 %over, true\n  %ok = and i1 %in, %no\n",
            self.unless("%ok", TrapCode.MEMORY_OUT_OF_BOUNDS),
            "  %p = getelementptr i8, ptr %base, i64 %a\n"
            "  %q = getelementptr i8, ptr %p, i64 %offset\n  ret ptr %q\n",
        )  # fmt: skip
        self.define(
            "rt.range32", "ptr", ", ptr %memory, ptr %base, i64 %start, i64 %n", inline,
            self.field("i64", "%memory", Memory, "size"),
            "  %end = add nuw i64 %start, %n\n  %ok = icmp ule i64 %end, %size\n",
            self.unless("%ok", TrapCode.MEMORY_OUT_OF_BOUNDS),
            "  %p = getelementptr i8, ptr %base, i64 %start\n  ret ptr %p\n",
        )  # fmt: skip
        self.define(
            "rt.range64", "ptr", ", ptr %memory, ptr %base, i64 %start, i64 %n", inline,
            self.field("i64", "%memory", Memory, "size"),
            "  %fits = icmp uge i64 %size, %n\n  %room = sub i64 %size, %n\n"
            "  %low = icmp ule i64 %start, %room\n  %ok = and i1 %fits, %low\n",
            self.unless("%ok", TrapCode.MEMORY_OUT_OF_BOUNDS),
            "  %p = getelementptr i8, ptr %base, i64 %start\n  ret ptr %p\n",
        )  # fmt: skip
        for name, code in (
            ("element", TrapCode.UNDEFINED_ELEMENT),
            ("slot", TrapCode.TABLE_OUT_OF_BOUNDS),
        ):
            self.define(
                f"rt.{name}", "ptr", ", ptr %table, i64 %i", inline,
                self.field("i32", "%table", Table, "size"),
                "  %wide = zext i32 %size to i64\n  %ok = icmp ult i64 %i, %wide\n",
                self.unless("%ok", code),
                self.field("ptr", "%table", Table, "elements"),
                "  %p = getelementptr i32, ptr %elements, i64 %i\n  ret ptr %p\n",
            )  # fmt: skip
        self.define("rt.trap", "void", ", i32 %code", "noinline cold noreturn", self.trap("%code"))

    # -- helpers of the core ---------------------------------------------------------------------

    def _helpers(self) -> None:
        o = self.o
        self.define(
            "rt.memory_grow", "i64", ", ptr %memory, i64 %pages", "noinline",
            self.helper("memory_grow"),
            "  %old = call i64 %helper(ptr %memory, i64 %pages)\n  ret i64 %old\n",
        )  # fmt: skip
        self.define(
            "rt.table_grow", "i64", ", ptr %table, i64 %n, i32 %value", "noinline",
            self.helper("table_grow"),
            "  %old = call i64 %helper(ptr %table, i64 %n, i32 %value)\n  ret i64 %old\n",
        )  # fmt: skip
        for name, params in (
            ("move", "ptr %to, ptr %from, i64 %n"),
            ("set", "ptr %to, i32 %value, i64 %n"),
        ):
            self.define(
                f"rt.{name}", "void", f", {params}", "alwaysinline",
                f"  %ok = icmp ule i64 %n, {PIECE}\n"
                f"  br i1 %ok, label %fine, label %long, {LIKELY}\n"
                f"long:\n  call void @rt.{name}_pieces(ptr %exec, ptr %ctx, {params})\n"
                "  ret void\nfine:\n",
                self.helper(name),
                f"  %same = call ptr %helper({params}) nounwind memory(argmem: readwrite)\n"
                "  ret void\n",
            )  # fmt: skip
            self.define(
                f"rt.{name}_pieces", "void", f", {params}", "noinline cold",
                self.helper(f"{name}_pieces"),
                "  %frame = call ptr @llvm.frameaddress.p0(i32 0)\n"
                f"  %code = call i32 %helper(ptr %exec, ptr %ctx, {params}, ptr %frame)\n"
                "  %ok = icmp eq i32 %code, 0\n"
                f"  br i1 %ok, label %fine, label %trap, {LIKELY}\n",
                f"trap:\n{self.trap('%code')}fine:\n  ret void\n",
            )  # fmt: skip
        self.checked("table_set", "ptr %table, i64 %i, i32 %value")
        self.checked("table_fill", "ptr %table, i64 %d, i32 %value, i64 %n")
        self.checked("table_copy", "ptr %to, ptr %from, i64 %d, i64 %s, i64 %n")
        instance = self.field("ptr", "%ctx", Context, "instance", INVARIANT)
        for name in ("memory_init", "table_init"):
            self.checked(name, "i32 %segment, ptr %it, i64 %d, i64 %s, i64 %n", instance)
        for name in ("data_drop", "elem_drop"):
            self.define(
                f"rt.{name}", "void", ", i32 %segment", "noinline",
                instance, self.helper(name),
                "  call void %helper(ptr %instance, i32 %segment)\n  ret void\n",
            )  # fmt: skip
        self.define(
            "rt.function", "i32", ", i32 %index", "noinline",
            instance, self.helper("function"),
            "  %f = call ptr %helper(ptr %instance, i32 %index)\n  %ok = icmp ne ptr %f, null\n",
            self.unless("%ok", TrapCode.OUT_OF_MEMORY),
            self.field("i32", "%f", FuncInst, "handle"),
            "  ret i32 %handle\n",
        )  # fmt: skip
        self.define(
            "rt.poll", "void", ", i32 %spent", "noinline cold",
            self.helper("poll"),
            "  %frame = call ptr @llvm.frameaddress.p0(i32 0)\n"
            "  %code = call i32 %helper(ptr %exec, ptr %ctx, i32 %spent, ptr %frame)\n"
            "  %ok = icmp eq i32 %code, 0\n"
            f"  br i1 %ok, label %fine, label %trap, {LIKELY}\n",
            f"trap:\n{self.trap('%code')}fine:\n  ret void\n",
        )  # fmt: skip
        self.define(
            "rt.tick", "void", "", "alwaysinline",
            self.loaded("i32", "%exec", o.field(Exec, "budget"), "budget"),
            "  %less = sub i32 %budget, 1\n"
            f"  store i32 %less, ptr %budget.at, {RUNTIME}\n  %ok = icmp sge i32 %less, 0\n"
            f"  br i1 %ok, label %fine, label %slow, {LIKELY}\n"
            "slow:\n  call void @rt.poll(ptr %exec, ptr %ctx, i32 0) cold\n  br label %fine\n"
            "fine:\n  ret void\n",
        )  # fmt: skip
        self.define(
            "rt.is_due", "i1", "", "alwaysinline",
            self.loaded("i32", "%exec", o.field(Exec, "budget"), "budget"),
            "  %less = sub i32 %budget, 1\n"
            f"  store i32 %less, ptr %budget.at, {RUNTIME}\n  %due = icmp slt i32 %less, 0\n"
            "  ret i1 %due\n",
        )  # fmt: skip
        self.define(
            "rt.slots", "ptr", ", i64 %size", "noinline cold",
            self.loaded("ptr", "%exec", o.field(Exec, "top"), "top"),
            self.loaded("ptr", "%exec", o.field(Exec, "stack_end"), "end"),
            "  %new = getelementptr i8, ptr %top, i64 %size\n"
            "  %ok = icmp ule ptr %new, %end\n",
            self.unless("%ok", TrapCode.STACK_OVERFLOW),
            f"  store ptr %new, ptr %top.at, {RUNTIME}\n  ret ptr %top\n",
        )  # fmt: skip
        self.define(
            "rt.stack", "void", "", "alwaysinline",
            self.loaded("ptr", "%exec", o.field(Exec, "native_limit"), "limit"),
            "  %frame = call ptr @llvm.frameaddress.p0(i32 0)\n"
            "  %ok = icmp ugt ptr %frame, %limit\n",
            self.unless("%ok", TrapCode.STACK_OVERFLOW),
            "  ret void\n",
        )  # fmt: skip

    def checked(self, name: str, params: str, before: str = "") -> None:
        """A helper that returns a trap code."""
        given = f"ptr %instance, {params}" if before else params
        self.define(
            f"rt.{name}", "void", f", {params}", "noinline",
            before, self.helper(name),
            f"  %code = call i32 %helper({given})\n  %ok = icmp eq i32 %code, 0\n"
            f"  br i1 %ok, label %fine, label %trap, {LIKELY}\n",
            f"trap:\n{self.trap('%code')}fine:\n  ret void\n",
        )  # fmt: skip

    # -- calls through references ----------------------------------------------------------------

    def _calls(self) -> None:
        """rt.callee: the code of a function reference, of the type whose id is given; rt.referred:
        that of one which has the type, or one below it, anyway.
        """
        self._callee(
            "rt.callee",
            self.field("i32", "%f", FuncInst, "type_id")
            + "  %same = icmp eq i32 %type_id, %wanted\n  %ok = and i1 %same, %own\n",
        )
        self._callee("rt.referred", "  %ok = and i1 %own, true\n")
        null = int(TrapCode.UNINITIALIZED_ELEMENT)
        self.define(
            "rt.find", "ptr", ", ptr %table, i64 %i, i64 %type, ptr %outside", "noinline cold",
            "  %at = call ptr @rt.element(ptr %exec, ptr %ctx, ptr %table, i64 %i)\n"
            f"  %handle = load i32, ptr %at, {RUNTIME}\n"
            "  %code = call ptr @rt.callee(ptr %exec, ptr %ctx, i32 %handle, i64 %type, "
            f"i32 {null}, ptr %outside)\n  ret ptr %code\n",
        )  # fmt: skip
        self.define(
            "rt.callee_slow", "ptr", ", i32 %handle, i32 %type, i32 %null, ptr %outside",
            "noinline",
            self.helper("callee"),
            "  %f = call ptr %helper(ptr %ctx, i32 %handle, i32 %type, i32 %null, ptr %outside,"
            " ptr %exec)\n  %n = ptrtoint ptr %f to i64\n  %ok = icmp uge i64 %n, 4096\n"
            f"  br i1 %ok, label %fine, label %trap, {LIKELY}\n"
            f"trap:\n  %code = trunc i64 %n to i32\n{self.trap('%code')}fine:\n  ret ptr %f\n",
        )  # fmt: skip

    def _callee(self, name: str, check: str) -> None:
        self.define(
            name, "ptr", ", i32 %handle, i64 %type, i32 %null, ptr %outside", "alwaysinline",
            self.field("ptr", "%ctx", Context, "store", INVARIANT),
            self.field("ptr", "%store", Store, "functions"),
            "  %wide = zext i32 %handle to i64\n"
            "  %at = getelementptr ptr, ptr %functions, i64 %wide\n"
            f"  %f = load ptr, ptr %at, {RUNTIME}\n",
            self.field("ptr", "%f", FuncInst, "context"),
            "  %wanted = trunc i64 %type to i32\n  %own = icmp eq ptr %context, %ctx\n",
            check,
            f"  br i1 %ok, label %fine, label %slow, {LIKELY}\n"
            "slow:\n"
            "  %other = call ptr @rt.callee_slow(ptr %exec, ptr %ctx, i32 %handle, i32 %wanted,"
            " i32 %null, ptr %outside)\n  ret ptr %other\n"
            "fine:\n",
            self.field("ptr", "%f", FuncInst, "code"),
            "  ret ptr %code\n",
        )  # fmt: skip

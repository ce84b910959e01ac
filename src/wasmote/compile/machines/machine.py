"""What the compiler has to know of a kind of machine, beyond what LLVM knows."""

from dataclasses import dataclass

from wasmote.compile.frame import Offsets
from wasmote.core.structs import Exec
from wasmote.image.join import Assembled


@dataclass(frozen=True, slots=True)
class Machine:
    """How compiled code is entered and left, and what it can rely on.

    `code` is machine code with two functions, `protect` at its start and `leave`:

    - `protect(exec, context, function, cells, conversion, slot)` keeps the value of `slot`,
      puts the stack pointer there and calls `conversion` with its first four arguments. That
      returns to the offset `entered`, from where the slot gets its value back.
    - `leave(stack, code)` goes to `entered` with that stack pointer and that result.

    `saved` are the registers, in LLVM's names, that functions keep for their callers, but for the
    frame pointer. With `tail_calls` LLVM guarantees tail calls between any two signatures; with
    `guard`, a fault beyond a memory's end becomes a trap (see `host.faults`), so that inaccessible
    pages can replace checks.
    """

    code: bytes
    entered: int
    leave: int
    saved: tuple[str, ...]
    tail_calls: bool = False
    guard: bool = False
    #: Functions of the module may not be internal ones for LLVM (see `image.relocations.mips`).
    visible: bool = False
    #: The type of the parameter that is the instance's context, and how it is passed.
    context: str = "ptr"
    #: Whether code finds its functions and constants from where it runs. If not, it calls its
    #: functions, but computes their addresses from that of the code (`Context.code`).
    relative: bool = True
    #: Features that code is always compiled with.
    features: str = ""

    @property
    def mark(self) -> int:
        """The bit that addresses of code have and the code itself has not: that it is Thumb."""
        return self.entered & 1

    def assembled(self) -> Assembled | None:
        """The machine code, to be joined with the module's."""
        return Assembled(
            self.code,
            {"wasmote.protect": self.mark, "wasmote.entered": self.entered,
             "wasmote.leave": self.leave},
        )  # fmt: skip

    def entering(self, offsets: Offsets) -> str:
        """LLVM IR of `wasmote.enter`, `wasmote.trap` and `wasmote.raise`.

        `enter(exec, context, conversion, function, cells)` runs a function, and `trap` goes back to
        there. It says that it changes all registers that it has to keep: so LLVM keeps them for it.
        """
        native_frame = offsets.field(Exec, "native_frame")
        clobbers = ",".join(f"~{{{name}}}" for name in (*self.saved, "memory"))
        return f"""\
declare hidden i32 @wasmote.protect(ptr, ptr, ptr, ptr, ptr, ptr)
declare hidden void @wasmote.leave(ptr, i32)
define hidden i32 @wasmote.enter(ptr %exec, ptr %ctx, ptr %conversion, ptr %function, ptr %cells) \
noinline #0 {{
  %slot = getelementptr i8, ptr %exec, i64 {native_frame}
  call void asm sideeffect "", "{clobbers}"()
  %code = call i32 @wasmote.protect(ptr %exec, ptr %ctx, ptr %function, ptr %cells, \
ptr %conversion, ptr %slot)
  ret i32 %code
}}
define hidden void @wasmote.raise(ptr %exec, i32 %code) noinline uwtable #0 {{
  %slot = getelementptr i8, ptr %exec, i64 {native_frame}
  %stack = load ptr, ptr %slot
  call void @wasmote.leave(ptr %stack, i32 %code)
  unreachable
}}
define hidden void @wasmote.trap(ptr %exec, ptr %ctx, i32 %code) noinline uwtable #0 {{
  %at = getelementptr i8, ptr %ctx, i64 {offsets.helper("capture")}
  %capture = load ptr, ptr %at
  %frame = call ptr @llvm.frameaddress.p0(i32 0)
  call void %capture(ptr %exec, ptr %ctx, i32 %code, ptr %frame)
  call void @wasmote.raise(ptr %exec, i32 %code)
  unreachable
}}
"""

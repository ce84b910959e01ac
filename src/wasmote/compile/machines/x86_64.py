"""x86-64 Linux (System V calling convention)."""

from wasmote.compile.frame import Offsets
from wasmote.compile.machines.machine import Machine
from wasmote.core.structs import Exec
from wasmote.image.join import Assembled


class X86_64(Machine):
    """The code is assembled with the module's, as it is in the host's own language."""

    __slots__ = ()

    def assembled(self) -> Assembled | None:
        return None

    def entering(self, offsets: Offsets) -> str:
        lines = assembly(offsets).splitlines()
        asm = "".join(f'module asm "{line}"\n' for line in lines if line.strip())
        return (
            f"{asm}declare hidden void @wasmote.trap(ptr, ptr, i32) #1\n"
            "declare hidden void @wasmote.raise(ptr, i32) #1\n"
        )


#: `swiftself` is a register that functions keep for their callers (r13): calls pass the context on
#: without a move, and functions that need it after a call need not save it.
MACHINE = X86_64(b"", 0, 0, (), tail_calls=True, guard=True, context="ptr swiftself")


def assembly(o: Offsets) -> str:
    """Entering compiled code and leaving it for a trap, in the assembler's language.

    `wasmote.enter(exec, context, conversion, function, cells)` keeps the registers that its caller
    wants back, and where they are in `Exec.native_frame`; `wasmote.trap` goes back to there.
    """
    frame = o.field(Exec, "native_frame")
    return f"""
    .text
    .p2align 4
    .globl wasmote.enter, wasmote.entered, wasmote.trap, wasmote.raise
    .hidden wasmote.enter, wasmote.entered, wasmote.trap, wasmote.raise
    .type wasmote.enter, @function
    .type wasmote.trap, @function
    .type wasmote.raise, @function
wasmote.enter:
    pushq %rbp
    movq %rsp, %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdi
    pushq %rsi
    pushq {frame}(%rdi)
    movq %rsp, {frame}(%rdi)
    movq %rdx, %rax
    movq %rcx, %rdx
    movq %r8, %rcx
    callq *%rax
wasmote.entered:
    popq %rcx
    popq %rdi
    popq %rdi
    movq %rcx, {frame}(%rdi)
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    retq
wasmote.trap:
    pushq %rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    movq %rdi, %rbx
    movl %edx, %r12d
    movq %rbp, %rcx
    callq *{o.helper("capture")}(%rsi)
    movq %rbx, %rdi
    movl %r12d, %esi
wasmote.raise:
    movl %esi, %eax
    movq {frame}(%rdi), %rsp
    jmp wasmote.entered
"""

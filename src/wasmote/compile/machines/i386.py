"""i386 Linux: arguments are on the stack.

protect: pushl %ebp              entered: addl $16, %esp        leave: movl 8(%esp), %eax
         movl %esp, %ebp                  popl %ecx                    movl 4(%esp), %esp
         movl 28(%ebp), %eax              popl %edx                    subl $16, %esp
         pushl %eax                       movl %ecx, (%edx)            jmp entered
         pushl (%eax)                     popl %ebp
         movl %esp, (%eax)                retl
         pushl 20(%ebp)
         pushl 16(%ebp)
         pushl 12(%ebp)
         pushl 8(%ebp)
         calll *24(%ebp)
"""

from wasmote.compile.machines.machine import Machine

MACHINE = Machine(
    bytes.fromhex(
        "5589e58b451c50ff308920ff7514ff7510ff750cff7508ff551883c410595a89"
        "0a5dc38b4424088b64240483ec10ebea"
    ),
    entered=0x1A,
    leave=0x23,
    saved=("ebx", "esi", "edi"),
)

"""AArch64, of either byte order.

protect: ldr x9, [x5]             entered: ldp x5, x9, [sp, #16]       leave: mov sp, x0
         stp x29, x30, [sp, #-48]!         str x9, [x5]                       mov w0, w1
         mov x29, sp                       ldp x29, x30, [sp], #48            b entered
         stp x5, x9, [sp, #16]             ret
         stp x0, x1, [sp, #32]
         mov x9, sp
         str x9, [x5]
         blr x4
"""

from wasmote.compile.machines.machine import Machine

MACHINE = Machine(
    bytes.fromhex(
        "a90040f9fd7bbda9fd030091e52701a9e00702a9e9030091a90000f980003fd6"
        "e52741a9a90000f9fd7bc3a8c0035fd61f000091e003012afaffff17"
    ),
    entered=0x20,
    leave=0x30,
    saved=(*(f"x{n}" for n in range(19, 29)), *(f"d{n}" for n in range(8, 16))),
    tail_calls=True,
)

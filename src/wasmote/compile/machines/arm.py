"""ARM and Thumb. What `protect` calls has its address, and the slot's, on the stack.

ARM:
protect: ldr r12, [sp, #4]        entered: pop {r4, r5}              leave: mov sp, r0
         push {r4, r5, r11, lr}            str r5, [r4]                     mov r0, r1
         add r11, sp, #8                   pop {r4, r5, r11, lr}            b entered
         mov r4, r12                       mov pc, lr
         ldr r5, [r12]
         ldr r12, [sp, #16]
         push {r4, r5}
         str sp, [r4]
         mov lr, pc
         mov pc, r12

Thumb, with nothing that its first version has not:
protect: push {r4, r5, r6, r7, lr} entered: pop {r4, r5, r6}          leave: mov sp, r0
         add r7, sp, #12                    str r5, [r4]                     adds r0, r1, #0
         ldr r6, [sp, #20]                  pop {r4, r5, r6, r7}             b entered
         ldr r4, [sp, #24]                  pop {r1}
         ldr r5, [r4]                       bx r1
         push {r4, r5, r6}
         mov r5, sp
         str r5, [r4]
         mov r5, pc
         adds r5, #5
         mov lr, r5
         bx r6
"""

from wasmote.compile.machines.machine import Machine

#: Of the floating-point unit, where there is one.
_FLOATS = tuple(f"d{n}" for n in range(8, 16))

ARM = Machine(
    bytes.fromhex(
        "04c09de530482de908b08de20c40a0e100509ce510c09de530002de900d084e5"
        "0fe0a0e10cf0a0e13000bde8005084e53048bde80ef0a0e100d0a0e10100a0e1"
        "f8ffffea"
    ),
    entered=0x28,
    leave=0x38,
    saved=("r4", "r5", "r6", "r7", "r8", "r9", "r10", *_FLOATS),
)
#: The lowest bit of a code address says that it is Thumb code.
THUMB = Machine(
    bytes.fromhex(
        "f0b503af059e069c256870b46d4625607d460535ae46304770bc2560f0bc02bc08478546081cf7e7"
    ),
    entered=0x18 + 1,
    leave=0x22 + 1,
    saved=("r4", "r5", "r6", "r8", "r9", "r10", "r11", *_FLOATS),
)

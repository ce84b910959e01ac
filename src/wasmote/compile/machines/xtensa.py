"""Xtensa, called without register windows ("call0").

protect: addi a1, a1, -32         entered: l32i a7, a1, 16           leave: or a1, a2, a2
         s32i a0, a1, 28                   l32i a8, a1, 20                  or a2, a3, a3
         s32i a15, a1, 24                  s32i a8, a7, 0                   j entered
         or a15, a1, a1                    l32i a15, a1, 24
         l32i a8, a7, 0                    l32i a0, a1, 28
         s32i a7, a1, 16                   addi a1, a1, 32
         s32i a8, a1, 20                   ret, and nop three times
         s32i a1, a7, 0
         nop
         callx0 a6
"""

from wasmote.compile.machines.machine import Machine

MACHINE = Machine(
    bytes.fromhex(
        "12c1e0026107f2610610f120822700726104826105126700f02000c00600722104822105826700f221060221"
        "0712c120800000f02000f02000f0200020122030232006f6ff"
    ),
    entered=0x1E,
    leave=0x3C,
    saved=("a12", "a13", "a14"),
    visible=True,
    relative=False,
    features="-windowed,-loop",
)

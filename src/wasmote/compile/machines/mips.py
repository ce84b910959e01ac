"""MIPS (o32), of either byte order. An instruction after a jump comes before it takes effect.

protect: lw $t9, 16($sp)          entered: lw $t0, 16($sp)           leave: move $sp, $a0
         lw $t0, 20($sp)                   lw $t1, 20($sp)                  b entered
         addiu $sp, $sp, -32               sw $t1, 0($t0)                   move $v0, $a1
         sw $ra, 28($sp)                   lw $fp, 24($sp)
         sw $fp, 24($sp)                   lw $ra, 28($sp)
         move $fp, $sp                     jr $ra
         lw $t1, 0($t0)                    addiu $sp, $sp, 32
         sw $t0, 16($sp)
         sw $t1, 20($sp)
         sw $sp, 0($t0)
         jalr $t9
         nop
"""

from dataclasses import replace

from wasmote.compile.machines.machine import Machine
from wasmote.nativepy.targets import MIPS

BIG = Machine(
    bytes.fromhex(
        "8fb900108fa8001427bdffe0afbf001cafbe001803a0f0258d090000afa80010"
        "afa90014ad1d00000320f809000000008fa800108fa90014ad0900008fbe0018"
        "8fbf001c03e0000827bd00200080e8251000fff700a01025"
    ),
    entered=0x30,
    leave=0x4C,
    saved=(*(f"${n}" for n in range(16, 24)), *(f"$f{n}" for n in range(20, 32))),
    visible=True,
    features=MIPS,
)
LITTLE = replace(BIG, code=b"".join(BIG.code[i : i + 4][::-1] for i in range(0, len(BIG.code), 4)))

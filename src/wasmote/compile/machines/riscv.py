"""RISC-V, of 32 and 64 bits; where it says `word` here, a load or store of so many.

protect: load t0, 0(a5)           entered: load a5, 0(sp)            leave: mv sp, a0
         addi sp, sp, -size                load t0, word(sp)                mv a0, a1
         store ra, size-word(sp)           store t0, 0(a5)                  j entered
         store s0, size-2*word(sp)         load ra, size-word(sp)
         addi s0, sp, size                 load s0, size-2*word(sp)
         store a5, 0(sp)                   addi sp, sp, size
         store t0, word(sp)                ret
         store a0, 2*word(sp)
         store a1, 3*word(sp)
         store sp, 0(a5)
         jalr a4
"""

from wasmote.compile.machines.machine import Machine

_SAVED = (*(f"s{n}" for n in range(1, 12)), *(f"fs{n}" for n in range(12)))

RISCV32 = Machine(
    bytes.fromhex(
        "83a20700130101fe232e1100232c8100130401022320f100232251002324a100"
        "2326b10023a02700e7000700832701008322410023a057008320c10103248101"
        "130101026780000013010500138505006ff0dffd"
    ),
    entered=0x2C,
    leave=0x48,
    saved=_SAVED,
)
RISCV64 = Machine(
    bytes.fromhex(
        "83b20700130101fd2334110223308102130401032330f100233451002338a100"
        "233cb10023b02700e7000700833701008332810023b057008330810203340102"
        "130101036780000013010500138505006ff0dffd"
    ),
    entered=0x2C,
    leave=0x48,
    saved=_SAVED,
)

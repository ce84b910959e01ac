"""A module that imports from others, which are found by their names in a folder."""

from build import PLAIN, wasm

import wasmote

for name in ("mA", "mB", "mC"):
    main = wasm(f"multi_module/{name}.c", *PLAIN)
linker = wasmote.Linker(module_path=[main.parent])
mC = linker.instantiate(wasmote.Module(main))
print("modules:", *linker.instances)

print('call "C1", it will return 0x1f:i32, ===>', hex(mC.exports.C1()))
print('call "C2", it will call B1() of mB and return 0x15:i32, ===>', hex(mC.exports.C2()))
print('call "C3", it will call A1() of mA and return 0xb:i32, ===>', hex(mC.exports.C3()))
print('call "C4", it will call B2() of mB, that A1() of mA, ===>', hex(mC.exports.C4()))
try:
    mC.exports.C5()
except AttributeError as error:
    print(f'call "C5", it will fail since it is not exported, ===> {error}')

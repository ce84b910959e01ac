"""Functions of a C library, which WebAssembly calls without Python in between."""

from build import library, run, wasm

import wasmote

# On the command line:
program = run(wasm("native_lib/program.c"), f"--native-lib={library('native_lib/hello.c')}")
print(program.stdout.read(), end="")

# And in Python:
functions = wasmote.NativeLibrary(library("native_lib/hello.c"))
print(f"{functions.name} has", *functions)

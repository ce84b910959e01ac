"""A small program without a C library of its own, as WAMR's libc-builtin serves it."""

from build import PLAIN, run, wasm

program = wasm("hello_world/main.c", *PLAIN, "-Wl,--import-symbols")
print(f"{program.stat().st_size} bytes", flush=True)
print(run(program, "--heap-size=16384").stdout.read(), end="")

"""Threads of a program without a C library, as WAMR's lib-pthread serves it."""

from build import PLAIN, run, wasm

SHARED = "-Wl,--import-symbols,--export=memory,--shared-memory,--max-memory=67108864"
program = wasm("multi_thread/main.c", *PLAIN, "-mcpu=generic+atomics+bulk_memory", SHARED)
print(run(program).stdout.read(), end="")

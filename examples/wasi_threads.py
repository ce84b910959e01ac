"""A program that starts a thread itself, by wasi-threads."""

from build import WASI, run, wasm

SHARED = ("-mcpu=generic+atomics+bulk_memory", "-Wl,--import-memory,--shared-memory")
program = run(wasm("wasi_threads/no_pthread.c", *WASI, *SHARED, "-Wl,--max-memory=67108864"))
print(program.stdout.read(), end="")
raise SystemExit(program.wait())

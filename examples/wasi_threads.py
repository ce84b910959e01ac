"""A program that starts a thread itself, by wasi-threads."""

from build import THREADS, run, wasm

program = run(wasm("wasi_threads/no_pthread.c", *THREADS))
print(program.stdout.read(), end="")
raise SystemExit(program.wait())

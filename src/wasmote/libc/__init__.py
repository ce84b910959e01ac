"""libc-builtin: a small C library for modules that are compiled without one.

What WAMR's library of that name offers, as imports from the module `env`: printf, string and memory
functions, malloc. See docs/libc.md.

- `library`: `Libc`, what embedders use;
- `table`: all functions and their signatures;
- `fallbacks`: those that are in Python;
- `pthread`: `Pthreads`, WAMR's library of threads, with `semaphores`; `threads` chooses;
- `native`: the rest.
"""

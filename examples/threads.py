"""Threads of Python that call WebAssembly, which runs without the GIL: on all processors."""

from concurrent.futures import ThreadPoolExecutor

from build import PLAIN, module

import wasmote

primes = module("threads/primes.c", *PLAIN)
LAST, PARTS = 400_000, 4


def count(part: int) -> int:
    """How many primes there are in a part of the numbers. Each thread has its own instance."""
    exports = wasmote.Instance(primes).exports
    return exports.primes(LAST * part // PARTS, LAST * (part + 1) // PARTS)


with ThreadPoolExecutor(PARTS) as pool:
    counts = list(pool.map(count, range(PARTS)))
print(f"primes below {LAST}: {' + '.join(map(str, counts))} = {sum(counts)}")

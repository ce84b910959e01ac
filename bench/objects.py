"""Structures, arrays and casts in Wasmote's engines and wasmtime: python bench/objects.py

Runs the functions of programs/objects.wat in one process, in interleaved rounds. Shows the best
processor time of each engine, the collector's work included, and how many times as long as
compiled code the others take.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).parent / "programs" / "objects.wat"
#: Arguments: objects, nodes, trees, the size of the sieve, arrays, thousands of casts.
WORK = {
    "garbage": 20_000_000,
    "list": 5_000_000,
    "trees": 100,
    "sieve": 5_000_000,
    "arrays": 5_000_000,
    "casts": 20_000,
}

Call = Callable[[str, int], Any]


def wasmote_engines(binary: bytes) -> dict[str, Call]:
    import wasmote
    from wasmote.compile import compile_module

    module = wasmote.Module(binary)
    compiled = wasmote.Module(compile_module(module).encode())
    return {
        engine: lambda name, n, exports=exports: exports[name](n)
        for engine, exports in (
            ("aot", wasmote.Instance(compiled).exports),
            ("fast", wasmote.Instance(module, engine="fast").exports),
            ("classic", wasmote.Instance(module, engine="classic").exports),
        )
    }


def wasmtime_engine(binary: bytes) -> dict[str, Call]:
    try:
        import wasmtime
    except ImportError:
        return {}
    config = wasmtime.Config()
    config.wasm_gc = config.wasm_function_references = True
    store = wasmtime.Store(wasmtime.Engine(config))
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, binary), [])
    exports = instance.exports(store)
    return {"wasmtime": lambda name, n: exports[name](store, n)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    from wasmote.wat import wat2wasm

    binary = wat2wasm(PROGRAMS.read_text())
    engines = {**wasmote_engines(binary), **wasmtime_engine(binary)}
    print(f"{'':10}" + "".join(f"{engine:>20}" for engine in engines))
    for name, work in WORK.items():
        best = dict.fromkeys(engines, float("inf"))
        results = set()
        for _ in range(arguments.rounds):
            for engine, call in engines.items():
                before = time.process_time()
                results.add(call(name, work))
                best[engine] = min(best[engine], time.process_time() - before)
        if len(results) != 1:
            raise SystemExit(f"{name}: engines disagree: {results}")
        columns = (f"{t * 1e3:9.1f} ms {t / best['aot']:6.2f}x" for t in best.values())
        print(f"{name:10}" + "".join(f"{column:>20}" for column in columns))


if __name__ == "__main__":
    main()

"""Runs a WASI command under the ``wasmtime`` package: ``run_wasmtime.py FILE ARGUMENT…``."""

import sys

import wasmtime


def main(argv: list[str]) -> int:
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    wasi = wasmtime.WasiConfig()
    wasi.argv = argv
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    store.set_wasi(wasi)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    instance = linker.instantiate(store, wasmtime.Module.from_file(engine, argv[0]))
    start = instance.exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    try:
        start(store)
    except wasmtime.ExitTrap as ending:
        return ending.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

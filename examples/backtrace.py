"""Where a program went wrong: functions, lines and what was inlined, from its debug information."""

from build import WASI, module

import wasmote
from wasmote.wasi import Wasi

with Wasi() as wasi:
    instance = wasmote.Instance(module("backtrace/trap.c", *WASI, "-g"), wasi.imports())
    try:
        instance.exports._start()
    except wasmote.Trap as trap:
        print(f"Exception: {trap.message}")
        for frame in trap.frames:
            print(f"  {frame}")

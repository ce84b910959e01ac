"""Recursion without an end is a trap in every engine, and the instance can be used again."""

from build import module

import wasmote
from wasmote.compile import compile_module

endless = module("stack_overflow/endless.wat")
compiled = wasmote.Module(compile_module(endless).encode())
for engine, source in (("fast", endless), ("classic", endless), ("aot", compiled)):
    exports = wasmote.Instance(source, engine=engine).exports
    for _ in range(2):
        try:
            exports.down(0)
        except wasmote.Trap as trap:
            print(f"{engine}: {trap.message}; and then: {exports.fine()}")

"""A native function that knows for which instance it is called, and what belongs to that."""

from build import module

import wasmote

natives = wasmote.Natives("env")


@natives.function("(i)i")
def add_native(caller: wasmote.Caller, number: int) -> int:
    return number + caller.user_data["x"]


app = module("inst_context/testapp.wat")
for x in (100, 200):
    instance = wasmote.Instance(app, natives.imports())
    instance.user_data = {"x": x}
    result = instance.exports.calculate(3)
    print(f"Native finished calling wasm function: calculate, return: {result}")

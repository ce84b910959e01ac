"""Objects of the host in WebAssembly: references, which a module can only keep and pass on."""

from build import module

import wasmote

imports = {"env": {"same": lambda one, other: one is other}}
store = wasmote.Instance(module("ref_types/store.wat"), imports).exports

objects = [{"a": 1}, print, "text", 3.5, store, [1, 2], b"bytes", 2**100, len]
for index, thing in enumerate(objects):
    store.set(index, thing)
assert all(store.get(index) is thing for index, thing in enumerate(objects))
assert all(store.has(index, thing) for index, thing in enumerate(objects))
assert not store.has(0, {"a": 1})  # equal, but another one
assert store.get(9) is None
print("GREAT! PASS ALL CHKs")

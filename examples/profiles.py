"""Where two modules spend their time, each on its own, as a table and a flame graph."""

import tempfile
from pathlib import Path

from build import PLAIN, module

import wasmote

for name in ("fib", "ackermann"):
    instance = wasmote.Instance(module(f"profiles/{name}.c", *PLAIN, "-g"))
    with wasmote.profile(instance) as profile:
        result = instance.exports.run()
    first = profile.table().splitlines()[1].split()[-1]
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder, f"{name}.svg")
        profile.write(graph)
        made = "<svg" in graph.read_text()
    print(f"run() = {result}; most of the time in {first}; flame graph written: {made}")

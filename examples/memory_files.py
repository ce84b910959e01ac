"""A program that sees files which are nowhere but in memory."""

from build import module

import wasmote
from wasmote.wasi import Exit, MemoryDir, ReadOnlyDir, Wasi

texts = MemoryDir(
    {"draft.txt": b"not much yet", "poem.txt": "Röslein, Röslein, Röslein rot".encode()}
)
results = MemoryDir({})
with Wasi(["report"], dirs={"/in": ReadOnlyDir(texts), "/out": results}) as wasi:
    instance = wasmote.Instance(module("memory_files/report.c"), wasi.imports())
    try:
        instance.exports._start()
    except Exit as ended:
        print("exit code", ended.code)
print(results["report.txt"].decode(), end="")
print("left:", *sorted(texts))

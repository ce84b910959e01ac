"""The first steps: native functions in Python, calls in both directions, strings, callbacks."""

from build import REACTOR, module

import wasmote
from wasmote.wasi import Wasi

natives = wasmote.Natives("env")


@natives.function("(i*~i)i")
def intToStr(number: int, text: memoryview, digits: int) -> int:
    print("calling into native function: intToStr")
    data = b"%0*d" % (digits, number)
    if len(data) >= len(text):
        return -1
    text[: len(data) + 1] = data + b"\0"
    return len(data)


@natives.function("(ii)i")
def get_pow(x: int, y: int) -> int:
    print("calling into native function: get_pow")
    return x**y


@natives.function("(iii)i")
def calculate_native(n: int, first: int, second: int) -> int:
    print(f"calling into native function: calculate_native, n={n}")
    function = instance.exports.__indirect_function_table
    return function[first](n) + function[second](n)


app = module("basic/testapp.c", *REACTOR, "-Wl,--export-table,--export=malloc,--export=free")
with Wasi() as wasi:
    instance = wasmote.Instance(app, {**wasi.imports(), **natives.imports()})
    instance.exports._initialize()

    number = instance.exports.generate_float(10, 0.000101, 300.002)
    print(f"Native finished calling wasm function generate_float(), returned {number:f}")

    text = instance.malloc(100)
    instance.exports.float_to_string(number, text, 100, 3)
    string = bytes(instance.to_native(text, 100)).partition(b"\0")[0].decode()
    print(f"Native finished calling wasm function: float_to_string, returned: {string}")
    instance.free(text)

    print(
        f"Native finished calling wasm function: calculate, return: {instance.exports.calculate(3)}"
    )

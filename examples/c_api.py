"""The WebAssembly C API, wasm.h, in Python: for those who port a program that uses it."""

from build import wasm

from wasmote.capi import Engine, Func, FuncType, Instance, Module, Store, Trap, Val, ValType


def print_callback(args: list[Val], results: list[Val]) -> Trap | None:
    print(f"Calling back...\n> {args[0].of}")
    results.append(args[0])
    return None


def closure_callback(env: int, args: list[Val], results: list[Val]) -> Trap | None:
    print(f"Calling back closure...\n> {env}")
    results.append(Val.i32(env))
    return None


print("Initializing...")
store = Store(Engine())

print("Loading binary...")
binary = wasm("c_api/callback.wat").read_bytes()

print("Compiling module...")
module = Module(store, binary)

print("Creating callback...")
i32 = ValType.I32
callbacks = [
    Func(store, FuncType((i32,), (i32,)), print_callback),
    Func(store, FuncType((), (i32,)), closure_callback, env=42),
]

print("Instantiating module...")
instance, trap = Instance.new(store, module, callbacks)

print("Extracting export...")
(run,) = instance.exports()

print("Calling export...")
results: list[Val] = []
trap = run.call([Val.i32(3), Val.i32(4)], results)

print("Printing result...")
print(">", results[0].of if trap is None else trap.message)

print("Shutting down...\nDone.")

"""The atomic instructions: opcodes against an assembler, results against another runtime."""

import random
from typing import Any

import pytest
import wasmtime

import wasmote
from wasmote.core.status import ValueType
from wasmote.isa import INSTRUCTIONS, Feature, Immediate, Instruction
from wasmote.isa.instruction import PREFIX_ATOMIC
from wasmote.wat import wat2wasm

ATOMICS = [i for i in INSTRUCTIONS.values() if i.opcode >> 16 == PREFIX_ATOMIC >> 16]
ACCESSES = [i for i in ATOMICS if i.family == "atomic"]
NAMES = {t: t.name.lower() for t in ValueType}
I32, I64 = ValueType.I32, ValueType.I64


def test_all_of_them_are_there() -> None:
    assert [i.code for i in ATOMICS] == [*range(4), *range(0x10, 0x4F)]
    assert {i.feature for i in ATOMICS} == {Feature.THREADS}
    assert {i.semantics is None for i in ATOMICS if i not in ACCESSES} == {True}


@pytest.mark.parametrize("instruction", ATOMICS, ids=str)
def test_opcode_and_types_as_assembled(instruction: Instruction) -> None:
    params, results = instruction.params or (), instruction.results or ()
    text = f"""(module (memory 1) (func (param {" ".join(NAMES[p] for p in params)})
        (result {" ".join(NAMES[r] for r in results)})
        {" ".join(f"(local.get {i})" for i in range(len(params)))} {instruction.name}))"""
    operands = b"".join(bytes([0x20, i]) for i in range(len(params)))
    fence = instruction.immediates == (Immediate.ZERO,)
    assert fence or instruction.immediates == (Immediate.MEMARG,)
    immediates = bytes(1) if fence else bytes([instruction.access.bit_length() - 1, 0])
    assert operands + bytes([0xFE, instruction.code]) + immediates in wat2wasm(text)
    wasmote.Module(wat2wasm(text))


def program(instruction: Instruction) -> str:
    """Functions that run an instruction with operands from different places.

    `a`: from locals, on the first memory. `b`: from instructions, the result used by one, with a
    value below it on the stack. `c`: constants, on the second memory.
    """
    name, params, results = instruction.name, instruction.params or (), instruction.results or ()
    values = params[1:]
    kind = NAMES[values[0] if values else results[0]]
    declared = "".join(f" (param {NAMES[p]})" for p in params)
    result = f"(result {NAMES[results[0]]})" if results else ""
    plain = " ".join(f"(local.get {i})" for i in range(len(params)))
    computed = " ".join(
        f"({NAMES[p]}.add (local.get {i}) ({NAMES[p]}.const {8 if i == 0 else 3}))"
        for i, p in enumerate(params)
    )
    constants = " ".join(
        f"({NAMES[p]}.const {16 if i == 0 else -0x1234_5678_9ABC if p == I64 else -0x1234_5678})"
        for i, p in enumerate(params)
    )
    below = f"({kind}.mul ({kind}.const 5) ({kind}.const 7))"
    if results:
        b = f"({kind}.sub {below} ({name} offset=32 {computed}))"
    else:
        b = f"({name} offset=32 {computed})"
    return f"""
        (memory (export "m") 1) (memory (export "n") 1)
        (func (export "a"){declared} {result} ({name} {plain}))
        (func (export "b"){declared} {result} {b})
        (func (export "c"){declared} {result} ({name} 1 {constants}))"""


def pattern(instruction: Instruction, memory: bytes, rng: random.Random) -> list[int]:
    """An address, and values: that which is there often, so that exchanges happen."""
    access = instruction.access
    address = rng.randrange(0, 64, access)
    there = int.from_bytes(memory[address : address + access], "little", signed=True)
    values = []
    for p in (instruction.params or ())[1:]:
        bits = 32 if p == I32 else 64
        value = rng.choice([there, rng.getrandbits(bits), 0, -1, 1 << bits - 1])
        values.append((value & (1 << bits) - 1) - (value >> bits - 1 & 1) * (1 << bits))
    return [address, *values]


def observe(call: Any, memories: Any, patterns: list[list[int]], start: bytes) -> list[Any]:
    """Results, and what memory is like after each."""
    memories.write(start)
    seen = []
    for arguments in patterns:
        for function in "abc":
            seen.append((arguments, function, call(function, arguments), memories.read()))
    return seen


class Theirs:
    def __init__(self, binary: bytes) -> None:
        config = wasmtime.Config()
        config.wasm_threads = True
        engine = wasmtime.Engine(config)
        self.store = wasmtime.Store(engine)
        instance = wasmtime.Instance(self.store, wasmtime.Module(engine, binary), [])
        self.exports = instance.exports(self.store)

    def call(self, name: str, arguments: list[int]) -> Any:
        return self.exports[name](self.store, *arguments)  # type: ignore[operator]

    def write(self, data: bytes) -> None:
        for name in "mn":
            self.exports[name].write(self.store, data, 0)  # type: ignore[union-attr]

    def read(self) -> list[bytes]:
        return [bytes(self.exports[name].read(self.store, 0, 128)) for name in "mn"]  # type: ignore[union-attr]


class Ours:
    def __init__(self, binary: bytes, engine: str) -> None:
        self.exports = wasmote.Instance(wasmote.Module(binary), engine=engine).exports

    def call(self, name: str, arguments: list[int]) -> Any:
        return self.exports[name](*arguments)  # type: ignore[operator]

    def write(self, data: bytes) -> None:
        for name in "mn":
            self.exports[name].write(0, data)  # type: ignore[union-attr]

    def read(self) -> list[bytes]:
        return [self.exports[name].read(0, 128) for name in "mn"]  # type: ignore[union-attr]


@pytest.mark.parametrize("instruction", ACCESSES, ids=str)
def test_results_are_those_of_another_runtime(instruction: Instruction) -> None:
    rng = random.Random(instruction.opcode)
    binary = wat2wasm(f"(module {program(instruction)})")
    start = rng.randbytes(128)
    patterns = [pattern(instruction, start, rng) for _ in range(12)]
    theirs = Theirs(binary)
    expected = observe(theirs.call, theirs, patterns, start)
    for engine in ("fast", "classic"):
        ours = Ours(binary, engine)
        assert observe(ours.call, ours, patterns, start) == expected, engine

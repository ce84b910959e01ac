"""Intrinsics on memory that several threads use."""

import ctypes
from concurrent.futures import ThreadPoolExecutor

import pytest

from wasmote.image.testing import Library
from wasmote.nativepy import (
    TARGETS,
    NativeError,
    atomic_add,
    atomic_and,
    atomic_compare_exchange,
    atomic_exchange,
    atomic_load,
    atomic_or,
    atomic_store,
    atomic_sub,
    atomic_xor,
    fence,
    i64,
    native,
    order_after,
    ptr,
    u8,
    u16,
    u32,
    u64,
    void,
)
from wasmote.nativepy.codegen import compile_assembly

from .support import compile_ir, define

TYPES = {"u8": u8, "u16": u16, "u32": u32, "u64": u64, "i64": i64}
OPERATIONS = {
    "add": (atomic_add, lambda a, b: a + b),
    "sub": (atomic_sub, lambda a, b: a - b),
    "and": (atomic_and, lambda a, b: a & b),
    "or": (atomic_or, lambda a, b: a | b),
    "xor": (atomic_xor, lambda a, b: a ^ b),
    "exchange": (atomic_exchange, lambda a, b: b),
}
SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8}


def operate(name, kind, operation):
    @native(export=name)
    def run(p: ptr[kind], x: kind) -> kind:
        return operation(p, x)

    return run


def compare(name, kind):
    @native(export=name)
    def run(p: ptr[kind], expected: kind, x: kind) -> kind:
        return atomic_compare_exchange(p, expected, x)

    return run


def move(name, kind, order_of_load, order_of_store):
    @native(export=name)
    def run(to: ptr[kind], source: ptr[kind]) -> void:
        value = atomic_load(source, order_of_load)
        order_after(source)
        fence()
        fence("acquire")
        fence("release")
        atomic_store(to, value, order_of_store)

    return run


def test_results_and_what_is_left_in_memory():
    made = [compare(f"cas_{t}", kind) for t, kind in TYPES.items()]
    made += [
        operate(f"{name}_{t}", kind, operation)
        for t, kind in TYPES.items()
        for name, (operation, _) in OPERATIONS.items()
    ]
    library = Library(*made)
    for t, size in SIZES.items():
        mask = (1 << 8 * size) - 1
        for name, (_, meaning) in OPERATIONS.items():
            memory = (ctypes.c_uint8 * 16)(*range(0xF0, 0x100))
            before = int.from_bytes(bytes(memory[:size]), "little")
            operand = 0x1122_3344_5566_7799 & mask
            old = getattr(library, f"{name}_{t}")(ctypes.addressof(memory), operand)
            assert old & mask == before
            expected = (meaning(before, operand) & mask).to_bytes(size, "little")
            assert bytes(memory) == expected + bytes(range(0xF0 + size, 0x100))
        cell = ctypes.c_uint64(5)
        exchange = getattr(library, f"cas_{t}")
        assert exchange(ctypes.addressof(cell), 4, 9) == 5 == cell.value
        assert exchange(ctypes.addressof(cell), 5, 9) == 5
        assert cell.value == 9


def test_loads_and_stores():
    orders = [("relaxed", "relaxed"), ("acquire", "release"), ("seq_cst", "seq_cst")]
    library = Library(*[move(f"move_{load}", u32, load, store) for load, store in orders])
    for load, _ in orders:
        a, b = ctypes.c_uint32(1), ctypes.c_uint32(2)
        getattr(library, f"move_{load}")(ctypes.addressof(a), ctypes.addressof(b))
        assert (a.value, b.value) == (2, 2)


@native(export="hammer")
def hammer(p: ptr[u64], lock: ptr[u32], n: u32) -> void:
    """Add to a counter by atomic_add, to another by exchanging, to a third under a lock."""
    for _ in range(n):
        atomic_add(p, 1)
        old = atomic_load(p + 1)
        held = atomic_compare_exchange(p + 1, old, old + 1)
        while held != old:
            old = held
            held = atomic_compare_exchange(p + 1, old, old + 1)
        while atomic_exchange(lock, 1) != 0:
            pass
        p[2] += 1
        atomic_store(lock, u32(0))


def test_threads_lose_nothing():
    library = Library(hammer)
    counters, lock = (ctypes.c_uint64 * 3)(), ctypes.c_uint32()
    threads, rounds = 4, 20_000
    with ThreadPoolExecutor(threads) as pool:
        places = ctypes.addressof(counters), ctypes.addressof(lock)
        list(pool.map(lambda _: library.hammer(*places, rounds), range(threads)))
    assert list(counters) == [threads * rounds] * 3


@native(export="publish")
def publish(p: ptr[u32], x: u32) -> void:
    atomic_store(p, x, "seq_cst")


@native(export="read_two")
def read_two(p: ptr[u32]) -> u32:
    first = p[0]
    order_after(p)
    return first + p[1]


def assembly(function, target):
    return compile_assembly(compile_ir(function, target=target), target)


def test_what_the_machines_do():
    assert "xchg" in assembly(publish, TARGETS["x86_64-linux"])
    assert "stlr" in assembly(publish, TARGETS["aarch64-linux"])
    assert "dmb" in assembly(publish, TARGETS["thumbv7em"])
    assert "fence" in assembly(publish, TARGETS["riscv32"])
    text = assembly(read_two, TARGETS["x86_64-linux"])
    assert text.count("(%rdi)") == 2  # just the two reads
    assert "fence" not in text
    assert "ldar" in assembly(read_two, TARGETS["aarch64-linux"])


@pytest.mark.parametrize("target", ["thumbv7em", "riscv32"])
@pytest.mark.parametrize("kind", ["u8", "u16", "u32", "u64"])
def test_only_eight_bytes_need_a_helper_on_32_bit_machines(target, kind):
    text = assembly(operate("f", TYPES[kind], atomic_add), TARGETS[target])
    assert ("__atomic_fetch_add_8" in text) == (kind == "u64")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('atomic_load(p, "release")', "atomic_load is relaxed, acquire, seq_cst, not 'release'"),
        ('atomic_store(p, 1, "acquire")', "atomic_store is relaxed, release, seq_cst"),
        ('fence("relaxed")', "fence is acquire, release, seq_cst, not 'relaxed'"),
        ("atomic_load(p, p)", "expected an order"),
        ("atomic_add(f, 1.0)", "atomic_add takes a pointer to an integer, found one to f32"),
        ("atomic_add(p[0], 1)", "expected a pointer, found u32"),
    ],
)
def test_refusals(tmp_path, line, message):
    source = f'@native(export="g")\ndef g(p: ptr[u32], f: ptr[f32]) -> void:\n    {line}\n'
    with pytest.raises(NativeError, match=message):
        compile_ir(define(tmp_path, source)["g"])

"""Threads that programs start: wasi-threads."""

import threading
import time
from typing import Any

import pytest
import wasmtime

from wasmote import Instance, Memory, MemoryType, Module, Trap, TrapKind
from wasmote.compile import compile_module
from wasmote.wasi import Exit, Wasi, WasiThreads

#: Counts in memory: `_start` starts as many threads as the first word says. Each adds 1000 to a
#: counter, and 1 to the number of those that are done; `_start` waits for all.
COUNT = """
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "env" "memory" (memory 1 4 shared))
  (func (export "wasi_thread_start") (param $id i32) (param $times i32)
    (loop $again
      (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
    (drop (i32.atomic.rmw.add (i32.const 16) (local.get $id)))
    (drop (i32.atomic.rmw.add (i32.const 12) (i32.const 1)))
    (drop (memory.atomic.notify (i32.const 12) (i32.const 1))))
  (func (export "_start") (local $n i32) (local $done i32)
    (local.set $n (i32.load (i32.const 0)))
    (loop $more
      (if (i32.lt_s (call $spawn (i32.const 1000)) (i32.const 1)) (then unreachable))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (loop $wait
      (local.set $done (i32.atomic.load (i32.const 12)))
      (if (i32.ne (local.get $done) (i32.load (i32.const 0))) (then
        (drop (memory.atomic.wait32 (i32.const 12) (local.get $done) (i64.const -1)))
        (br $wait))))))
"""
#: `_start` starts one thread. One of the two waits for ever, the other does something.
PAIR = """
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "env" "memory" (memory 1 1 shared)) (export "memory" (memory 0))
  (func $wait (param $how i32)
    (if (local.get $how) (then
      (drop (memory.atomic.wait32 (i32.const 100) (i32.const 0) (i64.const -1)))))
    (loop (br 0)))
  (func $act (param $what i32)
    (if (i32.eq (local.get $what) (i32.const 1)) (then unreachable))
    (if (i32.eq (local.get $what) (i32.const 2)) (then (call $exit (i32.const 33)))))
  (func (export "wasi_thread_start") (param i32 i32)
    (if (i32.load (i32.const 0))
      (then (call $act (i32.load (i32.const 4))))
      (else (call $wait (i32.load (i32.const 8))))))
  (func (export "_start")
    (if (i32.lt_s (call $spawn (i32.const 0)) (i32.const 1)) (then (call $exit (i32.const 99))))
    (if (i32.load (i32.const 0))
      (then (call $wait (i32.load (i32.const 8))))
      (else (call $act (i32.load (i32.const 4)))))))
"""
ENGINES = ["fast", "classic", "aot"]


class Program:
    """A program with its memory and threads."""

    def __init__(self, text: str, engine: str, most: int = 8) -> None:
        module = Module(bytes(wasmtime.wat2wasm(text)))
        if engine == "aot":
            module = Module(compile_module(module).encode())
        wanted = next(each for each in module.imports if isinstance(each.type, MemoryType))
        self.memory = Memory(wanted.type)  # type: ignore[arg-type]
        self.threads = WasiThreads(most)
        wasi = Wasi()
        imports: Any = {
            **wasi.imports(),
            **self.threads.imports(),
            "env": {"memory": self.memory},
        }
        self.instance = Instance(module, imports, engine=engine)
        self.threads.attach(self.instance, lambda: Instance(module, imports, engine=engine))

    def set(self, *words: int) -> None:
        for i, word in enumerate(words):
            self.memory.write(4 * i, word.to_bytes(4, "little"))

    def word(self, address: int) -> int:
        return int.from_bytes(self.memory.read(address, 4), "little")

    def start(self) -> None:
        self.threads.run(self.instance.exports._start)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_share_memory(engine: str) -> None:
    program = Program(COUNT, engine)
    program.set(6)
    program.start()
    assert program.word(8) == 6000
    assert program.word(16) == sum(range(1, 7))
    assert len(program.threads) == 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("sleeping", [0, 1])
@pytest.mark.parametrize("acting", ["main", "thread"])
@pytest.mark.parametrize("what", ["trap", "exit", "return"])
def test_whatever_ends_the_program_ends_all_threads(
    engine: str, sleeping: int, acting: str, what: str
) -> None:
    if (acting, what) == ("thread", "return"):
        return  # a thread that returns ends nothing
    program = Program(PAIR, engine)
    program.set(acting == "thread", {"trap": 1, "exit": 2, "return": 3}[what], sleeping)
    before = time.monotonic()
    if what == "return":
        program.start()
    elif what == "trap":
        with pytest.raises(Trap) as trap:
            program.start()
        assert trap.value.kind is TrapKind.UNREACHABLE
        assert trap.value.frames[0].function_name == "act"
    else:
        with pytest.raises(Exit) as ended:
            program.start()
        assert ended.value.code == 33
    assert len(program.threads) == 0
    assert time.monotonic() - before < 10


def test_there_is_a_limit() -> None:
    program = Program(COUNT, "fast", most=2)
    text = COUNT.replace("(loop $again", "(loop (br 0)) (loop $again")
    program = Program(text, "fast", most=2)
    program.set(3)
    with pytest.raises(Trap, match="unreachable"):
        program.start()
    assert len(program.threads) == 0


def test_a_module_without_the_function_for_threads() -> None:
    text = """
    (module (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
      (import "env" "memory" (memory 1 1 shared))
      (func (export "_start") (i32.store (i32.const 0) (call $spawn (i32.const 0)))))
    """
    program = Program(text, "fast")
    program.start()
    assert program.word(0) == 2**32 - 52  # ENOSYS


def test_an_exception_of_a_host_function_in_a_thread_is_raised_by_the_program() -> None:
    module = Module(
        bytes(
            wasmtime.wat2wasm("""
    (module (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
      (import "env" "fail" (func $fail)) (import "env" "memory" (memory 1 1 shared))
      (func (export "wasi_thread_start") (param i32 i32) (call $fail))
      (func (export "_start") (drop (call $spawn (i32.const 0))) (loop (br 0))))
    """)
        )
    )

    def fail() -> None:
        raise KeyError("mine")

    threads = WasiThreads()
    imports: Any = {
        **threads.imports(),
        "env": {"fail": fail, "memory": Memory(MemoryType(1, 1, shared=True))},
    }
    instance = Instance(module, imports)
    threads.attach(instance, lambda: Instance(module, imports))
    with pytest.raises(KeyError, match="mine"):
        threads.run(instance.exports._start)


def test_many_threads_one_after_the_other() -> None:
    program = Program(COUNT, "fast")
    for _ in range(40):
        program = Program(COUNT, "fast")
        program.set(3)
        program.start()
    assert threading.active_count() < 20


SOAK = """
(module
  (import "env" "memory" (memory 1 200 shared))
  (func (export "work") (param $n i32)
    (loop $again
      (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))
      (drop (i64.atomic.rmw.xor (i32.const 8) (i64.extend_i32_u (local.get $n))))
      (loop $try
        (br_if $try (i32.ne
          (i32.atomic.rmw.cmpxchg (i32.const 16)
            (i32.load (i32.const 16))
            (i32.add (i32.load (i32.const 16)) (i32.const 0)))
          (i32.load (i32.const 16)))))
      (if (i32.eqz (i32.and (local.get $n) (i32.const 1023)))
        (then (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1))
          (then (drop (i32.atomic.rmw.add (i32.const 24) (i32.const 1)))))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_atomics_and_growing_in_eight_threads(engine: str) -> None:
    module = Module(bytes(wasmtime.wat2wasm(SOAK)))
    if engine == "aot":
        module = Module(compile_module(module).encode())
    memory = Memory(MemoryType(1, 200, shared=True))
    imports: Any = {"env": {"memory": memory}}
    rounds = 20_000
    threads = [
        threading.Thread(
            target=Instance(module, imports, engine=engine).exports.work,  # type: ignore[arg-type]
            args=(rounds,),
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert int.from_bytes(memory.read(0, 4), "little") == 8 * rounds
    assert memory.read(8, 8) == bytes(8)  # an even number of times each
    grown = int.from_bytes(memory.read(24, 4), "little")
    assert memory.size == 1 + grown == min(200, 1 + 8 * (rounds // 1024))

"""Sets of interpreter handlers, chained by tail calls and, from the same source, as one switch."""

import copy
import ctypes
import random

import pytest

from wasmote.image.testing import Library
from wasmote.nativepy import (
    HandlerSet,
    dispatch,
    enter,
    handler_offset,
    host_target,
    i32,
    inline,
    mirror,
    native,
    ptr,
    sdiv,
    static,
    struct,
    tail,
    trap_if,
    u8,
    u32,
    unlikely,
    usize,
    void,
)

from .support import compile_ir

TRAP_ZERO, TRAP_STEPS = 7, 9
SWITCH_TARGET = copy.copy(host_target())
SWITCH_TARGET.tail_calls = False


@struct
class Machine:
    """A stack machine: one byte an opcode, one byte an operand."""

    result: i32
    steps: u32
    trap: u32
    rests: u32


TOY = HandlerSet("toy", table_parameter=3)


@inline
def leave(code, pc, sp, m, table):
    m.trap = code
    m.result = sp[0]
    return code


def handler(function):
    """Register a handler under the next opcode."""
    TOY.add(native(function, convention="handler", on_trap=leave))
    return function


@handler
def halt(pc: ptr[u8], sp: ptr[i32], m: ptr[Machine], table: ptr[usize]) -> u32:
    m.result = sp[0]
    return 0


@handler
def push(pc: ptr[u8], sp: ptr[i32], m: ptr[Machine], table: ptr[usize]) -> u32:
    sp[1] = i32(pc[0])
    return dispatch(TOY, pc[1], pc + 2, sp + 1, m, table)


@inline
def add(a: i32, b: i32) -> i32:
    return a + b


@inline
def subtract(a: i32, b: i32) -> i32:
    return a - b


@inline
def multiply(a: i32, b: i32) -> i32:
    return a * b


@inline
def divide(a: i32, b: i32) -> i32:
    trap_if(b == 0, TRAP_ZERO)
    return sdiv(a, b)


def binary_handler(operation):
    def apply(pc: ptr[u8], sp: ptr[i32], m: ptr[Machine], table: ptr[usize]) -> u32:
        sp[-1] = operation(sp[-1], sp[0])
        return dispatch(TOY, pc[0], pc + 1, sp - 1, m, table)

    return apply


for _operation in (add, subtract, multiply, divide):
    handler(binary_handler(_operation))


@native(convention="handler", noinline=True)
def go_on_slowly(pc: ptr[u8], sp: ptr[i32], m: ptr[Machine], table: ptr[usize]) -> u32:
    """No handler itself, but handlers end in it, and it goes on with one."""
    m.rests += 1
    return dispatch(TOY, pc[0], pc + 1, sp, m, table)


@handler
def loop_back(pc: ptr[u8], sp: ptr[i32], m: ptr[Machine], table: ptr[usize]) -> u32:
    """Go back that many bytes unless the step limit is reached."""
    m.steps -= 1
    trap_if(unlikely(m.steps == 0), TRAP_STEPS)
    target = pc - i32(pc[0])
    if m.steps & 1 != 0:
        return tail(go_on_slowly, target, sp, m, table)
    return dispatch(TOY, target[0], target + 1, sp, m, table)


HALT, PUSH, ADD, SUBTRACT, MULTIPLY, DIVIDE, LOOP = range(7)


@native(export="toy_init")
def toy_init(table: ptr[usize]) -> void:
    for i in static(range(len(TOY.handlers))):
        table[i] = handler_offset(TOY, i)


@native(export="toy_run")
def toy_run(code: ptr[u8], stack: ptr[i32], m: ptr[Machine], table: ptr[usize]) -> u32:
    return enter(TOY, code[0], code + 1, stack, m, table)


class Toy:
    """The machine, compiled for a target."""

    def __init__(self, target):
        self.library = Library(toy_init, toy_run, target=target)
        self.table = (ctypes.c_size_t * len(TOY.handlers))()
        self.library.toy_init(ctypes.addressof(self.table))

    def run(self, *code, steps=1000):
        raw = (ctypes.c_uint8 * len(code))(*code)
        stack = (ctypes.c_int32 * 300)()
        machine = mirror(Machine)(steps=steps)
        places = (ctypes.addressof(x) for x in (raw, stack, machine, self.table))
        status = self.library.toy_run(*places)
        self.rests = machine.rests
        return status, machine.result


@pytest.fixture(scope="module", params=["tail calls", "switch"])
def toy(request):
    return Toy(host_target() if request.param == "tail calls" else SWITCH_TARGET)


@pytest.mark.parametrize("target", [host_target(), SWITCH_TARGET], ids=["tail calls", "switch"])
def test_a_handler_that_is_not_wanted_is_left_out(target, monkeypatch):
    monkeypatch.setattr(TOY.handlers[DIVIDE], "wanted", lambda: False)
    toy = Toy(target)
    assert toy.run(PUSH, 20, PUSH, 2, MULTIPLY, HALT) == (0, 40)
    assert "sdiv i32" not in compile_ir(toy_init, toy_run, target=target)
    monkeypatch.setattr(TOY.handlers[DIVIDE], "wanted", lambda: True)
    assert "sdiv i32" in compile_ir(toy_init, toy_run, target=target)


def test_runs_a_program(toy):
    assert toy.run(PUSH, 20, PUSH, 2, PUSH, 1, ADD, MULTIPLY, HALT) == (0, 60)
    assert toy.run(PUSH, 1, PUSH, 2, SUBTRACT, PUSH, 3, MULTIPLY, HALT) == (0, -3)


def test_a_trap_leaves_the_handler_with_its_code(toy):
    assert toy.run(PUSH, 5, PUSH, 0, DIVIDE, HALT) == (TRAP_ZERO, 0)
    assert toy.run(PUSH, 50, PUSH, 7, DIVIDE, HALT) == (0, 7)


def test_a_million_steps_need_no_stack(toy):
    assert toy.run(PUSH, 0, PUSH, 1, ADD, LOOP, 4, HALT, steps=1_000_000) == (TRAP_STEPS, 1_000_000)
    assert toy.rests == 500_000


def test_both_forms_agree_on_random_programs():
    machines = [Toy(host_target()), Toy(SWITCH_TARGET)]
    chosen = random.Random(3)
    for _ in range(200):
        code, depth = [], 0
        for _ in range(chosen.randrange(1, 60)):
            if depth < 2 or chosen.random() < 0.5:
                code += [PUSH, chosen.randrange(6)]
                depth += 1
            else:
                code.append(chosen.choice((ADD, SUBTRACT, MULTIPLY, DIVIDE)))
                depth -= 1
        results = [machine.run(*code, HALT) for machine in machines]
        assert results[0] == results[1], code


def test_the_two_forms():
    tails, switch = (
        compile_ir(toy_init, toy_run),
        compile_ir(toy_init, toy_run, target=SWITCH_TARGET),
    )
    # All handlers but halt, and the slow way of one.
    assert tails.count("musttail call preserve_nonecc") == len(TOY.handlers) - 1 + 2
    assert "switch " not in tails
    assert "musttail" not in switch
    assert "switch i64" in switch
    assert Toy(SWITCH_TARGET).table[:] == [0] * len(TOY.handlers)
    assert all(Toy(host_target()).table)


# -- tail calls by themselves --------------------------------------------------------------------


@native(convention="handler")
def count_down(n: u32, total: u32) -> u32:
    if n == 0:
        return total
    return tail(count_up, n - 1, total + 1)


@native(convention="handler")
def count_up(n: u32, total: u32) -> u32:
    if n == 0:
        return total
    return tail(count_down, n - 1, total + 2)


@native(export="count")
def count(n: u32) -> u32:
    return count_down(n, 0)


def test_mutual_tail_calls_run_in_constant_space():
    assert Library(count, level=0).count(10_000_001) == 5_000_001 + 2 * 5_000_000

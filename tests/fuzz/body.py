"""Generates function bodies that are valid and hard on a one-pass translator.

A body is written front to back with the types on the operand stack known at each step, so values
stay on the stack across other instructions, blocks and branches, as compilers seldom leave them:
locals change while they are on the stack, blocks take parameters, constants stand on either side.
"""

import random
from collections.abc import Callable

from tests.fuzz.aggregate_steps import AggregateSteps
from tests.fuzz.binary import Kind, Shape, Types, encoded, signed, unsigned
from tests.fuzz.call_steps import CallSteps
from tests.fuzz.choices import (
    F32,
    F64,
    I32,
    I64,
    LOGGED,
    NUMBERS,
    Choices,
)
from tests.fuzz.exception_steps import ExceptionSteps
from tests.fuzz.memory_steps import MemorySteps
from tests.fuzz.writer import END, LOOP

_BLOCK, _IF, _ELSE = 2, 4, 5


class Body(MemorySteps, CallSteps, AggregateSteps, ExceptionSteps):
    """Writes one function; `finish` returns its code."""

    def __init__(
        self, shape: Shape, index: int, choices: Choices, local_types: Types, rng: random.Random
    ) -> None:
        super().__init__(shape, index, choices, local_types, rng)
        self.deepest = rng.choice((3, 6, 6, 12))
        self.steps: list[tuple[Callable[[], None], int]] = [
            *((self.push, 14), (self.operate, 22), (self.compare, 5), (self.keep, 14)),
            *((self.overwrite, 6), (self.select, 4), (self.drop, 2), (self.load, 6)),
            *((self.store, 6), (self.block, 8), (self.branch_if, 8), (self.branch, 2)),
            *((self.branch_table, 3), (self.call, 4), (self.call_indirect, 3)),
            *((self.variable, 5), (self.deep, 1), (self.whole_memory, 2)),
            *((self.table_operation, 2), (self.reference, 1), (self.tick, 1), (self.count, 3)),
            *((self.pending, 4), (self.fall_through, 3)),
            *((self.tail_call, 1), (self.call_ref, 3), (self.branch_on_null, 2)),
            *((self.atomic, 2), (self.throw, 1), (self.try_, 4 if shape.tags else 0)),
            (self.aggregate, 25 if shape.aggregates else 0),
        ]

    def finish(self, steps: int) -> bytes:
        self.tick()
        self.run(steps)
        for local in range(self.first_local, min(len(self.locals), self.first_local + 12)):
            kind = self.locals[local]
            if kind in LOGGED and self.rng.random() < 0.5:
                self.apply(0x20, (), (kind,), unsigned(local))
                self.log(kind)
        self.settle(self.frames[0].results)
        self.emit(END)
        return bytes(self.code)

    def run(self, steps: int) -> None:
        functions, weights = zip(*self.steps, strict=True)
        for step in self.rng.choices(functions, weights, k=steps):
            step()
            if self.frames[-1].dead and self.rng.random() < 0.5:
                return

    # -- values ------------------------------------------------------------------------------------

    def push(self) -> None:
        self.value(self.rng.choice(self.choices.types))

    def deep(self) -> None:
        """A high stack, then changes of the locals that are on it."""
        for _ in range(self.rng.choice((5, 20, 100) if self.rng.random() < 0.98 else (5000,))):
            self.push()
        for _ in range(self.rng.randrange(6)):
            self.overwrite()

    def operate(self) -> None:
        """A numeric instruction, mostly one that takes what is there."""
        choices = self.choices.values
        if self.here and self.rng.random() < 0.8:
            top = self.stack[-1]
            choices = [i for i in choices if i.params and i.params[-1] == top] or choices
        chosen = self.rng.choice(choices)
        assert chosen.params is not None
        self.operands(chosen.params)
        self.instruction(chosen)

    def operands(self, params: Types) -> None:
        """Operands, sometimes with a constant on the left."""
        if params == params[:1] * 2 and self.here and self.stack[-1] == params[0]:
            if self.rng.random() < 0.2 and (local := self.local_of(params[0])) is not None:
                self.apply(0x21, (params[0],), (), unsigned(local))
                self.constant(params[0])
                self.apply(0x20, (), (params[0],), unsigned(local))
                return
            if self.rng.random() < 0.2:
                self.constant(params[0])
                kind = self.rng.choice((self.value_of_call, self.value_of_block))
                kind(params[1])
                return
        self.need(params)

    def value_of_call(self, kind: Kind) -> None:
        """A value that is in its slot: what a call returned."""
        callees = [i for i in self.callees if self.shape.function_type(i)[1] == (kind,)]
        if callees:
            index = self.rng.choice(callees)
            params, results = self.shape.function_type(index)
            for each in params:
                self.value(each)
            self.apply(0x10, params, results, unsigned(index))
        else:
            self.value_of_block(kind)

    def value_of_block(self, kind: Kind) -> None:
        """A value that is in its slot: what a block left."""
        self.open(_BLOCK, (), (kind,), encoded(kind))
        self.value(kind)
        self.condition()
        self.emit(0x0D, b"\0")
        self.stack.pop()
        if self.rng.random() < 0.5:
            self.apply(0x1A, (kind,), ())
            self.constant(kind)
        self.close()

    def computed(self, kind: Kind) -> None:
        """A value that an instruction just computed from two others."""
        made = [i for i in self.choices.values if i.results == (kind,) and len(i.params or ()) == 2]
        if not made:
            self.value(kind)
            return
        chosen = self.rng.choice(made)
        for operand in chosen.params or ():
            self.value(operand)
        self.instruction(chosen)

    def pending(self) -> None:
        """Values that were just computed, and are used only after something else happened."""
        height = len(self.stack)
        kinds = [self.rng.choice(pair) for pair in ((I32, I64), (F32, F64))]
        self.rng.shuffle(kinds)
        for kind in kinds[: self.rng.choice((1, 2, 2))]:
            self.computed(kind)
        between = (
            *(self.call, self.call_indirect, self.block, self.branch_if, self.overwrite),
            *(self.whole_memory, self.table_operation, self.select, self.store, self.deep),
        )
        self.rng.choice(between)()
        while len(self.stack) > max(height, self.frames[-1].height):
            self.sink()

    def fall_through(self) -> None:
        """A conditional branch that carries a value past another one, then uses of that one."""
        kind, other = self.rng.choice(LOGGED), self.rng.choice(LOGGED)
        self.open(_BLOCK, (), (kind,), encoded(kind))
        self.rng.choice((self.value_of_call, self.value_of_block, self.computed))(other)
        self.rng.choice((self.value, self.computed))(kind)
        self.condition()
        self.apply(0x0D, (kind, I32), (kind,), b"\0")
        self.sink()
        if self.rng.random() < 0.7:
            self.value(other)
            users = [i for i in self.choices.values if i.params == (other, other)]
            self.instruction(self.rng.choice(users))
        self.sink()
        self.close()

    def compare(self) -> None:
        """A comparison with its users: branch, select, eqz, or none."""
        self.condition()

    def condition(self) -> None:
        """An i32, mostly a comparison."""
        if self.rng.random() < 0.3:
            self.value(I32)
            return
        compares = [i for i in self.choices.values if i.family in ("compare", "test")]
        chosen = self.rng.choice(compares)
        for kind in chosen.params or ():
            self.value(kind)
        self.instruction(chosen)
        if chosen.results != (I32,):
            self.drop()
            self.value(I32)
        elif self.rng.random() < 0.2:
            self.apply(0x45, (I32,), (I32,))

    def keep(self) -> None:
        """Set or tee a local from the top operand."""
        if not self.here:
            self.push()
        kind = self.stack[-1]
        local = self.local_of(kind)
        if local is None:
            return
        if self.rng.random() < 0.5:
            self.apply(0x22, (kind,), (kind,), unsigned(local))
        else:
            self.apply(0x21, (kind,), (), unsigned(local))

    def overwrite(self) -> None:
        """Change a local, preferably one that is on the stack."""
        if not self.locals:
            return
        local = self.rng.randrange(self.first_local, min(len(self.locals), self.first_local + 12))
        kind = self.locals[local]
        if self.rng.random() < 0.7:
            self.apply(0x20, (), (kind,), unsigned(local))
        self.value(kind)
        self.apply(0x21, (kind,), (), unsigned(local))

    def select(self) -> None:
        kind = self.stack[-1] if self.here else self.rng.choice(self.choices.types)
        self.need((kind, kind))
        self.condition()
        if kind not in NUMBERS or self.rng.random() < 0.1:
            self.apply(0x1C, (kind, kind, I32), (kind,), b"\x01", encoded(kind))
        else:
            self.apply(0x1B, (kind, kind, I32), (kind,))

    def variable(self) -> None:
        """Read or write a global."""
        kind = self.stack[-1] if self.here else self.rng.choice(self.choices.types)
        variable = self.global_of(kind, True)
        if variable is None:
            return
        if self.rng.random() < 0.5:
            self.need((kind,))
            self.apply(0x24, (kind,), (), unsigned(variable))
        else:
            self.apply(0x23, (), (kind,), unsigned(variable))

    # -- blocks and branches -----------------------------------------------------------------------

    def block(self) -> None:
        if len(self.frames) > self.deepest:
            return
        opcode = self.rng.choice((_BLOCK, _BLOCK, LOOP, _IF))
        params, results, encoded = self.block_type()
        if opcode == LOOP and self.rng.random() < 0.5:
            self.tick()
        self.need(params)
        if opcode == _IF:
            self.condition()
            self.pop()
        self.open(opcode, params, results, encoded)
        self.run(self.rng.randrange(12))
        if opcode == _IF and (params != results or self.rng.random() < 0.6):
            self.settle(results)
            self.emit(_ELSE)
            self.frames[-1].dead = False
            del self.stack[self.frames[-1].height :]
            self.stack += params
            self.run(self.rng.randrange(8))
        self.close()

    def branch_if(self) -> None:
        label = self.label()
        types = self.frames[-1 - label].label
        self.need(types)
        self.condition()
        self.apply(0x0D, (*types, I32), types, unsigned(label))

    def count(self) -> None:
        """Step a local and branch on it, as loops do."""
        local = self.local_of(I32)
        label = self.label()
        types = self.frames[-1 - label].label
        if local is None:
            return
        self.need(types)
        self.apply(0x20, (), (I32,), unsigned(local))
        self.apply(0x41, (), (I32,), signed(self.rng.choice((1, -1, 3, 32767, 32768, -32769))))
        self.apply(0x6A, (I32, I32), (I32,))
        if self.rng.random() < 0.5:
            self.apply(0x22, (I32,), (I32,), unsigned(local))
        else:
            self.apply(0x21, (I32,), (), unsigned(local))
            self.apply(0x20, (), (I32,), unsigned(local))
        if self.rng.random() < 0.8:
            self.value(I32)
            self.apply(self.rng.randrange(0x46, 0x50), (I32, I32), (I32,))
        self.apply(0x0D, (*types, I32), types, unsigned(label))

    def branch(self) -> None:
        """br, return or unreachable; what follows is dead."""
        if len(self.frames) == 1 or self.rng.random() < 0.3:
            if self.rng.random() < 0.9 and len(self.frames) == 1:
                return
            if self.rng.random() < 0.2:
                self.emit(0x00)
            else:
                self.need(self.frames[0].results)
                self.emit(0x0F)
        else:
            label = self.label()
            self.need(self.frames[-1 - label].label)
            self.emit(0x0C, unsigned(label))
        self.die()

    def branch_table(self) -> None:
        first = self.label()
        types = self.frames[-1 - first].label
        same = [i for i in range(len(self.frames)) if self.frames[-1 - i].label == types]
        if any(self.frames[-1 - i].opcode == LOOP for i in same):
            self.tick()
        self.need(types)
        if self.rng.random() < 0.5:
            self.condition()
        else:
            self.value(I32)
        labels = self.rng.choices(same, k=self.rng.choice((0, 1, 2, 3, 9)))
        encoded = unsigned(len(labels)) + b"".join(map(unsigned, labels))
        self.apply(0x0E, (*types, I32), (), encoded, unsigned(first))
        self.die()

"""Generates function bodies that are valid and hard on a one-pass translator.

A body is written front to back with the types on the operand stack known at each step, so values
stay on the stack across other instructions, blocks and branches, as compilers seldom leave them:
locals change while they are on the stack, blocks take parameters, constants stand on either side.
"""

import random
from collections.abc import Callable

from tests.fuzz.binary import Shape, Types, signed, unsigned, vector
from tests.fuzz.choices import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    LOGGED,
    Choices,
)
from tests.fuzz.writer import END, LOOP, Writer
from wasmote.core.status import ValueType
from wasmote.isa import Feature, Instruction

_BLOCK, _IF, _ELSE, _TRY_TABLE = 2, 4, 5, 0x1F
EXNREF = ValueType.EXNREF


class Body(Writer):
    """Writes one function; `finish` returns its code."""

    def __init__(
        self, shape: Shape, index: int, choices: Choices, local_types: Types, rng: random.Random
    ) -> None:
        super().__init__(shape, index, choices, local_types, rng)
        self.deepest = rng.choice((3, 6, 6, 12))
        self.steps: list[tuple[Callable[[], None], int]] = [
            *((self.push, 14), (self.operate, 22), (self.compare, 5), (self.keep, 14)),
            *((self.overwrite, 6), (self.select, 4), (self.drop, 2), (self.load, 6)),
            *(
                (self.store, 6),
                (self.atomic, 2),
                (self.block, 8),
                (self.branch_if, 8),
                (self.branch, 2),
            ),
            *((self.branch_table, 3), (self.call, 4), (self.call_indirect, 3)),
            *((self.variable, 5), (self.deep, 1), (self.whole_memory, 2)),
            *((self.table_operation, 2), (self.reference, 1), (self.tick, 1), (self.count, 3)),
            *((self.pending, 4), (self.fall_through, 3)),
            *((self.guard, 5), (self.throw, 1)),
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

    def value_of_call(self, kind: ValueType) -> None:
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

    def value_of_block(self, kind: ValueType) -> None:
        """A value that is in its slot: what a block left."""
        self.open(_BLOCK, (), (kind,), bytes([kind]))
        self.value(kind)
        self.condition()
        self.emit(0x0D, b"\0")
        self.stack.pop()
        if self.rng.random() < 0.5:
            self.apply(0x1A, (kind,), ())
            self.constant(kind)
        self.close()

    def computed(self, kind: ValueType) -> None:
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
        self.open(_BLOCK, (), (kind,), bytes([kind]))
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
        if kind in (FUNCREF, EXTERNREF, EXNREF) or self.rng.random() < 0.1:
            self.apply(0x1C, (kind, kind, I32), (kind,), b"\x01", bytes([kind]))
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

    # -- memory and tables -------------------------------------------------------------------------

    def address(self) -> None:
        """An address, mostly within the memory."""
        chance = self.rng.random()
        if chance < 0.2:
            self.apply(0x41, (), (I32,), signed(self.rng.randrange(70000)))
            return
        self.need((I32,))
        if chance < 0.9:
            self.apply(0x41, (), (I32,), signed(self.rng.choice((7, 255, 0xFFF8))))
            self.apply(0x71, (I32, I32), (I32,))
        if chance < 0.6:  # an addition that a load can take in
            local = self.local_of(I32)
            if local is not None and self.rng.random() < 0.5:
                self.apply(0x20, (), (I32,), unsigned(local))
                self.apply(0x41, (), (I32,), signed(0xFFF))
                self.apply(0x71, (I32, I32), (I32,))
            else:
                self.value(I32)
            self.apply(0x6A, (I32, I32), (I32,))

    def load(self) -> None:
        self.access(self.rng.choice(self.choices.loads))

    def store(self) -> None:
        self.access(self.rng.choice(self.choices.stores))

    def atomic(self) -> None:
        if self.choices.atomics:
            self.access(self.rng.choice(self.choices.atomics))

    def access(self, chosen: Instruction) -> None:
        """A load or store."""
        assert chosen.params is not None
        self.address()
        if chosen in self.choices.atomics and self.rng.random() < 0.9:  # else mostly not aligned
            self.apply(0x41, (), (I32,), signed(-8))
            self.apply(0x71, (I32, I32), (I32,))
        for kind in chosen.params[1:]:
            self.value(kind)
        self.instruction(chosen)

    def whole_memory(self) -> None:
        match self.rng.randrange(6):
            case 0:
                self.apply(0x3F, (), (I32,), b"\0")
            case 1:
                self.small(2)
                self.apply(0x40, (I32,), (I32,), b"\0")
            case 2:
                self.three(60000, 300)
                self.apply(0xFC << 16 | 10, (I32,) * 3, (), b"\0\0")
            case 3:
                self.three(60000, 300)
                self.apply(0xFC << 16 | 11, (I32,) * 3, (), b"\0")
            case 4:
                self.three(40, 20)
                segment = self.rng.randrange(len(self.shape.data))
                self.apply(0xFC << 16 | 8, (I32,) * 3, (), unsigned(segment), b"\0")
            case 5:
                if self.rng.random() < 0.1:
                    segment = self.rng.randrange(len(self.shape.data))
                    self.apply(0xFC << 16 | 9, (), (), unsigned(segment))

    def small(self, bound: int) -> None:
        """A constant up to a bound, or now and then any i32."""
        if self.rng.random() < 0.9:
            self.apply(0x41, (), (I32,), signed(self.rng.randrange(bound + 1)))
        else:
            self.value(I32)

    def three(self, position: int, count: int) -> None:
        self.small(position)
        self.small(position)
        self.small(count)

    def table_operation(self) -> None:
        if Feature.REFERENCE_TYPES not in self.choices.features:
            return
        table = self.rng.randrange(2)
        kind = (FUNCREF, EXTERNREF)[table]
        size = len(self.shape.elements) if table == 0 else self.shape.externs
        index = unsigned(table)
        misc = 0xFC << 16
        match self.rng.randrange(9):
            case 0 | 1:
                self.small(size)
                self.apply(0x25, (I32,), (kind,), index)
            case 2 | 3:
                self.small(size)
                self.value(kind)
                self.apply(0x26, (I32, kind), (), index)
            case 4:
                self.apply(misc | 16, (), (I32,), index)
            case 5:
                self.value(kind)
                self.small(2)
                self.apply(misc | 15, (kind, I32), (I32,), index)
            case 6:
                self.small(size)
                self.value(kind)
                self.small(2)
                self.apply(misc | 17, (I32, kind, I32), (), index)
            case 7:
                self.three(size, 3)
                self.apply(misc | 14, (I32,) * 3, (), index, index)
            case 8:
                self.three(len(self.shape.elements), 3)
                self.apply(misc | 12, (I32,) * 3, (), b"\x01\x00")

    def reference(self) -> None:
        if Feature.REFERENCE_TYPES not in self.choices.features:
            return
        kind = self.rng.choice((FUNCREF, EXTERNREF))
        self.need((kind,))
        self.apply(0xD1, (kind,), (I32,))

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

    # -- exceptions --------------------------------------------------------------------------------

    def throw(self) -> None:
        if self.shape.tags and self.rng.random() < 0.4:
            self.throw_now()

    def throw_now(self) -> None:
        tag = self.rng.randrange(len(self.shape.tags))
        self.need(self.carried(tag))
        self.emit(0x08, unsigned(tag))
        self.die()

    def carried(self, tag: int) -> Types:
        return self.shape.types[self.shape.tags[tag]][0]

    def guard(self) -> None:
        """A block that the values of an exception arrive at, and in it what may throw."""
        if not self.shape.tags or len(self.frames) > self.deepest:
            return
        tag = self.rng.randrange(len(self.shape.tags))
        kind = self.rng.randrange(4)
        arriving = self.carried(tag) if kind < 2 else ()
        if kind % 2:
            arriving += (EXNREF,)
        self.shape.types.append(((), arriving))
        self.open(_BLOCK, (), arriving, signed(len(self.shape.types) - 1))
        params, results, encoded = self.block_type()
        self.need(params)
        clauses = [self.clause(kind, tag, 0), *self.outer_clauses()]
        self.rng.shuffle(clauses)
        self.open(_TRY_TABLE, params, results, encoded + vector(clauses))
        self.run(self.rng.randrange(12))
        if not self.frames[-1].dead and self.rng.random() < 0.4:
            self.throw_now()
        self.close()
        self.close()
        if kind % 2:
            self.use_exception()

    @staticmethod
    def clause(kind: int, tag: int, label: int) -> bytes:
        return bytes([kind]) + (unsigned(tag) if kind < 2 else b"") + unsigned(label)

    def outer_clauses(self) -> list[bytes]:
        """Clauses for labels further out that take what a tag carries."""
        found = []
        for label, frame in enumerate(reversed(self.frames)):
            fitting = [t for t in range(len(self.shape.tags)) if self.carried(t) == frame.label]
            if frame.opcode == LOOP:
                continue
            if fitting and self.rng.random() < 0.3:
                found.append(self.clause(0, self.rng.choice(fitting), label))
            elif not frame.label and self.rng.random() < 0.05:
                found.append(self.clause(2, 0, label))
        return found

    def use_exception(self) -> None:
        """The reference on top: throw it again, or forget it."""
        if self.rng.random() < 0.15:
            self.apply(0x0A, (EXNREF,), ())
            self.die()
        else:
            self.apply(0x1A, (EXNREF,), ())

    def block_type(self) -> tuple[Types, Types, bytes]:
        chance = self.rng.random()
        if chance < 0.3:
            return (), (), b"\x40"
        if chance < 0.5 or Feature.MULTI_VALUE not in self.choices.features:
            kind = self.rng.choice(self.choices.types)
            return (), (kind,), bytes([kind])
        index = self.rng.randrange(len(self.shape.types))
        params, results = self.shape.types[index]
        return params, results, signed(index)

    def label(self) -> int:
        """A label, tick included if it leads back."""
        label = self.rng.randrange(len(self.frames))
        if self.frames[-1 - label].opcode == LOOP:
            self.tick()
        return label

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

    def call(self) -> None:
        index = self.rng.choice(self.callees)
        params, results = self.shape.function_type(index)
        self.need(params)
        self.apply(0x10, params, results, unsigned(index))

    def call_indirect(self) -> None:
        """Call through the table, mostly an element of the right type."""
        slot = self.rng.randrange(len(self.shape.elements))
        function = self.shape.elements[slot]
        if function is None or self.rng.random() < 0.05:
            type_index = self.rng.randrange(len(self.shape.types))
        else:
            type_index = self.shape.function_type_index(function)
        params, results = self.shape.types[type_index]
        self.need(params)
        self.apply(0x41, (), (I32,), signed(slot))
        local = self.local_of(I32)
        if local is not None and self.rng.random() < 0.5:
            self.apply(0x22, (I32,), (I32,), unsigned(local))
        self.apply(0x11, (*params, I32), results, unsigned(type_index), b"\0")

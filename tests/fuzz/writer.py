"""Writes code front to back and knows the types on the operand stack, so that it stays valid."""

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass

from tests.fuzz.binary import Kind, Shape, Types, encoded, signed, unsigned
from tests.fuzz.choices import I64, LOGGED, V128, Choices, constant
from wasmote.isa import Feature, Immediate, Instruction

LOOP, END = 3, 0x0B
_OFFSETS = (0, 1, 3, 4, 8, 100, 65535, 2**31, 2**32 - 1)


@dataclass
class Frame:
    """An open block."""

    opcode: int
    label: Types  # what a branch to it carries
    results: Types
    height: int
    dead: bool = False  # the rest is unreachable, and the stack polymorphic


class Writer(ABC):
    """A function's code so far."""

    def __init__(
        self, shape: Shape, index: int, choices: Choices, local_types: Types, rng: random.Random
    ) -> None:
        params, results = shape.function_type(index)
        self.shape, self.choices, self.rng = shape, choices, rng
        self.locals = params + local_types
        #: The locals that are used are this one and the next ones.
        self.first_local = rng.choice((0, 0, max(0, len(self.locals) - 12)))
        self.callees = shape.callees
        self.code = bytearray()
        self.stack: list[Kind] = []
        self.frames = [Frame(0, results, results, 0)]

    def emit(self, opcode: int, *immediates: bytes) -> None:
        if opcode >> 16:
            self.code += bytes([opcode >> 16]) + unsigned(opcode & 0xFFFF)
        else:
            self.code.append(opcode)
        self.code += b"".join(immediates)

    def apply(self, opcode: int, params: Types, results: Types, *immediates: bytes) -> None:
        """Write an instruction whose operands are there."""
        for _ in params:
            self.pop()
        self.emit(opcode, *immediates)
        self.stack += results

    def pop(self) -> None:
        if len(self.stack) > self.frames[-1].height:
            self.stack.pop()
        else:
            assert self.frames[-1].dead

    @property
    def here(self) -> list[Kind]:
        """The operands of the innermost block."""
        return self.stack[self.frames[-1].height :]

    def need(self, types: Types) -> None:
        """See to it that the topmost operands have the types, using what is there."""
        here = self.here
        have = max(n for n in range(len(types) + 1) if tuple(here[len(here) - n :]) == types[:n])
        for kind in types[have:]:
            self.value(kind)

    def settle(self, types: Types) -> None:
        """Leave exactly these operands in the innermost block."""
        while tuple(self.here) != types[: len(self.here)]:
            self.sink()
        for kind in types[len(self.here) :]:
            self.value(kind)

    def sink(self) -> None:
        """Take the top operand to where somebody can see it."""
        kind = self.stack[-1]
        places = self.rng.random()
        if places < 0.3 and kind in LOGGED:
            self.log(kind)
        elif places < 0.3 and kind == V128:
            self.apply(0xFD << 16 | 0x1D, (V128,), (I64,), bytes([self.rng.randrange(2)]))
            self.log(I64)
        elif places < 0.6 and (local := self.local_of(kind)) is not None:
            self.apply(0x21, (kind,), (), unsigned(local))
        elif places < 0.9 and (variable := self.global_of(kind, True)) is not None:
            self.apply(0x24, (kind,), (), unsigned(variable))
        else:
            self.drop()

    def log(self, kind: Kind) -> None:
        """Show the top operand to the host."""
        self.apply(0x10, (kind,), (), unsigned(LOGGED.index(kind)))

    def local_of(self, kind: Kind) -> int | None:
        found = [
            i for i, t in enumerate(self.locals[self.first_local :], self.first_local) if t == kind
        ]
        return self.rng.choice(found[:8]) if found else None

    def global_of(self, kind: Kind, mutable: bool) -> int | None:
        """A global but the first one, which counts ticks."""
        found = [i for i, (t, m, _) in enumerate(self.shape.globals) if t == kind and i]
        found = [i for i in found if not mutable or self.shape.globals[i][1]]
        return self.rng.choice(found) if found else None

    def value(self, kind: Kind) -> None:
        """Push a value of a type."""
        chance = self.rng.random()
        if chance < 0.5 and (local := self.local_of(kind)) is not None:
            self.apply(0x20, (), (kind,), unsigned(local))
        elif chance < 0.6 and (variable := self.global_of(kind, False)) is not None:
            self.apply(0x23, (), (kind,), unsigned(variable))
        elif chance < 0.7 and (made := [i for i in self.choices.values if i.results == (kind,)]):
            chosen = self.rng.choice(made)
            for operand in chosen.params or ():
                local = self.local_of(operand) if self.rng.random() < 0.5 else None
                if local is None:
                    self.constant(operand)
                else:
                    self.apply(0x20, (), (operand,), unsigned(local))
            self.instruction(chosen)
        else:
            self.constant(kind)

    def constant(self, kind: Kind) -> None:
        self.code += constant(kind, self.rng, self.shape)
        self.stack.append(kind)

    def either(self, kind: Kind, local: int, otherwise: bytes) -> None:
        """A local, or what replaces it if it is null."""
        self.emit(0x02, encoded(kind))
        self.emit(0x20, unsigned(local))
        self.emit(0xD6, b"\0")  # br_on_non_null
        self.code += otherwise
        self.emit(END)
        self.stack.append(kind)

    def instruction(self, i: Instruction) -> None:
        immediates = [self.immediate(i, each) for each in i.immediates]
        self.apply(i.opcode, i.params or (), i.results or (), *immediates)

    def immediate(self, i: Instruction, kind: Immediate) -> bytes:
        match kind:
            case Immediate.MEMARG:
                align = self.rng.randrange(i.access.bit_length())
                if i in self.choices.atomics:
                    align = i.access.bit_length() - 1
                offset = 0 if self.rng.random() < 0.5 else self.rng.choice(_OFFSETS)
                return unsigned(align) + unsigned(offset)
            case Immediate.LANE:
                return bytes([self.rng.randrange(2)])
            case Immediate.LANES:
                return bytes(self.rng.randrange(32) for _ in range(16))
        raise ValueError(f"{i} has an immediate that is not generated: {kind}")

    def drop(self) -> None:
        if self.here:
            self.apply(0x1A, (self.stack[-1],), ())

    def open(self, opcode: int, params: Types, results: Types, encoded: bytes) -> None:
        self.emit(opcode, encoded)
        label = params if opcode == LOOP else results
        self.frames.append(Frame(opcode, label, results, len(self.stack) - len(params)))

    def close(self) -> None:
        """End the innermost block."""
        results = self.frames[-1].results
        here = tuple(self.here)
        fits = len(here) <= len(results) and here == results[len(results) - len(here) :]
        if not (self.frames[-1].dead and fits and self.rng.random() < 0.5):
            self.settle(results)
        self.emit(END)
        height = self.frames.pop().height
        del self.stack[height:]
        self.stack += results

    def die(self) -> None:
        self.frames[-1].dead = True
        del self.stack[self.frames[-1].height :]

    def tick(self) -> None:
        """Count down; trap at zero, so that every call ends."""
        counter = b"\0"
        if self.rng.random() < 0.5:
            self.code += b"\x41\x01\x23" + counter + b"\x6e\x1a"  # 1 / counter
        else:
            self.code += b"\x23" + counter + b"\x45\x04\x40\x00\x0b"
        self.code += b"\x23" + counter + b"\x41\x01\x6b\x24" + counter

    def label(self) -> int:
        """A label, tick included if it leads back."""
        label = self.rng.randrange(len(self.frames))
        if self.frames[-1 - label].opcode == LOOP:
            self.tick()
        return label

    def block_type(self) -> tuple[Types, Types, bytes]:
        chance = self.rng.random()
        if chance < 0.3:
            return (), (), b"\x40"
        if chance < 0.5 or Feature.MULTI_VALUE not in self.choices.features:
            kind = self.rng.choice(self.choices.types)
            return (), (kind,), encoded(kind)
        index = self.rng.randrange(len(self.shape.types))
        params, results = self.shape.types[index]
        return params, results, signed(index)

    @abstractmethod
    def run(self, steps: int) -> None:
        """Write some steps, fewer where the code cannot be reached."""

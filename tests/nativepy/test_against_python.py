"""Random functions, compiled and evaluated by CPython: both must give the same results.

Every operation is followed by a conversion to its own type. To the compiler that is nothing; in
CPython it wraps the unbounded result as the machine does.
"""

import itertools
import random

import pytest

from wasmote.image.testing import Library

from .support import define

INTEGERS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
EDGES = (0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 127, 128, 255, 2**15, 2**16 - 1, 2**31, 2**63)
FUNCTIONS = 60
INPUTS = 40


class Generator:
    """Writes random functions of integers."""

    def __init__(self, seed: int) -> None:
        self.chosen = random.Random(seed)
        self.types: dict[str, str] = {}
        self.counter = itertools.count()

    def pick(self, items):
        return self.chosen.choice(items)

    def expression(self, kind: str, depth: int) -> str:
        """An expression of a type."""
        variables = [name for name, t in self.types.items() if t == kind]
        if depth == 0 or self.chosen.random() < 0.1:
            return self.pick(variables) if variables else f"{kind}({self.chosen.randrange(100)})"
        make = self.pick(
            (
                self.binary,
                self.binary,
                self.binary,
                self.unary,
                self.convert,
                self.literal,
                self.choice,
                self.shift,
            )
        )
        return make(kind, depth - 1)

    def binary(self, kind: str, depth: int) -> str:
        a, b = self.expression(kind, depth), self.expression(kind, depth)
        if kind.startswith("u") and self.chosen.random() < 0.2:
            return f"({a} {self.pick(('//', '%'))} ({b} | 1))"
        return f"{kind}({a} {self.pick('+-*&|^')} {b})"

    def literal(self, kind: str, depth: int) -> str:
        return (
            f"{kind}({self.expression(kind, depth)} {self.pick('+-*&|^')} {self.pick((1, 3, 77))})"
        )

    def unary(self, kind: str, depth: int) -> str:
        return f"{kind}({self.pick('-~')}{self.expression(kind, depth)})"

    def convert(self, kind: str, depth: int) -> str:
        return f"{kind}({self.expression(self.pick(INTEGERS), depth)})"

    def shift(self, kind: str, depth: int) -> str:
        a, bits = self.expression(kind, depth), int(kind[1:])
        if self.chosen.random() < 0.5:
            return f"{kind}({a} {self.pick(('<<', '>>'))} {self.chosen.randrange(bits)})"
        amount = f"({self.expression(kind, depth)} & {bits - 1})"
        return f"{kind}({a} {self.pick(('<<', '>>'))} {amount})"

    def choice(self, kind: str, depth: int) -> str:
        a, b = self.expression(kind, depth), self.expression(kind, depth)
        return f"({a} if {self.condition(depth)} else {b})"

    def condition(self, depth: int) -> str:
        kind = self.pick(INTEGERS)
        a, b = self.expression(kind, depth), self.expression(kind, depth)
        test = f"{a} {self.pick(('==', '!=', '<', '<=', '>', '>='))} {b}"
        if depth == 0 or self.chosen.random() < 0.6:
            return test
        if self.chosen.random() < 0.3:
            return f"not ({test})"
        return f"({test} {self.pick(('and', 'or'))} {self.condition(depth - 1)})"

    def statements(self, depth: int, indent: str) -> list[str]:
        lines: list[str] = []
        for _ in range(self.chosen.randrange(1, 4)):
            if depth == 0 or self.chosen.random() < 0.5:
                lines += self.assignment(indent)
            else:
                block = self.pick((self.if_block, self.loop, self.while_block, self.match_block))
                lines += block(depth - 1, indent)
        return lines

    def assignment(self, indent: str) -> list[str]:
        name = self.pick([name for name in self.types if name.startswith("v")])
        kind = self.types[name]
        return [f"{indent}{name} = {self.expression(kind, 2)}"]

    def if_block(self, depth: int, indent: str) -> list[str]:
        body = self.statements(depth, indent + "    ")
        other = self.statements(depth, indent + "    ")
        return [f"{indent}if {self.condition(1)}:", *body, f"{indent}else:", *other]

    def loop(self, depth: int, indent: str) -> list[str]:
        kind, name = self.pick(INTEGERS), f"k{next(self.counter)}"
        start, stop = self.chosen.randrange(10), self.chosen.randrange(20)
        step = self.pick((1, 1, 2, 5, -1, -3))
        lines = [f"{indent}for {name} in range({kind}({start}), {stop}, {step}):"]
        self.types[name] = kind
        lines += self.statements(depth, indent + "    ")
        leave = self.pick(("break", "continue"))
        lines += [f"{indent}    if {self.condition(1)}:", f"{indent}        {leave}"]
        lines += self.assignment(indent + "    ")
        del self.types[name]
        return lines

    def while_block(self, depth: int, indent: str) -> list[str]:
        name = f"n{next(self.counter)}"
        body = self.statements(depth, indent + "    ")
        head = f"{indent}while {name} != 0 and ({self.condition(1)}):"
        return [f"{indent}{name}: u32 = 7", head, f"{indent}    {name} = u32({name} - 1)", *body]

    def match_block(self, depth: int, indent: str) -> list[str]:
        lines = [f"{indent}match {self.expression('u8', 1)} & 7:"]
        for case in ("0", "1 | 2", "5", "_"):
            lines += [f"{indent}    case {case}:", *self.statements(0, indent + "        ")]
        return lines

    def function(self, number: int) -> tuple[str, list[str]]:
        kinds = [self.pick(INTEGERS) for _ in range(3)]
        parameters = ", ".join(f"p{i}: {kind}" for i, kind in enumerate(kinds))
        result = self.pick(INTEGERS)
        self.types = {f"p{i}": kind for i, kind in enumerate(kinds)}
        lines = []
        for i, kind in enumerate(("u32", "i64", "u8", "i16")):
            lines.append(f"    v{i}: {kind} = {self.chosen.randrange(100)}")
            self.types[f"v{i}"] = kind
        lines += self.statements(2, "    ")
        total = " ^ ".join(f"{result}({name})" for name in self.types if name.startswith("v"))
        head = f"@native(export='f{number}')\ndef f{number}({parameters}) -> {result}:"
        return "\n".join([head, *lines, f"    return {result}({total})", "", ""]), kinds


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("seed", range(3))
def test_random_functions(tmp_path, seed, level):
    generator = Generator(seed)
    made = [generator.function(number) for number in range(FUNCTIONS)]
    names = define(tmp_path, "".join(source for source, _ in made))
    functions = [names[f"f{number}"] for number in range(FUNCTIONS)]
    library = Library(*functions, level=level)
    chosen = random.Random(seed)
    for function, (source, kinds) in zip(functions, made, strict=True):
        for _ in range(INPUTS):
            numbers = [chosen.choice(EDGES) * chosen.choice((1, -1)) for _ in kinds]
            arguments = [names[kind](n) for kind, n in zip(kinds, numbers, strict=True)]
            expected = function(*arguments)
            assert getattr(library, function.export)(*arguments) == expected, (source, arguments)

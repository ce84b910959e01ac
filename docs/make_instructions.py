"""Writes docs/instructions.md from the instruction definitions. Run by `python3 dev.py docs`."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from wasmote.isa import INSTRUCTIONS, SUPPORTED_FEATURES, Feature, Instruction
from wasmote.types import ValType

PAGE = Path(__file__).with_name("instructions.md")
HEAD = """# Instructions

Generated from the definitions in `src/wasmote/isa/` by `python3 dev.py docs`. These are the {count}
instructions that Wasmote decodes, validates and runs. Immediates are those of the binary format; a
type is left out where it depends on the context.

## Features

By the names of their proposals (`mvp` is WebAssembly 1.0). Supported, and always on:
{supported}.

Not supported: {missing}.
"""


def opcode(instruction: Instruction) -> str:
    """As in the binary: the byte, or the prefix and the sub-opcode."""
    if instruction.prefix:
        return f"{instruction.prefix:02X} {instruction.code:02X}"
    return f"{instruction.code:02X}"


def signature(instruction: Instruction) -> str:
    """Operands and results, if they are always the same."""
    if instruction.params is None or instruction.results is None:
        return ""
    params, results = (
        " ".join(str(ValType(int(t))) for t in types)
        for types in (instruction.params, instruction.results)
    )
    return f"{params} → {results}".strip()


def rows(instructions: Iterable[Instruction]) -> Iterable[str]:
    """Lines of a table."""
    for each in instructions:
        immediates = " ".join(i.name.lower() for i in each.immediates)
        yield f"| `{opcode(each)}` | `{each}` | {immediates} | {signature(each)} | {each.feature} |"


def page() -> str:
    """The whole page."""
    families = list(dict.fromkeys(x.family for x in INSTRUCTIONS.values()))
    ordered = sorted(INSTRUCTIONS.values(), key=lambda x: (families.index(x.family), x.opcode))
    supported = ", ".join(each for each in Feature if each.mask & SUPPORTED_FEATURES)
    missing = ", ".join(each for each in Feature if not each.mask & SUPPORTED_FEATURES)
    lines = [HEAD.format(count=len(INSTRUCTIONS), supported=supported, missing=missing)]
    for family, members in groupby(ordered, key=lambda x: x.family):
        lines += [f"## {family.capitalize()}", ""]
        lines += ["| opcode | name | immediates | type | feature |", "|---|---|---|---|---|"]
        lines += [*rows(members), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.name}: {len(INSTRUCTIONS)} instructions")

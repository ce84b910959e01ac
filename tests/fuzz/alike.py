"""Mutants that mostly stay valid: instructions become others of the same type, constants others."""

import random
from collections import defaultdict

from tests.fuzz.binary import Shape, unsigned
from tests.fuzz.choices import constant
from tests.fuzz.mutate import bodies, join_bodies, join_sections, sections
from tests.fuzz.reduce import join, split
from tests.fuzz.reduce import opcode as opcode_of
from wasmote.core.status import ValueType
from wasmote.isa import INSTRUCTIONS, Instruction

_CODE = 10
_CONSTANTS = {0x41: "I32", 0x42: "I64", 0x43: "F32", 0x44: "F64", 0xFD000C: "V128"}
#: Instructions whose types depend on the module, and others that fit wherever these do.
_NAMES = (
    ("struct.get_s", "struct.get_u"),
    ("array.get_s", "array.get_u"),
    ("ref.test", "ref.test null"),
    ("ref.cast", "ref.cast null"),
    ("call", "return_call"),
    ("call_indirect", "return_call_indirect"),
    ("call_ref", "return_call_ref"),
    ("drop", "ref.is_null"),
)


def _families() -> dict[int, list[int]]:
    """For an opcode those that may replace it."""
    by_name = {i.name: i.opcode for i in INSTRUCTIONS.values()}
    families = {by_name[n]: [by_name[each] for each in names] for names in _NAMES for n in names}
    groups: dict[object, list[int]] = defaultdict(list)
    for i in INSTRUCTIONS.values():
        if i.params is not None and i.results is not None and not _waits(i):
            groups[i.params, i.results, i.immediates].append(i.opcode)
    for group in groups.values():
        families |= dict.fromkeys(group, group)
    return families


def _waits(i: Instruction) -> bool:
    return i.family == "atomic wait" or i.name.partition(".")[2].startswith("relaxed")


_FAMILIES = _families()


def alike(binary: bytes, rng: random.Random) -> bytes:
    """A mutant of a valid module."""
    parts = sections(binary)
    at = next((i for i, (section, _) in enumerate(parts) if section == _CODE), None)
    if at is None:
        return binary
    found = [split(body) for body in bodies(parts[at][1])]
    places = [(i, j) for i, (_, code) in enumerate(found) for j in range(len(code) - 1)]
    for _ in range(rng.choice((1, 2, 4, 8, 20))):
        if places:
            i, j = rng.choice(places)
            found[i][1][j] = _another(found[i][1][j], rng)
    parts[at] = _CODE, join_bodies([join(body) for body in found])
    return join_sections(parts)


def _another(code: bytes, rng: random.Random) -> bytes:
    """An instruction that may take the place of the one given."""
    opcode, immediates = opcode_of(code, 0)
    if opcode in _CONSTANTS:
        return constant(ValueType[_CONSTANTS[opcode]], rng, Shape())
    if opcode not in _FAMILIES:
        return code
    chosen = rng.choice(_FAMILIES[opcode])
    encoded = bytes([chosen >> 16]) + unsigned(chosen & 0xFFFF) if chosen >> 16 else bytes([chosen])
    return encoded + code[immediates:]

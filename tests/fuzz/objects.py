"""Types of structures and arrays for generated modules: one recursive group, with subtypes."""

import random

from tests.fuzz.binary import Aggregate, Kind, Ref, Shape
from tests.fuzz.choices import (
    ANYREF,
    ARRAYREF,
    EQREF,
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I31REF,
    I32,
    I64,
    STRUCTREF,
    V128,
    Choices,
)
from wasmote.core.status import ValueType
from wasmote.isa import Feature

_NUMBERS = (I32, I32, I64, F32, F64, ValueType.I8, ValueType.I16)
_REFERENCES = (ANYREF, EQREF, I31REF, STRUCTREF, ARRAYREF)


def add_objects(shape: Shape, rng: random.Random, choices: Choices) -> None:
    """Add aggregates, and functions that take and return them, to the types of a module."""
    count, functions = rng.randint(2, 7), rng.randint(1, 4)
    shape.grouped = len(shape.types)
    first = shape.grouped + functions
    own = [Ref(first + i) for i in range(count)]
    shape.types += [_function_type(rng, choices, own) for _ in range(functions)]
    for index in range(count):
        shape.aggregates.append(_aggregate(rng, choices, own, shape, index))
    typed = [Ref(i) for i in rng.sample(range(len(shape.types)), 2)]
    choices.references += [*own, *own, *_REFERENCES, *typed]


def _function_type(
    rng: random.Random, choices: Choices, own: list[Ref]
) -> tuple[tuple[Kind, ...], tuple[Kind, ...]]:
    kinds: list[Kind] = [I32, F64, *own, *own, *_REFERENCES]
    most = 3 if choices.has(Feature.MULTI_VALUE) else 1
    params = tuple(rng.choices(kinds, k=rng.randrange(4)))
    return params, tuple(rng.choices(kinds, k=rng.randrange(most + 1)))


def _aggregate(
    rng: random.Random, choices: Choices, own: list[Ref], shape: Shape, index: int
) -> Aggregate:
    """A type of its own, or a subtype of one before it, with more fields."""
    above = rng.choice([None, *range(index)]) if index else None
    if above is None or shape.aggregates[above].final:
        if rng.random() < 0.4:
            return Aggregate([_field(rng, choices, own)], True, final=rng.random() < 0.3)
        fields = [_field(rng, choices, own) for _ in range(rng.randrange(6))]
        return Aggregate(fields, final=rng.random() < 0.3)
    parent = shape.aggregates[above]
    fields = list(parent.fields)
    if not parent.is_array:
        fields += [_field(rng, choices, own) for _ in range(rng.randrange(3))]
    return Aggregate(fields, parent.is_array, own[above].index, rng.random() < 0.3)


def _field(rng: random.Random, choices: Choices, own: list[Ref]) -> tuple[Kind, bool]:
    kinds: list[Kind] = [*_NUMBERS, *own, *_REFERENCES, FUNCREF, EXTERNREF]
    if choices.has(Feature.SIMD):
        kinds.append(V128)
    return rng.choice(kinds), rng.random() < 0.7

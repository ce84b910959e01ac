"""Generates modules with a generator of our own."""

import random

from tests.fuzz.binary import (
    EXPORTABLE,
    Function,
    Kind,
    Ref,
    Room,
    Shape,
    Types,
    module_binary,
    signed,
)
from tests.fuzz.body import Body
from tests.fuzz.choices import (
    EXNREF,
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    LOGGED,
    V128,
    Choices,
    constant,
)
from tests.fuzz.objects import add_objects
from tests.fuzz.observe import FIRST
from wasmote.isa import SUPPORTED_FEATURES, Feature

#: Calls and turns of loops that one call of an export may make.
TICKS = (150,) * 20 + (60_000,)
#: Host functions of the modules: name, parameters, results.
HOST: tuple[tuple[str, Types, Types], ...] = (
    *((f"log-{kind.name.lower()}", (kind,), ()) for kind in LOGGED),
    ("mix", (I32, F64, I64), (I64, F32, I32)),
    ("again", (I32,), (I32,)),
)


def supported() -> frozenset[Feature]:
    """Features that Wasmote has, but for the one whose results may differ between runtimes."""
    found = {feature for feature in Feature if SUPPORTED_FEATURES & feature.mask}
    return frozenset(found - {Feature.RELAXED_SIMD})


def own_module(
    rng: random.Random,
    features: frozenset[Feature],
    objects: bool = False,
    legacy: bool | None = None,
) -> bytes:
    """A module of our generator, with `objects` one with structures and arrays; `legacy` as in
    `Shape`.
    """
    choices = Choices(features)
    shape = _shape(rng, choices, objects)
    shape.legacy = legacy
    _fill(shape, rng, choices)
    return module_binary(shape)


def own_pair(rng: random.Random, features: frozenset[Feature]) -> tuple[bytes, bytes]:
    """Two modules; the second one imports what the first one exports."""
    choices, other_choices = Choices(features), Choices(features)
    first = _shape(rng, choices)
    second = _shape(rng, other_choices)
    offset = len(second.types)
    second.types += first.types
    for index in first.callees[len(first.imports) :]:
        name = f"f{index - len(first.imports)}"
        type_index = offset + first.function_type_index(index)
        second.imports.append((FIRST, name, type_index))
    second.imported_table = rng.random() < 0.6
    second.imported_memory = rng.random() < 0.6
    second.imported_globals = rng.randint(1, first.exported_globals)
    second.globals[: second.imported_globals] = first.globals[: second.imported_globals]
    count = len(first.elements) if second.imported_table else len(second.elements)
    second.elements = [rng.choice((None, *second.callees)) for _ in range(count)]
    second.imported_tags = rng.randint(0, len(first.tags))
    second.tags[:0] = [offset + tag for tag in first.tags[: second.imported_tags]]
    second.pages = first.pages if second.imported_memory else 2
    second.shared = first.shared
    for i, (kind, mutable, _) in enumerate(second.globals):
        if i >= second.imported_globals:
            value = constant(kind, rng, second)
            second.globals[i] = kind, mutable, value
    _fill(first, rng, choices)
    _fill(second, rng, other_choices)
    return module_binary(first), module_binary(second)


def _fill(shape: Shape, rng: random.Random, choices: Choices) -> None:
    """Write the bodies. The first function restarts the countdown of ticks, in global 0."""
    first = len(shape.imports)
    shape.functions[0].code = shape.globals[0][2] + b"\x24\x00\x0b"
    for index, function in enumerate(shape.functions[1:], first + 1):
        function.locals = _locals(rng, choices)
        flat = tuple(kind for n, kind in function.locals for _ in range(n))
        body = Body(shape, index, choices, flat, rng)
        size = rng.choice((5, 15, 40, 40, 100)) if rng.random() < 0.99 else 2000
        function.code = body.finish(size)


def _shape(rng: random.Random, choices: Choices, objects: bool = False) -> Shape:
    """Everything of a module but the bodies."""
    shape = Shape(pages=1, shared=choices.has(Feature.THREADS) and rng.random() < 0.2)
    shape.types = _types(rng, choices)
    if choices.has(Feature.EXCEPTIONS):
        _tags(shape, rng, choices)
    if objects:
        add_objects(shape, rng, choices)
    elif choices.has(Feature.FUNCTION_REFERENCES):
        choices.references += [Ref(i) for i in rng.sample(range(len(shape.types)), 2)]
    shape.imports = [("host", name, i) for i, (name, _, _) in enumerate(HOST, 1)]
    shape.functions = [Function(0)]
    first = 1 + len(HOST)
    for _ in range(rng.randint(1, 6)):
        shape.functions.append(Function(rng.randrange(first, len(shape.types))))
    shape.elements = [rng.choice((None, *shape.callees)) for _ in range(rng.randint(2, 12))]
    shape.externs = rng.randrange(5)
    _rooms(shape, rng, choices)
    shape.globals = [(I32, True, b"\x41" + signed(rng.choice(TICKS)))]
    kinds = [*dict.fromkeys(choices.types)] * 2
    for kind in sorted(kinds, key=lambda kind: (kind not in EXPORTABLE, str(kind))):
        shape.globals.append((kind, rng.random() < 0.8, constant(kind, rng, shape)))
    shape.data = [rng.randbytes(rng.randrange(60)) for _ in range(3)]
    return shape


def _tags(shape: Shape, rng: random.Random, choices: Choices) -> None:
    """Tags, with the types of blocks that their exceptions are caught in."""
    plain = [i for i, (_, results) in enumerate(shape.types) if not results]
    shape.tags = rng.sample(plain, min(3, len(plain)))
    for tag in shape.tags:
        params = shape.types[tag][0]
        for results in (params, (*params, EXNREF)):
            if len(results) > 1:
                shape.types.append(((), results))
    choices.references.append(EXNREF)


def _rooms(shape: Shape, rng: random.Random, choices: Choices) -> None:
    """Further memories and tables."""
    wide = choices.has(Feature.MEMORY64)
    if choices.has(Feature.MULTI_MEMORY) and rng.random() < 0.4:
        for _ in range(rng.randint(1, 3)):
            small = choices.has(Feature.CUSTOM_PAGE_SIZES) and rng.random() < 0.4
            size = rng.randrange(3) if not small else rng.choice((0, 5, 300, 70_000))
            is64 = wide and rng.random() < 0.5
            shape.memories.append(Room(size, size + 2, is64, 0 if small else 16))
    if choices.has(Feature.REFERENCE_TYPES) and rng.random() < 0.4:
        for _ in range(rng.randint(1, 2)):
            size = rng.randrange(10)
            is64 = wide and rng.random() < 0.7
            kind = rng.choice((FUNCREF, EXTERNREF, *choices.references))
            shape.tables.append(Room(size, size + 5, is64, element=kind))


def _types(rng: random.Random, choices: Choices) -> list[tuple[Types, Types]]:
    """Types of functions: none to none, the host functions', and others."""
    signature = [t for t in choices.types if t != V128]
    types: list[tuple[Types, Types]] = [((), ())]
    types += [(params, results) for _, params, results in HOST]
    multi = Feature.MULTI_VALUE in choices.features
    for _ in range(8):
        params = tuple(rng.choices(signature, k=rng.choice((0, 1, 1, 2, 3, 6))))
        count = rng.choice((0, 1, 1, 2, 3, 5) if multi else (0, 1))
        types.append((params, tuple(rng.choices(signature, k=count))))
    types += [((kind,), (kind,)) for kind in (I32, I64, F32, F64)]
    if rng.random() < 0.05:
        many = tuple(rng.choices(signature, k=40))
        types.append((many, many if multi else ()))
    return types


def _locals(rng: random.Random, choices: Choices) -> list[tuple[int, Kind]]:
    """Groups of locals, now and then very many."""
    groups = [(rng.randint(1, 3), kind) for kind in choices.types if rng.random() < 0.6]
    rng.shuffle(groups)
    if rng.random() < 0.03:
        groups.insert(0, (rng.choice((300, 5000, 20000)), rng.choice((I32, F64, EXTERNREF))))
    return groups

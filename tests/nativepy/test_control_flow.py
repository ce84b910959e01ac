"""Statements: each function is compiled, and must do what CPython does with the same function."""

import pytest

from wasmote.image.testing import Library
from wasmote.nativepy import boolean, i32, native, static, u8, u32


@native(export="collatz")
def collatz(n: u32) -> u32:
    steps: u32 = 0
    while n != 1:
        if n % 2 == 0:
            n //= 2
        else:
            n = n * 3 + 1
        steps += 1
    return steps


@native(export="grade")
def grade(n: u32) -> u32:
    if n < 10:
        return 1
    elif n < 20:
        result: u32 = 2
    elif n < 30:
        result = 3
    else:
        result = 4
    return result


@native(export="primes")
def primes(limit: u32) -> u32:
    found: u32 = 0
    candidate: u32 = 1
    while True:
        candidate += 1
        if candidate > limit:
            break
        composite = False
        for divisor in range(u32(2), candidate):
            if divisor * divisor > candidate:
                break
            if candidate % divisor == 0:
                composite = True
                break
        if composite:
            continue
        found += 1
    return found


@native(export="search")
def search(n: u32) -> u32:
    """The loop variable is what the body makes of it, and keeps the last value."""
    last: u32 = 99
    for i in range(n):
        if i % 2 == 0:
            i += 100
        last = i
    if n != 0:
        return last * 1000 + i
    return last


@native(export="weekday")
def weekday(n: u32) -> u32:
    match n:
        case 0 | 6:
            kind: u32 = 10
        case 1 | 2 | 3 | 4:
            kind = 20
        case 5:
            return 30
        case _:
            kind = 40
    return kind + n


@native(export="signs")
def signs(n: i32) -> i32:
    total: i32 = 5
    match n:
        case -1:
            total = -10
        case 1:
            total += 1
    return total


@native(export="matches_in_loop")
def matches_in_loop(n: u32) -> u32:
    total: u32 = 0
    for i in range(n):
        match i % 5:
            case 0:
                continue
            case 3:
                if i > 20:
                    break
                total += 3
            case _:
                total += 1
    return total


@native(export="logic")
def logic(a: u32, b: u32, c: boolean) -> u32:
    x = (a < b and not c) or (a == b or c) and a != 0
    y = a if x else b
    return y * 2 if c and x else y + (u32(1) if a > b else 0)


@native(export="unrolled")
def unrolled(n: u32) -> u32:
    total: u32 = 0
    for k in static((1, 2, 3, 5, 8)):
        if k == 3:
            continue
        if n < k:
            break
        total += n * k
    return total


UNARY = (collatz, grade, primes, search, weekday, matches_in_loop, unrolled)


@pytest.fixture(scope="module")
def library():
    return Library(*UNARY, signs, logic)


@pytest.mark.parametrize("function", UNARY, ids=lambda f: f.name)
def test_same_as_python(library, function):
    for n in range(1 if function is collatz else 0, 60):
        assert getattr(library, function.export)(n) == function(n), n


def test_signed_match(library):
    assert [library.signs(n) for n in (-2, -1, 0, 1)] == [signs(n) for n in (-2, -1, 0, 1)]


def test_short_circuits_and_conditionals(library):
    for a in range(4):
        for b in range(4):
            for c in (True, False):
                assert library.logic(a, b, c) == logic(a, b, c)


# -- ranges --------------------------------------------------------------------------------------


def ranging(kind, step):
    @native(export=f"range_{kind}_{'down' if step < 0 else 'up'}{abs(step)}")
    def sum_and_count(start: kind, stop: kind) -> u32:
        total: u32 = 0
        for i in range(start, stop, step):
            total = u32(total * 31 + u32(i) + 1)
        return total

    return sum_and_count


STEPS = (1, 2, 3, 7, 100, -1, -2, -3, -100)
RANGES = {(kind, step): ranging(kind, step) for kind in (u8, i32, u32) for step in STEPS}


@pytest.fixture(scope="module")
def range_library():
    return Library(*RANGES.values())


@pytest.mark.parametrize("kind,step", RANGES, ids=str)
def test_ranges_visit_what_python_visits(range_library, kind, step):
    function = RANGES[kind, step]
    native_function = getattr(range_library, function.export)
    edges = {u8: (0, 1, 2, 7, 253, 254, 255), i32: (-9, -2, -1, 0, 1, 5), u32: (0, 1, 4, 99, 300)}
    for start in edges[kind]:
        for stop in edges[kind]:
            assert native_function(start, stop) == function(start, stop), (start, stop)


def test_ranges_end_at_the_limits_of_their_type(range_library):
    top, bottom = 2**31 - 1, -(2**31)
    cases = (
        (7, top - 20, top),
        (100, top - 1, top),
        (-100, bottom + 5, bottom),
        (100, bottom, bottom + 250),
    )
    for step, start, stop in cases:
        function = RANGES[i32, step]
        native_function = getattr(range_library, function.export)
        assert native_function(start, stop) == function(start, stop), (step, start, stop)


@native(export="bounds_once")
def bounds_once(n: u32) -> u32:
    """The bounds are evaluated once, before the loop."""
    total: u32 = 0
    for i in range(n):
        n += 1
        total += i
    return total + n


@native(export="empty")
def empty(n: u32) -> u32:
    for _ in range(n, n):
        return 1
    for _ in range(u32(5), n):
        return 2
    return 0


def test_bounds_are_evaluated_once():
    library = Library(bounds_once, empty)
    assert [library.bounds_once(n) for n in range(6)] == [bounds_once(n) for n in range(6)]
    assert [library.empty(n) for n in range(8)] == [empty(n) for n in range(8)]

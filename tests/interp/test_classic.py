"""What is particular to the classic interpreter: side tables, frames, company of other engines."""

import threading
from typing import Any

import pytest

import wasmote
from tests.api.support import exports, module
from wasmote import Instance, Trap, TrapKind
from wasmote.inspect import engine_sizes

ENGINES = ("fast", "classic")


def classic(text: str, imports: Any = None, **options: Any) -> Any:
    return exports(text, imports, engine="classic", **options)


def test_far_branches() -> None:
    """A loop and blocks of more bytes than a short entry can bridge, with operands to drop."""
    filler = "i32.const 1234567 local.set 1 " * 8000
    e = classic(
        f"""(func (export "f") (param i32) (result i32) (local i32)
          (loop $l
            {filler}
            local.get 0 i32.const 3 i32.sub local.tee 0 i32.const 0 i32.gt_s br_if $l)
          i32.const 5
          (block (result i32)
            i32.const 1 i64.const 2 i32.const 3
            local.get 0 i32.eqz br_if 0
            {filler}
            drop drop)
          i32.add)"""
    )
    assert e.f(6) == 8
    assert e.f(7) == 6


def test_branches_drop_what_they_must() -> None:
    e = classic(
        """(func (export "f") (param i32) (result i64 i32)
          (block (result i64 i32)
            i64.const 7 f64.const 0
            (block (result i64 i32)
              f32.const 1 i64.const -2 i32.const 4
              local.get 0 br_table 0 1 0)
            i32.const 1 i32.add br 0))"""
    )
    assert e.f(0) == e.f(2) == (-2, 5)
    assert e.f(1) == (-2, 4)


@pytest.mark.parametrize("count", [1, 200, 20_000])
def test_locals_of_every_type_keep_apart(count: int) -> None:
    """More than 127 need longer indices; i64 and f64 take two cells."""
    kinds = ("i32", "f64", "i64", "f32")
    declared = " ".join(kinds[i % 4] for i in range(count * 2))
    last = [count * 2 - 1 - i for i in range(2)]
    writes = " ".join(f"{kinds[i % 4]}.const {i} local.set {i + 1}" for i in last)
    reads = " ".join(f"local.get {i + 1}" for i in last)
    results = " ".join(kinds[i % 4] for i in last)
    e = classic(
        f"""(func (export "f") (param i32) (result {results} i32)
            (local {declared}) {writes} {reads} local.get 0)"""
    )
    assert e.f(99) == (*last, 99)


def test_a_function_with_too_large_a_frame_says_so() -> None:
    e = classic(f'(func (export "f") (local {"i64 " * 33_000}))')
    with pytest.raises(Trap) as caught:
        e.f()
    assert caught.value.kind is TrapKind.UNTRANSLATABLE


def test_a_trap_tells_the_instruction() -> None:
    text = """
        (func $inner (param i32 i32) (result i32) local.get 0 local.get 1 i32.div_s)
        (func $twice (param i32) (result i32) local.get 0 i32.const 0 call $inner)
        (func (export "outer") (param i32) (result i32) nop nop local.get 0 call $twice)"""
    seen = []
    for engine in ENGINES:
        with pytest.raises(Trap) as caught:
            exports(text, engine=engine).outer(1)
        trap = caught.value
        assert trap.kind is TrapKind.DIVIDE_BY_ZERO
        seen.append([(frame.function_name, frame.offset) for frame in trap.frames])
    assert [name for name, _ in seen[1]][:2] == ["inner", "twice"]
    # The fast interpreter's calls are found within the instruction, not at its last byte.
    for (_, fast), (_, exact) in zip(*seen, strict=True):
        assert 0 <= exact - fast <= 1


@pytest.mark.parametrize("inner", ENGINES)
@pytest.mark.parametrize("outer", ENGINES)
def test_engines_call_each_other(inner: str, outer: str) -> None:
    a = Instance(
        module(
            """(func (export "f") (param i64 i32) (result i32 i64)
                 local.get 1 i32.const 100 local.get 1 i32.div_u i32.add local.get 0)
               (table (export "t") 1 funcref) (elem (i32.const 0) 0)"""
        ),
        engine=inner,
    )
    b = Instance(
        module(
            """(type $f (func (param i64 i32) (result i32 i64)))
               (import "a" "f" (func $f (type $f))) (import "a" "t" (table 1 funcref))
               (func (export "direct") (param i32) (result i32 i64)
                 i64.const -5 local.get 0 call $f)
               (func (export "indirect") (param i32) (result i32 i64)
                 i64.const -6 local.get 0 i32.const 0 call_indirect (type $f))"""
        ),
        {"a": a.exports},
        engine=outer,
    )
    assert b.exports.direct(5) == (25, -5)
    assert b.exports.indirect(10) == (20, -6)
    for call in (b.exports.direct, b.exports.indirect):
        with pytest.raises(Trap) as caught:
            call(0)
        assert caught.value.kind is TrapKind.DIVIDE_BY_ZERO
        assert len(caught.value.frames) == 2


@pytest.mark.parametrize("inner", ENGINES)
@pytest.mark.parametrize("outer", ENGINES)
def test_engines_tail_call_each_other(inner: str, outer: str) -> None:
    """As often as they like, and the caller of the first gets the results of the last."""
    text = """
        (type $f (func (param i32 i64) (result i64 i32)))
        (table (export "t") 1 funcref)
        (func (export "step") (type $f) (local i64 i64 i64)
          (if (i32.eqz (local.get 0)) (then (return (local.get 1) (i32.const 7))))
          (return_call_indirect (type $f)
            (i32.sub (local.get 0) (i32.const 1))
            (i64.add (local.get 1) (i64.const 3)) (i32.const 0)))
        (func (export "call") (param i32) (result i64 i32)
          (call 0 (local.get 0) (i64.const 5)))"""
    a = exports(text, engine=inner, stack_size=64 * 1024)
    b = exports(text, engine=outer, stack_size=64 * 1024)
    a.t[0], b.t[0] = b.step, a.step
    for first in (a, b):
        assert first.step(100_000, 1) == (300_001, 7)
        assert first.call(100_001) == (300_008, 7)


def test_a_host_function_s_exception_passes_through_both_engines() -> None:
    def fail(n: int) -> int:
        raise LookupError(n)

    inner = classic(
        '(import "h" "f" (func $f (param i32) (result i32)))'
        '(func (export "g") (param i32) (result i32) local.get 0 call $f)',
        {"h": {"f": fail}},
    )
    outer = exports(
        '(import "i" "g" (func $g (param i32) (result i32)))'
        '(func (export "g") (param i32) (result i32) local.get 0 call $g)',
        {"i": inner},
        engine="fast",
    )
    with pytest.raises(LookupError, match="17"):
        outer.g(17)


def test_recursion_ends_where_the_stack_does() -> None:
    e = classic('(func $f (export "f") (param i64) local.get 0 call $f)')
    with pytest.raises(Trap) as caught:
        e.f(1)
    assert caught.value.kind is TrapKind.STACK_OVERFLOW


@pytest.mark.parametrize("body", ["(loop $l br $l)", "(loop $l i32.const 1 br_if $l)"])
def test_endless_loops_can_be_interrupted(body: str) -> None:
    instance = Instance(module(f'(func (export "f") {body})'), engine="classic")
    ends: list[wasmote.Trap] = []

    def run() -> None:
        with pytest.raises(Trap) as caught:
            instance.exports.f()
        ends.append(caught.value)

    thread = threading.Thread(target=run)
    thread.start()
    while not instance.interrupt() and thread.is_alive():
        pass
    thread.join(10)
    assert [end.kind for end in ends] == [TrapKind.INTERRUPTED]


def test_side_tables_are_small() -> None:
    """A branch takes two bytes, a function ten and two for each local."""
    made = module(
        """(func (param i32 i64) (local f32))
           (func (param i32) (loop local.get 0 br_if 0) (block local.get 0 br_if 0))
           (func i32.const 1 drop)"""
    )
    assert engine_sizes(made)["classic"] == {0: 10 + 6, 1: 10 + 2 + 4, 2: 10 + 2}


def test_far_branches_to_one_label_have_one_record() -> None:
    filler = "nop " * 600
    branches = "local.get 0 br_if 0 " * 3
    made = module(f"(func (param i32) (block {branches} {filler}))")
    assert engine_sizes(made)["classic"][0] == 10 + 2 + 12 + 3 * 2


def _both(text: str, name: str, *arguments: Any) -> Any:
    """What both engines agree on."""
    fast, slow = (getattr(exports(text, engine=engine), name)(*arguments) for engine in ENGINES)
    assert fast == slow
    return slow


@pytest.mark.parametrize("params", [0, 254, 255, 300])
@pytest.mark.parametrize("results", [1, 255, 256])
@pytest.mark.parametrize("local_count", [3, 255, 256])
def test_functions_whose_numbers_are_large(params: int, results: int, local_count: int) -> None:
    """They call, and are called by, functions whose numbers are small."""
    kinds = f"(param {'i32 ' * params}) (result {'i32 ' * results})"
    text = f"""
        (type $big (func {kinds}))
        (func $big {kinds} (local {"i32 " * local_count})
          {"i32.const 7 local.set 0" if params else ""}
          i32.const 5 local.set {params + local_count - 1}
          i32.const 2 call $small drop
          {f"local.get {params + local_count - 1} " * (results - 1)}
          local.get {params + local_count - 1} i32.const 2 call $small i32.add
          local.get {params + local_count - 2} i32.add)
        (func $small (param i32) (result i32) (local i64 i64 i64)
          local.get 0 i32.eqz (if (result i32) (then i32.const 100)
            (else local.get 0 i32.const 1 i32.sub call $small i32.const 1 i32.add
                  local.get 1 i32.wrap_i64 i32.add)))
        (table funcref (elem $big))
        (func (export "f") (result i32)
          {"i32.const 1 " * params} call $big {"i32.add " * (results - 1)}
          {"i32.const 1 " * params} i32.const 0 call_indirect (type $big)
          {"i32.add " * results})"""
    assert _both(text, "f") == 2 * (5 * results + 102)


def test_a_function_longer_than_its_end_is_told_by() -> None:
    """An inner `end` may have the lower bits of the last one's address."""
    text = f"""
        (func $long (export "f") (param i32) (result i32)
          {"(block local.get 0 i32.eqz br_if 0 nop) " * 9000}
          (block (result i32) (block (result i32) local.get 0 end) end)
          i32.const 1 i32.add)"""
    text = text.replace(" end)", ")")
    assert _both(text, "f", 41) == 42


def test_many_locals_declared_one_by_one() -> None:
    """The declarations take more than 255 bytes."""
    names = "".join(f"(local {kind})" for kind in ("i32", "f64") * 100)
    text = f"""(func (export "f") (param i32) (result i32 f64) {names}
        local.get 0 local.set 199 f64.const 2.5 local.tee 200 local.set 198
        local.get 199 local.get 198)"""
    assert _both(text, "f", 3) == (3, 2.5)


@pytest.mark.parametrize("kind", ["i32", "i64", "f32", "f64", "v128", "externref"])
@pytest.mark.parametrize("before", ["", "i32.const 9", "i64.const 9", "f32.const 9", "f64.const 9"])
def test_a_value_of_each_type_on_top_of_each_other(kind: str, before: str) -> None:
    """Whatever was in an accumulator is on the stack when the next value is pushed."""
    made = {"v128": "v128.const i64x2 5 6", "externref": "ref.null extern"}
    value = made.get(kind, f"{kind}.const 3")
    drop = "drop" if before else ""
    text = f"""
        (global $g (mut {kind}) {value})
        (func $id (param {kind}) (result {kind}) local.get 0)
        (func (export "f") (param i32) (result i32) (local $a {kind}) (local $b {kind})
          {before} {value} local.set $a {drop}
          {before} local.get $a local.tee $b drop {drop}
          {before} local.get $b call $id global.set $g {drop}
          {before} (block (result {kind}) global.get $g) local.set $a {drop}
          {before} local.get $a local.get $b local.get 0 select (result {kind}) drop {drop}
          {before} (loop (result {kind}) local.get $a) drop {drop}
          {before} local.get $a local.get 0 (if (param {kind}) (then drop) (else drop)) {drop}
          {before} i32.const -3 local.get 0 i32.add return)"""
    assert _both(text, "f", 45) == 42


@pytest.mark.parametrize("kind", ["i32", "i64"])
@pytest.mark.parametrize("number", [0, 1, 63, -1, -64, 64, -65, 8191, 2**30, -(2**31)])
def test_operations_with_a_constant(kind: str, number: int) -> None:
    """Constants of one byte are not pushed."""
    names = ["add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"]
    tests = ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]
    functions = [
        f"""(func (export "{name}") (param {kind}) (result {result})
            local.get 0 {kind}.const {number} {kind}.{name})"""
        for group, result in ((names, kind), (tests, "i32"))
        for name in group
    ]
    text = "".join(functions)
    for value in (0, 1, -1, 77, -(2**31)):
        for name in (*names, *tests):
            _both(text, name, value)

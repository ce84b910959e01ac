"""Backtraces of compiled code: the frames and offsets that the interpreters show."""

import pytest

import wasmote
from wasmote import Instance, Module, Trap
from wasmote.aot.places import Piece, Places, Scope, encode
from wasmote.compile import compile_module
from wasmote.wat import wat2wasm

pytest.importorskip("llvmlite")

TEXT = """(module
  (import "env" "h" (func $h (param i32)))
  (memory 1) (table 2 funcref) (elem (i32.const 0) $leaf)
  (func $leaf (param i32) (result i32) (i32.load offset=8 (local.get 0)))
  (func $store (param i32) (i64.store offset=3 (local.get 0) (i64.const 1)))
  (func $middle (param i32) (result i32)
    (call $store (i32.const 8))
    (i32.add (call $leaf (local.get 0)) (i32.const 1)))
  (func $divide (param i32) (result i32) (i32.div_s (i32.const 7) (local.get 0)))
  (func (export "run") (param i32) (result i32)
    (local i32)
    (if (i32.eq (local.get 0) (i32.const 9)) (then (call $h (i32.const 9))))
    (i32.mul (call $middle (local.get 0)) (call $divide (local.get 0))))
  (func (export "twice") (param i32) (result i32)
    (i32.add (call $divide (i32.const 1)) (call $divide (local.get 0))))
  (func $endless (export "endless") (param i32) (result i32)
    (i32.add (call $endless (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
  (func (export "deep") (param i32) (result i32) (call $endless (local.get 0)))
  (func (export "indirect") (param i32) (result i32)
    (call_indirect (param i32) (result i32) (i32.const -5) (local.get 0)))
  (func (export "fill") (param i32) (result i32)
    (memory.fill (local.get 0) (i32.const 1) (i32.const 100000)) (i32.const 0))
  (func $stop unreachable)
  (func $before (call $stop))
  (func (export "stop") (param i32) (result i32) (call $before) (i32.const 1))
)"""
CALLS = [
    ("run", -1),
    ("run", 0),
    ("run", 9),
    ("twice", 0),
    ("endless", 0),
    ("deep", 0),
    ("indirect", 0),
    ("indirect", 1),
    ("indirect", 7),
    ("fill", 1),
    ("stop", 1),
]


def outcome(instance: Instance, name: str, argument: int) -> tuple[str, tuple, bool]:
    """What a trap says: its message, the innermost frames, and whether there are more."""
    with pytest.raises(Trap) as caught:
        getattr(instance.exports, name)(argument)
    return str(caught.value), caught.value.frames[:20], caught.value.omitted > 0


def instance_of(module: Module) -> Instance:
    def h(number: int) -> None:
        Instance(Module(wat2wasm('(func (export "g") unreachable)'), name="n")).exports.g()

    return Instance(module, {"env": {"h": h}})


@pytest.mark.parametrize("bounds_checks", [False, True])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_the_frames_are_those_of_the_interpreter(level, bounds_checks):
    module = Module(wat2wasm(TEXT))
    image = compile_module(module, level=level, bounds_checks=bounds_checks).encode()
    compiled, interpreted = instance_of(Module(image)), instance_of(module)
    for call in CALLS:
        assert outcome(compiled, *call) == outcome(interpreted, *call), call


def test_call_stacks_have_inlined_functions_and_exact_places():
    text = """(module (import "env" "h" (func $h))
      (func $inner (call $h)) (func $outer (nop) (call $inner))
      (func (export "go") (call $outer) (call $outer)))"""
    module = Module(wat2wasm(text))
    found = []
    for each in (module, Module(compile_module(module).encode())):
        seen = []
        imports = {"env": {"h": lambda seen=seen: seen.append(instance.call_stack())}}
        instance = Instance(each, imports)
        instance.exports.go()
        found.append(seen)
    assert found[0] == found[1]
    assert [frame.function_name for frame in found[0][0]] == ["inner", "outer", "go"]
    assert found[0][0] != found[0][1]


def test_without_the_table_functions_are_still_named():
    module = Module(wat2wasm(TEXT))
    image = compile_module(module, level=0, debug=0)
    assert "places" not in image.sections
    _, frames, _ = outcome(instance_of(Module(image.encode())), "run", -1)
    assert [frame.function_name for frame in frames] == ["leaf", "middle", "run"]
    assert [frame.offset for frame in frames] == [0, 0, 0]


def test_a_damaged_table_costs_nothing_but_what_it_says():
    image = compile_module(Module(wat2wasm(TEXT)), level=0)
    image.sections["places"] = b"?" + image.sections["places"]
    _, frames, _ = outcome(instance_of(Module(image.encode())), "run", -1)
    assert [frame.function_name for frame in frames] == ["leaf", "middle", "run"]


def test_the_table_gives_back_what_was_put_in():
    pieces = [
        Piece(
            100,
            50,
            [Scope(7, 1000), Scope(9, 500, 0, 1004), Scope(7, 1000, 1, 520)],
            [(104, 0, 1003), (110, 2, 1001), (115, 1, 521), (120, 0, 1009)],
        ),
        Piece(150, 8, [Scope(8, 1100)], [(150, 0, 1102)]),
    ]
    places = Places(encode(reversed(pieces), 20))
    assert places.code_section == 20
    assert [places.piece(i) for i in range(len(places))] == pieces
    assert places.at(99) == places.at(158) == ()
    assert places.at(100) == ((7, 1000),)
    assert places.is_start(100) and not places.is_start(104)
    assert places.at(112) == ((7, 1001), (9, 520), (7, 1004))
    assert places.at(149) == ((7, 1009),)
    assert places.at(157) == ((8, 1102),)


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_a_table_cut_off_is_refused_or_read(cut):
    """Whatever is left of it: a ValueError, or an answer."""
    import zlib

    whole = zlib.decompress(encode([Piece(0, 9, [Scope(1, 5)], [(0, 0, 7), (4, 0, 9)])], 3))
    try:
        places = Places(zlib.compress(whole[:cut]))
        places.at(5)
    except ValueError as error:
        assert "damaged" in str(error)


def test_profiles_see_inlined_functions():
    text = """(module (memory 1)
      (func $work (param i32)
        (loop (i32.store (i32.and (local.get 0) (i32.const 0xfff0)) (local.get 0))
          (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (func $much (call $work (i32.const 300000000)))
      (func $little (call $work (i32.const 100000000)))
      (func (export "main") (call $much) (call $little)))"""
    instance = Instance(Module(compile_module(Module(wat2wasm(text))).encode()))
    with wasmote.profile(instance) as p:
        instance.exports.main()
    found = {each.name: each.total_time for each in p.functions()}
    assert found.keys() == {"main", "much", "little", "work"}
    assert found["main"] == pytest.approx(found["work"], rel=0.1)
    assert found["much"] > found["little"]


def test_a_function_that_mostly_needs_no_frame_is_seen():
    """LLVM would make the frame only on the way to the trap of the division."""
    module = Module(
        wat2wasm("""(module (memory 1) (global (export "g") (mut i32) (i32.const 1))
          (func (export "run") (param i32)
            (drop (i32.div_u (i32.const 1) (global.get 0)))
            (i64.store (local.get 0) (i64.const 1))))""")
    )
    expected = outcome(instance_of(module), "run", -1)
    compiled = Module(compile_module(module).encode())
    assert outcome(instance_of(compiled), "run", -1) == expected


@pytest.mark.parametrize("level", [0, 3])
def test_who_made_a_tail_call_is_not_there_any_more(level):
    module = Module(
        wat2wasm("""(module
          (func $leaf (result i32) unreachable)
          (func $middle (result i32) (return_call $leaf))
          (func $upper (result i32) (i32.add (call $middle) (i32.const 1)))
          (func (export "run") (param i32) (result i32) (return_call $upper)))""")
    )
    compiled = Module(compile_module(module, level=level).encode())
    found = outcome(instance_of(compiled), "run", 0)
    assert found == outcome(instance_of(module), "run", 0)
    assert [frame.function_name for frame in found[1]] == ["leaf", "upper"]


def test_equal_calls_keep_their_places():
    text = """(module (import "env" "h" (func $h))
      (func (export "go") (param i32)
        (if (local.get 0) (then (call $h)) (else (nop) (call $h)))))"""
    module = Module(wat2wasm(text))
    found = []
    for each in (module, Module(compile_module(module).encode())):
        seen = []
        imports = {"env": {"h": lambda seen=seen: seen.append(instance.call_stack())}}
        instance = Instance(each, imports)
        instance.exports.go(0)
        instance.exports.go(1)
        found.append(seen)
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]

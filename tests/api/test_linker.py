"""Modules that import from each other, by name."""

import gc
import random
import threading
from pathlib import Path

import pytest

from wasmote import (
    CircularImportError,
    Global,
    GlobalType,
    Instance,
    Linker,
    LinkError,
    Memory,
    MemoryType,
    ValType,
)
from wasmote.compile import compile_module

from .support import functions_alive, module


def adder(name: str, imported: str, amount: int) -> str:
    """A module whose `f` adds an amount to what another module's `f` returns."""
    return (
        f'(import "{imported}" "f" (func $f (result i32)))'
        f'(func (export "f") (result i32) call $f i32.const {amount} i32.add)'
    )


LEAF = '(func (export "f") (result i32) i32.const 1)'


def write(path: Path, text: str) -> None:
    path.write_bytes(bytes(module(text)._binary))


def test_definitions_of_every_kind_reach_the_module() -> None:
    linker = Linker()
    seen: list[int] = []
    memory = Memory(MemoryType(1))
    linker.define("env", "log", seen.append)
    linker.define("env", "memory", memory)
    linker.define("env", "base", 7)
    linker.define_instance("lib", Instance(module(LEAF)))
    instance = linker.instantiate(
        module(
            '(import "env" "log" (func $log (param i32))) (import "env" "memory" (memory 1))'
            '(import "env" "base" (global $base i32)) (import "lib" "f" (func $f (result i32)))'
            '(func (export "go") (call $log (i32.add (global.get $base) (call $f)))'
            "  (i32.store (i32.const 0) (i32.const 99)))"
        )
    )
    instance.exports.go()
    assert seen == [8]
    assert memory.read(0, 1) == b"c"


def test_one_definition_may_replace_one_of_an_instance() -> None:
    linker = Linker()
    linker.define_instance("lib", Instance(module(LEAF)))
    linker.define("lib", "f", lambda: 40)
    assert linker.instantiate(module(adder("a", "lib", 2))).exports.f() == 42


def test_modules_are_instantiated_once_and_in_order_of_dependency() -> None:
    order: list[int] = []
    linker = Linker()
    linker.define("env", "made", order.append)
    start = '(import "env" "made" (func $made (param i32))) {} (start $s) (func $s {} call $made)'
    counter = '(global (export "n") (mut i32) (i32.const 0))'
    linker.define_module("c", module(start.format(counter, "i32.const 3")))
    use_c = '(import "c" "n" (global (mut i32)))'
    linker.define_module("b", module(start.format(use_c + counter, "i32.const 2")))
    use_both = use_c + '(import "b" "n" (global (mut i32)))'
    linker.instantiate(module(start.format(use_both, "i32.const 1")))
    assert order == [3, 2, 1]
    assert sorted(linker.instances) == ["b", "c"]
    linker.instantiate(module(use_both))
    assert order == [3, 2, 1]


def test_mutable_globals_are_shared_between_instances() -> None:
    linker = Linker()
    counter = Global(GlobalType(ValType.I32, mutable=True), 0)
    linker.define("env", "n", counter)
    text = (
        '(import "env" "n" (global $n (mut i32)))'
        '(func (export "add") (global.set $n (i32.add (global.get $n) (i32.const 1))))'
    )
    one, two = (linker.instantiate(module(text)) for _ in range(2))
    one.exports.add()
    two.exports.add()
    assert counter.value == 2


def test_aliases() -> None:
    linker = Linker()
    linker.instantiate(module(LEAF), name="lib")
    linker.alias("lib", "other")
    linker.alias("other", "third")
    assert linker.instantiate(module(adder("a", "third", 1))).exports.f() == 2
    linker.alias("x", "y")
    linker.alias("y", "x")
    with pytest.raises(CircularImportError, match="'x' is an alias of itself"):
        linker.instantiate(module(adder("a", "x", 1)))


@pytest.mark.parametrize("again", ["instance", "module", "alias", "one name"])
def test_a_name_is_defined_once(again: str) -> None:
    linker = Linker()
    linker.define_module("lib", module(LEAF))
    linker.define("env", "x", 1)
    with pytest.raises(LinkError, match="defined already"):
        if again == "instance":
            linker.define_instance("lib", Instance(module(LEAF)))
        elif again == "module":
            linker.define_module("lib", module(LEAF))
        elif again == "alias":
            linker.alias("env", "lib")
        else:
            linker.define("env", "x", 2)


def test_modules_come_from_the_module_path(tmp_path: Path) -> None:
    write(tmp_path / "c.wasm", LEAF)
    write(tmp_path / "b.wasm", adder("b", "c", 10))
    linker = Linker(module_path=[tmp_path])
    instance = linker.instantiate(module(adder("a", "b", 100)))
    assert instance.exports.f() == 111
    assert linker.instances["c"].exports.f() == 1


def test_a_compiled_module_prefers_compiled_ones(tmp_path: Path) -> None:
    write(tmp_path / "lib.wasm", LEAF)
    compiled = compile_module(module('(func (export "f") (result i32) i32.const 2)'))
    (tmp_path / "lib.aot").write_bytes(compiled.encode())
    text = adder("main", "lib", 0)
    (tmp_path / "main.aot").write_bytes(compile_module(module(text)).encode())
    linker = Linker(module_path=[tmp_path])
    assert linker.instantiate(linker.open(str(tmp_path / "main.aot"))).exports.f() == 2
    assert Linker(module_path=[tmp_path]).instantiate(module(text)).exports.f() == 1


def test_circles_are_named(tmp_path: Path) -> None:
    for name, imported in (("a", "b"), ("b", "c"), ("c", "a")):
        write(tmp_path / f"{name}.wasm", adder(name, imported, 1))
    linker = Linker(module_path=[tmp_path])
    with pytest.raises(CircularImportError, match="a imports b imports c imports a"):
        linker.instantiate(module(adder("main", "a", 1)))
    # The linker can still be used.
    linker.define_module("leaf", module(LEAF))
    assert linker.instantiate(module(adder("main", "leaf", 1))).exports.f() == 2


def test_a_module_that_imports_itself(tmp_path: Path) -> None:
    write(tmp_path / "a.wasm", adder("a", "a", 1))
    with pytest.raises(CircularImportError, match="circular dependency: a imports a"):
        Linker(module_path=[tmp_path]).instantiate(module(adder("main", "a", 1)))


def test_two_candidates_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "lib.wasm", LEAF)
    linker = Linker(module_path=[tmp_path / "one", tmp_path / "two"])
    with pytest.raises(LinkError, match=r"'lib' is in several places: .*one.lib.wasm and .*two"):
        linker.instantiate(module(adder("a", "lib", 1)))
    same = Linker(module_path=[tmp_path / "one", tmp_path / "one"])
    assert same.instantiate(module(adder("a", "lib", 1))).exports.f() == 2


@pytest.mark.parametrize("name", ["../lib", "", ".", "..", "a/../lib", "lib\\0", "/lib"])
def test_names_cannot_leave_the_module_path(tmp_path: Path, name: str) -> None:
    write(tmp_path / "lib.wasm", LEAF)
    (tmp_path / "inner").mkdir()
    linker = Linker(module_path=[tmp_path / "inner"])
    text = adder("a", name.replace("\\0", "\\00"), 1)
    with pytest.raises(LinkError, match="unknown import"):
        linker.instantiate(module(text))


def test_a_missing_dependency_says_where_it_was_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "b.wasm", adder("b", "c", 10))
    linker = Linker(module_path=[tmp_path])
    with pytest.raises(
        LinkError, match=r"module 'b': unknown import: c\.f.*no c\.wasm or c\.aot in"
    ):
        linker.instantiate(module(adder("a", "b", 100)))


def test_initialize_runs_before_anything_else() -> None:
    text = (
        '(global $n (mut i32) (i32.const 0)) (func (export "_initialize") '
        "(global.set $n (i32.const 5)))"
        '(func (export "f") (result i32) global.get $n)'
    )
    linker = Linker()
    linker.define_module("lib", module(text))
    assert linker.instantiate(module(adder("a", "lib", 1))).exports.f() == 6
    with pytest.raises(LinkError, match=r"_initialize is of type \(i32\) -> \(\)"):
        linker.instantiate(module('(func (export "_initialize") (param i32))'))


def test_instances_keep_alive_what_they_import() -> None:
    """Chains of instances, of which only some ends are kept, through many collections."""
    rng = random.Random(8)
    functions = functions_alive()
    kept = []
    for _ in range(60):
        linker = Linker()
        length = rng.randrange(1, 8)
        linker.define_module("m0", module(LEAF + '(memory (export "memory") 1)'))
        for i in range(1, length):
            linker.define_module(f"m{i}", module(adder(f"m{i}", f"m{i - 1}", 1)))
        last = linker.instantiate(module(adder("end", f"m{length - 1}", 1)))
        kept.append((last.exports.f, length + 1))
        if rng.random() < 0.6:
            kept.pop(rng.randrange(len(kept)))
        del linker, last
        gc.collect()
        assert all(f() == expected for f, expected in kept)
    kept.clear()
    assert functions_alive() == functions


def test_instances_of_one_linker_in_several_threads() -> None:
    linker = Linker()
    linker.instantiate(module(LEAF), name="lib")
    instance = linker.instantiate(module(adder("a", "lib", 1)))
    results: list[int] = []

    def work() -> None:
        results.extend(instance.exports.f() for _ in range(500))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [2] * 2000

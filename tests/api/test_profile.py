"""Profiles: where time goes."""

import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import wasmote
from wasmote import Instance

from .support import module

ENGINES = ("fast", "classic")
TEXT = """
(import "env" "nap" (func $nap))
(func $work (param i32)
  (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
(func $much (call $work (i32.const 90000000)))
(func $little (call $work (i32.const 30000000)))
(func (export "main") (call $much) (call $little) (call $nap))
(func (export "idle"))
"""


def busy(engine: str) -> Instance:
    return Instance(module(TEXT), {"env": {"nap": lambda: time.sleep(0.03)}}, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_get_the_time_that_they_take(engine: str) -> None:
    instance = busy(engine)
    begin = time.perf_counter()
    with wasmote.profile(instance) as p:
        instance.exports.main()
    elapsed = time.perf_counter() - begin
    found = {each.name.removeprefix("$"): each for each in p.functions()}
    assert found.keys() == {"main", "much", "little", "work", "env.nap (host)"}
    assert found["main"].total_time == pytest.approx(elapsed, rel=0.2)
    assert found["env.nap (host)"].self_time == pytest.approx(0.03, abs=0.02)
    assert found["much"].total_time > found["little"].total_time > 0
    assert found["work"].self_time == pytest.approx(
        found["much"].total_time + found["little"].total_time, rel=0.1
    )
    assert p.samples * p.interval == pytest.approx(elapsed, rel=0.2)
    assert p.functions()[0].name.endswith("work")
    assert p.lost == 0


def test_files(tmp_path: Path) -> None:
    instance = busy("fast")
    with wasmote.profile(instance) as p:
        instance.exports.main()
    p.write(tmp_path / "stacks.txt")
    lines = (tmp_path / "stacks.txt").read_text().splitlines()
    stacks = dict(line.rsplit(" ", 1) for line in lines)
    assert sum(map(int, stacks.values())) == p.samples
    assert any(stack.startswith("main;") and stack.endswith("work") for stack in stacks)
    p.write(tmp_path / "graph.svg")
    root = ElementTree.parse(tmp_path / "graph.svg").getroot()
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("all (") for title in titles)
    assert any("env.nap (host)" in title for title in titles)
    assert "function" in p.table() and "work" in p.table()


def test_only_what_is_asked_for() -> None:
    one, other = busy("fast"), busy("fast")
    with wasmote.profile(one) as p:
        other.exports.main()
    assert p.samples == 0
    assert p.table().splitlines()[1:] == []
    with wasmote.profile() as p:
        other.exports.main()
    assert p.samples > 0


def test_one_profile_at_a_time() -> None:
    instance = busy("fast")
    with wasmote.profile(), pytest.raises(RuntimeError, match="another profile"):
        wasmote.profile(instance).__enter__()
    with pytest.raises(ValueError, match=r"interval is 0.0001 to 10 seconds, not 0"):
        wasmote.profile(interval=0)
    with wasmote.profile(instance) as p:
        instance.exports.idle()
    assert p.functions() == []


def test_a_profile_can_go_on(tmp_path: Path) -> None:
    instance = busy("fast")
    p = wasmote.profile(instance)
    with p:
        instance.exports.main()
    first = p.samples
    with p:
        instance.exports.main()
    assert p.samples > first


def test_names_with_special_letters_make_a_valid_picture(tmp_path: Path) -> None:
    text = """(func (export "<a;b>&\\"") (param i32)
      (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"""
    instance = Instance(module(text))
    with wasmote.profile(instance) as p:
        instance.exports['<a;b>&"'](20_000_000)
    p.write(tmp_path / "g.svg")
    ElementTree.parse(tmp_path / "g.svg")
    assert p.collapsed().startswith('<a,b>&" ')

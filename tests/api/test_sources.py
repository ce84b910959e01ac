"""Source lines in backtraces, from the debug information of clang."""

import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest

import wasmote
from wasmote import Instance, Module, Trap
from wasmote.dwarf.packed import NAMES, pack, unpack
from wasmote.dwarf.sources import Source, Sources
from wasmote.wat import wat2wasm

pytest.importorskip("ziglang")
ENGINES = ("fast", "classic")
PROGRAM = """\
static inline int get(int *p, int i) {
    return p[i];
}
__attribute__((noinline)) static int sum(int *p, int n) {
    int s = 0;
    for (int i = 0; i < n; i++)
        s += get(p, i * 4);
    return s;
}
__attribute__((export_name("run"))) int run(int p) {
    return sum((int *)p, 20)
        + 1;
}
"""


@pytest.fixture(scope="module", params=[(4, "-O2"), (5, "-O0")], ids=str)
def program(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "sum.c").write_text(PROGRAM)
    version, level = request.param
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"]
    options = [
        "-g",
        f"-gdwarf-{version}",
        level,
        "-nostdlib",
        "-Wl,--no-entry",
        "-fno-sanitize=all",
    ]
    command = [*compiler, *options, "-o", "sum.wasm", "sum.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "sum.wasm"


def trap_of(module: Module, **options: str) -> Trap:
    with pytest.raises(Trap) as caught:
        Instance(module, **options).exports.run(-64)
    return caught.value


def lines_of(trap: Trap) -> list[tuple[str, int]]:
    return [(each.function, each.line) for frame in trap.frames for each in frame.sources]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_backtrace_has_lines_and_inlined_functions(program, engine):
    trap = trap_of(Module(program), engine=engine)
    assert lines_of(trap) == [("get", 2), ("sum", 7), ("run", 11)]
    assert trap.frames[0].source is not None
    assert trap.frames[0].source.file.endswith("/sum.c")
    assert trap.backtrace().splitlines()[-1].endswith(" - run at sum.c:11")


def test_compiled_code_knows_the_lines_of_the_module(program):
    pytest.importorskip("llvmlite")
    from wasmote.compile import compile_module

    module = Module(program)
    expected = trap_of(module)
    image = compile_module(module)
    trap = trap_of(Module(image.encode(), name=module.name))
    assert trap.frames == expected.frames
    assert trap.backtrace() == expected.backtrace()
    image.sections["dwarf"] = image.sections["dwarf"][:-7]
    assert lines_of(trap_of(Module(image.encode()))) == []
    plain = trap_of(Module(compile_module(module, debug=1).encode()))
    assert [frame.sources for frame in plain.frames] == [()] * len(plain.frames)


def test_object_files_have_the_lines_of_the_module(program):
    pytest.importorskip("llvmlite")
    from wasmote.compile import Options
    from wasmote.compile.compiler import output
    from wasmote.image.debug_sections import debug_sections
    from wasmote.image.elf import Object

    obj = Object(output(Module(program), Options(), "object"))
    texts = {i: 0x1000 for i, each in enumerate(obj.sections) if each.name == ".text"}
    sources = Sources(debug_sections(obj, texts, 62))
    places = (each for address in range(0x1000, 0x3000) for each in sources.at(address))
    found = {(each.function, each.file.rpartition("/")[2], each.line) for each in places}
    assert ("run", "sum.c", 11) in found
    assert ("sum", "sum.c", 7) in found


def test_a_module_without_debug_information_has_no_lines():
    module = Module(wat2wasm('(func (export "run") unreachable)'))
    with pytest.raises(Trap) as caught:
        Instance(module).exports.run()
    (frame,) = caught.value.frames
    assert frame.source is None
    assert str(frame) == frame.brief()


def test_frames_are_equal_without_their_origin(program):
    frame = trap_of(Module(program)).frames[0]
    copy = pickle.loads(pickle.dumps(frame))
    assert copy == frame
    assert copy.source is None
    assert wasmote.Source is Source


def sections_of(path: Path) -> dict[str, bytes]:
    module = Module(path)
    return {name: b"".join(module.custom_sections(name)) for name in NAMES}


def test_packed_sections_are_the_same_afterwards(program):
    sections = sections_of(program)
    assert unpack(pack(sections)) == sections
    with pytest.raises(ValueError, match="damaged"):
        unpack(pack(sections)[:-1])


@pytest.mark.parametrize("seed", range(8))
def test_damaged_debug_information_does_no_harm(program, seed):
    """It ends soon, and without an exception."""
    numbers = random.Random(seed)
    sections = sections_of(program)
    for _ in range(60):
        name = numbers.choice([name for name in sections if sections[name]])
        data = bytearray(sections[name])
        for _ in range(numbers.randint(1, 8)):
            data[numbers.randrange(len(data))] = numbers.randrange(256)
        del data[numbers.choice([len(data), numbers.randrange(len(data))]) :]
        damaged = Sources({**sections, name: bytes(data)})
        for address in range(0, 400, 13):
            assert isinstance(damaged.at(address), tuple)

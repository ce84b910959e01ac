"""Real C programs give the same output over these functions as over another host's WASI."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import wasmote
from wasmote.wasi import Exit, Wasi

wasmtime = pytest.importorskip("wasmtime")
pytest.importorskip("ziglang")

SOURCE = Path(__file__).parent / "programs" / "posix.c"
ARGS = ["posix.wasm", "PART", "two words", "", "ä"]
ENV = {"NAME": "value", "EMPTY": ""}
INPUT = b"first line\nsecond\n" + b"x" * 300 + b"\nno newline at the end"

#: What a run leaves: exit code, standard output, standard error.
Outcome = tuple[int | str, bytes, bytes]


@pytest.fixture(scope="session")
def binary(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The compiled test program."""
    output = tmp_path_factory.mktemp("programs") / "posix.wasm"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O1", "-s"]
    subprocess.run([*command, str(SOURCE), "-o", str(output)], check=True)
    return output.read_bytes()


def oracle(binary: bytes, part: str, directory: Path) -> Outcome:
    """wasmtime with its own WASI."""
    (directory / "in").write_bytes(INPUT)
    (directory / "root").mkdir()
    config = wasmtime.WasiConfig()
    config.argv = [ARGS[0], part, *ARGS[2:]]
    config.env = list(ENV.items())
    config.stdin_file = str(directory / "in")
    config.stdout_file = str(directory / "out")
    config.stderr_file = str(directory / "err")
    config.preopen_dir(str(directory / "root"), "/")
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    store.set_wasi(config)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    instance = linker.instantiate(store, wasmtime.Module(engine, binary))
    code: int | str = 0
    try:
        instance.exports(store)["_start"](store)
    except wasmtime.ExitTrap as exit_trap:
        code = exit_trap.code
    except wasmtime.Trap:
        code = "trap"
    del store, instance, linker
    return code, (directory / "out").read_bytes(), (directory / "err").read_bytes()


def run_in_wasmtime(binary: bytes, wasi: Wasi) -> None:
    """Our functions as host functions of wasmtime."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    linker = wasmtime.Linker(engine)

    def hosted(function: Callable[..., int]) -> Callable[..., int | None]:
        returns = bool(function.type.results)  # type: ignore[attr-defined]

        def call(caller: object, *arguments: int) -> int | None:
            memory = caller["memory"]  # type: ignore[index]
            base = ctypes.addressof(memory.data_ptr(caller).contents)
            wasi.attach((ctypes.c_ubyte * memory.data_len(caller)).from_address(base))
            result = function(*arguments)
            return result if returns else None

        return call

    for module, functions in wasi.imports().items():
        for name, function in functions.items():
            signature = function.type  # type: ignore[attr-defined]
            params, results = (
                [getattr(wasmtime.ValType, str(kind))() for kind in kinds]
                for kinds in (signature.params, signature.results)
            )
            function_type = wasmtime.FuncType(params, results)
            linker.define_func(module, name, function_type, hosted(function), access_caller=True)
    instance = linker.instantiate(store, wasmtime.Module(engine, binary))
    try:
        instance.exports(store)["_start"](store)
    except wasmtime.Trap as trap:
        raise RuntimeError("trap") from trap


def run_in_wasmote(binary: bytes, wasi: Wasi) -> None:
    """Our functions in our own runtime."""
    instance = wasmote.Instance(wasmote.Module(binary), wasi.imports())
    try:
        instance.exports._start()
    except wasmote.Trap as trap:
        raise RuntimeError("trap") from trap


def ours(run: Callable[[bytes, Wasi], None], binary: bytes, part: str, directory: Path) -> Outcome:
    (directory / "in").write_bytes(INPUT)
    (directory / "root").mkdir()
    code: int | str = 0
    args = [ARGS[0], part, *ARGS[2:]]
    with (
        open(directory / "in", "rb") as stdin,
        open(directory / "out", "wb") as stdout,
        open(directory / "err", "wb") as stderr,
        Wasi(args, ENV, {"/": directory / "root"}, stdin, stdout, stderr) as wasi,
    ):
        try:
            run(binary, wasi)
        except Exit as end:
            code = end.code
        except RuntimeError:
            code = "trap"
    return code, (directory / "out").read_bytes(), (directory / "err").read_bytes()


def files_below(directory: Path) -> list[tuple[str, bytes | str]]:
    """All names below a directory with their contents."""
    found: list[tuple[str, bytes | str]] = []
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found.append((name, os.readlink(path)))
        else:
            found.append((name, path.read_bytes() if path.is_file() else "directory"))
    return found


HOSTS = [
    pytest.param(run_in_wasmtime, id="wasmtime"),
    pytest.param(run_in_wasmote, id="wasmote"),
]


@pytest.mark.parametrize("run", HOSTS)
@pytest.mark.parametrize(
    "part",
    [
        "arguments",
        "streams",
        "files",
        "directories",
        "escapes",
        "clocks",
        "polling",
        "random",
        "growing",
        "raw",
        "exit",
        "return",
        "abort",
    ],
)
def test_same_as_wasmtime(
    binary: bytes, tmp_path: Path, part: str, run: Callable[[bytes, Wasi], None]
) -> None:
    for name in ("expected", "found"):
        (tmp_path / name).mkdir()
    expected = oracle(binary, part, tmp_path / "expected")
    found = ours(run, binary, part, tmp_path / "found")
    assert found == expected
    assert expected[1] or part in ("return", "abort"), "the program has done something"
    expected_files = files_below(tmp_path / "expected" / "root")
    assert files_below(tmp_path / "found" / "root") == expected_files

"""Microbenchmarks: loading, instantiating, calls across the boundary, start-up and memory.

Each measurement runs on Wasmote and, beside it, on the ``wasmtime`` package; start-up and memory
on every peer that ``peers.py`` finds.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import measure
import report
import suite

# Engine -> name of a measurement -> its value and unit
Measurements = dict[str, dict[str, tuple[float, str]]]


@dataclass(frozen=True)
class Functions:
    """What programs/micro.c exports, as Python callables."""

    add: Callable[[int, int], int]
    call_host: Callable[[int], int]
    empty_loop: Callable[[int], int]


class Runtime(Protocol):
    """A WebAssembly runtime with a Python API."""

    name: str

    def load(self, binary: bytes, /) -> Any:
        """Decodes, validates and, if the runtime does so, compiles a module."""

    def instantiate_any(self, module: Any) -> None:
        """Instantiates a module whose imports, whatever they are, trap when called."""

    def instantiate(self, module: Any, host: Callable[[int], int]) -> Functions:
        """Instantiates programs/micro.c with *host* as its import."""


class Wasmote:
    def __init__(self, engine: str) -> None:
        from wasmote import Instance, Module

        self.name = "wasmote" if engine == "auto" else f"wasmote-{engine}"
        self.load = Module
        self.instance = Instance
        self.engine = engine

    def instantiate_any(self, module: Any) -> None:
        self.instance(module, engine=self.engine, missing="trap")

    def instantiate(self, module: Any, host: Callable[[int], int]) -> Functions:
        instance = self.instance(module, {"bench": {"host": host}}, engine=self.engine)
        exports = instance.exports
        return Functions(exports.add, exports.call_host, exports.empty_loop)


class Wasmtime:
    name = "wasmtime"

    def __init__(self) -> None:
        import wasmtime

        self.api = wasmtime
        self.engine = wasmtime.Engine()

    def load(self, binary: bytes) -> Any:
        return self.api.Module(self.engine, binary)

    def instantiate_any(self, module: Any) -> None:
        linker = self.api.Linker(self.engine)
        linker.define_unknown_imports_as_traps(module)
        linker.instantiate(self.api.Store(self.engine), module)

    def instantiate(self, module: Any, host: Callable[[int], int]) -> Functions:
        store = self.api.Store(self.engine)
        i32 = self.api.ValType.i32()
        function = self.api.Func(store, self.api.FuncType([i32], [i32]), host)
        exports: Any = self.api.Instance(store, module, [function]).exports(store)
        names = ("add", "call_host", "empty_loop")
        return Functions(*(partial(exports[name], store) for name in names))


def runtimes(engines: list[str]) -> list[Runtime]:
    """Those that can be imported."""
    sys.path.insert(0, str(measure.SOURCE_TREE))
    found: list[Runtime] = []
    makers: list[Callable[[], Runtime]] = [partial(Wasmote, engine) for engine in engines]
    for make in [*makers, Wasmtime]:
        try:
            found.append(make())
        except ImportError as problem:
            print(f"without the package {problem.name}: {problem}", file=sys.stderr)
    return found


def seconds_each(action: Callable[[int], object], at_least: float = 0.05) -> float:
    """Seconds for one of the *n* steps of ``action(n)``: the median of five, *n* large enough."""
    count, elapsed = 1, 0.0
    while elapsed < at_least:
        count *= 2 if elapsed > at_least / 20 else 10
        elapsed = _clock(action, count)
    return statistics.median(_clock(action, count) for _ in range(5)) / count


def _clock(action: Callable[[int], object], count: int) -> float:
    start = time.perf_counter()
    action(count)
    return time.perf_counter() - start


def _repeat(function: Callable[..., object], *arguments: object) -> Callable[[int], None]:
    def action(count: int) -> None:
        for _ in range(count):
            function(*arguments)

    return action


def _call_add(add: Callable[[int, int], int]) -> Callable[[int], None]:
    """A loop with nothing but the call in it, the arguments in the call as people write it."""

    def action(count: int) -> None:
        for i in range(count):
            add(i, 1)

    return action


def code_size(binary: bytes) -> int:
    """The size of a module's code section in bytes (core specification 5.5.13)."""
    position = 8  # after magic and version
    while position < len(binary):
        section = binary[position]
        size, position = _unsigned(binary, position + 1)
        if section == 10:
            return size
        position += size
    return 0


def _unsigned(binary: bytes, position: int) -> tuple[int, int]:
    """A LEB128 number and the position after it."""
    value = shift = 0
    while binary[position] & 0x80:
        value |= (binary[position] & 0x7F) << shift
        position, shift = position + 1, shift + 7
    return value | binary[position] << shift, position + 1


def measure_runtime(runtime: Runtime, binaries: list[bytes]) -> dict[str, tuple[float, str]]:
    """Name of a measurement -> its value and unit."""
    megabytes = sum(map(code_size, binaries)) / 1e6
    module = runtime.load(suite.build_wasm_library("micro").read_bytes())
    functions = runtime.instantiate(module, lambda value: value)
    if functions.add(2, 3) != 5 or functions.call_host(10) != sum(range(10)):
        raise RuntimeError(f"{runtime.name} computes wrong results")

    def load_all() -> list[Any]:
        return [runtime.load(binary) for binary in binaries]

    def load_and_instantiate_all() -> None:
        for loaded in load_all():
            runtime.instantiate_any(loaded)

    ready = seconds_each(_repeat(load_and_instantiate_all))
    callback = seconds_each(functions.call_host) - seconds_each(functions.empty_loop)
    instantiate = seconds_each(_repeat(runtime.instantiate, module, lambda value: value))
    return {
        "load": (megabytes / seconds_each(_repeat(load_all)), "MB/s"),
        "load and instantiate": (megabytes / ready, "MB/s"),
        "instantiate": (instantiate * 1e6, "µs"),
        "call wasm from Python": (seconds_each(_call_add(functions.add)) * 1e9, "ns"),
        "call Python from wasm": (callback * 1e9, "ns"),
    }


def measure_processes(arguments: argparse.Namespace) -> Measurements:
    """Start-up and peak memory of the least program under each engine; Python alone beside it."""
    found = {
        peer.name: measure_process(command, command, arguments)
        for peer in arguments.peers
        for command in [peer.command("hello", [])]
    }
    python = [sys.executable, "-c"]
    greeting = "import sys; print('hello', flush=True); sys.stdin.read()"
    found["python -c pass"] = measure_process([*python, "pass"], [*python, greeting], arguments)
    return {name: measured for name, measured in found.items() if measured}


def measure_process(
    start: list[str], wait: list[str], arguments: argparse.Namespace
) -> dict[str, tuple[float, str]]:
    """Times the command *start*, and looks at the memory of *wait* while it waits for input."""
    runs = [measure.run(start, arguments.timeout) for _ in range(2 * arguments.rounds + 1)]
    if any(run.problem for run in runs):
        print(f"{' '.join(start)}: {runs[-1].problem}", file=sys.stderr)
        return {}
    found = {
        "start-up, wall": (statistics.median(run.wall for run in runs) * 1e3, "ms"),
        "start-up, CPU": (statistics.median(run.cpu for run in runs) * 1e3, "ms"),
    }
    if peak := measure.peak_memory(wait):
        found["peak memory"] = (peak / 2**20, "MiB")
    return found


def _table(measurements: Measurements) -> str:
    columns = list(dict.fromkeys(name for row in measurements.values() for name in row))
    rows = [["", *columns]]
    for engine, row in measurements.items():
        rows.append([engine, *(report.quantity(*row[c]) if c in row else "-" for c in columns)])
    return report.table(rows)


def run(arguments: argparse.Namespace) -> int:
    """The ``micro`` command of run.py."""
    files = [suite.build_wasm(program.name) for program in arguments.programs]
    if arguments.module:
        files = [Path(arguments.module)]
    binaries = [file.read_bytes() for file in files]
    in_process = {
        runtime.name: measure_runtime(runtime, binaries) for runtime in runtimes(arguments.engine)
    }
    processes = measure_processes(arguments)
    print(report.machine())
    if in_process:
        kilobytes = sum(map(code_size, binaries)) / 1e3
        print(f"\nin one process; loading {len(files)} modules, {kilobytes:,.0f} kB of code\n")
        print(_table(in_process))
    print("\none process for the program hello\n")
    print(_table(processes))
    if arguments.json:
        content = {"machine": report.machine(), "in_process": in_process, "processes": processes}
        report.write_json(arguments.json, content)
    return 0

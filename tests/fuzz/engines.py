"""Runs a module's exports in an engine and writes down everything that can be seen from outside.

Both sides give the same observations for the same module: a list of events in their order (host
calls, results, traps), then the exported globals, tables and memories. NaNs are all alike.
`python -m tests.fuzz.engines ENGINE` is the process that runs Wasmote's side.
"""

import contextlib
import ctypes
import math
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

Event = tuple[Any, ...]
Call = tuple[str, tuple[Any, ...]]
#: Makes calls of exported functions' names and parameters.
Plan = Callable[[list[tuple[str, list[str]]]], list[Call]]
#: Modules that are instantiated one after the other; the first one's exports are `FIRST` to others.
Binaries = tuple[bytes, ...]
_ROOT = Path(__file__).parents[2]
#: Bounds that both engines keep, so that growing fails alike.
MAX_PAGES, MAX_ELEMENTS = 64, 100_000
#: Seconds that one call may take before it counts as endless, and one module before it is a hang.
CALL_SECONDS, MODULE_SECONDS = 10, 60
FIRST = "first"
_READY = b"ready"
#: Every so many calls a host function raises an exception.
_HOST_CALLS = 1000
#: Frames of a backtrace that are compared.
_FRAMES = 16
#: Nested calls of the host function "again".
_DEPTH = 3
#: Ends of a call after which the engines need not be in the same state.
STOPPED = ("call stack exhausted", "terminated by user")


@dataclass
class Observation:
    """What was seen: while calls were made, and after all of them (None: there were not all made).

    `refusal` says why the module did not load.
    """

    events: list[Event] = field(default_factory=list)
    state: list[Event] | None = None
    refusal: str = ""


def names(types: Iterable[object]) -> list[str]:
    """Names of value types; the package wasmtime shows externref as a type that it calls anyref."""
    return [str(each).replace("anyref", "externref") for each in types]


def seen(kind: str, value: Any) -> Event:
    """A value of a type as it is compared: bits, with all NaNs alike, and null or not."""
    if kind in ("i32", "i64"):
        return kind, value % (1 << int(kind[1:]))
    if kind in ("f32", "f64"):
        if math.isnan(value):
            return kind, "nan"
        return kind, struct.pack("<f" if kind == "f32" else "<d", value).hex()
    if hasattr(value, "value"):  # what wasmtime puts around a null
        value = value.value
    if kind == "externref":
        return kind, value
    if kind == "v128":
        return kind, bytes(value).hex()
    return kind, value is not None


def answer(kinds: list[str], count: int) -> list[Any]:
    """What a host function returns at its `count`-th call."""
    values = {"i32": count * 77 - 5, "i64": -count << 33, "f32": count / 2, "f64": -count / 4}
    return [values.get(kind, "answer" if kind == "externref" else None) for kind in kinds]


class EnoughError(Exception):
    """Raised by a host function when a module has called so many."""


class Recorder:
    """Host functions that write down their calls."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.state: list[Event] = []
        self.count = self.depth = 0
        self.again: Callable[[], None] | None = None
        self.stopped = False  # a call, maybe one within another, ended as in STOPPED

    def function(self, name: str, params: list[str], results: list[str]) -> Callable[..., Any]:
        def host(*arguments: Any) -> Any:
            self.count += 1
            if self.count % _HOST_CALLS == 0:
                raise EnoughError
            self.events.append(("host", name, *map(seen, params, arguments)))
            if name == "again" and self.again and self.depth < _DEPTH:
                self.depth += 1
                try:
                    self.again()
                finally:
                    self.depth -= 1
            values = answer(results, self.count)
            return (values[0] if len(values) == 1 else tuple(values)) if values else None

        return host

    def results(self, kinds: list[str], value: Any) -> None:
        values = [value] if len(kinds) == 1 else list(value or ())
        self.events.append(("results", *map(seen, kinds, values)))

    def trap(self, message: str, frames: Iterable[tuple[int, int]]) -> None:
        """A trap, and where: function indices and offsets of instructions, innermost first."""
        self.stopped |= message in STOPPED
        where = [] if self.depth else list(frames)[:_FRAMES]
        if message == "out of bounds memory access" and where:
            where[0] = where[0][0], 0  # wasmtime may say where the value is used first
        self.events.append(("trap", trap_name(message), *where))

    def memory(self, name: str, data: bytes) -> None:
        self.state.append(("memory", name, len(data), zlib.crc32(data)))


# -- Wasmote ---------------------------------------------------------------------------------------


class Wasmote:
    """One of our engines."""

    def __init__(self, engine: str) -> None:
        import wasmote

        self.wasmote, self.engine = wasmote, engine
        self.limits = wasmote.Limits(memory_pages=MAX_PAGES, table_elements=MAX_ELEMENTS)

    def observe(self, binaries: Binaries, calls: list[Call]) -> Observation:
        recorder, seen_ = Recorder(), Observation()
        seen_.events = recorder.events
        instances: list[Any] = []
        try:
            for binary in binaries:
                module = self.wasmote.Module(binary, limits=self.limits)
                imports = self.imports(module, recorder, instances)
                made = self.wasmote.Instance(
                    module, imports, engine=self.engine, stack_size=1 << 26
                )
                instances.append(made)
        except self.wasmote.ModuleError as error:
            seen_.refusal = f"{type(error).__name__}: {error}"
            return seen_
        except self.wasmote.Trap as trap:
            recorder.trap(trap.kind.value, ())
            return seen_
        recorder.again = again(calls, lambda *call: self.call(instances[-1], recorder, *call))
        for name, arguments in calls:
            if self.call(instances[-1], recorder, name, arguments) in STOPPED:
                return seen_
        for instance in instances:
            self.look(instance, recorder)
        seen_.state = recorder.state
        return seen_

    def imports(
        self, module: Any, recorder: Recorder, instances: list[Any]
    ) -> dict[str, dict[str, Any]]:
        """What the module imports: from the first instance, else made for it."""
        w, found = self.wasmote, {}
        if instances:
            found[FIRST] = {name: instances[0].exports[name] for name in instances[0].exports}
        for each in module.imports:
            if each.module in found and each.name in found[each.module]:
                continue
            kind = each.type
            if isinstance(kind, w.FuncType):
                types = names(kind.params), names(kind.results)
                value: Any = recorder.function(each.name, *types)
            elif isinstance(kind, w.GlobalType):
                value = w.Global(kind, answer(names([kind.content]), 3)[0])
            else:
                value = (w.Memory if isinstance(kind, w.MemoryType) else w.Table)(kind)
            found.setdefault(each.module, {})[each.name] = value
        return found

    def call(self, instance: Any, recorder: Recorder, name: str, arguments: tuple[Any, ...]) -> str:
        """Call an export; returns the message of a trap."""
        function = instance.exports[name]
        timer = threading.Timer(CALL_SECONDS, instance.interrupt)
        if not recorder.depth:
            timer.start()
        try:
            result = function(*arguments)
        except self.wasmote.Trap as trap:
            frames = ((frame.function_index, frame.offset) for frame in trap.frames)
            recorder.trap(trap.kind.value, frames)
            return str(trap.kind.value)
        except EnoughError:
            if recorder.depth:
                raise
            recorder.events.append(("exception",))
            return ""
        finally:
            timer.cancel()
        recorder.results(names(function.type.results), result)
        return ""

    def look(self, instance: Any, recorder: Recorder) -> None:
        w = self.wasmote
        for name in instance.exports:
            value = instance.exports[name]
            if isinstance(value, w.Global):
                recorder.state.append(("global", name, seen(str(value.type.content), value.value)))
            elif isinstance(value, w.Memory):
                recorder.memory(name, bytes(memoryview(value)))
            elif isinstance(value, w.Table):
                kind = str(value.type.element)
                recorder.state.append(("table", name, *(seen(kind, each) for each in value)))


def again(calls: list[Call], call: Callable[[str, tuple[Any, ...]], str]) -> Callable[[], None]:
    """What the host function "again" does: the first call of the plan that has arguments."""
    chosen = next((each for each in calls if each[1]), None)
    return lambda: None if chosen is None else void(call(*chosen))


def void(_: object) -> None:
    return None


def trap_name(message: str) -> str:
    """The kind of a trap as it is compared; an index outside a table is one kind for wasmtime."""
    return "out of bounds table access" if message == "undefined element" else message


def serve(engine: str) -> None:
    """Answer pickled (binaries, calls) on standard input with pickled observations."""
    wasmote = Wasmote(engine)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(_READY)
    sink.flush()
    while head := source.read(4):
        binaries, calls = pickle.loads(source.read(struct.unpack("<I", head)[0]))
        reply = pickle.dumps(vars(wasmote.observe(binaries, calls)))
        sink.write(struct.pack("<I", len(reply)) + reply)
        sink.flush()


class Worker:
    """A process with one of Wasmote's engines; a new one replaces it when it crashes or hangs."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.engines", self.engine],
            cwd=_ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout
        self.process.stdout.read(len(_READY))  # loading may have to compile the core first

    def observe(self, binaries: Binaries, calls: list[Call]) -> Observation | str:
        """The observation, or what became of the process."""
        request = pickle.dumps((binaries, calls))
        source, sink = self.process.stdout, self.process.stdin
        assert source and sink
        with contextlib.suppress(BrokenPipeError):
            sink.write(struct.pack("<I", len(request)) + request)
            sink.flush()
            if not select.select([source], [], [], MODULE_SECONDS)[0]:
                self.close()
                self.start()
                return "hang"
            head = source.read(4)
            if len(head) == 4:
                reply = source.read(struct.unpack("<I", head)[0])
                return Observation(**pickle.loads(reply))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(MODULE_SECONDS)
        code = self.close()
        self.start()
        return f"crash ({signal.Signals(-code).name if code < 0 else code})"

    def close(self) -> int:
        """End the process, if it has not ended; returns its exit code."""
        with contextlib.suppress(BrokenPipeError), self.process:
            self.process.kill()
        return self.process.returncode


# -- wasmtime --------------------------------------------------------------------------------------


class Wasmtime:
    """The other side: the package `wasmtime` with the features that Wasmote has."""

    #: Instructions that one call may execute.
    FUEL = 3_000_000
    _TRAPS: ClassVar[dict[str, str]] = {
        "STACK_OVERFLOW": "call stack exhausted",
        "MEMORY_OUT_OF_BOUNDS": "out of bounds memory access",
        "TABLE_OUT_OF_BOUNDS": "out of bounds table access",
        "INDIRECT_CALL_TO_NULL": "uninitialized element",
        "BAD_SIGNATURE": "indirect call type mismatch",
        "INTEGER_OVERFLOW": "integer overflow",
        "INTEGER_DIVISION_BY_ZERO": "integer divide by zero",
        "BAD_CONVERSION_TO_INTEGER": "invalid conversion to integer",
        "UNREACHABLE": "unreachable",
        "OUT_OF_FUEL": "terminated by user",
    }
    _FLAGS = (
        ("relaxed-simd", "relaxed_simd"),
        ("simd", "simd"),
        ("threads", "threads"),
        ("tail-calls", "tail_call"),
        ("multi-memory", "multi_memory"),
        ("memory64", "memory64"),
        ("gc", "gc"),
        ("function-references", "function_references"),
        ("exception-handling", "exceptions"),
        ("custom-page-sizes", "custom_page_sizes"),
        ("wide-arithmetic", "wide_arithmetic"),
    )

    def __init__(self, features: frozenset[str], canonical_nans: bool = False) -> None:
        import wasmtime

        self.wasmtime = wasmtime
        config = wasmtime.Config()
        config.consume_fuel = True
        config.cranelift_opt_level = "none"
        config.cranelift_nan_canonicalization = canonical_nans
        config.max_wasm_stack = 1 << 20
        for feature, flag in self._FLAGS:
            if feature not in features and hasattr(wasmtime.Config, f"wasm_{flag}"):
                setattr(config, f"wasm_{flag}", False)
        self.engine = wasmtime.Engine(config)

    def observe(self, binaries: Binaries, plan: Plan) -> tuple[Observation, list[Call]]:
        """What happens, and in which calls of the last module's exports.

        `plan` makes them of the names and parameters of the exported functions; those from the
        first one on whose end cannot be compared are left out.
        """
        w, recorder, seen_ = self.wasmtime, Recorder(), Observation()
        seen_.events = recorder.events
        store = w.Store(self.engine)
        store.set_limits(memory_size=MAX_PAGES << 16, table_elements=MAX_ELEMENTS)
        store.set_fuel(self.FUEL)
        modules: list[Any] = []
        instances: list[Any] = []
        try:
            for binary in binaries:
                modules.append(w.Module(self.engine, binary))
                imports = self.imports(store, modules[-1], recorder, instances)
                instances.append(w.Instance(store, modules[-1], imports).exports(store))
        except w.Trap as trap:
            recorder.trap(self.trap(trap), ())
            return seen_, []
        except w.WasmtimeError as error:
            seen_.refusal = str(error)
            return seen_, []
        calls = plan(
            [
                (each.name, names(each.type.params))
                for each in modules[-1].exports
                if isinstance(each.type, w.FuncType)
            ]
        )
        recorder.again = again(calls, lambda *c: self.call(store, instances[-1], recorder, *c))
        for i, (name, arguments) in enumerate(calls):
            before = len(recorder.events)
            ended = self.call(store, instances[-1], recorder, name, arguments)
            if ended in STOPPED or recorder.stopped:
                del recorder.events[before:]
                return seen_, calls[:i]
        for module, exports in zip(modules, instances, strict=True):
            self.look(store, module, exports, recorder)
        seen_.state = recorder.state
        return seen_, calls

    def trap(self, trap: Any) -> str:
        code: str = trap.trap_code.name
        return self._TRAPS.get(code, code)

    def imports(
        self, store: Any, module: Any, recorder: Recorder, instances: list[Any]
    ) -> list[Any]:
        w, found = self.wasmtime, []
        for each in module.imports:
            kind = each.type
            if instances and each.module == FIRST:
                found.append(instances[0][each.name])
            elif isinstance(kind, w.FuncType):
                types = names(kind.params), names(kind.results)
                found.append(w.Func(store, kind, recorder.function(each.name, *types)))
            elif isinstance(kind, w.GlobalType):
                found.append(w.Global(store, kind, answer(names([kind.content]), 3)[0]))
            elif isinstance(kind, w.MemoryType):
                found.append(w.Memory(store, kind))
            else:
                found.append(w.Table(store, kind, None))
        return found

    def call(
        self, store: Any, exports: Any, recorder: Recorder, name: str, arguments: tuple[Any, ...]
    ) -> str:
        function = exports[name]
        if not recorder.depth:
            store.set_fuel(self.FUEL)
        try:
            result = function(store, *arguments)
        except self.wasmtime.Trap as trap:
            message = self.trap(trap)
            frames = ((frame.func_index, frame.module_offset) for frame in trap.frames)
            recorder.trap(message, frames)
            return message
        except EnoughError:
            if recorder.depth:
                raise
            recorder.events.append(("exception",))
            return ""
        recorder.results(names(function.type(store).results), result)
        return ""

    def look(self, store: Any, module: Any, exports: Any, recorder: Recorder) -> None:
        w = self.wasmtime
        for each in module.exports:
            value = exports[each.name]
            if isinstance(value, w.Global):
                (kind,) = names([value.type(store).content])
                if kind != "v128":  # the package cannot read those
                    event = seen(kind, value.value(store))
                    recorder.state.append(("global", each.name, event))
            elif isinstance(value, w.Memory):
                start = ctypes.cast(value.data_ptr(store), ctypes.c_void_p).value or 0
                recorder.memory(each.name, ctypes.string_at(start, value.data_len(store)))
            elif isinstance(value, w.Table):
                (kind,) = names([value.type(store).element])
                cells = (value.get(store, i) for i in range(value.size(store)))
                recorder.state.append(("table", each.name, *(seen(kind, c) for c in cells)))


if __name__ == "__main__":
    serve(sys.argv[1])

"""Runs modules in an engine: one of Wasmote's, or the package `wasmtime`, which says what is right.

Both sides give the same observations for the same modules: a list of events in their order (host
calls, results, traps), then the exported globals, tables and memories. NaNs are all alike.
"""

import ctypes
import threading
from typing import Any, ClassVar

from tests.fuzz.observe import (
    FIRST,
    MAX_ELEMENTS,
    MAX_PAGES,
    OUT_OF_MEMORY,
    OUT_OF_SIGHT,
    STOPPED,
    Binaries,
    Call,
    EnoughError,
    Observation,
    Recorder,
    again,
    answer,
    names,
    plan,
    seen,
)

#: How a call ends with an exception of WebAssembly.
UNCAUGHT = "uncaught exception"
#: Seconds that a call may take before it counts as endless.
CALL_SECONDS = 10

# -- Wasmote ---------------------------------------------------------------------------------------


#: After an engine's name: with a garbage collector that is always at work.
RESTLESS = "-restless"


#: The engine "jit" with code from the beginning, with functions that are compiled one by one, with
#: half of them compiled, and with code that comes while the host is called.
JIT = ("jit", "parts", "mixed", "switch")


class Wasmote:
    """One of our engines."""

    switches = False

    def __init__(self, engine: str) -> None:
        import wasmote

        self.wasmote, self.engine = wasmote, engine.removesuffix(RESTLESS)
        self.restless = engine.endswith(RESTLESS)
        self.modules = 0  # that it has disturbed
        self.images: dict[Any, bytes] = {}  # of modules that run without them so far
        self.limits = wasmote.Limits(memory_pages=MAX_PAGES, table_elements=MAX_ELEMENTS)
        self.refusals: tuple[type[Exception], ...] = (wasmote.ModuleError,)
        if self.engine == "aot":
            from wasmote.errors import CompileError

            self.refusals += (CompileError,)
        if engine in JIT:
            self.engine = "jit"
            self.use_jit(engine)
        wasmote.Module(b"\0asm\1\0\0\0")  # the core is loaded now

    def use_jit(self, engine: str) -> None:
        """Compile at once and without a cache; what `JIT` says."""
        from wasmote.jit.settings import SETTINGS

        self.switches = engine == "switch"
        SETTINGS.wait, SETTINGS.cache = not self.switches, False
        SETTINGS.level, SETTINGS.nice = 1, 0
        SETTINGS.part_size = 1 if engine in ("parts", "mixed") else 0
        if engine == "mixed":
            SETTINGS.chosen = lambda index: index * 0x9E3779B1 >> 16 & 1 == 1

    def switching(self, module: Any, function: Any) -> Any:
        """A host function that gives a module its compiled code when it is first called."""

        def call(*arguments: Any) -> Any:
            image = self.images.pop(module, None)
            if image is not None:
                module._tier._use(module, image)
            return function(*arguments)

        return call if self.switches else function

    def prepare_switch(self, module: Any) -> None:
        """Compile a module whose instances begin in the interpreter, if that is possible."""
        from wasmote.compile import compile_module
        from wasmote.errors import CompileError
        from wasmote.jit.tier import tier_for

        tier_for(module)._begun = True  # nobody else compiles it
        try:
            self.images[module] = compile_module(module, level=1, enterable=True).encode()
        except CompileError:
            pass

    def module(self, binary: bytes) -> Any:
        """The module, or its image."""
        module = self.wasmote.Module(binary, limits=self.limits)
        if self.switches:
            self.prepare_switch(module)
        if self.engine != "aot":
            return module
        from wasmote.compile import compile_module

        image = compile_module(module, level=1).encode()
        return self.wasmote.Module(image, limits=self.limits)

    def disturb(self) -> None:
        """At each allocation the collector does a step: of one object, or of a whole collection.
        Every third module it leaves compiled code some objects to take without it.
        """
        heap = self.wasmote.heap
        self.modules += 1
        heap.growth, heap.minimum = 0, 256 if self.modules % 3 == 2 else 0
        heap.step = 1 if self.modules % 3 == 0 else 1 << 30

    def observe(self, binaries: Binaries, calls: list[Call]) -> Observation:
        if self.restless:
            self.disturb()
        self.images.clear()
        recorder = Recorder()
        seen_ = Observation(calls, recorder.events)
        instances: list[Any] = []
        try:
            for binary in binaries:
                module = self.module(binary)
                imports = self.imports(module, recorder, instances)
                made = self.wasmote.Instance(
                    module, imports, engine=self.engine, stack_size=1 << 26
                )
                instances.append(made)
        except self.refusals as error:
            seen_.refusal = f"{type(error).__name__}: {error}"
            return seen_
        except self.wasmote.Trap as trap:
            recorder.trap(trap.kind.value, ())
            return seen_
        except self.wasmote.WasmException:
            recorder.trap(UNCAUGHT, ())
            return seen_
        except MemoryError:
            recorder.trap(OUT_OF_MEMORY, ())
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
            found[FIRST] = instances[0].exports
        for each in module.imports:
            if each.module in found and each.name in found[each.module]:
                continue
            kind = each.type
            if isinstance(kind, w.FuncType):
                types = names(kind.params), names(kind.results)
                value: Any = self.switching(module, recorder.function(each.name, *types))
            elif isinstance(kind, w.TagType):
                value = w.Tag(kind)
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
        except self.wasmote.WasmException:
            recorder.trap(UNCAUGHT, ())
            return UNCAUGHT
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
            if name.startswith(OUT_OF_SIGHT):
                continue
            value = instance.exports[name]
            if isinstance(value, w.Global):
                recorder.state.append(("global", name, seen(str(value.type.content), value.value)))
            elif isinstance(value, w.Memory):
                recorder.memory(name, bytes(memoryview(value)))
            elif isinstance(value, w.Table):
                kind = str(value.type.element)
                recorder.state.append(("table", name, *(seen(kind, each) for each in value)))


# -- wasmtime --------------------------------------------------------------------------------------


def _shared_memory_as_extern(memory: Any) -> Any:
    """In place of the package's own, which takes a pointer too much."""
    from wasmtime import _ffi as ffi

    union = ffi.wasmtime_extern_union(sharedmemory=memory.ptr())
    return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


class Wasmtime:
    """The other side: the package `wasmtime` with the features that Wasmote has."""

    #: Instructions that one call may execute.
    FUEL = 10_000_000
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
        "OUT_OF_FUEL": "interrupted",
        "NULL_REFERENCE": "null reference",
        "CAST_FAILURE": "cast failure",
        "ARRAY_OUT_OF_BOUNDS": "out of bounds array access",
        "ALLOCATION_TOO_LARGE": "out of memory",
        "HEAP_MISALIGNED": "unaligned atomic",
        "ATOMIC_WAIT_NON_SHARED_MEMORY": "expected shared memory",
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
        wasmtime.SharedMemory._as_extern = _shared_memory_as_extern
        config = wasmtime.Config()
        config.consume_fuel = True
        config.cranelift_opt_level = "none"
        config.cranelift_nan_canonicalization = canonical_nans
        config.max_wasm_stack = 1 << 20
        config.parallel_compilation = False  # modules are small
        for feature, flag in self._FLAGS:
            if hasattr(wasmtime.Config, f"wasm_{flag}"):
                setattr(config, f"wasm_{flag}", feature in features)
        config.shared_memory = "threads" in features
        self.engine = wasmtime.Engine(config)

    def observe(self, binaries: Binaries, seed: int) -> Observation:
        """What happens in calls of the last module's exports, up to one whose end says nothing."""
        w, recorder = self.wasmtime, Recorder()
        seen_ = Observation(events=recorder.events)
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
            return seen_
        except w.WasmtimeError as error:
            seen_.refusal = str(error)
            return seen_
        functions = [
            (each.name, names(each.type.params))
            for each in modules[-1].exports
            if isinstance(each.type, w.FuncType)
        ]
        calls = plan(seed, functions)
        recorder.again = again(calls, lambda *c: self.call(store, instances[-1], recorder, *c))
        for name, arguments in calls:
            before = len(recorder.events)
            ended = self.call(store, instances[-1], recorder, name, arguments)
            if ended in STOPPED or recorder.stopped:
                del recorder.events[before:]
                return seen_
            seen_.calls.append((name, arguments))
        for module, exports in zip(modules, instances, strict=True):
            self.look(store, module, exports, recorder)
        seen_.state = recorder.state
        return seen_

    def trap(self, trap: Any) -> str:
        if trap.trap_code is None:
            return UNCAUGHT
        code: str = trap.trap_code.name
        return self._TRAPS.get(code, code)

    def imports(
        self, store: Any, module: Any, recorder: Recorder, instances: list[Any]
    ) -> list[Any]:
        w, found = self.wasmtime, []
        for each in module.imports:
            if instances and each.module == FIRST:
                found.append(instances[0][each.name])
                continue
            kind = each.type
            if isinstance(kind, w.FuncType):
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
            if message == UNCAUGHT:
                recorder.trap(message, ())
                return message
            frames = ((frame.func_index, frame.module_offset) for frame in trap.frames)
            recorder.trap(message, frames)
            return message
        except self.wasmtime.WasmtimeError:  # no room for an object
            recorder.trap(OUT_OF_MEMORY, ())
            return OUT_OF_MEMORY
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
            if each.name.startswith(OUT_OF_SIGHT):
                continue
            value = exports[each.name]
            if isinstance(value, w.Global):
                (kind,) = names([value.type(store).content])
                if kind != "v128":  # the package cannot read those
                    event = seen(kind, value.value(store))
                    recorder.state.append(("global", each.name, event))
            elif isinstance(value, w.SharedMemory):
                start = ctypes.cast(value.data_ptr(), ctypes.c_void_p).value or 0
                recorder.memory(each.name, ctypes.string_at(start, value.data_len()))
            elif isinstance(value, w.Memory):
                start = ctypes.cast(value.data_ptr(store), ctypes.c_void_p).value or 0
                recorder.memory(each.name, ctypes.string_at(start, value.data_len(store)))
            elif isinstance(value, w.Table):
                (kind,) = names([value.type(store).element])
                cells = (value.get(store, i) for i in range(value.size(store)))
                recorder.state.append(("table", each.name, *(seen(kind, c) for c in cells)))

"""Runs the commands of a script and keeps count of what went as it says.

Only the public API is used here, so every script is also a test of that.
"""

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from wasmote import (
    FEATURES,
    DecodeError,
    Exports,
    Func,
    Global,
    Instance,
    LinkError,
    Module,
    Trap,
    ValidationError,
    WasmException,
)
from wasmote.inspect import check_branch_hints, parse
from wasmote.script.commands import (
    Action,
    AssertAbrupt,
    AssertRefused,
    AssertReturn,
    Command,
    Get,
    Instantiate,
    Invoke,
    LoadModule,
    ModuleSource,
    Perform,
    Register,
    Thread,
    Wait,
    parse_script,
)
from wasmote.script.sexpr import ScriptError
from wasmote.script.spectest import spectest
from wasmote.script.values import show
from wasmote.wat import AssemblerMissingError, WatError

#: Seconds that `(wait $thread)` allows a thread before calling it stuck.
WAIT_SECONDS = 60

#: What refuses a module, by the keyword of the assertion. The assembler refuses malformed text.
_REFUSALS: dict[str, tuple[type[Exception], ...]] = {
    "assert_malformed": (DecodeError, WatError),
    "assert_malformed_custom": (DecodeError, WatError),
    "assert_invalid": (ValidationError,),
    "assert_invalid_custom": (ValidationError, WatError),
    "assert_unlinkable": (LinkError,),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A command of a script that did not go as the script says."""

    file: str
    line: int
    command: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.command}: {self.message}"


@dataclass(slots=True)
class ScriptResult:
    """How a script went. Every command counts as one: modules, actions and assertions."""

    passed: int = 0
    failed: list[Failure] = field(default_factory=list)
    #: Commands that passed, but with another error message than the script has.
    notes: list[Failure] = field(default_factory=list)

    def add(self, other: "ScriptResult") -> None:
        """Count another result in."""
        self.passed += other.passed
        self.failed += other.failed
        self.notes += other.notes


def run_script(
    path: str | os.PathLike[str], *, engine: str = "fast", features: Iterable[str] = FEATURES
) -> ScriptResult:
    """Run a `.wast` file on an engine (see `Instance`), to its end whatever fails.

    `features` are those that its modules may use (see `Module`).

    Raises `OSError` and `ScriptError` for a file that cannot be read as a script, and
    `AssemblerMissingError` where it has modules as text and the assembler is not installed.
    """
    try:
        text = Path(path).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ScriptError(f"not UTF-8: {error.reason}", 1) from None
    runner = _Runner(os.fspath(path), engine, features)
    runner.run(parse_script(text))
    return runner.result


_T = TypeVar("_T")


class _Mismatch(Exception):
    """A command that fails; the text says why."""


class _Runner:
    """The instances of one script, or of one of its threads, and the result so far."""

    def __init__(self, file: str, engine: str, features: Iterable[str]) -> None:
        self.file = file
        self.engine = engine
        self.features = tuple(features)
        self.result = ScriptResult()
        self.definitions: dict[str | None, Module] = {}
        self.instances: dict[str | None, Instance] = {}
        self.registered: dict[str, Mapping[str, object] | Exports] = {"spectest": spectest()}
        self.threads: dict[str, tuple[threading.Thread, _Runner]] = {}

    def run(self, commands: Iterable[Command]) -> None:
        for command in commands:
            try:
                self.execute(command)
            except AssemblerMissingError:
                raise
            except _Mismatch as mismatch:
                self.result.failed.append(self.report(command, str(mismatch)))
            except Exception as error:  # whatever it is, the script goes on
                self.result.failed.append(self.report(command, _describe(error)))
            else:
                self.result.passed += 1

    def report(self, command: Command, message: str) -> Failure:
        match command:
            case AssertReturn(action=action) | Perform(action=action) | AssertAbrupt(target=action):
                export = getattr(action, "export", None)
                subject = "" if export is None else f" {export!r}"
            case _:
                subject = ""
        return Failure(self.file, command.line, command.keyword + subject, message)

    def execute(self, command: Command) -> None:
        match command:
            case LoadModule():
                self.load_module(command)
            case Instantiate(name=name, definition=definition):
                module = self.definitions.get(definition)
                self.instantiate(_found(module, "module definition", definition), name)
            case Register(module=module_name, instance=instance):
                self.registered[module_name] = self.instance(instance).exports
            case Perform(action=action):
                self.perform(action)
            case AssertReturn():
                self.assert_return(command)
            case AssertAbrupt():
                self.assert_abrupt(command)
            case AssertRefused():
                self.assert_refused(command)
            case Thread():
                self.start_thread(command)
            case Wait(thread=thread):
                self.wait(thread)

    # Modules and instances. The name None stands for the latest one.

    def load_module(self, command: LoadModule) -> None:
        source = command.source
        latest = self.instances if command.instantiate else self.definitions
        for name in {None, source.name}:  # what follows must not find an older one
            latest.pop(name, None)
        module = self.module(source)
        if command.instantiate:
            self.instantiate(module, source.name)
        else:
            self.definitions[None] = self.definitions[source.name] = module

    def module(self, source: ModuleSource) -> Module:
        return Module(source.binary(), features=self.features)

    def instantiate(self, module: Module, name: str | None) -> None:
        self.instances[None] = self.instances[name] = self.link(module)

    def link(self, module: Module) -> Instance:
        """An instance of a module, which is compiled before if the engine needs that."""
        if self.engine == "aot":
            from wasmote.compile import compile_module

            module = Module(compile_module(module, level=0).encode())
        return Instance(module, self.registered, engine=self.engine)

    def instance(self, name: str | None) -> Instance:
        return _found(self.instances.get(name), "instance", name)

    # Actions

    def perform(self, action: Action) -> list[tuple[str, object]]:
        """The results, each with the name of its type."""
        exports = self.instance(action.instance).exports
        try:
            item = exports[action.export]
        except KeyError:
            raise _Mismatch(f"no export {action.export!r}") from None
        match action, item:
            case Invoke(arguments=arguments), Func():
                results = item.call_bits(*(argument.value for argument in arguments))
                return [(str(type), bits) for type, bits in zip(item.type.results, results)]
            case Get(), Global():
                return [(str(item.type.content), item.bits)]
        wanted = "function" if isinstance(action, Invoke) else "global"
        raise _Mismatch(f"export {action.export!r} is not a {wanted}")

    # Assertions

    def assert_return(self, command: AssertReturn) -> None:
        results = self.perform(command.action)
        right = len(results) == len(command.results) and all(
            pattern.matches(type, value) for pattern, (type, value) in zip(command.results, results)
        )
        if not right:
            expected = ", ".join(map(str, command.results)) or "nothing"
            got = ", ".join(show(type, value) for type, value in results) or "nothing"
            raise _Mismatch(f"expected {expected}, got {got}")

    def assert_abrupt(self, command: AssertAbrupt) -> None:
        kind = command.keyword.removeprefix("assert_")
        try:
            if isinstance(command.target, ModuleSource):
                module = self.module(command.target)
                self.link(module)
                got = "nothing"
            else:
                results = self.perform(command.target)
                got = ", ".join(show(type, value) for type, value in results) or "nothing"
        except Trap as trap:
            if kind != "exception" and _begins_alike(trap.message, command.message):
                return
            got = f"the trap {trap.message!r}"
        except WasmException as exception:
            if kind == "exception":
                return
            got = f"the exception {exception}"
        wanted = "an exception" if kind == "exception" else f"the trap {command.message!r}"
        raise _Mismatch(f"expected {wanted}, got {got}")

    def assert_refused(self, command: AssertRefused) -> None:
        try:
            module = self.module(command.source)
            if command.keyword == "assert_unlinkable":
                self.link(module)
            if command.keyword.endswith("_custom"):  # valid, but for what is in custom sections
                check_branch_hints(parse(command.source.binary()))
        except _REFUSALS[command.keyword] as error:
            message = getattr(error, "message", str(error))
            if not isinstance(error, WatError) and not _begins_alike(message, command.message):
                note = f"expected {command.message!r}, got {message!r}"
                self.result.notes.append(self.report(command, note))
            return
        kind = command.keyword.removeprefix("assert_")
        raise _Mismatch(f"accepted, but {kind}: {command.message}")

    # Threads

    def start_thread(self, command: Thread) -> None:
        runner = _Runner(self.file, self.engine, self.features)
        for name in command.shared:
            runner.instances[name] = self.instance(name)
        thread = threading.Thread(target=runner.run, args=[command.commands], daemon=True)
        self.threads[command.name] = thread, runner
        thread.start()

    def wait(self, name: str) -> None:
        thread, runner = _found(self.threads.pop(name, None), "thread", name)
        thread.join(WAIT_SECONDS)
        if thread.is_alive():
            raise _Mismatch(f"thread {name} still runs after {WAIT_SECONDS} seconds")
        self.result.add(runner.result)


def _found(thing: _T | None, what: str, name: str | None) -> _T:
    if thing is None:
        raise _Mismatch(f"no {what}" + (f" {name}" if name else ""))
    return thing


def _begins_alike(got: str, expected: str) -> bool:
    """Whether one message is the beginning of the other, as the reference interpreter wants."""
    return got.startswith(expected) or expected.startswith(got)


def _describe(error: Exception) -> str:
    match error:
        case Trap():
            return f"trap: {error}"
        case WatError():
            return f"the assembler refuses this module: {error}"
    return f"{type(error).__name__}: {error}"

"""The commands of a test script and their parser.

The language is that of the WebAssembly specification's test suite, described in its
`interpreter/README.md` under "Scripts"; `thread` and `wait` are those of the threads proposal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from wasmote.script.legacy_try import unfold_tries
from wasmote.script.sexpr import Expr, Lines, MalformedError, Node, ScriptError, parse
from wasmote.script.values import Constant, Pattern, parse_constant, parse_pattern
from wasmote.wat import WatError, wat2wasm


@dataclass(frozen=True, slots=True)
class ModuleSource:
    """A module as a script gives it: its text, its bytes, or text in quotes."""

    line: int
    name: str | None
    form: Literal["text", "binary", "quote"]
    content: str | bytes

    def binary(self) -> bytes:
        """The binary module. Raises what `wat2wasm` raises, with the line in the script."""
        if self.form == "binary":
            return cast(bytes, self.content)
        try:
            return wat2wasm(self.content)
        except WatError as error:
            if self.form == "quote" or error.line is None:
                raise
            raise WatError(error.message, self.line + error.line - 1, error.column) from error


@dataclass(frozen=True, slots=True)
class Invoke:
    """Call an exported function, of the latest instance where `instance` is None."""

    instance: str | None
    export: str
    arguments: tuple[Constant, ...]


@dataclass(frozen=True, slots=True)
class Get:
    """Read an exported global."""

    instance: str | None
    export: str


Action: TypeAlias = Invoke | Get


@dataclass(frozen=True, slots=True)
class LoadModule:
    """`(module …)`: load and instantiate; `(module definition …)`: load only."""

    keyword: str
    line: int
    source: ModuleSource
    instantiate: bool


@dataclass(frozen=True, slots=True)
class Instantiate:
    """`(module instance $instance $definition)`."""

    keyword: str
    line: int
    name: str | None
    definition: str | None


@dataclass(frozen=True, slots=True)
class Register:
    """`(register "module" $instance)`: offer an instance's exports for import."""

    keyword: str
    line: int
    module: str
    instance: str | None


@dataclass(frozen=True, slots=True)
class Perform:
    """An action whose results do not matter."""

    keyword: str
    line: int
    action: Action


@dataclass(frozen=True, slots=True)
class AssertReturn:
    """An action that returns results like these."""

    keyword: str
    line: int
    action: Action
    results: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class AssertAbrupt:
    """An action or instantiation that ends in a trap, in exhaustion or in an exception."""

    keyword: str
    line: int
    target: Action | ModuleSource
    message: str


@dataclass(frozen=True, slots=True)
class AssertRefused:
    """A module that is refused: malformed, invalid or unlinkable."""

    keyword: str
    line: int
    source: ModuleSource
    message: str


@dataclass(frozen=True, slots=True)
class Thread:
    """`(thread $name (shared (module $m)) command*)`: commands that run beside the others."""

    keyword: str
    line: int
    name: str
    shared: tuple[str, ...]
    commands: tuple["Command", ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """`(wait $thread)`: let a thread finish."""

    keyword: str
    line: int
    thread: str


Command: TypeAlias = (
    LoadModule
    | Instantiate
    | Register
    | Perform
    | AssertReturn
    | AssertAbrupt
    | AssertRefused
    | Thread
    | Wait
)

_MODULE_FIELDS = (
    *("type", "rec", "import", "func", "table", "memory"),
    *("global", "export", "start", "elem", "data", "tag"),
)


def parse_script(text: str) -> list[Command]:
    """The commands of a script. Raises `ScriptError`, which names the line."""
    expressions = parse(text)
    if expressions and expressions[0].head in _MODULE_FIELDS:  # the file is one module
        start = expressions[0].start
        source = ModuleSource(Lines(text)[start], None, "text", text[start:])
        return [LoadModule("module", source.line, source, True)]
    parser = _Parser(text)
    return [parser.command(each) for each in expressions]


class _Parser:
    """Turns s-expressions into commands; `text` is what they were read from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = Lines(text)

    def command(self, expr: Expr) -> Command:
        parse_it = _PARSERS.get(expr.head)
        line = self.lines[expr.start]
        if parse_it is None:
            raise ScriptError(f"unknown command ({expr.head} …)", line)
        try:
            return parse_it(self, expr, line)
        except MalformedError as error:
            raise ScriptError(f"{expr.head}: {error}", line) from None
        except RecursionError:  # threads in threads, or either in either
            raise ScriptError(f"{expr.head}: nested too deeply", line) from None

    def module(self, expr: Expr, line: int) -> Command:
        if expr.items[1:2] == ["instance"]:
            names = [_identifier(each) for each in expr.items[2:]]
            if len(names) > 2:
                raise MalformedError("expected at most an instance's and a definition's name")
            name, definition = [None] * (2 - len(names)) + names
            return Instantiate("module", line, name, definition)
        definition_only = expr.items[1:2] == ["definition"]
        return LoadModule("module", line, self.source(expr), not definition_only)

    def source(self, node: Node) -> ModuleSource:
        """Any form of `(module …)` except `(module instance …)`."""
        expr = _list(node, "module")
        line, rest = self.lines[expr.start], 1
        text = unfold_tries(expr, self.text)
        if expr.items[rest : rest + 1] == ["definition"]:  # a word the text format does not have
            at = expr.offsets[rest] - expr.start
            text = text[:at] + text[at + len("definition") :]
            rest += 1
        name = None
        if rest < len(expr.items) and _is_identifier(expr.items[rest]):
            name = _identifier(expr.items[rest])
            rest += 1
        match expr.items[rest : rest + 1]:
            case ["binary"]:
                return ModuleSource(line, name, "binary", _join(expr.items[rest + 1 :]))
            case ["quote"]:
                return ModuleSource(line, name, "quote", _join(expr.items[rest + 1 :]))
        return ModuleSource(line, name, "text", text)

    def register(self, expr: Expr, line: int) -> Command:
        module, instance = _operands(expr, 1, 2)
        name = None if instance is None else _identifier(instance)
        return Register("register", line, _name(module), name)

    def action(self, node: Node) -> Action:
        """`(invoke $instance? "export" argument*)` or `(get $instance? "export")`."""
        if not isinstance(node, Expr) or node.head not in ("invoke", "get"):
            raise MalformedError("expected (invoke …) or (get …)")
        instance, rest = None, node.items[1:]
        if rest and _is_identifier(rest[0]):
            instance = _identifier(rest.pop(0))
        if not rest:
            raise MalformedError("expected the name of an export")
        export = _name(rest.pop(0))
        if node.head == "invoke":
            arguments = tuple(parse_constant(_list(each)) for each in rest)
            return Invoke(instance, export, arguments)
        if rest:
            raise MalformedError("get takes no arguments")
        return Get(instance, export)

    def perform(self, expr: Expr, line: int) -> Command:
        return Perform(expr.head, line, self.action(expr))

    def assert_return(self, expr: Expr, line: int) -> Command:
        if len(expr.items) < 2:
            raise MalformedError("expected an action")
        results = tuple(parse_pattern(_list(each)) for each in expr.items[2:])
        return AssertReturn("assert_return", line, self.action(expr.items[1]), results)

    def assert_abrupt(self, expr: Expr, line: int) -> Command:
        subject, message = _operands(expr, 1, 2)
        is_module = isinstance(subject, Expr) and subject.head == "module"
        target = self.source(subject) if is_module else self.action(subject)
        text = "" if message is None else _name(message)
        return AssertAbrupt(expr.head, line, target, text)

    def assert_refused(self, expr: Expr, line: int) -> Command:
        module, message = _operands(expr, 2, 2)
        source = self.source(module)
        return AssertRefused(expr.head, line, source, _name(message))

    def thread(self, expr: Expr, line: int) -> Command:
        name, *rest = expr.items[1:] or [""]
        shared: list[str] = []
        while rest and isinstance(rest[0], Expr) and rest[0].head == "shared":
            (module, _) = _operands(_list(rest.pop(0)), 1, 1)
            shared.append(_identifier(_operands(_list(module, "module"), 1, 1)[0]))
        commands = tuple(self.command(_list(each)) for each in rest)
        return Thread("thread", line, _identifier(name), tuple(shared), commands)

    def wait(self, expr: Expr, line: int) -> Command:
        return Wait("wait", line, _identifier(_operands(expr, 1, 1)[0]))


_PARSERS: dict[str, Callable[[_Parser, Expr, int], Command]] = {
    "module": _Parser.module,
    "register": _Parser.register,
    "invoke": _Parser.perform,
    "get": _Parser.perform,
    "assert_return": _Parser.assert_return,
    "assert_trap": _Parser.assert_abrupt,
    "assert_exhaustion": _Parser.assert_abrupt,
    "assert_exception": _Parser.assert_abrupt,
    "assert_malformed": _Parser.assert_refused,
    "assert_invalid": _Parser.assert_refused,
    "assert_unlinkable": _Parser.assert_refused,
    "assert_malformed_custom": _Parser.assert_refused,
    "assert_invalid_custom": _Parser.assert_refused,
    "thread": _Parser.thread,
    "wait": _Parser.wait,
}


def _operands(expr: Expr, least: int, most: int) -> tuple[Node, Node | None]:
    """The one or two operands of a command; the second is None where it is left out."""
    operands = expr.items[1:]
    if not least <= len(operands) <= most:
        raise MalformedError(f"expected {least} to {most} operands, found {len(operands)}")
    return operands[0], operands[1] if len(operands) > 1 else None


def _list(node: Node, head: str = "") -> Expr:
    if not isinstance(node, Expr) or (head and node.head != head):
        raise MalformedError(f"expected ({head or '…'})")
    return node


def _is_identifier(node: Node) -> bool:
    return isinstance(node, str) and node.startswith("$")


def _identifier(node: Node) -> str:
    if not isinstance(node, str) or not node.startswith("$"):
        raise MalformedError("expected an identifier such as $name")
    return node


def _name(node: Node | None) -> str:
    if not isinstance(node, bytes):
        raise MalformedError("expected a string")
    try:
        return node.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"name is not UTF-8: {error.reason}") from None


def _join(nodes: list[Node]) -> bytes:
    if not all(isinstance(node, bytes) for node in nodes):
        raise MalformedError("expected strings")
    return b"".join(cast(list[bytes], nodes))

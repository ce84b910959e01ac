"""A compilation unit: every native function that its exports reach, as one LLVM module."""

import ast
import os
import re
from functools import cache
from typing import Any

from .builder import Known, Value, ir_type
from .debug import DebugInfo
from .errors import NativeError
from .expressions import float_text
from .lang import Const, ConstantTable, HandlerSet, NativeFunction
from .scope import MISSING, Root, Scope, lookup
from .statements import BodyCompiler
from .targets import Target
from .types import Boolean, Float, FunctionType, Int, Type, usize, void

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONVENTIONS = {
    "c": "ccc", "fast": "fastcc", "handler": "preserve_nonecc", "aapcs": "arm_aapcscc"
}  # fmt: skip


#: ELF's number of the machine whose code finds functions like constants if they are internal, which
#: reaches less far.
MIPS = 8


class Compiled:
    """One specialisation of a native function: its LLVM symbol and type."""

    def __init__(self, symbol: str, type: FunctionType) -> None:
        self.symbol, self.type = symbol, type


@cache
def functions_of(file: str) -> dict[int, ast.FunctionDef]:
    """A source file's functions by their first line (that of the first decorator)."""
    with open(file, encoding="utf-8") as source:
        tree = ast.parse(source.read(), file)
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    return {min([n.lineno, *(d.lineno for d in n.decorator_list)]): n for n in nodes}


@cache
def names_assigned(tree: ast.FunctionDef) -> frozenset[str]:
    """Names that a body assigns."""
    stores = (
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
    return frozenset(stores)


def constant_key(value: object) -> object:
    """Tells compile-time arguments apart: numbers and strings by value, all else by identity."""
    if isinstance(value, tuple):
        return tuple(map(constant_key, value))
    if isinstance(value, (int, str, float)):
        return type(value), repr(value)  # 1, 1.0 and True are equal, and so are 0.0 and -0.0
    return id(value)


def is_wanted(handler: NativeFunction) -> bool:
    """Whether a handler is to be compiled."""
    return handler.wanted is None or handler.wanted()


class Unit:
    """Collects functions and turns them into LLVM IR text for one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.debug = DebugInfo(os.path.dirname(PACKAGE))
        self.bodies: list[str] = []
        self.globals: list[str] = []
        self.compiled: dict[tuple[int, tuple[Any, ...]], Compiled] = {}
        self.tables: dict[str, str] = {}
        self.handler_tables: dict[str, str] = {}
        self.switches: dict[str, str] = {}
        self.symbols: set[str] = set()
        self.exports: list[str] = []
        self.pending: list[tuple[NativeFunction, Compiled, tuple[Any, ...]]] = []
        self.kept: list[object] = []  # objects whose id is a key above

    # -- what is compiled ----------------------------------------------------------------------

    def add(self, *functions: NativeFunction) -> None:
        """Compile exported functions and all that they reach."""
        for function in functions:  # first, so that nothing internal takes an export's name
            if not function.export:
                raise ValueError(f"{function.name} is not exported")
            if function.export not in self.exports:
                self.instance(function, ())
                self.exports.append(function.export)
        self.drain()

    def drain(self) -> None:
        while self.pending:
            self.compile(*self.pending.pop())

    def instance(self, function: NativeFunction, constant: tuple[Any, ...]) -> Compiled:
        """The specialisation of a function for its compile-time arguments; compiled later."""
        key = id(function), tuple(map(constant_key, constant))
        if key not in self.compiled:
            names, annotations = self.parameters(function)
            params = [
                annotations.get(n) for n in names if not isinstance(annotations.get(n), Const)
            ]
            result = annotations.get("return", void)
            result = void if result is None else result
            if function.inline or not all(isinstance(p, Type) for p in (*params, result)):
                file, line = (
                    function.function.__code__.co_filename,
                    function.function.__code__.co_firstlineno,
                )
                raise NativeError(f"{function.name}: parameters and result need types", file, line)
            symbol = self.unique(function.name)
            made = Compiled(f"@{symbol}", FunctionType(params, result, function.convention))  # type: ignore
            self.compiled[key] = made
            self.kept.append((function, constant))
            self.pending.append((function, made, constant))
        return self.compiled[key]

    def unique(self, name: str) -> str:
        base = re.sub(r"[^A-Za-z0-9_.]", "_", name)
        symbol, n = base, 1
        while symbol in self.symbols:
            n += 1
            symbol = f"{base}.{n}"
        self.symbols.add(symbol)
        return symbol

    # -- facts about functions -----------------------------------------------------------------

    def parameters(self, function: NativeFunction) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Parameter names; annotations by name, "return" included, with names resolved."""
        code = function.function.__code__
        annotations = dict(function.function.__annotations__)
        for name, annotation in annotations.items():
            if isinstance(annotation, str):
                found = lookup(function, annotation)
                annotations[name] = None if found is MISSING else found
            if annotation is None and name == "return":
                annotations[name] = void
        return code.co_varnames[: code.co_argcount], annotations

    def source(self, function: NativeFunction) -> tuple[ast.FunctionDef, str]:
        code = function.function.__code__
        file, line = code.co_filename, code.co_firstlineno
        try:
            tree = functions_of(file)[line]
        except (OSError, KeyError):
            raise NativeError("the source is not available", file, line) from None
        a = tree.args
        if a.vararg or a.kwarg or a.kwonlyargs or a.defaults:
            what = "parameters are plain: no defaults, *, ** or keyword-only ones"
            raise NativeError(f"{function.name}: {what}", file, line)
        return tree, file

    def assigned_names(self, function: NativeFunction) -> frozenset[str]:
        return names_assigned(self.source(function)[0])

    def convention(self, name: str) -> str:
        if name == "handler" and not self.target.tail_calls:
            return "fastcc"
        return CONVENTIONS[name]

    def parameter(self, t: Type, convention: str) -> str:
        """A parameter's type with the extension that C expects of small integers."""
        return f"{ir_type(t, self.target.pointer)} {self.extension(t, convention)}".rstrip()

    def result(self, t: FunctionType) -> str:
        """A result's type, extended likewise."""
        text = ir_type(t.result, self.target.pointer)
        return f"{self.extension(t.result, t.convention)} {text}".lstrip()

    def extension(self, t: Type, convention: str) -> str:
        small = isinstance(t, Boolean) or (isinstance(t, Int) and t.width(self.target.pointer) < 32)
        if convention != "c" or not small:
            return ""
        return "signext" if isinstance(t, Int) and t.signed else "zeroext"

    # -- compiling -----------------------------------------------------------------------------

    def compile(
        self, function: NativeFunction, compiled: Compiled, constant: tuple[Any, ...]
    ) -> None:
        tree, file = self.source(function)
        names, annotations = self.parameters(function)
        params = [n for n in names if not isinstance(annotations.get(n), Const)]
        values = [Value(annotations[n], f"%arg.{n}") for n in params]
        root = Root(compiled.type.result, values, function.on_trap, function.convention)
        body = BodyCompiler(self, root)
        scope = Scope(
            function,
            file,
            root,
            subprogram=self.debug.subprogram(compiled.symbol[1:], file, tree.lineno),
        )
        body.scope, body.file = scope, file
        body.set_line(tree.lineno)
        constants = iter(constant)
        for name in names:
            if isinstance(annotations.get(name), Const):
                scope.names[name] = Known(next(constants))
            else:
                body.bind(scope, name, Value(annotations[name], f"%arg.{name}"), annotations[name])
        body.run(scope, tree)
        linkage = "dso_local " if function.export else "internal "
        shown = ", ".join(f"{self.parameter(v.type, function.convention)} {v.text}" for v in values)
        result = self.result(compiled.type)
        convention = self.convention(function.convention)
        head = f"define {linkage}{convention} {result} {compiled.symbol}({shown})"
        self.finish(head, function.attributes, scope.subprogram, body)

    def finish(self, head: str, attributes: str, subprogram: str, body: BodyCompiler) -> None:
        text = "\n".join(["entry:", *body.b.entry, *body.b.lines])
        if self.target.machine == MIPS:
            head = head.replace("define internal", "define hidden", 1)
        self.bodies.append(f"{head} nounwind {attributes} !dbg {subprogram} {{\n{text}\n}}\n")

    # -- data ----------------------------------------------------------------------------------

    def constant(self, table: ConstantTable) -> str:
        kind = ir_type(table.element, self.target.pointer)
        size = table.element.size(self.target.pointer)
        if isinstance(table.element, Float):
            bits = table.element.bits
            items = ", ".join(f"{kind} {float_text(v, bits)}" for v in table.values)
        else:
            items = ", ".join(f"{kind} {int(v)}" for v in table.values)  # in range: lang.constants
        key = f"{table.element}: {items}"
        if key not in self.tables:
            name = f"@table.{len(self.tables)}"
            head = f"{name} = private unnamed_addr constant [{len(table.values)} x {kind}]"
            self.globals.append(f"{head} [{items}], align {size}")
            self.tables[key] = name
        return self.tables[key]

    def handler_table(self, handlers: HandlerSet) -> str:
        """Offsets of all handlers from this table itself, so that the image needs no relocation."""
        if handlers.name not in self.handler_tables:
            name = f"@handlers.{handlers.name}"
            self.handler_tables[handlers.name] = name
            usize_text = ir_type(usize, self.target.pointer)
            entries = []
            for handler in handlers.handlers:
                symbol = self.handler_symbol(handler)
                difference = f"sub ({usize_text} ptrtoint (ptr {symbol} to {usize_text}), "
                difference += f"{usize_text} ptrtoint (ptr {name} to {usize_text}))"
                entries.append(f"i32 trunc ({usize_text} {difference} to i32)")
            count = len(entries)
            self.globals.append(
                f"{name} = internal constant [{count} x i32] [{', '.join(entries)}], align 4"
            )
        return self.handler_tables[handlers.name]

    def handler_symbol(self, handler: NativeFunction) -> str:
        """A handler's function; of one that is left out, a function that stops the process."""
        if is_wanted(handler):
            return self.instance(handler, ()).symbol
        if "absent" not in self.symbols:
            self.symbols.add("absent")
            stop = "call void @llvm.trap()\nunreachable"
            self.bodies.append(f"define internal void @absent() nounwind cold {{\n{stop}\n}}\n")
        return "@absent"

    def switch_function(self, handlers: HandlerSet) -> str:
        """All handlers as the cases of one switch in a loop."""
        if handlers.name not in self.switches:
            self.switches[handlers.name] = symbol = f"@{self.unique('switch.' + handlers.name)}"
            self.compile_switch(handlers, symbol)
        return self.switches[handlers.name]

    def compile_switch(self, handlers: HandlerSet, symbol: str) -> None:
        first = handlers.handlers[0]
        names, annotations = self.parameters(first)
        kinds: list[Type] = [usize, *(annotations[n] for n in names)]
        root = Root(annotations["return"], [], None, "fast")
        body = BodyCompiler(self, root)
        tree, file = self.source(first)
        subprogram = self.debug.subprogram(symbol[1:], file, tree.lineno)
        body.scope, body.file = Scope(first, file, root, subprogram=subprogram), file
        body.set_line(tree.lineno)
        slots = [body.local(kind) for kind in kinds]
        for i, (place, kind) in enumerate(zip(slots, kinds)):
            body.store_place(place, Value(kind, f"%p{i}"))
        root.switch_slots, root.switch_label = slots, "dispatch"
        body.b.begin("dispatch")
        opcode = body.load_place(slots[0])
        text = ir_type(usize, self.target.pointer)
        labels: dict[NativeFunction, str] = {}  # a handler may have several opcodes
        cases = ""
        for i, handler in enumerate(handlers.handlers):
            if is_wanted(handler):
                cases += f"{text} {i}, label %{labels.setdefault(handler, f'op{i}')} "
        body.b.terminate(f"switch {text} {opcode.text}, label %illegal [ {cases} ]")  # type: ignore[union-attr]
        for handler, label in labels.items():
            self.switch_case(body, handler, label)
        done = 0
        while done < len(root.switch_tails):  # each may end in a call of another one
            function, label = list(root.switch_tails.items())[done]
            self.switch_case(body, function, label)
            done += 1
        body.b.begin("illegal")
        body.b.terminate("unreachable")
        shown = ", ".join(
            f"{ir_type(kind, self.target.pointer)} %p{i}" for i, kind in enumerate(kinds)
        )
        head = (
            f"define internal fastcc {ir_type(root.result, self.target.pointer)} {symbol}({shown})"
        )
        self.finish(head, "", subprogram, body)

    def switch_case(self, body: BodyCompiler, function: NativeFunction, label: str) -> None:
        """Expand a function in the switch; its arguments are in the slots."""
        body.b.begin(label)
        root = body.root
        arguments = [body.load_place(place) for place in (root.switch_slots or [])[1:]]
        root.arguments, root.on_trap = arguments, function.on_trap  # type: ignore[assignment]
        body.expand(function, arguments, to_root=True)

    # -- output --------------------------------------------------------------------------------

    def llvm_ir(self) -> str:
        """The whole unit as LLVM IR text."""
        self.drain()
        text = "\n".join(self.bodies)
        head = f'target triple = "{self.target.triple}"'
        return "\n".join([head, *self.globals, text, *declarations(text), self.debug.text()])


INTRINSIC = re.compile(
    r"call (?P<result>[^@(]+?) (?P<name>@llvm\.[A-Za-z0-9.]+)\((?P<arguments>[^)]*)\)"
)


def declarations(text: str) -> list[str]:
    """Declarations of the LLVM intrinsics that the text calls."""
    found = {}
    for match in INTRINSIC.finditer(text):
        kinds = ", ".join(argument_type(a) for a in split_arguments(match["arguments"]))
        found[match["name"]] = f"declare {match['result']} {match['name']}({kinds})"
    return sorted(found.values())


def split_arguments(text: str) -> list[str]:
    """Split at the commas outside `<…>`."""
    return [part.strip() for part in re.split(r",(?![^<]*>)", text)]


def argument_type(argument: str) -> str:
    """The type of an argument, which may be a vector constant."""
    if argument.startswith("<"):
        return argument[: argument.index(">") + 1]
    return argument.rsplit(" ", 1)[0]

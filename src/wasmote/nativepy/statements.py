"""Compiles the statements of one nativepy function, and expands inline functions into it."""

import ast
import re
from typing import TYPE_CHECKING

from .builder import Builder, Known, Place, Value
from .expressions import ExpressionCompiler, Operand
from .lang import Const, Intrinsic, NativeFunction
from .scope import Root, Scope
from .types import Array, Int, Struct, Type, boolean, same, void

if TYPE_CHECKING:
    from .unit import Unit


def jumps_to(label: str, lines: list[str]) -> bool:
    """Whether any of these instructions branches to a label."""
    return any(re.search(rf"label %{label}(?!\d)", line) for line in lines)


class BodyCompiler(ExpressionCompiler):
    """Compiles one LLVM function."""

    def __init__(self, unit: "Unit", root: Root) -> None:
        self.unit, self.root, self.b = unit, root, Builder()
        self.line, self.depth = 0, 0

    # -- source positions ----------------------------------------------------------------------

    def mark(self, node: ast.AST) -> None:
        line = getattr(node, "lineno", self.line)
        if line != self.line:
            self.set_line(line)

    def set_line(self, line: int) -> None:
        self.line = line
        location = self.unit.debug.location(line, self.scope.subprogram, self.scope.inlined_at)
        self.b.location = f", !dbg {location}"

    # -- functions -----------------------------------------------------------------------------

    def run(self, scope: Scope, tree: ast.FunctionDef) -> None:
        """Compile a whole body; `scope` holds the parameters."""
        self.scope, self.file = scope, scope.file
        self.set_line(tree.lineno)
        self.block(tree.body)
        if not self.b.terminated:
            if scope.return_label is not None:
                result = scope.return_type or getattr(scope.return_place, "type", None) or void
            else:
                result = self.root.result
            if result is not void:
                name = scope.function.name
                raise self.fail(f"{name} can end without returning a {result}")
            if scope.return_label is not None:
                self.finish_inline(None)
            else:
                self.b.terminate("ret void")

    def local(self, t: Type) -> Place:
        align = t.align(self.unit.target.pointer)
        text = "i8" if t is boolean else self.ir(t)
        return Place(t, self.b.alloca(text, align), align)

    def bind(self, scope: Scope, name: str, value: Operand, annotation: object) -> None:
        """Bind a parameter to its argument."""
        if isinstance(annotation, Const) or (annotation is None and isinstance(value, Known)):
            if not isinstance(value, Known):
                raise self.fail(f"{scope.function.name}: {name} must be known at compile time")
            scope.names[name] = value
            return
        if annotation is not None:
            value = self.coerce(value, annotation, f"{scope.function.name}: {name}")  # type: ignore[arg-type]
        assert isinstance(value, Value)
        if name in self.unit.assigned_names(scope.function):
            place = self.local(value.type)
            self.store_place(place, value)
            scope.names[name] = place
        else:
            scope.names[name] = value

    def expand(
        self, target: NativeFunction, arguments: list[Operand], to_root: bool = False
    ) -> Operand:
        """Expand an inline function here. With `to_root`, its `return` leaves the LLVM function."""
        names, annotations = self.unit.parameters(target)
        if len(names) != len(arguments):
            raise self.fail(f"{target.name} takes {len(names)} arguments, found {len(arguments)}")
        if self.depth > 40:
            raise self.fail(f"inline function {target.name} expands itself")
        tree, file = self.unit.source(target)
        outer = self.scope, self.file, self.line, self.b.location
        scope = Scope(
            target,
            file,
            self.root,
            subprogram=self.unit.debug.subprogram(target, file, tree.lineno),
        )
        scope.inlined_at = self.unit.debug.location(
            self.line, outer[0].subprogram, outer[0].inlined_at, distinct=True
        )
        for name, argument in zip(names, arguments):
            self.bind(scope, name, argument, annotations.get(name))
        result = annotations.get("return")
        if not to_root:
            scope.return_label = self.b.new_label("inlined")
            scope.return_type = result
        self.depth += 1
        self.run(scope, tree)
        self.depth -= 1
        self.scope, self.file, self.line, self.b.location = outer
        if to_root:
            return Known(None)
        if scope.returned:
            self.b.begin(scope.return_label)  # type: ignore[arg-type]
        if scope.return_known is not None:
            return scope.return_known
        if scope.return_place is None:
            return Known(None)
        return self.load_place(scope.return_place)

    def finish_inline(self, value: Operand | None) -> None:
        """`return` inside an inline expansion."""
        scope = self.scope
        if scope.return_known is not None:
            raise self.fail(
                "an inline function returns a compile-time value only from a single `return`"
            )
        if (
            value is not None
            and isinstance(value, Known)
            and scope.return_type is None
            and scope.return_place is None
        ):
            if value.value is not None or scope.returned:
                scope.return_known = value
        elif value is not None and scope.return_type is not void:
            kind = scope.return_type or (scope.return_place.type if scope.return_place else None)
            typed = (
                self.coerce(value, kind, "return value")
                if kind
                else self.runtime(value, "return value")
            )
            if scope.return_place is None:
                scope.return_place = self.local(typed.type)
            self.store_place(scope.return_place, typed)
        scope.returned = True
        self.b.branch(scope.return_label)  # type: ignore[arg-type]

    # -- statements ----------------------------------------------------------------------------

    def block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if self.b.terminated:
                return
            self.mark(statement)
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr():
                self.expr(node.value)
            case ast.Assign():
                self.assign(node)
            case ast.AnnAssign():
                self.declare(node)
            case ast.AugAssign():
                self.augmented(node)
            case ast.If():
                self.if_(node)
            case ast.While():
                self.while_(node)
            case ast.For():
                self.for_(node)
            case ast.Match():
                self.match(node)
            case ast.Return():
                self.return_(node)
            case ast.Break():
                self.b.branch(self.loop()[0])
            case ast.Continue():
                self.b.branch(self.loop()[1])
            case _:
                raise self.fail(f"{type(node).__name__} is not part of nativepy")

    def loop(self) -> tuple[str, str]:
        if not self.scope.loops:
            raise self.fail("break and continue belong in a loop")
        return self.scope.loops[-1]

    def assign(self, node: ast.Assign) -> None:
        if len(node.targets) != 1:
            raise self.fail("a = b = c is not part of nativepy")
        target = node.targets[0]
        value = self.expr(node.value)
        if isinstance(target, ast.Tuple):
            if not isinstance(value, Known):
                raise self.fail("only compile-time tuples can be unpacked")
            for name, item in zip(target.elts, value.value, strict=True):  # type: ignore[call-overload]
                self.assign_to(name, item if isinstance(item, (Known, Value)) else Known(item))
            return
        self.assign_to(target, value)

    def assign_to(self, target: ast.expr, value: Operand) -> None:
        if isinstance(target, ast.Name) and target.id not in self.scope.names:
            if isinstance(value, Known):
                if isinstance(value.value, (int, float)) and not isinstance(value.value, bool):
                    raise self.fail(f"{target.id} needs a type, as in `{target.id}: u32 = …`")
                self.scope.names[target.id] = (
                    self.new_local(target.id, boolean, value)
                    if isinstance(value.value, bool)
                    else value
                )
                return
            self.scope.names[target.id] = self.new_local(target.id, value.type, value)
            return
        place = self.place(target)
        if not isinstance(place, Place):
            raise self.fail(f"{ast.unparse(target)} cannot be assigned")
        self.mark(target)
        self.store_place(place, self.coerce(value, place.type, ast.unparse(target)))

    def new_local(self, name: str, t: Type, value: Operand) -> Place:
        place = self.local(t)
        self.store_place(place, self.coerce(value, t, name))
        return place

    def declare(self, node: ast.AnnAssign) -> None:
        kind = self.expr(node.annotation)
        if (
            not isinstance(node.target, ast.Name)
            or not isinstance(kind, Known)
            or not isinstance(kind.value, Type)
        ):
            raise self.fail("expected `name: type = value`")
        if isinstance(kind.value, (Array, Struct)):
            raise self.fail(f"use stack(...) for storage of a {kind.value}")
        name = node.target.id
        value = None if node.value is None else self.expr(node.value)
        if name not in self.scope.names:
            self.scope.names[name] = self.local(kind.value)
        place = self.scope.names[name]
        if not isinstance(place, Place):
            raise self.fail(f"{name} already is a compile-time value")
        if not same(place.type, kind.value):
            raise self.fail(f"{name} already is a {place.type}")
        if value is not None:
            self.store_place(place, self.coerce(value, place.type, name))

    def augmented(self, node: ast.AugAssign) -> None:
        place = self.place(node.target)
        if not isinstance(place, Place):
            raise self.fail(f"{ast.unparse(node.target)} cannot be assigned")
        result = self.binary(type(node.op), self.load_place(place), self.expr(node.value))
        self.mark(node)
        self.store_place(place, self.coerce(result, place.type, ast.unparse(node.target)))

    def if_(self, node: ast.If) -> None:
        test = self.condition(node.test)
        if isinstance(test, Known):
            self.block(node.body if test.value else node.orelse)
            return
        then, done = self.b.new_label("then"), self.b.new_label("done")
        otherwise = self.b.new_label("else") if node.orelse else done
        self.b.branch_if(test.text, then, otherwise)
        self.b.begin(then)
        self.block(node.body)
        reachable = not self.b.terminated or not node.orelse
        self.b.branch(done)
        if node.orelse:
            self.b.begin(otherwise)
            self.block(node.orelse)
            reachable = reachable or not self.b.terminated
            self.b.branch(done)
        if reachable:
            self.b.begin(done)

    def while_(self, node: ast.While) -> None:
        head, body, done = (self.b.new_label(hint) for hint in ("while", "body", "done"))
        if node.orelse:
            raise self.fail("while … else is not part of nativepy")
        self.b.begin(head)
        test = self.condition(node.test)
        endless = isinstance(test, Known)
        if endless and not test.value:  # type: ignore[union-attr]
            return
        if not endless:
            self.b.branch_if(test.text, body, done)  # type: ignore[union-attr]
        self.b.begin(body)
        self.scope.loops.append((done, head))
        before = len(self.b.lines)
        self.block(node.body)
        self.scope.loops.pop()
        self.b.branch(head)
        leaves = jumps_to(done, self.b.lines[before:])
        if not endless or leaves:
            self.b.begin(done)

    def for_(self, node: ast.For) -> None:
        if (
            not isinstance(node.iter, ast.Call)
            or not isinstance(node.target, ast.Name)
            or node.orelse
        ):
            raise self.fail("expected `for name in range(…)` or `for name in static(…)`")
        callee = self.expr(node.iter.func)
        function = callee.value if isinstance(callee, Known) else None
        if getattr(function, "__name__", "") == "static":
            return self.unrolled(node, node.iter)
        if function is not range:
            raise self.fail("expected `for name in range(…)` or `for name in static(…)`")
        bounds = [self.expr(a) for a in node.iter.args]
        kind = next((b.type for b in bounds if isinstance(b, Value)), None)
        if kind is None:
            raise self.fail("one bound of range must have a type, as in range(u32(0), 8)")
        start, stop, step = (
            (Known(0), bounds[0], Known(1))
            if len(bounds) == 1
            else (*bounds, Known(1))
            if len(bounds) == 2
            else bounds
        )
        if not isinstance(kind, Int):
            raise self.fail(f"range takes integers, found {kind}")
        if not isinstance(step, Known) or not isinstance(step.value, int) or step.value == 0:
            raise self.fail("the step of range must be a literal integer other than 0")
        counter = self.local(kind)  # the loop variable is the body's to change, as in Python
        self.store_place(counter, self.coerce(start, kind, "range start"))
        limit = self.coerce(stop, kind, "range stop")
        if node.target.id not in self.scope.names:
            self.scope.names[node.target.id] = self.local(kind)
        variable = self.scope.names[node.target.id]
        if not isinstance(variable, Place) or not same(variable.type, kind):
            raise self.fail(f"{node.target.id} is not a variable of type {kind}")
        self.counted(node, counter, variable, limit, step.value)

    def counted(
        self, node: ast.For, counter: Place, variable: Place, limit: Value, step: int
    ) -> None:
        kind = counter.type
        assert isinstance(kind, Int)
        text = self.ir(kind)
        head, body, following, advance, done = (
            self.b.new_label(hint) for hint in ("for", "body", "next", "advance", "done")
        )
        self.b.begin(head)
        now = self.runtime(self.load_place(counter))
        test = ("s" if kind.signed else "u") + ("lt" if step > 0 else "gt")
        going = self.b.value(f"icmp {test} {text} {now.text}, {limit.text}")
        self.b.branch_if(going, body, done)
        self.b.begin(body)
        self.store_place(variable, now)
        self.scope.loops.append((done, following))
        self.block(node.body)
        self.scope.loops.pop()
        self.b.begin(following)
        now = self.runtime(self.load_place(counter))
        if abs(step) > 1:  # the last step must not wrap around and start again
            ends = (limit, now) if step > 0 else (now, limit)
            left = self.b.value(f"sub {text} {ends[0].text}, {ends[1].text}")
            more = self.b.value(f"icmp ugt {text} {left}, {abs(step)}")
            self.b.branch_if(more, advance, done)
        self.b.begin(advance)
        advanced = self.b.value(f"add {text} {now.text}, {step}")
        self.store_place(counter, Value(kind, advanced))
        self.b.branch(head)
        self.b.begin(done)

    def unrolled(self, node: ast.For, iteration: ast.Call) -> None:
        items = self.expr(iteration.args[0])
        if not isinstance(items, Known) or not isinstance(node.target, ast.Name):
            raise self.fail("static(…) takes a compile-time sequence")
        done = self.b.new_label("done")
        left = False
        for item in items.value:  # type: ignore[attr-defined]
            following = self.b.new_label("next")
            self.scope.names[node.target.id] = (
                item if isinstance(item, (Known, Value)) else Known(item)
            )
            self.scope.loops.append((done, following))
            before = len(self.b.lines)
            self.block(node.body)
            self.scope.loops.pop()
            added = self.b.lines[before:]
            left = left or jumps_to(done, added)
            if self.b.terminated and not jumps_to(following, added):
                break
            self.b.begin(following)
        if left:
            self.b.begin(done)

    def match(self, node: ast.Match) -> None:
        subject = self.expr(node.subject)
        if any(case.guard for case in node.cases):
            raise self.fail("match with guards is not part of nativepy")
        if isinstance(subject, Value) and not isinstance(subject.type, Int):
            raise self.fail(f"match works on integers, found {subject.type}")
        cases = [(self.patterns(case.pattern), case.body) for case in node.cases]
        self.mark(node)
        if isinstance(subject, Known):
            for values, body in cases:
                if values is None or subject.value in values:
                    return self.block(body)
            return None
        numbers = [value for values, _ in cases for value in values or ()]
        for value in numbers:
            if numbers.count(value) > 1:
                raise self.fail(f"case {value} is there twice")
        done, default = self.b.new_label("done"), self.b.new_label("default")
        labels = [default if values is None else self.b.new_label("case") for values, _ in cases]
        kind = self.ir(subject.type)
        table = "  ".join(
            f"{kind} {self.coerce(Known(v), subject.type, 'case').text}, label %{label}"
            for (values, _), label in zip(cases, labels)
            for v in values or ()
        )
        self.b.terminate(f"switch {kind} {subject.text}, label %{default} [ {table} ]")
        reachable = default not in labels
        for (_, body), label in zip(cases, labels):
            self.b.begin(label)
            self.block(body)
            reachable = reachable or not self.b.terminated
            self.b.branch(done)
        if default not in labels:
            self.b.begin(default)
        if reachable:
            self.b.begin(done)
        return None

    def patterns(self, pattern: ast.pattern) -> list[int] | None:
        """The integers a pattern matches; None for `_`."""
        self.mark(pattern)
        match pattern:
            case ast.MatchAs(pattern=None, name=None):
                return None
            case ast.MatchOr():
                return [v for p in pattern.patterns for v in self.patterns(p) or ()]
            case ast.MatchValue():
                value = self.expr(pattern.value)
                if isinstance(value, Known) and isinstance(value.value, int):
                    return [int(value.value)]
        raise self.fail("a case is an integer, a dotted constant, or _")

    def return_(self, node: ast.Return) -> None:
        scope = self.scope
        if isinstance(node.value, ast.Call):
            callee = self.place(node.value.func)
            called = callee.value if isinstance(callee, Known) else None
            if isinstance(called, Intrinsic) and called.name in ("tail", "dispatch"):
                from .intrinsics import TAILS

                return TAILS[called.name](self, node.value)
        value = None if node.value is None else self.expr(node.value)
        self.mark(node)
        if self.b.terminated:
            return None
        if scope.return_label is not None:
            return self.finish_inline(value)
        result = self.root.result
        if result is void:
            return self.b.terminate("ret void")
        if value is None:
            raise self.fail(f"expected a {result} to return")
        typed = self.coerce(value, result, "return value")
        return self.b.terminate(f"ret {self.ir(result)} {typed.text}")

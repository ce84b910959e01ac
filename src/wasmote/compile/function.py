"""One function's body as LLVM IR.

The operand stack exists only while the text is written: `values` has LLVM's operands, `kinds` their
types. Locals are variables on LLVM's stack, which it turns into registers; within straight code
their values are known without a look. Blocks become basic blocks, with a phi for each result.
"""

from dataclasses import dataclass, field

from wasmote.compile.cells import load_cells, store_cells
from wasmote.compile.locations import located
from wasmote.compile.metering import Meter
from wasmote.compile.reading import Cursor
from wasmote.compile.roots import NOTHING, UNKNOWN, Roots, State
from wasmote.compile.runtime import LIKELY, UNLIKELY
from wasmote.compile.source import Body, Signature
from wasmote.compile.spilled import load_text
from wasmote.compile.types import Reference
from wasmote.compile.unit import Unit
from wasmote.compile.wide_products import Products, has_products
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec
from wasmote.errors import CompileError
from wasmote.isa import by_name

#: What begins a block, what ends one, and what begins a part of one.
BLOCKS = {by_name(name).opcode for name in ("block", "loop", "if", "try_table", "try")}
ENDS = {by_name(name).opcode for name in ("end", "delegate")}
CLAUSES = {by_name(name).opcode for name in ("else", "catch", "catch_all")}
#: Bytes of LLVM IR that a function may become: more takes LLVM minutes.
MOST_TEXT = 24 << 20
#: Iterations of loops that a function makes before it tells the host.
FUEL = 1000


@dataclass(slots=True)
class Frame:
    """A block under way. `edges` are the jumps to its label: from where, with which values."""

    kind: str  # "block", "loop", "if", "else" or "function"
    label: str
    height: int
    params: tuple[str, ...]
    results: tuple[str, ...]
    edges: list[tuple[str, list[str]]] = field(default_factory=list)
    phis: int = 0  # loops: where in the text the phis go,
    check: int = 0  # and where the iterations are counted
    start: list[str] = field(default_factory=list)  # ifs: the operands that `else` starts with
    known: dict[int, str] = field(default_factory=dict)  # and what is known of locals there
    slots: State = NOTHING  # and of slots
    states: list[State] = field(default_factory=list)  # slots at the jumps
    # Blocks that catch: whether the code here is what they protect, from where control comes to
    # their handler and the offsets of what throws there, and a try_table's clauses.
    guards: bool = False
    thrown: list[tuple[str, str]] = field(default_factory=list)
    clauses: list[tuple[int, int, int]] = field(default_factory=list)  # kind, tag, depth of label
    # Of the legacy form: the exception and its offset, and the block that the next clause is in.
    exception: str = ""
    offset: str = ""
    otherwise: str = ""

    @property
    def handler(self) -> str:
        """The block that control comes to from what throws within."""
        return f"{self.label}.catch"

    @property
    def expected(self) -> tuple[str, ...]:
        """Types of the values that a jump to the label brings."""
        return self.params if self.kind == "loop" else self.results


class Function(Cursor):
    """Writes the text of a function; `translate` does it all. The instructions are in
    `instructions`.
    """

    def __init__(self, unit: Unit, body: Body) -> None:
        super().__init__(unit.source.binary, body.start, unit.source.defined)
        self.unit, self.source, self.body = unit, unit.source, body
        self.signature: Signature = self.source.types[body.type]
        self.scope = body.index  # for the locations of its text
        self.attributes = "#0"
        self.needs = unit.needs
        self.counts = body.index in unit.plan.counting  # it has polls of its own
        self.hints = unit.plan.hints.get(body.index, {})
        self.entry: list[str] = []  # text of the entry block
        self.lines: list[str] = []
        self.values: list[str] = []
        self.kinds: list[str] = []
        self.frames: list[Frame] = []
        self.known: dict[int, str] = {}  # values of locals here
        plan = unit.plan
        # What is known of i64 values, where there may be products of 128 bits; whether functions
        # are called that store such, what they have stored here, and sums of i32 and constants.
        has_some = plan.options.level and has_products(unit.source.binary, body)
        self.products = Products() if has_some else None
        self.expands_products = bool(plan.products & plan.calls[body.index].functions)
        self.stored: dict[tuple[str, int], tuple[str, int]] = {}
        self.sums: dict[str, tuple[str, int]] = {}
        self.conditions: dict[str, str] = {}  # i32 values that are extended truth values
        self.promoted: set[str] = set()
        self.touched: set[int] = set()  # memories
        self.local_kinds: list[str] = []
        self.reference_locals: list[int] = []
        self.count = self.labels = 0
        self.last_block = "entry"
        self.dead = False
        self.loops = self.calls = False
        self.roots = Roots(self)
        #: Where a loop counts, its label, and a function it calls each time.
        self.counting_calls: list[tuple[int, str, int]] = []
        self.entry_roots: dict[str, str] = {}  # parameters with references that are used
        self.deals_with_objects = False  # it needs to know where they are
        self.needs_cells = False  # and memory to hand over a value
        self.loop_starts: list[int] = []  # loops that begin with no operands on the stack
        self.widest = 0  # most results beyond the first of any call
        self.meter = Meter() if unit.plan.options.fuel else None
        self.payload = 0  # bytes of the values of any exception that it throws
        self.thrown: list[tuple[str, str]] = []  # from where exceptions leave it, as in `Frame`

    # -- the whole -------------------------------------------------------------------------------

    def translate(self) -> None:
        """Write the body's text."""
        from wasmote.compile.instructions import HANDLERS
        from wasmote.compile.instructions.products import NEUTRAL

        self.declare_locals()
        results = self.signature.results
        self.frames.append(Frame("function", "leave", 0, (), results))
        end, code, meter = self.body.end, self.code, self.meter
        while self.pos < end:
            start, written = self.pos, len(self.lines)
            if meter is not None:
                meter.count(self)
            byte = code[start]
            self.pos += 1
            HANDLERS[byte](self)
            if self.stored and byte not in NEUTRAL:
                self.stored.clear()
            self.locate(written, start)
            if self.dead and self.frames:
                self.skip_dead()
        if self.thrown:
            self.leave_with_exception()
        self.roots.finish()

    def locate(self, written: int, offset: int) -> None:
        """The text from a line on belongs to the instruction at that offset of the binary."""
        lines = self.lines
        if written == len(lines):
            return
        location = self.unit.locations.of(self.scope, offset)
        for i in range(written, len(lines)):
            lines[i] = located(lines[i], location)

    def begin_loop(self, start: int, frame: Frame) -> None:
        """A loop whose instruction is at that offset begins."""
        if not self.values:
            self.loop_starts.append(start)

    def return_values(self) -> None:
        """Return what is on the operand stack: the first result, the others through a pointer."""
        results = self.signature.results
        values = self.pop_many(len(results))
        for i in range(1, len(results)):
            at = self.value(f"getelementptr i8, ptr %rest, i64 {16 * i - 16}")
            self.emit(f"store {results[i]} {values[i]}, ptr {at}, !tbaa !9")
        self.roots.leave()
        self.emit(f"ret {results[0]} {values[0]}" if results else "ret void")

    def note_call(self, index: int) -> None:
        """A call that every iteration of a loop makes, as it is in no block of the loop and nothing
        jumps back before it, counts for the loop if the function called counts.
        """
        frame = self.frames[-1]
        if self.counts and frame.kind == "loop" and len(frame.edges) == 1:
            self.counting_calls.append((frame.check, frame.label, index))

    def expansion(self, callee: int) -> str:
        """What a call says of expanding the function called here: nothing that only polls by
        counting may come where other polls happen.
        """
        return "" if self.counts or callee not in self.unit.plan.counting else " noinline"

    def declare_locals(self) -> None:
        for i, kind in enumerate(self.signature.params):
            self.declare(kind, f"%p{i}")
        for _ in range(self.unsigned()):
            count = self.unsigned()
            kind = self.value_type()
            for _ in range(count):
                self.declare(kind, "zeroinitializer")
        if self.reference_locals:
            self.entry_roots = {
                f"%p{i}": self.local_kinds[i]
                for i in self.roots.locals()
                if i < len(self.signature.params)
            }

    def declare(self, kind: str, value: str) -> None:
        i = len(self.local_kinds)
        self.entry.append(f"  %l{i} = alloca {kind}\n  store {kind} {value}, ptr %l{i}\n")
        self.local_kinds.append(kind)
        if isinstance(kind, Reference):
            self.reference_locals.append(i)
            self.known[i] = "0" if value == "zeroinitializer" else value

    def definition(self, recursive: set[int]) -> str:
        """The function's text: what its entry block needs is known only when all is translated.

        `recursive` has the functions that count their calls.
        """
        unit = self.unit
        for line, label, callee in self.counting_calls:
            if callee in recursive:
                self.lines[line] = f"  br label %{label}.go\n"
        entry = "".join(self.entry)
        if self.widest:
            entry += f"  %out = alloca i8, i32 {16 * self.widest}, align 16\n"
        if self.payload:
            entry += f"  %payload = alloca i8, i32 {self.payload}, align 16\n"
        if self.calls or self.count > 500:
            self.needs.add("rt.stack")
            entry += "  call void @rt.stack(ptr %exec, ptr %ctx)\n"
        if self.body.index in recursive:
            entry += self.tick()
        if self.loops:
            entry += f"  %fuel = alloca i32\n  store i32 {FUEL}, ptr %fuel\n"
        if self.needs_cells:
            entry += "  %cells = alloca i8, i32 16, align 16\n"
        if self.meter is not None:
            entry += unit.fuel()
        if self.deals_with_objects:
            entry += unit.objects()
        if self.roots.has_frame:
            entry += self.roots.frame()
        # The block that the body begins with is called `entry`.
        entry = f"begin:\n{self.spilled()}{entry}  br label %entry\nentry:\n"
        for memory in sorted(self.touched):
            entry += unit.memory_base(memory)
        start = self.body.start
        entry = located(entry, unit.locations.of(self.scope, start))
        about = unit.locations.function(self.body.index, start, self.scope)
        about = f"{unit.attributes(self.body.index, self.attributes)}{about}"
        return f"{self.head()} {about} {{\n{entry}{self.text()}}}\n"

    def text(self) -> str:
        """The body's text. Raises CompileError if LLVM would take minutes for it."""
        text = "".join(self.lines)
        if len(text) > MOST_TEXT:
            raise CompileError(
                f"cannot compile function {self.source.name(self.body.index)}: it becomes "
                f"{len(text) >> 20} MiB of code for LLVM, as a function with many references and "
                "many calls does; run the module with an interpreter"
            )
        return text

    def head(self) -> str:
        """How the definition begins."""
        unit, index = self.unit, self.body.index
        head = f"define {unit.linkage(index)}{unit.plan.convention}{self.signature.result}"
        return f"{head} {unit.symbol(index)}({unit.parameters(self.signature)})"

    def spilled(self) -> str:
        """Text that loads the parameters that are in memory."""
        spilled = self.unit.spilled(self.signature)
        return load_text(self.unit.offsets, self.signature, spilled)

    def tick(self) -> str:
        """Text that counts a call, and lets the host look at the world now and then."""
        if not self.entry_roots:
            self.needs.add("rt.tick")
            return "  call void @rt.tick(ptr %exec, ptr %ctx)\n"
        self.needs |= {"rt.is_due", "rt.poll"}
        missing = [(i, kind, value) for i, (value, kind) in enumerate(self.entry_roots.items())]
        before, after = self.roots.for_a_moment(missing)
        return (
            "  %due = call i1 @rt.is_due(ptr %exec, ptr %ctx)\n"
            "  br i1 %due, label %tick, label %ticked, !prof !11\n"
            f"tick:\n{before}  call void @rt.poll(ptr %exec, ptr %ctx, i32 0) #2\n{after}"
            "  br label %ticked\nticked:\n"
        )

    def hint(self) -> str:
        """What is known of where the branch goes whose opcode was just read."""
        likely = self.hints.get(self.pos - 1 - self.body.start)
        return "" if likely is None else f", {LIKELY if likely else UNLIKELY}"

    # -- text ------------------------------------------------------------------------------------

    def fresh(self) -> str:
        """A name for a new value."""
        self.count += 1
        return f"%v{self.count}"

    def emit(self, line: str) -> None:
        self.lines.append(f"  {line}\n")

    def value(self, instruction: str) -> str:
        """Write an instruction with a result; returns its name."""
        name = self.fresh()
        self.lines.append(f"  {name} = {instruction}\n")
        return name

    def load_cells(self, kind: str, at: str, about: str) -> str:
        """The value in the cells at an address; `about` says of the access what LLVM may know."""
        name = self.fresh()
        self.lines.append(load_cells(self.unit.target, name, kind, at, about))
        return name

    def store_cells(self, kind: str, value: str, at: str, about: str) -> None:
        self.lines.append(store_cells(self.unit.target, self.fresh(), kind, value, at, about))

    def push(self, kind: str, value: str) -> None:
        self.values.append(value)
        self.kinds.append(kind)

    def pop(self) -> str:
        self.kinds.pop()
        return self.values.pop()

    def pop_many(self, count: int) -> list[str]:
        if not count:
            return []
        values = self.values[-count:]
        del self.values[-count:], self.kinds[-count:]
        return values

    def block(self, label: str) -> None:
        """Begin a basic block."""
        self.lines.append(f"{label}:\n")
        self.last_block = label

    def new_label(self) -> str:
        self.labels += 1
        return f"L{self.labels}"

    def truth(self, value: str) -> str:
        """Whether an i32 is not zero, as an i1."""
        found = self.conditions.get(value)
        return found or self.value(f"icmp ne i32 {value}, 0")

    def wide(self, value: str, kind: str) -> str:
        """An index or size as an i64."""
        return value if kind == "i64" else self.value(f"zext i32 {value} to i64")

    def pop_wide(self) -> str:
        kind = self.kinds.pop()
        return self.wide(self.values.pop(), kind)

    def index_result(self, value: str, is64: bool) -> None:
        """Push an i64 as an index or size of the type that it has in WebAssembly."""
        if is64:
            self.push("i64", value)
        else:
            self.push("i32", self.value(f"trunc i64 {value} to i32"))

    def check(self, bad: str, code: TrapCode) -> None:
        """Trap if a condition holds; otherwise go on."""
        label = self.new_label()
        self.emit(f"br i1 {bad}, label %{label}.trap, label %{label}, !prof !11")
        self.block(f"{label}.trap")
        self.trap(code)
        self.dead = False
        self.block(label)

    def trap(self, code: TrapCode) -> None:
        self.emit(f"call void @wasmote.trap(ptr %exec, ptr %ctx, i32 {int(code)}) #1")
        self.emit("unreachable")
        self.dead = True

    def unsupported(self, what: str, feature: str) -> CompileError:
        return CompileError(
            f"cannot compile function {self.source.name(self.body.index)}: {what} needs the "
            f"feature {feature}, which compiled code does not have yet; run the module with an "
            "interpreter"
        )

    # -- blocks ----------------------------------------------------------------------------------

    def jump(self, depth: int) -> str:
        """Note a jump from here to the label `depth` blocks out; returns the label."""
        frame = self.frames[-1 - depth]
        count = len(frame.expected)
        frame.edges.append((self.last_block, self.values[-count:] if count else []))
        frame.states.append(self.roots.state)
        return frame.label

    # -- exceptions ------------------------------------------------------------------------------

    def handler(self, offset: str, depth: int = 0) -> str:
        """Where an exception goes from this place: to the innermost block that catches of those
        `depth` blocks out and beyond, or out of the function. `offset` is that of what throws.
        """
        for frame in reversed(self.frames[: len(self.frames) - depth]):
            if frame.guards:
                frame.thrown.append((self.last_block, offset))
                return frame.handler
        self.thrown.append((self.last_block, offset))
        return "leave.thrown"

    def look_for_exception(self, at: int) -> None:
        """After the call at an offset: an exception may have come out of it."""
        place = self.unit.offsets.field(Exec, "exception")
        pointer = self.value(f"getelementptr i8, ptr %exec, i64 {place}")
        exception = self.value(f"load i32, ptr {pointer}, !tbaa !5")
        none, following = self.value(f"icmp eq i32 {exception}, 0"), self.new_label()
        handler = self.handler(str(at))
        self.emit(f"br i1 {none}, label %{following}, label %{handler}, !prof !7")
        self.block(following)

    def phi_of_offsets(self, edges: list[tuple[str, str]]) -> str:
        sources = ", ".join(f"[ {offset}, %{block} ]" for block, offset in edges)
        return self.value(f"phi i32 {sources}")

    def leave_with_exception(self) -> None:
        """The place where all go that throw what this function does not catch."""
        self.roots.state = UNKNOWN
        self.block("leave.thrown")
        offset = self.phi_of_offsets(self.thrown)
        self.needs.add("rt.unwound")
        given = f"i32 {self.body.index}, i32 {offset}"
        self.emit(f"call void @rt.unwound(ptr %exec, ptr %ctx, {given}) #2")
        self.roots.leave()
        result = self.signature.result
        self.emit("ret void" if result == "void" else f"ret {result} zeroinitializer")

    def skip_dead(self) -> None:
        """Pass over code that is never reached, up to the end of the block or its next clause."""
        depth = 0
        while True:
            start = self.pos
            opcode = self.opcode()
            if opcode in BLOCKS:
                depth += 1
            elif opcode in ENDS or (opcode in CLAUSES and depth == 0):
                if depth == 0:
                    self.pos = start
                    return
                depth -= 1
            self.skip_immediates(opcode)

    def block_type(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Parameters and results of a block."""
        byte = self.code[self.pos]
        if byte == 0x40:
            self.pos += 1
            return (), ()
        if byte in (0x63, 0x64) or 0x40 < byte < 0x80:
            return (), (self.value_type(),)
        type = self.source.types[self.signed()]
        return type.params, type.results

    def merge(self, frame: Frame) -> None:
        """After a block's label: its results, as the jumps to it bring them."""
        height = frame.height
        del self.values[height:], self.kinds[height:]
        self.known = {}
        self.roots.merge(frame.states)
        for i, kind in enumerate(frame.results):
            if len(frame.edges) == 1:
                self.push(kind, frame.edges[0][1][i])
            else:
                self.push(kind, self.value(self.phi(kind, frame.edges, i)))

    def phi(self, kind: str, edges: list[tuple[str, list[str]]], i: int) -> str:
        sources = ", ".join(f"[ {values[i]}, %{block} ]" for block, values in edges)
        return f"phi {kind} {sources}"

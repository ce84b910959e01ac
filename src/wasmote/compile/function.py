"""One function's body as LLVM IR.

The operand stack exists only while the text is written: `values` has LLVM's operands, `kinds` their
types. Locals are variables on LLVM's stack, which it turns into registers; within straight code
their values are known without a look. Blocks become basic blocks, with a phi for each result.
"""

from dataclasses import dataclass, field

from wasmote.compile.reading import Cursor
from wasmote.compile.source import Body, Signature
from wasmote.compile.unit import Unit
from wasmote.core.status import TrapCode
from wasmote.core.structs import Exec
from wasmote.errors import CompileError
from wasmote.isa import INSTRUCTIONS

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

    @property
    def expected(self) -> tuple[str, ...]:
        """Types of the values that a jump to the label brings."""
        return self.params if self.kind == "loop" else self.results


class Function(Cursor):
    """Writes the text of a function; `translate` does it all. The instructions are in
    `instructions`.
    """

    def __init__(self, unit: Unit, body: Body) -> None:
        super().__init__(unit.source.binary, body.start)
        self.unit, self.source, self.body = unit, unit.source, body
        self.signature: Signature = self.source.types[body.type]
        self.needs = unit.needs
        self.entry: list[str] = []  # text of the entry block
        self.lines: list[str] = []
        self.values: list[str] = []
        self.kinds: list[str] = []
        self.frames: list[Frame] = []
        self.known: dict[int, str] = {}  # values of locals here
        self.conditions: dict[str, str] = {}  # i32 values that are extended truth values
        self.promoted: set[str] = set()
        self.touched: set[int] = set()  # memories
        self.local_kinds: list[str] = []
        self.references: list[bool] = []  # locals that are references
        self.count = self.labels = 0
        self.last_block = "entry"
        self.dead = False
        self.loops = self.calls = False
        self.roots = 0  # references that a collection may have to see
        self.root_lines: list[int] = []  # text that is left out without calls
        #: Where a loop counts, its label, and a function it calls each time.
        self.counting_calls: list[tuple[int, str, int]] = []
        self.widest = 0  # most results beyond the first of any call

    # -- the whole -------------------------------------------------------------------------------

    def translate(self) -> None:
        """Write the body's text."""
        from wasmote.compile.instructions import HANDLERS

        self.declare_locals()
        results = self.signature.results
        self.frames.append(Frame("function", "leave", 0, (), results))
        end, code = self.body.end, self.code
        while self.pos < end:
            byte = code[self.pos]
            self.pos += 1
            HANDLERS[byte](self)
            if self.dead and self.frames:
                self.skip_dead()
        if not (self.roots and self.calls):  # no collection can happen
            for line in self.root_lines:
                self.lines[line] = ""

    def note_call(self, index: int) -> None:
        """A call that every iteration of a loop makes, as it is in no block of the loop and nothing
        jumps back before it, counts for the loop if the function called counts.
        """
        frame = self.frames[-1]
        if frame.kind == "loop" and len(frame.edges) == 1:
            self.counting_calls.append((frame.check, frame.label, index))

    def declare_locals(self) -> None:
        references = self.signature.references
        for i, kind in enumerate(self.signature.params):
            self.declare(kind, references[i], f"%p{i}")
        for _ in range(self.unsigned()):
            count = self.unsigned()
            kind, reference = self.value_type()
            for _ in range(count):
                self.declare(kind, reference, "zeroinitializer")

    def declare(self, kind: str, reference: bool, value: str) -> None:
        i = len(self.local_kinds)
        self.entry.append(f"  %l{i} = alloca {kind}\n  store {kind} {value}, ptr %l{i}\n")
        self.local_kinds.append(kind)
        self.references.append(reference)
        if reference and value != "zeroinitializer":
            self.root(value)

    def definition(self, recursive: set[int]) -> str:
        """The function's text: what its entry block needs is known only when all is translated.

        `recursive` has the functions that count their calls.
        """
        unit, symbol = self.unit, self.unit.symbol(self.body.index)
        for line, label, callee in self.counting_calls:
            if callee in recursive:
                self.lines[line] = f"  br label %{label}.go\n"
        entry = "".join(self.entry)
        if self.calls or self.count > 500:
            self.needs.add("rt.stack")
            entry += "  call void @rt.stack(ptr %exec, ptr %ctx)\n"
        if self.body.index in recursive:
            self.needs.add("rt.tick")
            entry += "  call void @rt.tick(ptr %exec, ptr %ctx)\n"
        if self.loops:
            entry += f"  %fuel = alloca i32\n  store i32 {FUEL}, ptr %fuel\n"
        if self.widest:
            entry += f"  %out = alloca i8, i32 {16 * self.widest}, align 16\n"
        if self.roots and self.calls:
            entry = f"begin:\n{entry}{self.unit.shadow_frame(self.roots)}"
        else:
            entry = f"entry:\n{entry}"
        for memory in sorted(self.touched):
            entry += unit.memory_base(memory)
        linkage = unit.linkage(self.body.index)
        head = f"define {linkage}{unit.convention} {self.signature.result} {symbol}"
        text = "".join(self.lines)
        return f"{head}({unit.parameters(self.signature)}) #0 {{\n{entry}{text}}}\n"

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

    def push_reference(self, value: str) -> None:
        self.push("i32", value)
        self.root(value)

    def root(self, value: str) -> None:
        """Let collections see a reference: it also goes to the value stack."""
        place = 4 * self.roots
        self.roots += 1
        name = f"%root{self.roots}"
        text = f"  {name} = getelementptr i8, ptr %shadow, i64 {place}\n"
        self.root_lines.append(len(self.lines))
        self.lines.append(f"{text}  store i32 {value}, ptr {name}, !tbaa !5\n")

    def leave_frame(self) -> None:
        """Before a return: the value stack is as it was."""
        top = self.unit.offsets.field(Exec, "top")
        name = f"%top{len(self.root_lines)}"
        self.root_lines.append(len(self.lines))
        self.lines.append(
            f"  {name} = getelementptr i8, ptr %exec, i64 {top}\n"
            f"  store ptr %shadow, ptr {name}, !tbaa !5\n"
        )

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
        return frame.label

    def skip_dead(self) -> None:
        """Pass over code that is never reached, up to the `else` or `end` of the block."""
        depth = 0
        while True:
            start = self.pos
            opcode = self.opcode()
            if opcode in (0x02, 0x03, 0x04):
                depth += 1
            elif INSTRUCTIONS[opcode].family == "exception":
                raise self.unsupported(INSTRUCTIONS[opcode].name, INSTRUCTIONS[opcode].feature)
            elif opcode == 0x0B or (opcode == 0x05 and depth == 0):
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
            return (), (self.value_type()[0],)
        type = self.source.types[self.signed()]
        return type.params, type.results

    def merge(self, frame: Frame) -> None:
        """After a block's label: its results, as the jumps to it bring them."""
        height = frame.height
        del self.values[height:], self.kinds[height:]
        self.known = {}
        for i, kind in enumerate(frame.results):
            if len(frame.edges) == 1:
                self.push(kind, frame.edges[0][1][i])
            else:
                self.push(kind, self.value(self.phi(kind, frame.edges, i)))

    def phi(self, kind: str, edges: list[tuple[str, list[str]]], i: int) -> str:
        sources = ", ".join(f"[ {values[i]}, %{block} ]" for block, values in edges)
        return f"phi {kind} {sources}"

"""What each instruction becomes in LLVM IR: text with its operands left open.

The semantics of all instructions are compiled together and simplified by LLVM; the result is kept
in the user's cache. What is left of most is a few lines without a branch: these become a template,
which is expanded wherever the instruction occurs. The others become functions that are always
inlined.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from wasmote.core.status import ValueType
from wasmote.host import core_image
from wasmote.isa import INSTRUCTIONS, Immediate, Instruction
from wasmote.nativepy.targets import Target

#: LLVM's types of WebAssembly's values; references are 32-bit handles.
IR_TYPES: dict[int, str] = {
    ValueType.I32: "i32",
    ValueType.I64: "i64",
    ValueType.F32: "float",
    ValueType.F64: "double",
    ValueType.V128: "<2 x i64>",
}
#: How compiled code leaves for a trap; `%exec` is a parameter of every function.
TRAP_CALL = "call void @wasmote.trap(ptr %exec, ptr %ctx, i32 {code}) noreturn cold nomerge"
OPERANDS = "abc"
#: Families of instructions that have templates.
FAMILIES = (
    "test", "compare", "numeric", "convert", "vector", "load", "store", "load lane", "store lane",
    "atomic",
)  # fmt: skip
_FUNCTION = re.compile(r"^define [^@\n]*@([^\s(]+)\([^\n]*\{\n(.*?)^\}", re.M | re.S)
_METADATA = re.compile(r"(, !\w+(\.\w+)* !\d+)+")
_ATTRIBUTES = re.compile(r" #\d+$", re.M)
_NAME = re.compile(r"%([\w.]+)")
_DECLARATION = re.compile(r"^declare [^\n]*?(@[\w.]+)\([^\n]*", re.M)
_PARAMETER = {"arg.a": "a", "arg.b": "b", "arg.c": "c"}


class Template:
    """An instruction's expansion.

    `lines(r, a, b, c)` is the text that computes it, where `r` is a fresh number and the others are
    operands; `value(r, a, b, c)` is the operand that the result is, `condition` likewise a truth
    value that the result is the extension of, where there is one.
    """

    def __init__(self, texts: "Texts") -> None:
        lines, value, condition, self.type, needs = texts
        self.lines = _function(lines)
        self.value = None if value is None else _function(value)
        self.condition = None if condition is None else _function(condition)
        self.needs = frozenset(needs)


#: What a template is made of: lines, value, condition, type of the result, and the intrinsics and
#: functions that the lines refer to. The texts have LLVM's names.
Texts = tuple[str, str | None, str | None, str, list[str]]


class Templates:
    """The templates of all instructions for one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.texts: dict[str, Texts] = {}
        #: What a template may need: intrinsics' declarations, functions' definitions.
        self.definitions: dict[str, str] = {}
        self._made: dict[tuple[int, int | None], Template] = {}

    def get(self, opcode: int, lane: int | None = None) -> Template:
        """The template of an instruction, with the number of a lane if it takes one."""
        found = self._made.get((opcode, lane))
        if found is None:
            found = self._made[opcode, lane] = Template(self.texts[_symbol(opcode, lane)])
        return found

    def make(self) -> None:
        """Compile the semantics of all instructions and simplify them."""
        from wasmote.compile.meanings import meaning_of
        from wasmote.nativepy.unit import Unit

        unit = Unit(self.target)
        instructions = {}
        for instruction, lane in templated_instructions():
            symbol = _symbol(instruction.opcode, lane)
            instructions[symbol] = instruction
            unit.add(meaning_of(instruction, lane, symbol))
        text = _METADATA.sub("", simplified(unit.llvm_ir(), self.target))
        for match in _DECLARATION.finditer(text):
            self.definitions[match[1]] = _ATTRIBUTES.sub("", match[0])
        for match in _FUNCTION.finditer(text):
            symbol = match[1].strip('"')
            self.texts[symbol] = self.template(instructions[symbol], symbol, match[2])

    def template(self, instruction: Instruction, name: str, body: str) -> Texts:
        lines = [_ATTRIBUTES.sub("", line).strip() for line in body.split("\n")]
        lines = [line for line in lines if line and not line.startswith(";") and line != "entry:"]
        result = IR_TYPES[instruction.results[0]] if instruction.results else "void"
        if any(line.endswith(":") or line.startswith("br ") for line in lines) or any(
            " phi " in line for line in lines
        ):
            return self.called(instruction, name, result, body)
        *lines, last = lines
        needs = sorted(set(re.findall(r"@[\w.]+", "\n".join(lines))))
        value = last.removeprefix("ret ").removeprefix(result).strip() if result != "void" else None
        condition = None
        if value is not None:
            for line in lines:
                if line.startswith(f"{value} = zext i1 "):
                    condition = line.split()[4]
        tagged = [_tagged(line) for line in lines]
        return "".join(f"  {line}\n" for line in tagged), value, condition, result, needs

    def called(self, instruction: Instruction, name: str, result: str, body: str) -> Texts:
        """The template that calls a function, whose text is kept."""
        kinds = [IR_TYPES[kind] for kind in instruction.params or ()]
        if instruction.access:  # the address is checked already
            kinds[0] = "ptr"
        own = ", ".join(f"{kind} %arg.{o}" for kind, o in zip(kinds, OPERANDS, strict=False))
        body = _ATTRIBUTES.sub("", body)
        body = re.sub(
            r"(tail )?call void %arg\.trap\((i32 [^)]*?)(\w+)\)",
            lambda m: TRAP_CALL.format(code=m[3]),
            body,
        )
        needs = sorted(set(re.findall(r"@llvm[\w.]+", body)))
        head = f"define internal {result} @{name}(ptr %exec, ptr %ctx, {own}) alwaysinline nounwind"
        self.definitions[f"@{name}"] = f"{head} {{\n{body}}}\n"
        given = ", ".join(f"{kind} %arg.{o}" for kind, o in zip(kinds, OPERANDS, strict=False))
        text = f"  %result = call {result} @{name}(ptr %exec, ptr %ctx, {given})\n"
        return text, "%result", None, result, [f"@{name}", *needs]


def _symbol(opcode: int, lane: int | None) -> str:
    return f"op.{opcode:x}" if lane is None else f"op.{opcode:x}.{lane}"


def templated_instructions() -> Iterable[tuple[Instruction, int | None]]:
    """Every instruction that has a template, with each number of a lane it may have."""
    for instruction in INSTRUCTIONS.values():
        if instruction.semantics is None or instruction.family not in FAMILIES:
            continue
        if Immediate.LANE in instruction.immediates:
            for lane in range(lanes(instruction)):
                yield instruction, lane
        elif Immediate.LANES not in instruction.immediates:
            yield instruction, None


def lanes(instruction: Instruction) -> int:
    """How many lanes the shape has that an instruction on one lane works on."""
    if instruction.access:
        return 16 // instruction.access
    return int(instruction.name.partition(".")[0].partition("x")[2])


@cache
def load_templates(target: Target) -> Templates:
    """The templates for a target, from the user's cache, or made and put there."""
    made = Templates(target)
    path = _cache_path(target)
    try:
        with open(path, encoding="utf-8") as file:
            made.texts, made.definitions = json.load(file)
    except (OSError, ValueError):
        made.make()
        with contextlib.suppress(OSError):  # without a cache it only takes longer
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
                json.dump([made.texts, made.definitions], file)
            os.replace(f"{path}.{os.getpid()}", path)
    return made


def _cache_path(target: Target) -> str:
    """Where the templates are kept: they depend on the definitions and on what makes them so."""
    import llvmlite

    here = os.path.dirname(os.path.abspath(__file__))
    digest = hashlib.sha256(f"{llvmlite.__version__} {core_image.source_hash(target)}".encode())
    for name in ("meanings.py", "templates.py"):
        with open(os.path.join(here, name), "rb") as file:
            digest.update(file.read())
    name = f"templates-{target.name}-{digest.hexdigest()[:24]}.json"
    return os.path.join(core_image.cache_folder(), name)


def simplified(ir: str, target: Target) -> str:
    """The IR after LLVM's simplifications, without debug information."""
    import llvmlite.binding as llvm

    from wasmote.nativepy.codegen import data_layout, machine

    plain = re.sub(r",? !dbg !\d+|^!llvm.dbg.cu.*$", "", ir, flags=re.M)
    tm = machine(target, 2)
    module = llvm.parse_assembly(data_layout(target, tm) + plain)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(tm, options)
    builder.getModulePassManager().run(module, builder)
    return str(module)


def _tagged(line: str) -> str:
    """Loads and stores of a template are those of a linear memory."""
    is_access = re.match(r"(%\S+ = load|store) ", line)
    return f"{line}, !tbaa !1" if is_access else line


def _function(text: str) -> Callable[..., Any]:
    """A Python function of (r, a, b, c) that fills in operands and makes other names unique."""

    def name(match: re.Match[str]) -> str:
        found = match[1]
        if found in _PARAMETER:
            return "{" + _PARAMETER[found] + "}"
        if found in ("exec", "ctx"):
            return match[0]
        return "%v{r}." + re.sub(r"\W", "_", found)

    escaped = text.replace("{", "{{").replace("}", "}}")
    filled = _NAME.sub(name, escaped)
    made: Callable[..., Any] = eval(f"lambda r, a='', b='', c='': f{filled!r}")
    return made

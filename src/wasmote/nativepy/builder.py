"""Writes the LLVM IR text of one function: blocks, instructions, source locations."""

from .types import Boolean, Float, FunctionType, Int, Pointer, Type, Vector, Void


def ir_type(t: Type, pointer: int) -> str:
    """LLVM's name for a type in a register."""
    match t:
        case Int():
            return f"i{t.width(pointer)}"
        case Float():
            return "float" if t.bits == 32 else "double"
        case Boolean():
            return "i1"
        case Pointer() | FunctionType():
            return "ptr"
        case Vector():
            return f"<{t.length} x {ir_type(t.element, pointer)}>"
        case Void():
            return "void"
    raise TypeError(f"{t} cannot be held in a register")


class Value:
    """A value of a known type at run time; `text` is its LLVM operand."""

    __slots__ = ("type", "text")

    def __init__(self, type: Type, text: str) -> None:
        self.type, self.text = type, text


class Known:
    """A Python object that is known at compile time."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class Place:
    """Somewhere in memory that holds a `type`; `address` is an LLVM pointer operand."""

    __slots__ = ("type", "address", "align")

    def __init__(self, type: Type, address: str, align: int) -> None:
        self.type, self.address, self.align = type, address, align


class Builder:
    """The growing text of one LLVM function."""

    def __init__(self) -> None:
        self.entry: list[str] = []  # allocas
        self.lines: list[str] = []
        self.count = 0
        self.label = "entry"
        self.terminated = False
        self.location = ""  # ", !dbg !n" of what is emitted next

    def name(self) -> str:
        self.count += 1
        return f"%t{self.count}"

    def emit(self, instruction: str) -> None:
        if not self.terminated:
            self.lines.append(f"  {instruction}{self.location}")

    def value(self, instruction: str) -> str:
        """Emit an instruction that has a result; returns the result's name."""
        name = self.name()
        self.emit(f"{name} = {instruction}")
        return name

    def alloca(self, type_text: str, align: int) -> str:
        name = self.name()
        self.entry.append(f"  {name} = alloca {type_text}, align {align}")
        return name

    def new_label(self, hint: str) -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def begin(self, label: str) -> None:
        """Start a block; falls through from the block before if that is still open."""
        self.branch(label)
        self.lines.append(f"{label}:")
        self.label, self.terminated = label, False

    def terminate(self, instruction: str) -> None:
        self.emit(instruction)
        self.terminated = True

    def branch(self, label: str) -> None:
        self.terminate(f"br label %{label}")

    def branch_if(self, condition: str, then: str, otherwise: str, weights: str = "") -> None:
        self.terminate(f"br i1 {condition}, label %{then}, label %{otherwise}{weights}")

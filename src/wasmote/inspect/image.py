"""What is in an image: of a compiled module, or of the virtual machine."""

import re
import struct
from dataclasses import dataclass, field

from wasmote.errors import DecodeError, ModuleError
from wasmote.image.format import MAGIC, VERSION, ImageError, Layout, digest
from wasmote.image.format import parse as parse_front
from wasmote.image.signature import signer
from wasmote.inspect.model import ModuleInfo
from wasmote.inspect.parse import parse

#: Machines whose data, and so the tables in the code, have big-endian numbers.
_BIG_ENDIAN = re.compile("(mips|aarch64_be)(-|$)")

__all__ = ["MAGIC", "Code", "ImageInfo", "Part", "parse_image"]


@dataclass(slots=True)
class Part:
    """A part of the file, from `offset` on; sizes and offsets are in bytes."""

    name: str
    offset: int
    size: int


@dataclass(slots=True)
class Code:
    """Machine code with a name: a function of the module, or what a symbol stands for.

    `index` is the function's in the module, None for what belongs to Wasmote. `offset` is from the
    start of the code. The size of a symbol reaches to the next one.
    """

    index: int | None
    name: str
    offset: int
    size: int


@dataclass(slots=True)
class ImageInfo:
    """Everything that an image says of itself.

    `facts` is what the compiler noted, as `name: value`; `key` the number of the key that it is
    signed with, if it is. `functions` are those of the module; one that LLVM left out because all
    its callers contain it, has no code.
    """

    binary: bytes = field(repr=False)
    version: int
    target: str
    size: int
    hash: str
    key: str
    code_offset: int
    code_size: int
    parts: list[Part] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    functions: list[Code] = field(default_factory=list)
    symbols: list[Code] = field(default_factory=list)
    module: ModuleInfo | None = None

    @property
    def code(self) -> bytes:
        """The machine code, with the constants and tables in it."""
        return self.binary[self.code_offset : self.code_offset + self.code_size]


def parse_image(binary: bytes) -> ImageInfo:
    """Read an image for any machine. Raises ModuleError for one that is damaged."""
    try:
        front = parse_front(binary)
    except ImageError as error:
        raise ModuleError(str(error)) from None
    info = ImageInfo(
        binary,
        VERSION,
        front.target,
        front.size,
        digest(binary[: front.size]).hex(),
        signer(binary),
        front.code_offset,
        front.code_size,
    )
    info.parts = _parts(front, len(binary))
    info.symbols = _symbols(front)
    if "compiled" in front.sections:
        info.facts = _facts(_section(info, front, "compiled"))
    if "module" in front.sections:
        info.module = parse(_section(info, front, "module"))
        info.functions = _functions(info, front)
    return info


def _section(info: ImageInfo, front: Layout, name: str) -> bytes:
    start, size = front.sections[name]
    return info.binary[start : start + size]


def _parts(front: Layout, total: int) -> list[Part]:
    """The file from front to back, without what only fills up."""
    found = [Part("header and tables", 0, front.tables_end)]
    found.append(Part("code", front.code_offset, front.code_size))
    named = [Part(name, *place) for name, place in front.sections.items()]
    found += sorted(named, key=lambda each: each.offset)
    if total > front.size:
        found.append(Part("signature", front.size, total - front.size))
    return found


def _facts(section: bytes) -> dict[str, str]:
    pairs = (line.partition("=") for line in section.decode(errors="replace").splitlines())
    return {name: value for name, _, value in pairs}


def _symbols(front: Layout) -> list[Code]:
    """What the symbols stand for, in the order of the code."""
    symbols = front.symbols.items()
    places = sorted((_address(front.target, offset), name) for name, offset in symbols)
    ends = [offset for offset, _ in places[1:]] + [front.code_size]
    return [
        Code(None, name, offset, end - offset)
        for (offset, name), end in zip(places, ends, strict=True)
    ]


def _address(target: str, offset: int) -> int:
    """Where code is that has this offset: that of Thumb code is marked by an odd number."""
    return offset & ~1 if target.startswith("thumb") else offset


def _functions(info: ImageInfo, front: Layout) -> list[Code]:
    """The module's own functions, from the table in the code."""
    assert info.module
    own = [each for each in info.module.functions if not each.is_imported]
    start = front.symbols.get("functions", front.code_size)
    if start + 8 * len(own) > front.code_size:
        raise DecodeError("the image's table of functions is not in the code")
    order = ">" if _BIG_ENDIAN.match(info.target) else "<"
    table = struct.iter_unpack(f"{order}II", info.code[start : start + 8 * len(own)])
    found = [
        Code(each.index, each.title, _address(info.target, offset), size)
        for each, (offset, size) in zip(own, table, strict=True)
    ]
    if any(each.offset + each.size > front.code_size for each in found):
        raise DecodeError("the image's table of functions leads out of the code")
    return found

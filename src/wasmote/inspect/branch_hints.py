"""Branch hints: whether a program's author expects branches to be taken.

They are in the custom section "metadata.code.branch_hint" (spec: Appendix, Code Metadata). An
interpreter gains nothing from them, so the core does not look at them; they are read when somebody
asks.
"""

from wasmote.errors import ValidationError
from wasmote.inspect.code import declarations, instructions
from wasmote.inspect.model import Function, ModuleInfo
from wasmote.inspect.reader import Reader

SECTION = "metadata.code.branch_hint"
#: The instructions that a hint may be for.
_TARGETS = ("if", "br_if")


def read_branch_hints(info: ModuleInfo, reader: Reader) -> dict[int, dict[int, bool]]:
    """Hints by function and by the instruction's offset in the binary: whether it is likely taken.

    Raises DecodeError for a malformed section.
    """
    found: dict[int, dict[int, bool]] = {}
    for _ in range(reader.count()):
        index = reader.u32()
        if found and index <= max(found):
            raise reader.fail(f"{SECTION}: functions are not in order")
        if index >= len(info.functions) or info.functions[index].is_imported:
            raise reader.fail(f"{SECTION}: function {index} has no body")
        found[index] = _hints(reader, info.functions[index])
    if not reader.at_end:
        raise reader.fail(f"{SECTION}: there is more than the hints")
    return found


def _hints(reader: Reader, function: Function) -> dict[int, bool]:
    hints: dict[int, bool] = {}
    last = -1
    for _ in range(reader.count()):
        offset, size = reader.u32(), reader.u32()
        if offset <= last:
            raise reader.fail(f"{SECTION}: offsets are not in order")
        if size != 1 or (value := reader.byte()) > 1:
            raise reader.fail(f"{SECTION}: a hint is one byte, 0 or 1")
        hints[function.offset + offset] = bool(value)
        last = offset
    return hints


def check_branch_hints(info: ModuleInfo) -> None:
    """Raise DecodeError for a malformed section, ValidationError for hints in the wrong places.

    A module with wrong hints is valid all the same; engines would leave them aside.
    """
    sections = [each for each in info.sections if each.is_custom and each.name == SECTION]
    for section in sections:
        reader = Reader(info.binary, section.offset, section.offset + section.size)
        if len(sections) > 1:
            raise reader.fail(f"{SECTION}: there are {len(sections)} such sections")
        for index, hints in read_branch_hints(info, reader).items():
            _check_targets(info.functions[index], info.binary, hints)


def _check_targets(function: Function, binary: bytes, hints: dict[int, bool]) -> None:
    reader = Reader(binary, function.offset, function.offset + function.size)
    declarations(reader)
    names = {each.offset: each.instruction.name for each in instructions(reader)}
    for offset in hints:
        if names.get(offset) not in _TARGETS:
            raise ValidationError(f"@{SECTION} annotation: invalid target", offset)

"""Branch hints: the custom section "metadata.code.branch_hint"."""

import json

import pytest

from wasmote.errors import DecodeError, ValidationError
from wasmote.inspect import check_branch_hints, disassemble, parse
from wasmote.inspect.branch_hints import SECTION
from wasmote.wat import wat2wasm

from .support import Shell

HINTED = r"""(module
  (func (param i32) (result i32)
    (block
      (@metadata.code.branch_hint "\01") (br_if 0 (local.get 0)))
    (@metadata.code.branch_hint "\00")
    (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2)))))
"""
PLAIN = "(module (func (param i32) (block (br_if 0 (local.get 0)))))"
#: In `PLAIN`, from the start of the body.
BR_IF = 5


def with_section(contents: bytes) -> bytes:
    """`PLAIN` with such a section in front of its code."""
    binary = wat2wasm(PLAIN)
    body = bytes([len(SECTION)]) + SECTION.encode() + contents
    at = binary.index(b"\x0a", 8 + 6 + 4)
    return binary[:at] + bytes([0, len(body)]) + body + binary[at:]


def test_hints_are_found_and_shown() -> None:
    info = parse(wat2wasm(HINTED))
    check_branch_hints(info)
    (hints,) = info.branch_hints.values()
    assert list(hints.values()) == [True, False]
    lines = [line.text for line in disassemble(info, info.functions[0])]
    assert lines[lines.index("br_if 0") - 1] == r'(@metadata.code.branch_hint "\01")'
    assert lines[lines.index("if (result i32)") - 1] == r'(@metadata.code.branch_hint "\00")'


def test_the_command_shows_them(shell: Shell) -> None:
    file = shell.module("m.wasm", HINTED)
    assert r'(@metadata.code.branch_hint "\01")' in shell.wasmote("inspect", "-d", file).out
    found = json.loads(shell.wasmote("inspect", "--json", file).out)["branch_hints"]
    assert list(found["0"].values()) == [True, False]


def test_a_section_as_it_should_be() -> None:
    info = parse(with_section(bytes([1, 0, 1, BR_IF, 1, 1])))
    check_branch_hints(info)
    assert info.branch_hints == {0: {info.functions[0].offset + BR_IF: True}}


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([1, 1, 1, BR_IF, 1, 1], "function 1 has no body"),
        ([2, 0, 0, 0, 0], "functions are not in order"),
        ([1, 0, 2, BR_IF, 1, 1, BR_IF, 1, 1], "offsets are not in order"),
        ([1, 0, 1, BR_IF, 2, 1, 1], "a hint is one byte, 0 or 1"),
        ([1, 0, 1, BR_IF, 1, 2], "a hint is one byte, 0 or 1"),
        ([1, 0, 1, BR_IF, 1, 1, 9], "there is more than the hints"),
        ([1, 0, 9, BR_IF, 1, 1], "length out of bounds"),
    ],
)
def test_malformed_sections(contents: list[int], message: str) -> None:
    info = parse(with_section(bytes(contents)))
    assert info.branch_hints == {}
    with pytest.raises(DecodeError, match=message):
        check_branch_hints(info)
    list(disassemble(info, info.functions[0]))


@pytest.mark.parametrize("offset", [0, 1, 3, BR_IF + 1, 100])
def test_hints_for_what_is_no_branch(offset: int) -> None:
    info = parse(with_section(bytes([1, 0, 1, offset, 1, 1])))
    with pytest.raises(ValidationError, match="invalid target"):
        check_branch_hints(info)

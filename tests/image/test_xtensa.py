"""Which functions Xtensa code calls, by addresses that it loads; and what llc is helped with."""

import pytest

from wasmote.image.format import ImageError
from wasmote.image.relocations.xtensa_code import calls
from wasmote.nativepy.llc import with_room

LOAD_A8, LOAD_A12 = b"\x81\xff\xff", b"\xc1\xff\xff"
CALL_A8, CALL_A9, CALL_A12 = b"\xc0\x08\x00", b"\xc0\x09\x00", b"\xc0\x0c\x00"
SPILL_A8, RELOAD_A9 = b"\x82\x61\x01", b"\x92\x21\x01"  # s32i a8, a1, 4; l32i a9, a1, 4
ADD, RET = b"\x80\x28\x80", b"\x80\x00\x00"  # add a2, a8, a8


def branch(distance: int) -> bytes:
    """beqz a2: `distance` is from its own place."""
    return (0x216 | (distance - 4) << 12).to_bytes(3, "little")


def test_a_call_goes_where_its_register_says():
    assert calls(LOAD_A8 + CALL_A8 + RET, {0: "f"}) == ({3: "f"}, set())
    assert calls(LOAD_A12 + CALL_A12 + CALL_A12 + RET, {0: "f"})[0] == {3: "f", 6: "f"}
    assert calls(LOAD_A8 + SPILL_A8 + RELOAD_A9 + CALL_A9 + RET, {0: "f"})[0] == {9: "f"}


def test_calls_leave_no_address_in_registers_that_they_use():
    assert calls(LOAD_A8 + CALL_A8 + CALL_A8 + RET, {0: "f"})[0] == {3: "f"}


def test_other_uses_of_an_address_are_seen():
    assert calls(LOAD_A8 + ADD + RET, {0: "table"}) == ({}, {0})


def test_two_ways_to_a_call():
    code = LOAD_A8 + branch(6) + LOAD_A8 + CALL_A8 + RET
    assert calls(code, {0: "f", 6: "f"})[0] == {9: "f"}
    with pytest.raises(ImageError, match="at 9 goes to one of several functions"):
        calls(code, {0: "f", 6: "g"})
    with pytest.raises(ImageError, match="at 9 goes to one of several functions"):
        calls(code, {6: "g"})


def test_jumps_that_lead_out_of_the_code_are_refused():
    with pytest.raises(ImageError, match="leads out of its function"):
        calls(LOAD_A8 + branch(60) + RET, {0: "f"})


def test_a_function_gets_a_larger_frame_once():
    text = "define i32 @f(i32 %x) #0 {\nentry:\n  ret i32 %x\n}\n"
    reason = "without an emergency spill slot\nPrologue & Frame Finalization' on function '@f'"
    changed = with_room(text, reason)
    assert changed.index("entry:") < changed.index("alloca [2048 x i8]") < changed.index("ret")
    assert with_room(changed, reason) == changed
    assert with_room(text, "another error") == text

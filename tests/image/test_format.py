"""The container: what is written is read, and what is damaged is refused with a reason."""

import struct

import pytest

from wasmote.image.format import HEADER, PAGE, Image, ImageError, parse

IMAGE = Image("x86_64-linux", {"run": 0, "größe": 5}, b"\xc3" * 100)
RAW = IMAGE.encode()


def patched(offset: int, data: bytes) -> bytes:
    return RAW[:offset] + data + RAW[offset + len(data) :]


def test_round_trip():
    front = parse(RAW)
    assert front.target == "x86_64-linux"
    assert front.symbols == {"run": 0, "größe": 5}
    assert front.code_offset % PAGE == 0
    assert RAW[front.code_offset :] == IMAGE.code
    assert front.code_size == len(IMAGE.code)


def test_the_same_image_is_encoded_the_same():
    assert Image("x86_64-linux", {"größe": 5, "run": 0}, b"\xc3" * 100).encode() == RAW


@pytest.mark.parametrize(
    "raw,message",
    [
        (b"", "not an image"),
        (RAW[: HEADER.size - 1], "not an image"),
        (b"\0asm" + RAW[4:], "not an image"),
        (patched(4, b"\x63"), "image format 99, this runtime reads 2: compile it again"),
        (RAW[:-1], "truncated"),
        (RAW[:PAGE], "truncated"),
        (patched(72, struct.pack("<I", 4096)), "header is damaged"),
        (patched(72, struct.pack("<I", 0)), "header is damaged"),
        (patched(72, struct.pack("<I", 0xFFFFC000)), "header is damaged"),
        (patched(76, struct.pack("<I", 0xFFFFFFFF)), "header is damaged"),
        (patched(40, b"\0"), "hash does not match"),
        (patched(len(RAW) - 1, b"\0"), "hash does not match"),
        (patched(HEADER.size, b"\x07"), "hash does not match"),
    ],
)
def test_damage_is_refused(raw, message):
    with pytest.raises(ImageError, match=message):
        parse(raw)


@pytest.mark.parametrize(
    "raw",
    [
        patched(80, struct.pack("<I", 0xFFFFFFFF)),  # more symbols than there are
        patched(HEADER.size, struct.pack("<I", 100)),  # beyond the code
        patched(HEADER.size + 4, b"\xff\xff"),  # a name beyond the table
    ],
)
def test_a_damaged_symbol_table_is_refused_even_without_the_hash(raw):
    with pytest.raises(ImageError, match="symbol table is damaged"):
        parse(raw, verify=False)

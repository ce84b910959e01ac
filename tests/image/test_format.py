"""The container: what is written is read, and what is damaged is refused with a reason."""

import hashlib
import struct

import pytest

from wasmote.image.format import ALIGNMENT, HEADER, Image, ImageError, parse

IMAGE = Image("x86_64-linux", {"run": 0, "größe": 5}, b"\xc3" * 100)
RAW = IMAGE.encode()


def patched(offset: int, data: bytes) -> bytes:
    return RAW[:offset] + data + RAW[offset + len(data) :]


def test_round_trip():
    front = parse(RAW)
    assert front.target == "x86_64-linux"
    assert front.symbols == {"run": 0, "größe": 5}
    assert front.code_offset % ALIGNMENT == 0
    assert RAW[front.code_offset :] == IMAGE.code
    assert front.code_size == len(IMAGE.code)
    assert len(RAW) < 300  # no page of padding


def test_code_of_aarch64_begins_a_page():
    """It has addresses of data in two parts: the page, and the place in it."""
    raw = Image("aarch64-linux", {"run": 0}, bytes(100)).encode()
    assert parse(raw).code_offset == 4096
    damaged = raw[:76] + struct.pack("<I", 128) + raw[80:]
    with pytest.raises(ImageError, match="header is damaged"):
        parse(damaged)


def test_the_same_image_is_encoded_the_same():
    assert Image("x86_64-linux", {"größe": 5, "run": 0}, b"\xc3" * 100).encode() == RAW


@pytest.mark.parametrize(
    "raw,message",
    [
        (b"", "not an image"),
        (RAW[: HEADER.size - 1], "not an image"),
        (b"\0asm" + RAW[4:], "not an image"),
        (patched(4, b"\x63"), "image format 99, this runtime reads 4: compile it again"),
        (RAW[:-1], "truncated"),
        (RAW[: ALIGNMENT * 2], "truncated"),
        (patched(72, struct.pack("<I", 0xFFFFFFFF)), "truncated"),
        (patched(72, struct.pack("<I", ALIGNMENT)), "header is damaged"),
        (patched(72, struct.pack("<I", len(RAW) - 1)), "header is damaged"),
        (patched(76, struct.pack("<I", 96)), "header is damaged"),
        (patched(76, struct.pack("<I", 0)), "header is damaged"),
        (patched(76, struct.pack("<I", 0xFFFFC000)), "header is damaged"),
        (patched(80, struct.pack("<I", 0xFFFFFFFF)), "header is damaged"),
        (RAW + b"\0", "something behind the image that is no signature"),
        (RAW + RAW, "something behind the image"),
        (patched(8, b"X"), "hash does not match"),
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
        patched(84, struct.pack("<I", 0xFFFFFFFF)),  # more symbols than there are
        patched(HEADER.size, struct.pack("<I", 100)),  # beyond the code
        patched(HEADER.size + 4, b"\xff\xff"),  # a name beyond the table
    ],
)
def test_a_damaged_symbol_table_is_refused_even_without_the_hash(raw):
    with pytest.raises(ImageError, match="symbol table is damaged"):
        parse(raw, verify=False)


def test_every_bit_counts():
    for position in range(len(RAW)):
        for bit in range(8):
            damaged = bytearray(RAW)
            damaged[position] ^= 1 << bit
            with pytest.raises(ImageError):
                parse(bytes(damaged))


def test_truncated_images_are_refused():
    for size in range(len(RAW)):
        with pytest.raises(ImageError, match=r"not an image|truncated"):
            parse(RAW[:size])


def test_large_images_have_the_same_kind_of_hash():
    for size in (100, 1 << 20):  # by Python's implementation, and by OpenSSL's
        raw = Image("x86_64-linux", {}, bytes(size)).encode()
        assert raw[40:72] == hashlib.sha256(raw[:40] + raw[72:]).digest()


def test_damaged_section_tables_are_refused_even_without_the_hash():
    raw = Image("x86_64-linux", {}, b"\xc3" * 100, {"data": b"12345"}).encode()
    entry = HEADER.size
    front = parse(raw)
    assert front.sections == {"data": (front.code_offset + 112, 5)}
    for offset, number in ((entry, 0), (entry, front.code_offset), (entry + 4, 6)):
        damaged = raw[:offset] + struct.pack("<I", number) + raw[offset + 4 :]
        with pytest.raises(ImageError, match="section table is damaged"):
            parse(damaged, verify=False)

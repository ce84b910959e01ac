"""The example of docs/image-format.md is what the code makes."""

import re
from pathlib import Path

from wasmote.image.format import Image, digest, parse

PAGE = Path(__file__).resolve().parents[2] / "docs" / "image-format.md"


def documented() -> bytes:
    """The bytes of the page's dump."""
    raw = bytearray()
    for line in re.findall(r"^([0-9a-f]{8})  ([0-9a-f ]+)$", PAGE.read_text(), re.M):
        raw.extend(bytes(int(line[0], 16) - len(raw)))
        raw += bytes.fromhex(line[1])
    return bytes(raw)


def test_the_dump():
    code = bytes.fromhex("b82a000000c3")
    image = Image("x86_64-linux", {"answer": 0}, code, {"note": b"hello"})
    assert documented() == image.encode()
    front = parse(documented())
    assert front.digest == digest(documented())
    assert front.sections == {"note": (0x90, 5)}


def test_the_explanation():
    """Each row of the table under the dump names bytes that are there."""
    raw = documented()
    rows = re.findall(r"^\| `([0-9a-f]+)` \| `([0-9a-f ]+)` \|", PAGE.read_text(), re.M)
    assert len(rows) >= 10
    for place, shown in rows:
        start = int(place, 16)
        assert raw[start : start + len(bytes.fromhex(shown))] == bytes.fromhex(shown), place

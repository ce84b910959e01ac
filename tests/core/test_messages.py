"""Load errors as the host tells them."""

import pytest

from tests.core.loading import load
from wasmote.core.messages import (
    describe,
    describe_magic,
    is_invalid,
    is_limit,
    is_malformed,
    load_error,
)
from wasmote.core.status import Status
from wasmote.errors import DecodeError, LimitError, ModuleError, ValidationError
from wasmote.isa import Feature
from wasmote.wat import wat2wasm

ERRORS = [status for status in Status if status]


@pytest.mark.parametrize("status", ERRORS, ids=lambda s: s.name)
def test_every_status_has_a_text_and_one_class(status: Status) -> None:
    text = describe(status, 3, 2)
    assert text and "{" not in text
    assert [is_malformed(status), is_invalid(status), is_limit(status)].count(True) == 1


@pytest.mark.parametrize(
    ("status", "details", "text"),
    [
        (
            Status.TYPE_MISMATCH,
            (0x6A, 0x7F | 0x7E << 32),
            "type mismatch: i32.add expected i32, found i64",
        ),
        (Status.TYPE_MISMATCH, (0x1A, 0), "type mismatch: drop expected an operand, found nothing"),
        (
            Status.TYPE_MISMATCH,
            (0x0B, 0x7D << 32),
            "type mismatch: end leaves a surplus f32 on the stack",
        ),
        (
            Status.TYPE_MISMATCH,
            (0x0E, 2**64 - 1),
            "type mismatch: br_table has type lists of different lengths",
        ),
        (
            Status.TYPE_MISMATCH,
            (0xFFFF_FFFF, 0x70 | 0x6F << 32),
            "type mismatch: expected funcref, found externref",
        ),
        (Status.UNSUPPORTED_FEATURE, (Feature.SIMD.bit, 0), "unsupported feature simd"),
        (
            Status.LIMIT_LOCALS,
            (60_000, 50_000),
            "too many locals: 60000, the limit is 50000 (Limits.locals)",
        ),
        (Status.ILLEGAL_OPCODE, (0xFF, 0), "illegal opcode ff"),
        (Status.ILLEGAL_OPCODE, (0xFC_0012, 0), "illegal opcode fc 12"),
        (Status.CONSTANT_EXPRESSION, (0x20, 0), "constant expression required, found local.get"),
        (Status.UNKNOWN_LOCAL, (7, 0), "unknown local 7"),
        (Status.VERSION, (0x1_000D, 0), "unknown binary version: this is a component"),
    ],
)
def test_texts(status: Status, details: tuple[int, int], text: str) -> None:
    assert describe(status, *details).startswith(text)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "unexpected end"),
        (b"\0asm\1", "unexpected end"),
        (b"(module)", "text format"),
        (b"\xef\xbb\xbf \n;; comment\n(module)", "text format"),
        (b"\0aot\5\0\0\0", "ahead-of-time"),
        (b"\x7fELF\2\1\1", "ELF"),
        (b"\x1f\x8b\x08\0\0\0", "gzip"),
        (b"PK\x03\x04....", "ZIP"),
        (b"<!doctype html>", "HTML"),
        (b"#!/bin/sh\n", "script"),
        (b"abcdefgh", "61 62 63 64"),
    ],
)
def test_other_files_are_recognised(content: bytes, text: str) -> None:
    loaded = load(content)
    loaded.free()
    error = load_error(content, loaded.status, loaded.error.offset)
    assert isinstance(error, DecodeError)
    assert text in error.message
    assert text in describe_magic(content)


@pytest.mark.parametrize(
    ("fields", "kind", "message"),
    [
        ("(func (drop (i32.const 1)) drop)", ValidationError, "type mismatch: drop expected"),
        (
            '(memory 1) (export "a" (memory 0)) (export "a" (memory 0))',
            ValidationError,
            "duplicate export name",
        ),
        ("(memory i64 1) (func (drop (i32.load (i32.const 1))))", ValidationError, "type mismatch"),
        (f"(func (local {'i32 ' * 50_001}))", LimitError, "too many locals: 50001"),
    ],
)
def test_error_of_a_module(fields: str, kind: type[ModuleError], message: str) -> None:
    binary = wat2wasm(f"(module {fields})")
    loaded = load(binary)
    loaded.free()
    e = loaded.error
    error = load_error(binary, e.status, e.offset, e.detail, e.detail2)
    assert type(error) is kind
    assert error.message.startswith(message)
    assert error.offset == e.offset

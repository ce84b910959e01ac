"""The text format's assembler behind `wasmote.wat`."""

import sys

import pytest

from wasmote.wat import AssemblerMissingError, WatError, wat2wasm

EMPTY = b"\0asm\1\0\0\0"


@pytest.mark.parametrize("text", ["(module)", b"(module)", "", " \n", "(module $name)"])
def test_an_empty_module(text: str | bytes) -> None:
    assert wat2wasm(text).startswith(EMPTY)


def test_fields_without_the_word_module() -> None:
    assert wat2wasm("(memory 1)") == wat2wasm("(module (memory 1))") != EMPTY


def test_text_is_not_validated() -> None:
    assert wat2wasm("(func (result i32))").startswith(EMPTY)


def test_an_error_has_its_place() -> None:
    with pytest.raises(WatError, match="line 3: expected valid module field") as caught:
        wat2wasm("(module\n\n  (fonc))")
    assert (caught.value.line, caught.value.column) == (3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"(module)\n;; \xff", "line 2: malformed UTF-8"),
        ('(module (memory (export "\ud800") 1))', "malformed UTF-8"),
        ("(component)", "component"),
        ("(module) (module)", "extra tokens"),
        ("\0asm", "unexpected character"),
    ],
)
def test_what_is_no_module(text: str | bytes, message: str) -> None:
    with pytest.raises(WatError, match=message):
        wat2wasm(text)


def test_names_may_turn_the_reading_direction() -> None:
    name = "a\u202eb"
    assert name.encode() in wat2wasm(f'(module (memory (export "{name}") 1)) ;; {name}')


def test_a_missing_assembler_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(AssemblerMissingError, match=r"pip install 'wasmote\[wat\]'"):
        wat2wasm("(module)")

"""Modules that must be signed: what is loaded is what was checked."""

import os

import pytest

pytest.importorskip("cryptography")

from wasmote import Instance, Linker, Module, SignatureError
from wasmote.api import source
from wasmote.image.signature import make_keys, sign
from wasmote.wat import wat2wasm

PRIVATE, PUBLIC = make_keys()
OTHER = make_keys()[1]
TEXT = """(module (memory (export "memory") 1) (data (i32.const 4) "data")
  (func (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1))))"""
WASM = wat2wasm(TEXT)


@pytest.fixture(scope="module")
def image() -> bytes:
    pytest.importorskip("llvmlite")
    from wasmote.compile import compile_module

    return compile_module(Module(WASM), level=1).encode()


@pytest.fixture(params=["wasm", "image"])
def raw(request, image) -> bytes:
    return WASM if request.param == "wasm" else image


def doubled(module: Module) -> int:
    return Instance(module).exports.double(21)


def test_signed_modules_are_loaded(raw, tmp_path):
    signed = sign(raw, PRIVATE)
    path = tmp_path / "m"
    path.write_bytes(signed)
    key = tmp_path / "key.pub"
    key.write_bytes(PUBLIC)
    for module in (signed, bytearray(signed), path, str(path)):
        assert doubled(Module(module, require_signature=PUBLIC)) == 42
        assert doubled(Module(module, require_signature=key)) == 42
        assert doubled(Module(module)) == 42  # it is a module as before


def test_others_are_refused(raw, tmp_path):
    signed = sign(raw, PRIVATE)
    altered = bytearray(signed)
    altered[len(raw) // 2] ^= 1
    for content, message in (
        (raw, "not signed"),
        (bytes(altered), "altered after it was signed"),
        (signed[:-1], "not signed"),
        (b"", "not signed"),
        (b"not even a module", "not signed"),
    ):
        path = tmp_path / "m"
        path.write_bytes(content)
        for module in (content, path):
            with pytest.raises(SignatureError, match=message):
                Module(module, require_signature=PUBLIC)
    with pytest.raises(SignatureError, match=r"m: it is signed with the key \w{16}, not with"):
        path.write_bytes(signed)
        Module(path, require_signature=OTHER)


def test_what_a_linker_finds_must_be_signed_too(tmp_path):
    text = (
        '(module (import "m" "double" (func $f (param i32) (result i32))) (export "g" (func $f)))'
    )
    program = Module(wat2wasm(text))
    (tmp_path / "m.wasm").write_bytes(WASM)
    with pytest.raises(SignatureError, match="it is not signed"):
        Linker(module_path=[tmp_path], require_signature=PUBLIC).instantiate(program)
    (tmp_path / "m.wasm").write_bytes(sign(WASM, PRIVATE))
    linker = Linker(module_path=[tmp_path], require_signature=PUBLIC)
    assert linker.instantiate(program).exports.g(4) == 8


def test_keys_that_are_none(tmp_path):
    with pytest.raises(SignatureError, match="the public key: it is no public key"):
        Module(WASM, require_signature=b"")
    with pytest.raises(FileNotFoundError):
        Module(WASM, require_signature=tmp_path / "none.pub")
    (tmp_path / "key").write_bytes(PRIVATE)
    with pytest.raises(SignatureError, match=r"key: it is no public key .* private"):
        Module(WASM, require_signature=tmp_path / "key")


def test_a_file_may_change_after_the_check(image, tmp_path):
    """What is run are the bytes that were checked, not those of the file later on."""
    path = tmp_path / "m.aot"
    path.write_bytes(sign(image, PRIVATE))
    module = Module(path, require_signature=PUBLIC)
    with open(path, "r+b") as file:
        file.write(bytes(len(image)))
    assert doubled(module) == 42


def test_a_sealed_file_is_mapped_and_not_copied(image, monkeypatch):
    signed = sign(image, PRIVATE)
    sealed = source.in_memory("x", signed, verify=False).file
    monkeypatch.setattr(source, "in_memory", None)  # which would copy it
    with sealed:
        module = Module(f"/proc/self/fd/{sealed.fileno()}", require_signature=PUBLIC)
        assert doubled(module) == 42


def test_what_can_change_is_known(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    path.chmod(0o400)
    with open(path, "rb") as file:
        assert not source.cannot_change(file.fileno())
    plain = os.memfd_create("plain")
    assert not source.cannot_change(plain)
    os.close(plain)
    with source.in_memory("x", b"abc", verify=False).file as file:
        assert source.cannot_change(file.fileno())
        with pytest.raises(PermissionError):
            os.pwrite(file.fileno(), b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(file.fileno(), 1)


def test_without_the_package(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.serialization", None)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    with pytest.raises(ImportError, match=r"pip install 'wasmote\[sign\]'"):
        Module(WASM, require_signature=PUBLIC)

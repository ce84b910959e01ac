"""`wasmote keygen`, `sign`, `verify`, and `run --require-signature`."""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("cryptography")

from wasmote.cli import main
from wasmote.wat import wat2wasm

WASM = wat2wasm('(module (func (export "f") (result i32) (i32.const 7)))')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WASMOTE_PASSPHRASE", raising=False)
    Path("m.wasm").write_bytes(WASM)
    assert main(["keygen", "my.key"]) == 0
    return tmp_path


def test_from_key_to_run(folder, capfd):
    assert os.stat("my.key").st_mode & 0o777 == 0o600
    assert main(["sign", "--key", "my.key", "m.wasm"]) == 0
    assert main(["verify", "--key=my.key.pub", "m.wasm"]) == 0
    assert "m.wasm: signed with " in capfd.readouterr().out
    assert main(["run", "--require-signature=my.key.pub", "-f", "f", "m.wasm"]) == 0
    assert capfd.readouterr().out == "0x7:i32\n"


def test_what_is_not_signed_is_not_run(folder, capfd):
    run = ["run", "--require-signature=my.key.pub", "-f", "f"]
    assert main([*run, "m.wasm"]) == 126
    assert "m.wasm: it is not signed" in capfd.readouterr().err
    assert main(["keygen", "other"]) == 0
    assert main(["sign", "--key=other", "-o", "o.wasm", "m.wasm"]) == 0
    assert Path("m.wasm").read_bytes() == WASM
    assert main([*run, "o.wasm"]) == 126
    assert "it is signed with the key" in capfd.readouterr().err
    Path("text.wat").write_text('(module (func (export "f")))')
    assert main([*run, "text.wat"]) == 126
    assert "it is not signed" in capfd.readouterr().err
    assert main(["run", "--require-signature=none.pub", "m.wasm"]) == 127
    assert "none.pub: no such file" in capfd.readouterr().err


def test_imported_modules_must_be_signed_too(folder, capfd):
    text = '(module (import "m" "f" (func $f (result i32))) (export "g" (func $f)))'
    Path("main.wasm").write_bytes(wat2wasm(text))
    assert main(["sign", "--key=my.key", "main.wasm"]) == 0
    run = ["run", "--module-path=.", "--require-signature=my.key.pub", "-f", "g", "main.wasm"]
    assert main(run) == 126
    assert "m.wasm: it is not signed" in capfd.readouterr().err
    assert main(["sign", "--key=my.key", "m.wasm"]) == 0
    assert main(run) == 0


def test_findings_as_json(folder, capfd):
    assert main(["sign", "--key=my.key", "-o", "signed", "m.wasm"]) == 0
    files = ["signed", "m.wasm", "none"]
    assert main(["verify", "--key=my.key.pub", "--json", *files]) == 2
    found = json.loads(capfd.readouterr().out)
    assert [each["result"] for each in found] == ["signed", "refused", "unreadable"]
    assert [each["file"] for each in found] == files
    assert main(["verify", "--key=my.key.pub", "signed", "m.wasm"]) == 1


def test_encrypted_keys(folder, capfd, monkeypatch):
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(Path("my.key").read_bytes(), None)
    pem = key.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"secret")
    )
    Path("locked.key").write_bytes(pem)
    monkeypatch.setenv("WASMOTE_PASSPHRASE", "wrong")
    assert main(["sign", "--key=locked.key", "m.wasm"]) == 126
    assert "locked.key: it is no private key" in capfd.readouterr().err
    monkeypatch.setenv("WASMOTE_PASSPHRASE", "secret")
    assert main(["sign", "--key=locked.key", "m.wasm"]) == 0
    assert main(["verify", "--key=my.key.pub", "m.wasm"]) == 0


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["keygen"], 2, "where to"),
        (["keygen", "my.key"], 126, "my.key exists already"),
        (["keygen", "no/where"], 126, "cannot write no/where"),
        (["sign", "m.wasm"], 2, "with which --key"),
        (["sign", "--key=my.key"], 2, "which FILE"),
        (["sign", "--key=my.key", "-o", "x", "m.wasm", "m.wasm"], 2, "for one FILE"),
        (["sign", "--key=my.key.pub", "m.wasm"], 126, "my.key.pub: it is no private key"),
        (["sign", "--key=none", "m.wasm"], 127, "none: no such file"),
        (["sign", "--key=my.key", "my.key"], 126, "neither a module nor an image"),
        (["verify", "m.wasm"], 2, "with which --key"),
        (["verify", "--key=my.key.pub"], 2, "which FILE"),
        (["verify", "--key=my.key", "m.wasm"], 2, "it is a private key"),
    ],
)
def test_mistakes(folder, capfd, words, status, message):
    before = sorted(os.listdir())
    assert main(words) == status
    assert message in capfd.readouterr().err
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("command", ["keygen", "sign", "verify"])
def test_help(command, capfd):
    assert main([command, "--help"]) == 0
    assert "examples:" in capfd.readouterr().out

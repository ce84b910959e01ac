"""`wasmote validate` and `wasmote wast`."""

import json

from .support import Shell


def test_valid_and_invalid_files(shell: Shell) -> None:
    good = shell.module("good.wasm", '(module (func (export "f")))')
    (shell.path / "bad.wasm").write_bytes(
        bytes.fromhex("0061736d01000000 01 05 01 60 00 01 7f 03 02 01 00 0a 04 01 02 00 0b")
    )
    outcome = shell.wasmote("validate", good, "bad.wasm")
    first, second = outcome.out.splitlines()
    assert first == "good.wasm: valid"
    assert second.startswith("bad.wasm: type mismatch: end expected i32, found nothing")
    assert second.endswith("(at offset 0x18)")
    assert (outcome.err, outcome.status) == ("", 1)
    assert shell.wasmote("validate", good).status == 0


def test_files_that_cannot_be_read(shell: Shell) -> None:
    outcome = shell.wasmote("validate", "missing.wasm")
    assert outcome.err == "wasmote validate: missing.wasm: no such file\n"
    assert outcome.status == 2
    outcome = shell.wasmote("validate")
    assert outcome.err.startswith("wasmote validate: which FILE?")
    assert outcome.status == 2


def test_findings_as_json(shell: Shell) -> None:
    good = shell.module("good.wasm", "(module)")
    (shell.path / "bad.wasm").write_bytes(bytes([0, 97, 115, 109, 2, 0, 0, 0]))
    outcome = shell.wasmote("validate", "--json", good, "bad.wasm", "missing.wasm")
    valid, invalid, unreadable = json.loads(outcome.out)
    assert valid == {"file": "good.wasm", "result": "valid"}
    assert (invalid["result"], invalid["offset"]) == ("invalid", 4)
    assert "unknown binary version" in invalid["error"]
    assert unreadable["result"] == "unreadable"
    assert outcome.status == 2


def test_features_can_be_off(shell: Shell) -> None:
    file = shell.module("vectors.wasm", "(module (func (param v128)))")
    assert shell.wasmote("validate", "--disable-feature=gc", file).status == 0
    outcome = shell.wasmote("validate", "--disable-feature=gc", "--disable-feature", "simd", file)
    assert outcome.out == (
        "vectors.wasm: unsupported feature simd: the module needs it, but it is off "
        "(--disable-feature, or Module's features) (at offset 0xd)\n"
    )
    assert outcome.status == 1
    outcome = shell.wasmote("validate", "--disable-feature=smid", file)
    assert "--disable-feature: no feature smid; did you mean simd?; there are bulk-" in outcome.err
    assert outcome.status == 2


def test_text_is_validated_too(shell: Shell) -> None:
    (shell.path / "good.wat").write_text("(module)")
    (shell.path / "bad.wat").write_text("(module (func (result i32)))")
    outcome = shell.wasmote("validate", "good.wat", "bad.wat")
    assert outcome.out.startswith("good.wat: valid\nbad.wat: type mismatch")


def test_scripts_pass_and_fail(shell: Shell) -> None:
    script = """
(module (func (export "two") (result i32) i32.const 2))
(assert_return (invoke "two") (i32.const 2))
"""
    (shell.path / "good.wast").write_text(script)
    (shell.path / "bad.wast").write_text(script.replace("(i32.const 2))\n", "(i32.const 3))\n"))
    outcome = shell.wasmote("wast", "good.wast")
    assert outcome.status == 0
    assert "0 failed" in outcome.out
    outcome = shell.wasmote("wast", "bad.wast")
    assert outcome.status == 1
    assert "1 failed" in outcome.out
    assert shell.wasmote("wast", "missing.wast").status == 2
    assert shell.wasmote("wast").status == 2

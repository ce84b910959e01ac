"""`wasmote keygen`, `sign` and `verify`: who vouches for a module or an image."""

import os
from collections.abc import Callable, Sequence
from types import SimpleNamespace

from wasmote.cli.options import Command, Option, UsageError
from wasmote.cli.report import CANNOT_RUN, USAGE, CommandError, Reporter, printable

#: Exit codes of `wasmote verify`.
_STATUSES = {"signed": 0, "refused": 1, "unreadable": USAGE}
#: The environment variable with the passphrase of an encrypted key.
_PASSPHRASE = "WASMOTE_PASSPHRASE"

_EXIT_CODES = """\
exit codes:
  0  all went well    2  wrong options or arguments    126  not possible    127  no such file
"""

KEYGEN = Command(
    "wasmote keygen",
    "KEY",
    "Make a key to sign with: writes the private key to the file KEY, which only its owner can "
    "read, and the public key to KEY.pub. Both are in PEM form, as OpenSSL has them. Needs the "
    "extra 'sign': pip install 'wasmote[sign]'.",
    (),
    f"""{_EXIT_CODES}
examples:
  wasmote keygen vendor.key
  openssl genpkey -algorithm ed25519 -out vendor.key       the same with OpenSSL
  openssl pkey -in vendor.key -pubout -out vendor.key.pub
""",
)

SIGN = Command(
    "wasmote sign",
    "--key KEY FILE…",
    "Sign images (of wasmote compile) and modules (.wasm) with a private key of the kind Ed25519. "
    "The signature is added to the file, in place of one that is there. "
    f"The passphrase of an encrypted key is that of the environment variable {_PASSPHRASE}, or "
    "asked for.",
    (
        Option("--key FILE", "the private key, a PEM file"),
        Option("-o, --output FILE", "leave FILE as it is, and write the signed one here"),
    ),
    f"""{_EXIT_CODES}
examples:
  wasmote sign --key vendor.key plugin.aot
  wasmote sign --key vendor.key -o signed.wasm plugin.wasm
  wasmote run --require-signature vendor.key.pub plugin.aot
""",
)

VERIFY = Command(
    "wasmote verify",
    "--key KEY.pub FILE…",
    "Say of each file whether it is signed with a key of the PEM file KEY.pub, and was not altered "
    "since.",
    (
        Option("--key FILE", "the public keys, a PEM file with one or several"),
        Option("--json", "print the findings as JSON"),
    ),
    """\
exit codes:
  0  all are signed    1  some are not    2  wrong options, or a file that cannot be read

examples:
  wasmote verify --key vendor.key.pub plugin.aot
  wasmote verify --key vendor.key.pub --json modules/*.wasm
""",
)


def keygen(argv: Sequence[str]) -> int:
    """Run `wasmote keygen`; returns the exit code."""
    return _run(KEYGEN, argv, _keygen)


def main(argv: Sequence[str]) -> int:
    """Run `wasmote sign`; returns the exit code."""
    return _run(SIGN, argv, _sign)


def verify(argv: Sequence[str]) -> int:
    """Run `wasmote verify`; returns the exit code."""
    return _run(VERIFY, argv, _verify)


def _run(command: Command, argv: Sequence[str], action: Callable[[SimpleNamespace], int]) -> int:
    reporter = Reporter(command.name)
    try:
        options = command.parse(argv)
        if options.help:
            print(command.help())
            return 0
        return action(options)
    except UsageError as error:
        return reporter.usage_error(error)
    except CommandError as error:
        return reporter.refusal(error)
    except ModuleNotFoundError as error:
        message = f"signatures need the package {error.name}: pip install 'wasmote[sign]'"
        return reporter.refusal(CommandError(message, CANNOT_RUN, message))


def _keygen(options: SimpleNamespace) -> int:
    from wasmote.cli.files import write_file
    from wasmote.image.signature import make_keys

    if len(options.words) != 1:
        raise UsageError("where to? For example: wasmote keygen vendor.key")
    (path,) = options.words
    for each in (path, f"{path}.pub"):
        if os.path.exists(each):
            message = f"{each} exists already; a key that is lost cannot be made again"
            raise CommandError(message, CANNOT_RUN, message)
    private, public = make_keys()
    write_file(path, private, 0o600)
    write_file(f"{path}.pub", public)
    return 0


def _sign(options: SimpleNamespace) -> int:
    from wasmote.cli.files import write_file

    if not options.key:
        raise UsageError("with which --key? wasmote keygen makes one")
    if not options.words:
        raise UsageError("which FILE? For example: wasmote sign --key vendor.key plugin.aot")
    if options.output and len(options.words) > 1:
        raise UsageError("--output is for one FILE")
    signed = {path: signed_with(options.key, path, _read(path)) for path in options.words}
    for path, raw in signed.items():
        write_file(options.output or path, raw)
    return 0


def signed_with(key: str, path: str, raw: bytes) -> bytes:
    """A file's bytes, signed with the key in a file. Raises CommandError."""
    from wasmote.image.format import MAGIC
    from wasmote.image.signature import SignatureError, sign

    if raw[:4] not in (MAGIC, b"\0asm"):
        message = f"{path} is neither a module nor an image"
        raise CommandError(message, CANNOT_RUN, message)
    pem = _read(key)
    try:
        return sign(raw, pem, _passphrase(key) if b"ENCRYPTED" in pem else None)
    except SignatureError as error:
        raise CommandError(f"{key}: {error}", CANNOT_RUN, str(error)) from None


def _passphrase(key: str) -> bytes:
    found = os.environ.get(_PASSPHRASE)
    if found is None:
        from getpass import getpass

        found = getpass(f"Passphrase of {key}: ")
    return os.fsencode(found)


def _read(path: str) -> bytes:
    from wasmote.cli.files import unreadable

    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise unreadable(path, error) from None


def _verify(options: SimpleNamespace) -> int:
    from wasmote.image.signature import PublicKeys, SignatureError

    if not options.key:
        raise UsageError("with which --key? It is the public one, such as vendor.key.pub")
    if not options.words:
        raise UsageError("which FILE? For example: wasmote verify --key vendor.key.pub plugin.aot")
    try:
        keys = PublicKeys([_read(options.key)])
    except SignatureError as error:
        raise CommandError(f"{options.key}: {error}", USAGE, str(error)) from None
    findings = [_examine(path, keys) for path in options.words]
    if options.json:
        import json

        print(json.dumps(findings, indent=2))
    else:
        for finding in findings:
            outcome = finding.get("error") or f"signed with {finding['key']}"
            print(printable(f"{finding['file']}: {outcome}"))
    return max(_STATUSES[finding["result"]] for finding in findings)


def _examine(path: str, keys: object) -> dict[str, str]:
    """What is to be said of a file: `file`, `result`, and `key` or `error`."""
    from wasmote.image.signature import PublicKeys, SignatureError

    assert isinstance(keys, PublicKeys)
    try:
        return {"file": path, "result": "signed", "key": keys.check(_read(path))}
    except SignatureError as error:
        return {"file": path, "result": "refused", "error": str(error)}
    except CommandError as error:
        return {"file": path, "result": "unreadable", "error": str(error).removeprefix(f"{path}: ")}

"""`wasmote validate`: says whether files are valid modules."""

from collections.abc import Sequence

from wasmote.cli.features import DISABLE_FEATURE, allowed
from wasmote.cli.options import Command, Option, UsageError
from wasmote.cli.report import USAGE, LoadError, Reporter, printable

#: Exit codes.
_STATUSES = {"valid": 0, "invalid": 1, "unreadable": USAGE}

COMMAND = Command(
    "wasmote validate",
    "[OPTIONS] FILE…",
    "Say of each file whether it is a valid module, else what is wrong with it and at which byte.",
    (Option("--json", "print the findings as JSON"), DISABLE_FEATURE),
    """\
exit codes:
  0  all are valid    1  some are not    2  wrong options, or a file that cannot be read

examples:
  wasmote validate plugin.wasm
  wasmote validate --json build/*.wasm
  wasmote validate --disable-feature=simd --disable-feature=threads plugin.wasm
""",
)


def main(argv: Sequence[str]) -> int:
    """Run `wasmote validate`; returns the exit code."""
    try:
        options = COMMAND.parse(argv)
        if options.help:
            print(COMMAND.help())
            return 0
        if not options.words:
            raise UsageError("which FILE? For example: wasmote validate plugin.wasm")
    except UsageError as error:
        return Reporter(COMMAND.name).usage_error(error)
    findings = [_examine(path, allowed(options.disabled)) for path in options.words]
    if options.json:
        import json

        print(json.dumps(findings, indent=2))
    else:
        for finding in findings:
            _print(finding)
    return max(_STATUSES[str(finding["result"])] for finding in findings)


def _examine(path: str, features: frozenset[str]) -> dict[str, object]:
    """What is to be said of a file: `file`, `result` and, unless valid, `error` and `offset`."""
    from wasmote import Module, WasmoteError
    from wasmote.cli.files import read_binary

    try:
        Module(read_binary(path), features=features)
    except WasmoteError as error:
        offset = getattr(error, "offset", None)  # of a binary
        return {"file": path, "result": "invalid", "error": str(error), "offset": offset}
    except LoadError as error:
        return {"file": path, "result": "unreadable", "error": str(error), "offset": None}
    return {"file": path, "result": "valid"}


def _print(finding: dict[str, object]) -> None:
    match finding["result"]:
        case "valid":
            print(f"{finding['file']}: valid")
        case "invalid":
            print(printable(f"{finding['file']}: {finding['error']}"))
        case _:
            Reporter(COMMAND.name).usage_error(finding["error"])

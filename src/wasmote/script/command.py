"""`wasmote wast`: run test scripts and report."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from wasmote.isa.features import FEATURES, without

if TYPE_CHECKING:
    from wasmote.script import ScriptResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options of `wasmote wast` to the parser."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="script (.wast) to run")
    parser.add_argument("--engine", default="fast", help="engine to run on (default: fast)")
    parser.add_argument(
        "--disable-feature",
        action="append",
        default=[],
        choices=sorted(FEATURES - {"mvp"}),
        metavar="NAME",
        help="refuse modules that use this feature, for scripts that are older; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="report as one JSON object")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="also show error messages that differ from the script's",
    )


def main(args: argparse.Namespace) -> int:
    """Run the scripts. 0: all passed, 1: something failed, 2: a script cannot be read."""
    from wasmote.script import ScriptError, ScriptResult, run_script
    from wasmote.wat import AssemblerMissingError

    features = without(args.disable_feature)
    total = ScriptResult()
    for file in args.files:
        try:
            result = run_script(file, engine=args.engine, features=features)
        except OSError as error:
            return _usage_error(f"cannot read {file}: {error.strerror}")
        except ScriptError as error:
            return _usage_error(f"{file}:{error.line}: {error.message}")
        except AssemblerMissingError as error:
            return _usage_error(str(error))
        total.add(result)
        if not args.json:
            _print_details(result, args.verbose)
    if args.json:
        failures = [asdict(failure) for failure in total.failed]
        notes = [asdict(note) for note in total.notes]
        counts = {"passed": total.passed, "failed": len(failures)}
        print(json.dumps(counts | {"failures": failures, "notes": notes}, indent=2))
    else:
        print(f"{total.passed} passed, {len(total.failed)} failed")
    return 1 if total.failed else 0


def _usage_error(message: str) -> int:
    print(f"wasmote wast: {message}", file=sys.stderr)
    return 2


def _print_details(result: "ScriptResult", verbose: bool) -> None:
    for failure in result.failed:
        print(failure)
    for note in result.notes if verbose else ():
        print(f"{note.file}:{note.line}: note: {note.command}: {note.message}")

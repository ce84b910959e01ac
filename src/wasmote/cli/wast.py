"""`wasmote wast`: runs test scripts; `wasmote.script.command` has its options and its work."""

from collections.abc import Sequence

_EXAMPLES = """\
examples:
  wasmote wast i32.wast
  wasmote wast --json spec/*.wast
"""


def main(argv: Sequence[str]) -> int:
    """Run `wasmote wast`; returns the exit code."""
    import argparse

    from wasmote.script import command

    parser = argparse.ArgumentParser(
        prog="wasmote wast",
        description="Run test scripts of the WebAssembly specification.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    try:
        return command.main(parser.parse_args(argv))
    except SystemExit as end:  # argparse has said why
        return int(end.code or 0)

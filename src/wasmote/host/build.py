"""Compiles the virtual machine for a target, without what a small machine has no room for.

    python -m wasmote.host.build --target thumbv7em --without simd --without gc -o core.img

Prints the sizes. A module that needs a feature that was left out is refused as one for which it was
switched off. Needs the extra `build`.
"""

import argparse
from collections.abc import Iterable, Sequence

from wasmote.host import core_image
from wasmote.image.format import parse
from wasmote.isa.features import FEATURES, build_without
from wasmote.nativepy.targets import TARGETS, Target, host_target


def build(target: Target, without: Iterable[str] = (), hosted: bool | None = None) -> bytes:
    """The image file for a target, without the features named and what is built on them.

    `hosted`: with the binding to CPython, by default on 64-bit targets. Raises ValueError for a
    name that is not in `wasmote.FEATURES`.
    """
    build_without(without)
    try:
        return core_image.build(target, target.pointer == 8 if hosted is None else hosted)
    finally:
        build_without(())


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    names = ", ".join(sorted(FEATURES - {"mvp"}))
    parser = argparse.ArgumentParser(
        prog="python -m wasmote.host.build", description="Compile the virtual machine."
    )
    parser.add_argument("--target", choices=sorted(TARGETS), default=host_target().name)
    parser.add_argument(
        "--without",
        metavar="FEATURE",
        action="append",
        default=[],
        help=f"leave out a feature, and what is built on it: {names}; may be repeated",
    )
    parser.add_argument(
        "--no-host", action="store_true", help="leave out the binding to CPython, as boards do"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the image here")
    options = parser.parse_args(words)
    target = TARGETS[options.target]
    try:
        raw = build(target, options.without, False if options.no_host else None)
    except ValueError as error:
        parser.error(str(error))
    if options.output:
        with open(options.output, "wb") as file:
            file.write(raw)
    print(f"{parse(raw).code_size:,} bytes of code and constants")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Compiles the virtual machine for a target, without what a small machine has no room for.

    python -m wasmote.host.build --target thumbv7em --without simd --without gc -o core.img

Prints the size. A module that needs a feature that was left out is refused as one for which it was
switched off. The file is an image, or with `--object` an object file, which the linker of the
board's own program takes. Needs the extra `build`.
"""

import argparse
from collections.abc import Iterable, Sequence

from wasmote.host import core_image
from wasmote.isa.features import FEATURES, build_without
from wasmote.nativepy.targets import TARGETS, Target, host_target


def build(
    target: Target, without: Iterable[str] = (), hosted: bool = False, libc: bool = False
) -> bytes:
    """The core's object file for a target, without the features named and what is built on them.

    `hosted`: with the binding to CPython, and with what `libc` asks for: the C library for modules.
    Raises ValueError for a name that is not in `wasmote.FEATURES`.
    """
    from wasmote.image.build import build_object

    build_without(without)
    try:
        return build_object(core_image.exported_functions(hosted, hosted or libc), target)
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
    parser.add_argument("--host", action="store_true", help="with the binding to CPython")
    parser.add_argument(
        "--libc", action="store_true", help="with the C library for modules that have none"
    )
    parser.add_argument(
        "--object", action="store_true", help="write an object file for the board's own linker"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the image or object here")
    options = parser.parse_args(words)
    target = TARGETS[options.target]
    try:
        raw = build(target, options.without, options.host, options.libc)
    except ValueError as error:
        parser.error(str(error))
    from wasmote.image.build import link

    image = link(raw, target)
    if not options.object:
        raw = image.encode()
    if options.output:
        with open(options.output, "wb") as file:
            file.write(raw)
    print(f"{len(image.code):,} bytes of code and constants")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

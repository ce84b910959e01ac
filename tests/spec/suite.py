"""Where WebAssembly's test suite is, and which of its scripts are run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wasmote import FEATURES
from wasmote.jit.settings import SETTINGS

from .later import NOT_RUN

#: Folders whose scripts are older than 2.0, when a second table or memory was refused, and sizes in
#: types had 32 bits.
_OLDER = {"proposals/threads": FEATURES - {"reference-types", "multi-memory", "memory64"}}

_REPOSITORY = Path(__file__).resolve().parents[2]

#: The suite is not part of this repository.
HOW_TO_GET = (
    "WebAssembly's test suite is missing: git clone https://github.com/WebAssembly/testsuite "
    "and set WASMOTE_SPEC_TESTSUITE to that folder"
)


def folder() -> Path:
    """`$WASMOTE_SPEC_TESTSUITE`, or `../shared/spec-testsuite` beside the repository."""
    beside = _REPOSITORY.parent / "shared" / "spec-testsuite"
    return Path(os.environ.get("WASMOTE_SPEC_TESTSUITE") or beside)


def scripts() -> list[str]:
    """All scripts to run, as sorted paths relative to the suite; empty where it is missing."""
    root = folder()
    paths = (path.relative_to(root) for path in root.rglob("*.wast"))
    return sorted(path.as_posix() for path in paths if path.parent.as_posix() not in NOT_RUN)


def features(script: str) -> frozenset[str]:
    """What the modules of a script may use."""
    return _OLDER.get(Path(script).parent.as_posix(), FEATURES)


@contextmanager
def compiling_at_once(mixed: bool = False) -> Iterator[None]:
    """Instances of engine "jit" are made only when their code is ready, and nothing is cached.

    `mixed`: half of the functions stay in the interpreter, and the others are compiled one by one.
    """
    before = vars(SETTINGS).copy()
    SETTINGS.wait, SETTINGS.cache, SETTINGS.level, SETTINGS.nice = True, False, 1, 0
    SETTINGS.part_size = 1 if mixed else 0
    SETTINGS.chosen = (lambda index: index * 0x9E3779B1 >> 16 & 1 == 1) if mixed else None
    try:
        yield
    finally:
        vars(SETTINGS).update(before)

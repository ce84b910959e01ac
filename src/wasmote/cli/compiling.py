"""What the options say of compiling while the program runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

from wasmote.jit.settings import SETTINGS


@contextmanager
def compiling(options: SimpleNamespace) -> Iterator[None]:
    """Let instances of engine "auto" be compiled meanwhile, as the options say."""
    before = vars(SETTINGS).copy()
    SETTINGS.auto = SETTINGS.finish = True
    SETTINGS.cache = SETTINGS.cache and not options.no_cache
    SETTINGS.level = options.llvm_jit_opt_level
    try:
        yield
    finally:
        vars(SETTINGS).update(before)

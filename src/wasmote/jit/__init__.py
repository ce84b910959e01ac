"""Compiling while programs run: engine `jit`, what engine `auto` does besides interpreting, and the
cache of compiled modules.

    from wasmote import Instance, Module, jit

    jit.enable()  # engine "auto", which is the default, compiles programs that run for a while
    Instance(Module("program.wasm"), imports).exports.run()

A program begins in the fast interpreter. A process of low priority compiles its module, and when
the code is ready, each function continues in it from its next call on. Compiled modules are kept in
the user's cache, so the next start takes the code from there. Compiling needs the extra `build`;
without it, programs stay in the interpreter.

- `settings`: what is wanted; `cache`: compiled modules on disk; `fingerprint`: their keys;
  `opening`: modules that may be there;
- `worker`: the process that compiles, seen from here (`wasmote.compile.server` is the process);
- `background`: the thread that waits for it; `sampling`: where programs spend their time;
- `tier`: the way of a module from the interpreter to compiled code; `growing`: code in parts.

Here belongs what goes on beside running programs; entering code is `wasmote.aot`.
"""

from wasmote.jit.settings import SETTINGS

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.module import Module

__all__ = ["disable", "enable", "wait"]


def enable(*, cache: bool = True, delay: float = 0.08, level: int = 3) -> None:
    """From now on, instances of engine "auto" use compiled code.

    It is taken from the user's cache. What is not there is compiled by a process that is started
    when this one has used `delay` seconds of processor time after an instance was made, and kept in
    the cache. `level` is LLVM's level of optimisation, 0 to 3. Without `cache`, none is used, by
    instances of engine "jit" either.
    """
    SETTINGS.auto, SETTINGS.cache, SETTINGS.delay, SETTINGS.level = True, cache, delay, level


def disable() -> None:
    """From now on, instances of engine "auto" stay in the interpreter, as at the beginning."""
    SETTINGS.auto = False


def wait(module: "Module", timeout: float | None = None) -> bool:
    """Wait until a module of which there are instances of engine "jit", or "auto", has compiled
    code.

    False: it has none after `timeout` seconds, or will never have any, because it cannot be
    compiled or compiling is not installed.
    """
    from wasmote.jit.tier import tiers_of

    tiers = tiers_of(module)
    return bool(tiers) and all(tier.wait(timeout) for tier in tiers)

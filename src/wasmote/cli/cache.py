"""`wasmote cache`: the compiled modules that were kept."""

import time
from collections.abc import Sequence

from wasmote.cli.options import Command, Option, UsageError
from wasmote.cli.report import Reporter

COMMAND = Command(
    "wasmote cache",
    "[OPTIONS] list | clear | path",
    "Show the cache of compiled modules that wasmote run keeps, empty it, or say where it is: by "
    "default in ~/.cache/wasmote/modules, or where XDG_CACHE_HOME or WASMOTE_CACHE says. What was "
    "not used for longest is removed when it takes more than 1 GiB, or WASMOTE_CACHE_SIZE bytes.",
    (Option("--json", "print what there is, or was removed, as JSON"),),
    """\
exit codes:
  0  all went well    2  wrong options or arguments

examples:
  wasmote cache list
  wasmote cache list --json
  wasmote cache clear
  WASMOTE_CACHE=compiled wasmote run program.wasm
""",
)


def main(argv: Sequence[str]) -> int:
    """Run `wasmote cache`; returns the exit code."""
    try:
        options = COMMAND.parse(argv)
        if options.help:
            print(COMMAND.help())
            return 0
        actions = {"list": _list, "clear": _clear, "path": _path}
        if len(options.words) != 1 or options.words[0] not in actions:
            raise UsageError("what to do? list, clear or path. For example: wasmote cache list")
    except UsageError as error:
        return Reporter(COMMAND.name).usage_error(error)
    actions[options.words[0]](options.json)
    return 0


def _list(as_json: bool) -> None:
    from wasmote.jit.cache import REFUSAL, Cache, size_limit

    entries = Cache().entries()
    if as_json:
        import json

        shown = [
            {
                "key": each.key,
                "bytes": each.size,
                "used": round(each.used, 3),
                "refused": Cache().refusal(each.key) if each.kind == REFUSAL else None,
            }
            for each in entries
        ]
        print(json.dumps(shown, indent=2))
        return
    for each in entries:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.used))
        what = "  cannot be compiled" if each.kind == REFUSAL else ""
        print(f"{each.key}  {each.size:>12,} bytes  last used {used}{what}")
    total = sum(each.size for each in entries)
    print(f"{len(entries)} modules, {total:,} bytes of at most {size_limit():,}")


def _clear(as_json: bool) -> None:
    from wasmote.host.core_image import remove_old
    from wasmote.jit.cache import Cache

    cache = Cache()
    count = len(cache.entries())
    freed = cache.clear() + remove_old()
    if as_json:
        import json

        print(json.dumps({"modules": count, "bytes": freed}))
    else:
        print(f"removed {count} modules, {freed:,} bytes")


def _path(as_json: bool) -> None:
    from wasmote.jit.cache import Cache

    if as_json:
        import json

        print(json.dumps({"path": Cache().folder}))
    else:
        print(Cache().folder)

"""The command line: `wasmote` and `iwasm`.

- `wasmote run`, `validate`, `inspect`, `compile`, `wast`: a file each, with its table of options;
- `sign`: `wasmote keygen`, `sign` and `verify`;
- `cache`: what `wasmote run` keeps of compiled modules; `compiling`: what its options say of that;
- `iwasm`: `wasmote run` with the defaults, messages and exit codes of WAMR's `iwasm`;
- `options`: what a table of options is; `report`: messages and exit codes; `version`;
- `features`: what modules may use; `files`: opening modules; `program`: linking and running them;
- `entry`: where a program starts;
- `values`: arguments and results as text; `repl`: the prompt.

A command is imported when it is asked for: starting up has to be quick. Here belongs what reads
words and prints text; nothing below may import this package.
"""

import sys
from collections.abc import Sequence

_COMMANDS = {
    "run": "run a program, or call a function of a module",
    "validate": "say whether files are valid modules",
    "inspect": "show what is in a module, or disassemble it",
    "compile": "compile a module to native code",
    "cache": "show or empty the cache of compiled modules",
    "keygen": "make a key to sign modules with",
    "sign": "sign modules and images",
    "verify": "say whether files are signed",
    "wast": "run test scripts of the WebAssembly specification",
}
_HELP = """\
usage: wasmote COMMAND …

Wasmote is a WebAssembly micro runtime.

commands:
{commands}

  wasmote COMMAND --help    explain a command, with examples
  wasmote --version         show the version
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `wasmote`; returns the exit code. `argv` is without the program's name."""
    if argv is None:
        from wasmote.cli.report import as_process

        return as_process(main)
    command, *rest = argv or ["--help"]
    match command:
        case "run":
            from wasmote.cli.run import main as run

            return run(rest)
        case "validate":
            from wasmote.cli.validate import main as validate

            return validate(rest)
        case "inspect":
            from wasmote.cli.inspect import main as inspect

            return inspect(rest)
        case "compile":
            from wasmote.cli.compile import main as compile

            return compile(rest)
        case "keygen" | "sign" | "verify":
            from wasmote.cli import sign

            return {"keygen": sign.keygen, "sign": sign.main, "verify": sign.verify}[command](rest)
        case "cache":
            from wasmote.cli.cache import main as cache

            return cache(rest)
        case "wast":
            from wasmote.cli.wast import main as wast

            return wast(rest)
        case "-h" | "--help" | "help":
            commands = "\n".join(f"  {name:10} {what}" for name, what in _COMMANDS.items())
            print(_HELP.format(commands=commands), end="")
            return 0
        case "--version" | "-V":
            from wasmote.cli.version import version

            print(f"wasmote {version()}")
            return 0
    return _unknown(command)


def _unknown(command: str) -> int:
    import os

    from wasmote.cli.options import closest

    what = "option" if command.startswith("-") else "command"
    known = f"; the commands are {', '.join(_COMMANDS)}"
    hint = closest(command, _COMMANDS, known)
    if os.path.exists(command):
        hint = f"; to run a file: wasmote run {command}"
    print(f"wasmote: unknown {what} {command}{hint}", file=sys.stderr)
    return 2

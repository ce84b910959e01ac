"""Where a program starts: `_start` of a WASI command, else a C `main` with its arguments."""

import os
import struct

from wasmote.cli.program import Program, checked_function
from wasmote.cli.report import CallError
from wasmote.types import FuncType, ValType

_MAINS = ("main", "__main_argc_argv", "_main")
_NO_SYMBOL = "lookup the entry point symbol (like _start, main, _main, __main_argc_argv) failed"
_I32 = ValType.I32
_POINTER = 4
_PAGE = 65536
_ARGUMENTS = ((), (_I32, _I32))
_RESULTS = ((), (_I32,))


def run_main(program: Program) -> int:
    """Run the program; returns what `main` returned, 0 if nothing.

    Raises CallError without such a function, and what the program raises: `Trap`, `Exit`.
    """
    exports = program.instance.exports
    if "_start" in exports:
        program.run(checked_function(program.path, exports, "_start"))
        return 0
    name = next((each for each in _MAINS if each in exports), None)
    if name is None:
        raise CallError(_no_main(program), _NO_SYMBOL)
    main = program.function(name)
    if main.type.params not in _ARGUMENTS or main.type.results not in _RESULTS:
        message = (
            f"{name} is of type {main.type}; it takes nothing or (i32, i32), returns at most i32"
        )
        raise CallError(message, "invalid function type of main function")
    arguments = _place_arguments(program) if main.type.params else ()
    result: int | None = program.run(main, *arguments)
    return result or 0


def _no_main(program: Program) -> str:
    from wasmote.cli.options import shortened

    exports = program.instance.exports
    functions = [each for each in exports if isinstance(exports[each].type, FuncType)]
    missing = f"{program.path} is no program: it exports neither _start nor main"
    if not functions:
        return f"{missing}, nor any other function"
    return f"{missing}; with --function you can call {shortened(functions)}"


def _allocate(program: Program, size: int) -> int:
    """Memory for the runtime, as WAMR has it: from the app heap, else from the module's malloc."""
    try:
        return program.instance.malloc(size)
    except LookupError:
        raise CallError(
            "main takes arguments, but the module exports no malloc to put them into memory;"
            " --heap-size=8192 makes room",
            "allocate memory failed",
        ) from None
    except MemoryError:
        return 0


def _place_arguments(program: Program) -> tuple[int, int]:
    """Put the program's words into its memory, as `main` expects them: argc and argv."""
    memory = program.memory()
    if memory is None:
        raise CallError(
            "main takes arguments, but the module exports no memory", "allocate memory failed"
        )
    words = [os.fsencode(word) + b"\0" for word in program.options.words]
    strings = b"".join(words)
    pointers_size = _POINTER * (len(words) + 1)
    size = pointers_size + len(strings)
    argv = _allocate(program, size)
    if not argv or argv + size > memory.size * _PAGE:
        raise CallError("no memory is left for main's arguments", "allocate memory failed")
    pointers = [argv + pointers_size]
    for word in words[:-1]:
        pointers.append(pointers[-1] + len(word))
    memory.write(argv, struct.pack(f"<{len(words)}II", *pointers, 0) + strings)
    return len(words), argv

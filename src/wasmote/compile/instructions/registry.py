"""Which function compiles which instruction."""

from collections.abc import Callable

from wasmote.compile.function import Function

Handler = Callable[[Function], None]
#: By opcode; those that are not here have a template.
HANDLED: dict[int, Handler] = {}


def handles(*opcodes: int) -> Callable[[Handler], Handler]:
    """Decorator: this function compiles the instructions with these opcodes."""

    def register(handler: Handler) -> Handler:
        for opcode in opcodes:
            HANDLED[opcode] = handler
        return handler

    return register

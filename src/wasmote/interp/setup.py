"""How a host makes the interpreters ready: one table of handlers, which each thread of execution
gets.
"""

from functools import partial

from wasmote.core.structs import Exec
from wasmote.interp.classic.metering import metered_handler
from wasmote.interp.classic.opcodes import HANDLERS as CLASSIC
from wasmote.interp.common.trace import use_own_frames
from wasmote.interp.fast.describe import describe
from wasmote.interp.fast.registers import HANDLERS as FAST
from wasmote.interp.fast.translate import translate_function
from wasmote.isa import INSTRUCTIONS, Feature
from wasmote.isa.features import is_built
from wasmote.nativepy import address_of, handler_offset, native, ptr, u32, usize, void


def _serve_features() -> None:
    """Let handlers be compiled only where the feature is that their instruction belongs to."""
    features = {i.name: i.feature for i in INSTRUCTIONS.values()}
    for handler in (*FAST.handlers, *CLASSIC.handlers):
        feature = features.get(handler.name.partition(" ")[0], Feature.MVP)
        if feature is not Feature.MVP:
            handler.wanted = partial(is_built, feature)


_serve_features()
FAST_COUNT, CLASSIC_COUNT = len(FAST.handlers), len(CLASSIC.handlers)


@native(export="interp_handler_count")
def interp_handler_count() -> u32:
    """Entries that the table of handlers needs."""
    return FAST_COUNT + 2 * CLASSIC_COUNT


@native(export="interp_init")
def interp_init(table: ptr[usize]) -> void:
    """Fill a table of `interp_handler_count()` addresses; one serves all threads."""
    for i in range(u32(0), FAST_COUNT):
        table[i] = handler_offset(FAST, i)
    for i in range(u32(0), CLASSIC_COUNT):
        table[FAST_COUNT + i] = metered_handler(i)
        table[FAST_COUNT + CLASSIC_COUNT + i] = handler_offset(CLASSIC, i)


@native(export="interp_attach")
def interp_attach(exec: ptr[Exec], table: ptr[usize]) -> void:
    """Let a thread of execution use the interpreters."""
    exec.handlers = table
    exec.metered_handlers = table + FAST_COUNT  # those proper have to follow
    exec.classic_handlers = table + (FAST_COUNT + CLASSIC_COUNT)
    exec.translate = address_of(translate_function)
    use_own_frames(exec)
    exec.describe = address_of(describe)

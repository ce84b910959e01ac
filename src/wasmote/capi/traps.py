"""Traps and their frames (`wasm_trap_t`, `wasm_frame_t`)."""

from collections.abc import Iterator
from contextlib import contextmanager

import wasmote
from wasmote.capi.store import Ref, Store


class Frame:
    """`wasm_frame_t`. Offsets are bytes of the module's binary."""

    def __init__(self, frame: wasmote.Frame) -> None:
        self.func_index = frame.function_index
        self.func_name = frame.function_name
        self.module_offset = frame.offset
        self.module_name = frame.module_name


class Trap(Ref):
    """`wasm_trap_t`: what ended a call. `cause` is the exception of the main API, if any."""

    def __init__(
        self, store: Store, message: str, cause: wasmote.Trap | wasmote.WasmException | None = None
    ) -> None:
        self.store, self.message, self.cause = store, message, cause

    def origin(self) -> Frame | None:
        """`wasm_trap_origin`: the innermost frame; None without one."""
        trace = self.trace()
        return trace[0] if trace else None

    def trace(self) -> list[Frame]:
        """`wasm_trap_trace`: the frames, innermost first."""
        return [] if self.cause is None else [Frame(each) for each in self.cause.frames]


class TrapRaised(wasmote.WasmoteError):
    """A callback returned a trap: it goes through WebAssembly's frames to the outer caller."""

    def __init__(self, trap: Trap) -> None:
        super().__init__(trap.message)
        self.trap = trap


class Outcome:
    """What came of a call."""

    trap: Trap | None = None


@contextmanager
def caught(store: Store) -> Iterator[Outcome]:
    """Turn what ends a call of WebAssembly into a trap. Other exceptions go on."""
    outcome = Outcome()
    try:
        yield outcome
    except TrapRaised as raised:
        outcome.trap = raised.trap
    except wasmote.Trap as trap:
        outcome.trap = Trap(store, trap.message, trap)
    except wasmote.WasmException as exception:
        outcome.trap = Trap(store, "uncaught wasm exception", exception)

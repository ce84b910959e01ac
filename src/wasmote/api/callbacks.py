"""The exceptions that native code asks for, and the conversion of references."""

import ctypes

from wasmote.api.call_stack import frames_of
from wasmote.api.exceptions import WasmException, exception_at, throw
from wasmote.api.func import wrong_count, wrong_value
from wasmote.api.layouts import ActivationLayout, InstanceLayout
from wasmote.api.lifetime import from_reference, owner_at, to_reference
from wasmote.core.status import TrapCode
from wasmote.core.structs import EXCEPTION, NATIVE_FRAME, TRACE_FRAMES
from wasmote.errors import Frame, Trap, TrapKind
from wasmote.host.cpython.binding import BINDING

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.func import Func


def trap_of(code: int, address: int, callee: "Func | None") -> Trap | WasmException:
    """The Trap for a trap code; `address` is that of the call's Activation, 0 before it has one."""
    if code == EXCEPTION:
        return _uncaught(address)
    kind = TrapKind[TrapCode(code).name]
    message = None
    if callee is not None and isinstance(callee._label, tuple):
        message = f"{kind.value} ({', '.join(callee._label)})"
    frames, omitted = _frames(address) if address else ((), 0)
    if code == TrapCode.STACK_OVERFLOW and frames and _has_entered(address):
        frames = frames[1:]  # compiled functions look for room when they begin, not their callers
    return Trap(kind, message, frames, omitted)


def _has_entered(address: int) -> bool:
    """Whether the innermost frame is that of a compiled function that has not begun."""
    innermost = ActivationLayout.from_address(address).exec.trace[0]
    if not innermost.function & NATIVE_FRAME:
        return False
    layout = InstanceLayout.from_address(innermost.instance)
    module = owner_at(layout.host).links.module
    return bool(module._is_entered(innermost.function ^ NATIVE_FRAME, layout.module))


def _uncaught(address: int) -> WasmException:
    """The exception that has left WebAssembly."""
    activation = ActivationLayout.from_address(address)
    execution = activation.exec
    if activation.raised and activation.raised_handle == execution.exception:
        raised: WasmException = ctypes.cast(activation.raised, ctypes.py_object).value
        if not raised.frames:
            raised.frames, raised.omitted = _frames(address)
        return raised
    thrower = activation.owner
    if execution.trace_count:
        thrower = InstanceLayout.from_address(execution.trace[0].instance).host
    exception = exception_at(owner_at(thrower), execution.exception)
    exception.frames, exception.omitted = _frames(address)
    return exception


def _frames(address: int) -> tuple[tuple[Frame, ...], int]:
    """The backtrace of the last trap, and how many frames it leaves out."""
    execution = ActivationLayout.from_address(address).exec
    found = execution.trace[: min(execution.trace_count, TRACE_FRAMES)]
    return frames_of(found), execution.trace_count - len(found)


BINDING.set_callbacks(
    on_trap=trap_of,
    on_wrong_count=wrong_count,
    on_wrong_value=wrong_value,
    to_reference=to_reference,
    from_reference=from_reference,
    throw=throw,
)

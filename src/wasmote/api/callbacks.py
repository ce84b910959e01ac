"""The exceptions that native code asks for, and the conversion of references."""

from wasmote.api.func import wrong_count, wrong_value
from wasmote.api.layouts import ActivationLayout
from wasmote.api.lifetime import from_reference, owner_at, to_reference
from wasmote.core.status import TrapCode
from wasmote.core.structs import TRACE_FRAMES
from wasmote.errors import Frame, Trap, TrapKind
from wasmote.host.cpython.binding import BINDING

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    import ctypes

    from wasmote.api.func import Func

def trap_of(code: int, address: int, callee: "Func | None") -> Trap:
    """The Trap for a trap code; `address` is that of the call's Activation, 0 before it has one."""
    kind = TrapKind[TrapCode(code).name]
    message = None
    if callee is not None and isinstance(callee._label, tuple):
        module, name = callee._label
        message = f"{kind} ({module}, {name})"
    return Trap(kind, message, frames(ActivationLayout.from_address(address).exec) if address else ())


def frames(exec_: "ctypes.Structure") -> tuple[Frame, ...]:
    """The backtrace of the last trap."""
    return tuple(map(_frame, exec_.trace[: min(exec_.trace_count, TRACE_FRAMES)]))


BINDING.set_callbacks(
    on_trap=trap_of,
    on_wrong_count=wrong_count,
    on_wrong_value=wrong_value,
    to_reference=to_reference,
    from_reference=from_reference,
)

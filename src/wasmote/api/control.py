"""How much and how long WebAssembly code may run: fuel, deadlines, and word from other threads."""

import ctypes

from wasmote.api.call_stack import own_call_stack
from wasmote.api.layouts import DeadlineLayout, FuelLayout
from wasmote.api.lifetime import Owner, make_owner
from wasmote.core.status import TrapCode
from wasmote.errors import Trap, TrapKind
from wasmote.host.cpython.binding import BINDING, Address

_add = BINDING.python_function("fuel_add", None, Address, ctypes.c_int64)
_check = BINDING.python_function("cpython_check", ctypes.c_uint32, Address)
_add_deadline = BINDING.python_function(
    "cpython_add_deadline", None, Address, Address, ctypes.c_double
)
_remove_deadline = BINDING.python_function("cpython_remove_deadline", None, Address, Address)

_LARGEST = 2**63 - 1
#: Seconds, about thirty years.
_LONGEST = 1e9


class Fuel:
    """What instances may spend: executing an instruction costs 1.

    `Instance(module, fuel=...)` takes one; several instances can share it. Where it does not
    suffice, a call traps with kind OUT_OF_FUEL, at the same instruction in every engine, and `left`
    is 0. With new fuel the instance can be used further.

    Of the control instructions `block`, `loop`, `else`, `end`, `return`, `nop`, `drop` and
    `unreachable` cost nothing. Instructions on whole ranges cost 1 more for each byte or element.
    Code is paid for in stretches without branches and calls, before they are executed; what they
    cost counts as spent even if an instruction in between traps.
    """

    __slots__ = ("_layout", "_owner")

    _owner: Owner

    def __init__(self, amount: int) -> None:
        """Raises ValueError unless `amount` is in 0 to 2**63 - 1, as all methods do."""
        checked = _amount(amount)
        address = BINDING.allocate(ctypes.sizeof(FuelLayout))
        self._owner = make_owner(address, "cpython_release_block", None, None)
        self._layout = FuelLayout.from_address(address)
        self._layout.left = checked

    @property
    def left(self) -> int:
        """What is left; it can be set. Calls in several threads at once count roughly."""
        return int(self._layout.left)

    @left.setter
    def left(self, amount: int) -> None:
        self._layout.left = _amount(amount)

    def add(self, amount: int) -> None:
        """Add to what is left, up to 2**63 - 1."""
        _add(ctypes.addressof(self._layout), _amount(amount))

    def __repr__(self) -> str:
        return f"Fuel({self.left})"


def _amount(amount: int) -> int:
    if not 0 <= amount <= _LARGEST:
        raise ValueError(f"fuel is a number from 0 to 2**63 - 1, not {amount}")
    return amount


class timeout:
    """`with wasmote.timeout(seconds):` calls within, from this thread, end at that time.

    WebAssembly code then raises `Trap` with kind DEADLINE, wherever it is: in a start function, in
    a nested call, or when a host function returns. Python code that takes too long is not stopped.
    Of nested timeouts the earliest counts.
    """

    __slots__ = ("_layout", "_seconds")

    def __init__(self, seconds: float) -> None:
        """Raises ValueError for a negative number."""
        if not seconds >= 0:
            raise ValueError(f"a timeout is a number of seconds, not {seconds}")
        self._seconds = min(float(seconds), _LONGEST)
        self._layout: ctypes.Structure | None = None

    def __enter__(self) -> "timeout":
        if self._layout is not None:
            raise RuntimeError("this timeout is in use already")
        self._layout = DeadlineLayout()
        _add_deadline(BINDING.address, ctypes.addressof(self._layout), self._seconds)
        return self

    def __exit__(self, *exception: object) -> None:
        layout, self._layout = self._layout, None
        if layout is not None:
            _remove_deadline(BINDING.address, ctypes.addressof(layout))


def checkpoint() -> None:
    """For host functions that take long or wait: raise `Trap` if the call is to end.

    That is after `Instance.interrupt`, `Instance.terminate`, or at the end of a `timeout`. The call
    ends in any case when the host function returns.
    """
    code = _check(BINDING.address)
    if code:
        raise Trap(TrapKind[TrapCode(code).name], frames=own_call_stack(None))

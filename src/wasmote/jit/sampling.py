"""Where running programs spend their time in the interpreter: what is worth compiling first."""

import ctypes

from wasmote.api.call_stack import Requests
from wasmote.api.lifetime import owner_layout
from wasmote.core.structs import NATIVE_FRAME, NONE
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.interp.fast.functions import Translated
from wasmote.nativepy import mirror

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasmote.api.instance import Instance

#: Frames of a call stack that are looked at.
_FRAMES = 24
#: What it is worth to compile a function that was called at all, one that is on a call stack, and
#: the one that is being executed.
CALLED, CALLING, EXECUTED = 1.0, 4.0, 40.0
#: How often a loop must be seen to be worth code that begins there.
_SEEN = 2
_TRANSLATED = mirror(Translated)
_loop_offset = BINDING.python_function(
    "fast_loop_offset", ctypes.c_uint32, Address, ctypes.c_uint32
)


class Wishes:
    """What a look at running programs has shown."""

    def __init__(self) -> None:
        #: Functions, by index, that are in the interpreter, and how much there is to be gained by
        #: each.
        self.functions: list[tuple[int, float]] = []
        #: Loops that code is to begin at: functions, and offsets in the binary.
        self.loops: list[tuple[int, int]] = []


class Sampler:
    """Looks at a module's instances."""

    def __init__(self) -> None:
        self._seen = 0
        self._loops: dict[int, tuple[int, int]] = {}  # by places in the interpreter's code
        self._counts: dict[tuple[int, int], int] = {}  # of loops: how often they were seen

    def sample(self, module: ctypes.Structure, instances: "Iterable[Instance]") -> Wishes:
        """The functions that have come to the interpreter since the last look, and those that are
        on the call stacks, which may come more than once. Loops where a function has now been found
        for the second time are wished for once.
        """
        found = Wishes()
        found.functions = [(index, CALLED) for index in self._called(module)]
        for instance in instances:
            own = owner_layout(instance._owner).resource
            for _, frames in Requests(instance._owner, own=False).captured(_FRAMES):
                for i, frame in enumerate(frames):
                    if frame.instance == own and not frame.function & NATIVE_FRAME:
                        found.functions.append((frame.function, CALLING if i else EXECUTED))
                if frames and frames[0].instance == own and frames[0].extended:
                    self._add_loop(found, frames[0])
        return found

    def _add_loop(self, found: Wishes, frame: ctypes.Structure) -> None:
        """A call was asked at this place, perhaps at the start of a loop's code."""
        place = frame.code
        if place not in self._loops:
            self._loops[place] = (frame.function, _loop_offset(frame.instance, place))
        loop = self._loops[place]
        if loop[1] != NONE:
            self._counts[loop] = self._counts.get(loop, 0) + 1
            if self._counts[loop] == _SEEN:
                found.loops.append(loop)

    def _called(self, module: ctypes.Structure) -> "list[int]":
        """The functions that the interpreter has translated since the last look."""
        first, self._seen = self._seen, module.translated_count
        if not module.translated or first == self._seen:
            return []
        table = (_TRANSLATED * self._seen).from_address(module.translated)
        return [entry.function for entry in table[first:]]

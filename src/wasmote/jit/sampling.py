"""Where running programs spend their time in the interpreter: what is worth compiling first."""

import ctypes

from wasmote.api.call_stack import Requests
from wasmote.api.lifetime import owner_layout
from wasmote.core.structs import NATIVE_FRAME
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
_TRANSLATED = mirror(Translated)


class Sampler:
    """Looks at a module's instances."""

    def __init__(self) -> None:
        self._seen = 0

    def sample(
        self, module: ctypes.Structure, instances: "Iterable[Instance]"
    ) -> "list[tuple[int, float]]":
        """Functions of the module, by index, that are in the interpreter: those that have come
        there since the last look, and those on the call stacks, which may come more than once.
        """
        found = [(index, CALLED) for index in self._called(module)]
        for instance in instances:
            own = owner_layout(instance._owner).resource
            for _, frames in Requests(instance._owner, own=False).captured(_FRAMES):
                for i, frame in enumerate(frames):
                    if frame.instance == own and not frame.function & NATIVE_FRAME:
                        found.append((frame.function, CALLING if i else EXECUTED))
        return found

    def _called(self, module: ctypes.Structure) -> "list[int]":
        """The functions that the interpreter has translated since the last look."""
        first, self._seen = self._seen, module.translated_count
        if not module.translated or first == self._seen:
            return []
        table = (_TRANSLATED * self._seen).from_address(module.translated)
        return [entry.function for entry in table[first:]]

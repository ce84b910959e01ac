"""What is wanted of compiling while programs run. `wasmote.jit.enable` has the words for it."""

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from collections.abc import Callable


class Settings:
    """Of this process."""

    def __init__(self) -> None:
        #: Whether engine "auto" uses compiled code.
        self.auto = False
        self.cache = True
        #: Seconds of processor time that the process takes before engine "auto" starts a compiler.
        self.delay = 0.08
        self.level = 3
        #: Whether an instance of engine "jit" is made only when its code is ready.
        self.wait = False
        #: Whether the compiler finishes what it has begun for the cache when this process ends.
        self.finish = False
        #: By how much the compiler's priority is lower than the program's, as nice(2) has it.
        self.nice = 10
        #: For tests: bytes of functions that are compiled together; 0: what is best.
        self.part_size = 0
        #: For tests: which functions may be compiled code, by their index; None: all.
        self.chosen: Callable[[int], bool] | None = None


SETTINGS = Settings()

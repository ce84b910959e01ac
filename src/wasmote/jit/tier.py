"""The way of a module from the fast interpreter to compiled code.

A module has one `Tier`, made with its first instance that is to have compiled code. It finds the
code in the cache, or has it compiled by the worker, in a thread that waits for it without the GIL;
then it gives all instances their contexts and lets the interpreter leave for the code. A call
that is under way goes on in the interpreter; the calls it makes are compiled.
"""

import _thread
import ctypes
import threading
import time
import weakref

from wasmote.api.compiled import CompiledCode, code_signals
from wasmote.api.module import Module
from wasmote.api.source import CompiledFile, open_source
from wasmote.errors import ModuleError
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.jit.cache import Cache
from wasmote.jit.settings import SETTINGS

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.instance import Instance

_attach_all = BINDING.python_function("aot_attach_all", None, Address, Address, Address)
_enter_compiled = BINDING.python_function("fast_enter_compiled", None, *[Address] * 4)
_LOOPS = [BINDING.image.symbol(name) for name in ("aot_find_loop", "aot_run_loop")]
#: Seconds between looks at the processor time of a program that does little, at most.
_LONGEST_PAUSE = 1.0
#: Seconds that a program gets to come to where it spends its time.
_MOMENT = 0.02
#: Frames of a call stack whose functions can be left in a loop.
_MOST_FRAMES = 64


class Tier:
    """The compiled code of a module that begins in the fast interpreter, now or later."""

    def __init__(self, module: Module) -> None:
        self._module = weakref.ref(module)
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._begun = False
        self._table: object = None
        #: Instances that begin in the interpreter.
        self.instances: weakref.WeakSet[Instance] = weakref.WeakSet()
        #: What the cache calls the code; empty: not known yet.
        self.key = ""
        #: The code, once there is some.
        self.code: CompiledCode | None = None
        #: Why there will be none.
        self.reason: str | None = None

    def attach(self, instance: int) -> None:
        """Make a new instance ready, if there is code already."""
        if self.code is not None:
            try:
                self.code.attach(instance)
            except MemoryError:
                pass  # it stays in the interpreter

    def begin(self, delay: float | None = None) -> None:
        """Get the code from the cache, or see to it in a thread: once the process has used so many
        seconds more of processor time, or else in a moment.
        """
        with self._lock:
            if self._begun:
                return
            self._begun = True
        if not self._take_from_cache():
            _thread.start_new_thread(self._run, (delay,))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is code; False: there is none, or will be none."""
        return self._done.wait(timeout) and self.code is not None

    # -- getting the code ------------------------------------------------------------------------

    def _take_from_cache(self) -> bool:
        """True: there is no need to compile."""
        module = self._module()
        if not SETTINGS.cache or module is None:
            return False
        cache = Cache()
        key = self.key = self.key or key_of(module)
        path = cache.find(key)
        if path is not None:
            if self._use(module, path):
                return True
            cache.remove(key)
        reason = cache.refusal(key)
        if reason is not None:
            self._give_up(reason)
        return reason is not None

    def _run(self, delay: float | None) -> None:
        """The thread: wait, compile, switch."""
        if delay is not None:
            _pass_time(delay)
        elif not SETTINGS.wait:
            time.sleep(_MOMENT)
        from wasmote.jit.worker import WorkerError  # most programs end before

        try:
            module = self._module()
            if module is not None:
                self._compile(module)
        except WorkerError as error:
            self._give_up(str(error))
        finally:
            self._done.set()

    def _compile(self, module: Module) -> None:
        from wasmote.jit.worker import WORKER

        cache = Cache() if SETTINGS.cache else None
        order = {
            "folder": cache.folder if cache else "",
            "key": self.key,
            "features": module._layout.features,
            "level": SETTINGS.level,
            "loops": self._running(),
            "finish": SETTINGS.finish,
        }
        answer, image = WORKER.request(order, bytes(module._binary))
        reason = answer.get("refused")
        if reason is None and not self._use(module, answer["image"] or image):
            reason = "the compiled code cannot be used"
        if reason is not None:
            self._give_up(reason)

    def _running(self) -> list[int]:
        """The functions that instances are in: they may be in a loop that takes long."""
        from wasmote.api.call_stack import call_stacks

        found: set[int] = set()
        for instance in list(self.instances):
            for stack in call_stacks(instance._owner):
                found |= {frame.function_index for frame in stack.frames[:_MOST_FRAMES]}
        return sorted(found)

    def _use(self, module: Module, source: str | bytes) -> bool:
        """Switch to the code of an image. False: it is damaged."""
        layout = module._layout
        try:
            opened = open_source(source)
            if not isinstance(opened, CompiledFile):
                return False
            with opened.file as file:
                code = CompiledCode(opened.path, file, opened.verify)
            own = layout.function_count - layout.imported_functions
            code.check_tables(opened.path, own, layout.type_count)
        except (ModuleError, OSError):
            return False
        code_signals().install()
        address = ctypes.addressof(layout)
        self.code = code  # from here on, new instances attach themselves
        _attach_all(ctypes.addressof(BINDING.store), address, ctypes.addressof(code.layout))
        _enter_compiled(address, self._functions(module, code), *_LOOPS)
        self._done.set()
        code.announce(module)
        return True

    def _functions(self, module: Module, code: CompiledCode) -> int:
        """The address of the table of compiled functions: offsets and sizes."""
        table = code.image.symbol("functions")
        if SETTINGS.chosen is None:
            return table
        first = module._layout.imported_functions
        count = module._layout.function_count - first
        chosen = (ctypes.c_uint32 * (2 * count + 1)).from_buffer_copy(
            ctypes.string_at(table, 8 * count) + bytes(4)
        )
        for own in range(count):
            if not SETTINGS.chosen(first + own):
                chosen[2 * own + 1] = 0
        self._table = chosen
        return ctypes.addressof(chosen)

    def _give_up(self, reason: str) -> None:
        self.reason = reason
        self._done.set()


def _pass_time(delay: float) -> None:
    """Wait until the process has used so much processor time."""
    end = time.process_time() + delay
    pause = delay
    while (left := end - time.process_time()) > 0:
        time.sleep(max(left, pause))
        pause = min(2 * pause, _LONGEST_PAUSE)


def key_of(module: Module) -> str:
    """What the cache calls the module's code."""
    from wasmote.jit.fingerprint import fingerprint

    return fingerprint(module._binary, module._layout.features, SETTINGS.level)


def tier_of(module: Module) -> Tier | None:
    """The module's tier, if it has one."""
    return module._tier


def tier_for(module: Module) -> Tier:
    """The module's tier, made if need be."""
    if module._tier is None:
        module._tier = Tier(module)
    return module._tier

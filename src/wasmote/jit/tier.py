"""The way of a module from the fast interpreter to compiled code.

A module has one `Tier`, made with its first instance that is to have compiled code; its instances
with fuel have code, and a tier, of their own. It finds the code in the cache, or has it compiled by
the worker; then it gives all instances their contexts and lets the interpreter leave for the code.
The code of a large module comes in parts, which are used as soon as they are there. A call
that is under way goes on in the interpreter; the calls it makes are compiled.
"""

import ctypes
import threading
import weakref

from wasmote.api.layouts import ModuleLayout
from wasmote.api.module import Module
from wasmote.api.source import CompiledFile, open_source
from wasmote.errors import ModuleError
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.jit.background import BACKGROUND
from wasmote.jit.cache import Cache
from wasmote.jit.settings import SETTINGS

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from typing import Any

    from wasmote.api.compiled import CompiledCode
    from wasmote.api.instance import Instance
    from wasmote.jit.growing import GrowingCode
    from wasmote.jit.sampling import Sampler, Wishes

_attach_all = BINDING.python_function("aot_attach_all", None, Address, Address, Address)
_enter_compiled = BINDING.python_function("fast_enter_compiled", None, *[Address] * 4)
_twin = BINDING.python_function("module_twin", Address, Address)
_LOOPS = [BINDING.image.symbol(name) for name in ("aot_find_loop", "aot_run_loop")]
#: Bytes of code of a module that certainly comes in parts.
_LARGE = 1 << 18
#: Frames of a call stack whose functions can be left in a loop.
_MOST_FRAMES = 64


class Tier:
    """The compiled code of a module that begins in the fast interpreter, now or later; `metered`:
    that for instances with fuel.
    """

    def __init__(self, module: Module, metered: bool = False) -> None:
        self._module = weakref.ref(module)
        self.metered = metered
        self._done = threading.Event()
        self._begun = False
        self._table: object = None
        self._parts: GrowingCode | None = None
        self._sampler: Sampler | None = None
        #: Instances that begin in the interpreter.
        self.instances: weakref.WeakSet[Instance] = weakref.WeakSet()
        #: What the cache calls the code; empty: not known yet.
        self.key = ""
        #: The code, once there is some.
        self.code: CompiledCode | None = None
        #: Why there will be none, or not all of it.
        self.reason: str | None = None

    def attach(self, instance: int) -> None:
        """Make a new instance ready, if there is code already."""
        if self.code is not None:
            try:
                self.code.attach(instance)
            except MemoryError:
                pass  # it stays in the interpreter

    def begin(self, delay: float | None = None) -> None:
        """Get the code from the cache, or have it compiled: once the process has used so many
        seconds more of processor time, or else in a moment.
        """
        with BACKGROUND.lock:
            if self._begun:
                return
            self._begun = True
        if not self._take_from_cache():
            BACKGROUND.add(self, delay, SETTINGS.wait)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until there is code, all of it; False: there is none, or will be none."""
        return self._done.wait(timeout) and self.code is not None

    # -- getting the code ------------------------------------------------------------------------

    def _take_from_cache(self) -> bool:
        """True: there is no need to compile."""
        module = self._module()
        if not SETTINGS.cache or module is None:
            return False
        cache = Cache()
        key = self.key = self.key or key_of(module, self.metered)
        path = cache.find(key)
        if path is not None:
            if self._use(module, path):
                return True
            cache.remove(key)
        reason = cache.refusal(key)
        if reason is not None:
            self._give_up(reason)
        return reason is not None

    def compile(self, alarm: int, more: int) -> None:
        """Have the code compiled, and switch to it; not when the file `alarm` can be read. When
        `more` can be read there is something else to do.

        For the thread of `BACKGROUND`.
        """
        from wasmote.jit.worker import WORKER, WorkerError  # most programs end before

        try:
            module = self._module()
            if module is None:
                return
            order, binary = self._order(module), memoryview(module._binary)
            del module  # it may go while it is being compiled
            WORKER.request(order, binary, self, alarm, more)
        except WorkerError as error:
            self._give_up(str(error))
        finally:
            self._done.set()

    def _order(self, module: Module) -> "dict[str, Any]":
        cache = Cache() if SETTINGS.cache else None
        layout = module._layout
        return {
            "folder": cache.folder if cache else "",
            "key": self.key,
            "features": layout.features,
            "level": SETTINGS.level,
            "fuel": self.metered,
            # Of a large module, which comes in parts, loops are asked for later.
            "loops": self._running() if layout.code_section_size <= _LARGE else [],
            "part_size": SETTINGS.part_size,
            "direct": SETTINGS.chosen is None,
            "finish": SETTINGS.finish and cache is not None,
        }

    def finish(self, answer: "dict[str, Any]", image: bytes) -> None:
        """The compiler is done."""
        module = self._module()
        if module is None:
            return
        reason = answer.get("refused")
        if self._parts is not None:
            if reason is None:
                self._done.set()
                self._parts.announce(module)
        elif reason is None and not self._use(module, answer["image"] or image):
            reason = "the compiled code cannot be used"
        if reason is not None:
            self._give_up(reason)

    # -- code that comes in parts ------------------------------------------------------------------

    def take(self, part: "dict[str, Any]", data: bytes) -> bool:
        """Use a part of the code as soon as it comes. False: the module is gone."""
        from wasmote.api.compiled import code_signals
        from wasmote.image.format import ImageError

        module = self._module()
        if module is None:
            return False
        if "code" not in part:
            return True  # there was no room for it
        try:
            if self._parts is None:
                self._begin_parts(module, part["layout"])
            assert self._parts
            self._parts.add(part, data)
        except (MemoryError, ImageError) as error:
            self.reason = str(error)  # what there is stays; the rest is for the cache
            return True
        layout = self._layout(module)
        if self.code is None:
            code_signals().install()
            self.code = self._parts  # from here on, new instances attach themselves
            _attach_all(ctypes.addressof(BINDING.store), layout, ctypes.addressof(self.code.layout))
        _enter_compiled(layout, self._parts.functions, *_LOOPS)
        return True

    def _begin_parts(self, module: Module, layout: "dict[str, Any]") -> None:
        from wasmote.jit.growing import GrowingCode

        first = module._layout.imported_functions
        own = module._layout.function_count - first
        self._parts = GrowingCode(layout, first, own, SETTINGS.chosen)

    def wishes(self) -> "Wishes":
        """What the program spends its time in."""
        from wasmote.jit.sampling import Sampler, Wishes

        self._sampler = self._sampler or Sampler()
        module = self._module()
        if module is None:
            return Wishes()
        layout = ModuleLayout.from_address(self._layout(module))
        return self._sampler.sample(layout, list(self.instances))

    def is_left_alone(self) -> bool:
        """In a child of a process that was about to compile this: whether to begin again. Code of
        which there are parts stays as it is.
        """
        if self.code is None:
            self._done = threading.Event()
            return True
        self._done.set()
        return False

    # -- switching ---------------------------------------------------------------------------------

    def _layout(self, module: Module) -> int:
        """The address of the core's structure of the module, or of its twin."""
        address = ctypes.addressof(module._layout)
        if not self.metered:
            return address
        twin: int | None = _twin(address)
        if not twin:
            raise MemoryError(f"no memory for the functions of {module!r}")
        return twin

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
        from wasmote.api.compiled import CompiledCode, code_signals

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
        address = self._layout(module)
        self.code = code  # from here on, new instances attach themselves
        _attach_all(ctypes.addressof(BINDING.store), address, ctypes.addressof(code.layout))
        _enter_compiled(address, self._functions(module, code), *_LOOPS)
        self._done.set()
        code.announce(module)
        return True

    def _functions(self, module: Module, code: "CompiledCode") -> int:
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


def key_of(module: Module, metered: bool = False) -> str:
    """What the cache calls the module's code."""
    from wasmote.jit.fingerprint import fingerprint

    return fingerprint(module._binary, module._layout.features, SETTINGS.level, metered)


def tiers_of(module: Module) -> list[Tier]:
    """The module's tiers: none, one, or two if some of its instances have fuel."""
    return [tier for tier in (module._tier, module._twin_tier) if tier is not None]


def tier_for(module: Module, metered: bool = False) -> Tier:
    """The module's tier, made if need be."""
    tier = module._twin_tier if metered else module._tier
    if tier is None:
        tier = Tier(module, metered)
        if metered:
            module._twin_tier = tier
        else:
            module._tier = tier
    return tier

"""What is there once in a process: `wasm_runtime_init` and what it sets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from importlib.metadata import PackageNotFoundError, version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmote import Module
    from wasmote.wamr.natives import NativeSymbol

    #: (package type, module name) -> the module's bytes, or None
    ModuleReader = Callable[[int, str], bytes | None]
    ModuleDestroyer = Callable[[bytes], None]


class RunningMode(IntEnum):
    """`RunningMode`; what Wasmote runs for each."""

    DEFAULT = 0  # the engine "auto"
    MODE_INTERP = 1  # the fast interpreter
    MODE_FAST_JIT = 2  # not supported: the engine "jit" is LLVM's
    MODE_LLVM_JIT = 3  # the engine "jit"
    MODE_MULTI_TIER_JIT = 4  # "auto", which starts in the interpreter


ENGINES = {
    RunningMode.DEFAULT: "auto",
    RunningMode.MODE_INTERP: "fast",
    RunningMode.MODE_LLVM_JIT: "jit",
    RunningMode.MODE_MULTI_TIER_JIT: "auto",
}


@dataclass
class RuntimeInitArgs:
    """`RuntimeInitArgs`, as far as it means something here.

    Wasmote allocates from the process, so there is no pool. `instruction_metering` stands for the
    build flag of that name: with it, `wasm_runtime_set_instruction_count_limit` has an effect.
    """

    native_module_name: str = "env"
    native_symbols: "list[NativeSymbol]" = field(default_factory=list)
    max_thread_num: int = 4
    gc_heap_size: int = 0  # bytes; 0: as it is
    running_mode: RunningMode = RunningMode.DEFAULT
    instruction_metering: bool = False


class Runtime:
    """The state; there is one."""

    def __init__(self) -> None:
        self.uses = 0
        self.log_level = 2
        self.mode = RunningMode.DEFAULT
        self.metering = False
        self.max_threads = 4
        self.natives: list[tuple[str, dict[str, NativeSymbol]]] = []  # newest first
        self.modules: dict[str, Module] = {}
        self.reader: ModuleReader | None = None
        self.destroyer: ModuleDestroyer | None = None
        self.enlarge_error: Callable[..., None] | None = None
        self.enlarge_error_data: object = None


runtime = Runtime()


def wasm_runtime_init() -> bool:
    """Begin to use the runtime. It is counted: each call needs a `wasm_runtime_destroy`."""
    runtime.uses += 1
    return True


def wasm_runtime_full_init(init_args: RuntimeInitArgs) -> bool:
    """`wasm_runtime_init` with options; False if they ask for what is not there."""
    if not wasm_runtime_is_running_mode_supported(init_args.running_mode):
        return False
    from wasmote.api.heap import heap
    from wasmote.wamr.natives import wasm_runtime_register_natives

    runtime.mode = init_args.running_mode
    runtime.metering = init_args.instruction_metering
    runtime.max_threads = init_args.max_thread_num
    if init_args.gc_heap_size:
        heap.limit = init_args.gc_heap_size
    if init_args.native_symbols:
        wasm_runtime_register_natives(init_args.native_module_name, init_args.native_symbols)
    return wasm_runtime_init()


def wasm_runtime_destroy() -> None:
    """End a use; the last one forgets natives, modules and settings."""
    runtime.uses -= 1
    if runtime.uses <= 0:
        runtime.__init__()  # type: ignore[misc]


def wasm_runtime_set_log_level(level: int) -> None:
    """0 (fatal) to 4 (verbose); from 2 on, warnings are written to standard error."""
    runtime.log_level = level


def warn(message: str) -> None:
    """Write a warning, if the log level has them."""
    import sys

    if runtime.log_level >= 2:
        print(f"warning: {message}", file=sys.stderr)


def wasm_runtime_is_running_mode_supported(running_mode: int) -> bool:
    """Whether there is an engine for a mode; `MODE_LLVM_JIT` needs LLVM."""
    from importlib.util import find_spec

    if running_mode == RunningMode.MODE_LLVM_JIT:
        return find_spec("llvmlite") is not None
    return running_mode in ENGINES


def wasm_runtime_set_default_running_mode(running_mode: int) -> bool:
    """The mode of instances made from now on; False if it is not supported."""
    if not wasm_runtime_is_running_mode_supported(running_mode):
        return False
    runtime.mode = RunningMode(running_mode)
    return True


def wasm_runtime_set_max_thread_num(num: int) -> None:
    """Threads that may be spawned at once."""
    runtime.max_threads = num


def wasm_runtime_get_version() -> tuple[int, int, int]:
    """Major, minor and patch number of Wasmote."""
    try:
        numbers = version("wasmote").split(".")
    except PackageNotFoundError:  # a checkout that is not installed
        return 0, 1, 0
    major, minor, patch = (int("".join(filter(str.isdigit, each)) or 0) for each in numbers[:3])
    return major, minor, patch


def fill(error_buf: bytearray | None, message: str) -> None:
    """Write a message to `error_buf`, with a zero byte, cut to its size."""
    if error_buf:
        data = message.encode()[: len(error_buf) - 1]
        error_buf[: len(data) + 1] = data + b"\0"

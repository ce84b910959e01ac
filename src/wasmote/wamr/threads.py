"""Threads of the host that call WebAssembly."""

import threading
from collections.abc import Callable

from wasmote.wamr.instances import ExecEnv
from wasmote.wamr.state import runtime

_running: set["SpawnedThread"] = set()


class SpawnedThread(threading.Thread):
    """`wasm_thread_t`."""

    def __init__(
        self, exec_env: ExecEnv, callback: Callable[[ExecEnv, object], object], arg: object
    ):
        super().__init__(daemon=True)
        self.exec_env, self.callback, self.arg = exec_env, callback, arg
        self.result: object = None

    def run(self) -> None:
        try:
            self.result = self.callback(self.exec_env, self.arg)
        finally:
            _running.discard(self)


def wasm_runtime_init_thread_env() -> bool:
    """True: a thread needs no preparation."""
    return True


def wasm_runtime_destroy_thread_env() -> None:
    """Nothing to do."""


def wasm_runtime_thread_env_inited() -> bool:
    """True."""
    return True


def wasm_runtime_spawn_exec_env(exec_env: ExecEnv) -> ExecEnv | None:
    """An environment for another thread, of the same instance; None: there are too many threads."""
    if len(_running) >= runtime.max_threads:
        return None
    spawned = ExecEnv(exec_env.module_inst, exec_env.stack_size)
    spawned.user_data = exec_env.user_data
    return spawned


def wasm_runtime_destroy_spawned_exec_env(exec_env: ExecEnv) -> None:
    """Nothing to do: an environment lives as long as somebody refers to it."""


def wasm_runtime_spawn_thread(
    exec_env: ExecEnv, callback: Callable[[ExecEnv, object], object], arg: object = None
) -> SpawnedThread | None:
    """Run `callback(exec_env, arg)` in a thread; None: there are too many."""
    spawned = wasm_runtime_spawn_exec_env(exec_env)
    if spawned is None:
        return None
    thread = SpawnedThread(spawned, callback, arg)
    _running.add(thread)
    thread.start()
    return thread


def wasm_runtime_join_thread(tid: SpawnedThread) -> object:
    """Wait for a thread; returns what its callback returned."""
    tid.join()
    return tid.result


def wasm_runtime_begin_blocking_op(exec_env: ExecEnv) -> bool:
    """False if the instance has been terminated, so that blocking makes no sense."""
    from wasmote import Trap, checkpoint

    try:
        checkpoint()
    except Trap:
        return False
    return True


def wasm_runtime_end_blocking_op(exec_env: ExecEnv) -> None:
    """Nothing to do."""

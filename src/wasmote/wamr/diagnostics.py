"""Call stacks and memory, for people."""

import sys

from wasmote import memory_report
from wasmote.errors import Frame, backtrace
from wasmote.wamr.instances import ExecEnv


def _frames(exec_env: ExecEnv) -> tuple[Frame, ...]:
    """Of the call that ended with an exception, else of the calls under way."""
    inst = exec_env.module_inst
    if inst.exception is not None and inst.frames:
        return inst.frames
    from wasmote.api.call_stack import own_call_stack

    return own_call_stack(inst.owner)


def wasm_copy_callstack(exec_env: ExecEnv, length: int, skip_n: int = 0) -> tuple[Frame, ...]:
    """Up to `length` frames, innermost first, without the first `skip_n`."""
    return _frames(exec_env)[skip_n : skip_n + length]


def wasm_runtime_dump_call_stack_to_buf(exec_env: ExecEnv) -> str:
    """The frames as text, a line each."""
    frames = _frames(exec_env)
    return backtrace(frames) + "\n" if frames else ""


def wasm_runtime_get_call_stack_buf_size(exec_env: ExecEnv) -> int:
    """Bytes of that text, with a zero byte."""
    return len(wasm_runtime_dump_call_stack_to_buf(exec_env).encode()) + 1


def wasm_runtime_dump_call_stack(exec_env: ExecEnv) -> None:
    """Print the frames."""
    print(f"\n{wasm_runtime_dump_call_stack_to_buf(exec_env)}")


def wasm_runtime_dump_mem_consumption(exec_env: ExecEnv) -> None:
    """Print what the instance takes of memory."""
    print(memory_report(exec_env.module_inst.instance), file=sys.stdout)

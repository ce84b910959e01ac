"""Data in a custom section: not in the module's memory, but the host can hand them out."""

from build import module

import wasmote

natives = wasmote.Natives("env")
handles: list[bytes] = []


@natives.function("($)i")
def get_custom_section_handle(caller: wasmote.Caller, name: str) -> int:
    (content,) = caller.module.custom_sections(name)
    handles.append(content)
    print(f"resolved custom section [{name}] to handle {len(handles) - 1} ({len(content)} bytes)")
    return len(handles) - 1


@natives.function("(i)")
def print_custom_section(handle: int) -> None:
    print(f"custom section payload ({len(handles[handle])} bytes):")
    print(handles[handle].decode(), end="")


instance = wasmote.Instance(module("custom_section/demo.wat"), natives.imports())
instance.exports.run_demo()

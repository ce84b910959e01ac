"""Contexts: objects that libraries keep with instances, each under a key of its own."""

from collections.abc import Callable

from wasmote.wamr.instances import ModuleInst

#: As many as WAMR has.
_MOST_KEYS = 8
_keys: list["_Key"] = []


class _Key:
    def __init__(self, dtor: "Callable[[ModuleInst, object], None] | None") -> None:
        self.dtor = dtor


def wasm_runtime_create_context_key(
    dtor: "Callable[[ModuleInst, object], None] | None" = None,
) -> "_Key | None":
    """A key; `dtor` is called with each context when its instance ends. None: there are 8."""
    if len(_keys) == _MOST_KEYS:
        return None
    _keys.append(_Key(dtor))
    return _keys[-1]


def wasm_runtime_destroy_context_key(key: _Key) -> None:
    """Give up a key; contexts under it are not destroyed."""
    _keys.remove(key)


def wasm_runtime_set_context(inst: ModuleInst, key: _Key, ctx: object) -> None:
    """Keep a context with an instance."""
    inst.contexts[key] = ctx


#: Threads share their instance's contexts.
wasm_runtime_set_context_spread = wasm_runtime_set_context


def wasm_runtime_get_context(inst: ModuleInst, key: _Key) -> object:
    """The context under a key; None: there is none."""
    return inst.contexts.get(key)


def destroy_contexts(inst: ModuleInst) -> None:
    """The instance ends: tell those who have contexts with it."""
    for key, ctx in list(inst.contexts.items()):
        if isinstance(key, _Key) and key.dtor is not None and ctx is not None:
            key.dtor(inst, ctx)
    inst.contexts.clear()

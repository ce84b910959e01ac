"""Engines, stores, and what all references have in common (`wasm_engine_t`, `wasm_store_t`,
`wasm_ref_t`).
"""

from collections.abc import Callable
from typing import Self

TYPE_CHECKING = False
if TYPE_CHECKING:
    Finalizer = Callable[[object], object]


class Config:
    """`wasm_config_t`: options of an engine. `engine` is one of those of `wasmote.Instance`."""

    def __init__(self, engine: str = "auto") -> None:
        self.engine = engine


class Engine:
    """`wasm_engine_t`. There may be any number."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()


class Store:
    """`wasm_store_t`: what belongs together. Its objects may be used by any thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine


class Ref:
    """`wasm_ref_t`: anything that a reference can refer to.

    `host_info` is whatever the embedder keeps with it; its finalizer is called when the object goes
    or gets another one. Copies are the same object and share it.
    """

    _info: object = None
    _finalizer: "Finalizer | None" = None

    @property
    def host_info(self) -> object:
        """What was set; None before."""
        return self._info

    @host_info.setter
    def host_info(self, info: object) -> None:
        self.set_host_info_with_finalizer(info, None)

    def set_host_info_with_finalizer(self, info: object, finalizer: "Finalizer | None") -> None:
        """Keep an object, and call `finalizer` with it in the end."""
        self._finalize()
        self._info, self._finalizer = info, finalizer

    def copy(self) -> Self:
        """The same object."""
        return self

    def same(self, other: object) -> bool:
        """Whether two references refer to the same thing."""
        return self is other

    def _finalize(self) -> None:
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer(self._info)

    def __del__(self) -> None:
        self._finalize()


class Foreign(Ref):
    """`wasm_foreign_t`: an object of the host, for values of type externref."""

    def __init__(self, store: Store) -> None:
        self.store = store

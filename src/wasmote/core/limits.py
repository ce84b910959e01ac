"""What one module may ask for."""

import ctypes

from wasmote.core import structs
from wasmote.nativepy import mirror


class Limits:
    """Upper bounds that a module must keep; a `LimitError` names the one that it does not.

    The defaults are those that browsers agreed on (WebAssembly JavaScript Interface,
    Implementation-defined Limits) where there is one. Each is between 0 and 2**32 - 1, but for
    `memory_pages`, which may be up to 2**48.
    """

    types: int = 1_000_000
    functions: int = 1_000_000  # imports included, as for all index spaces
    imports: int = 1_000_000
    exports: int = 1_000_000
    globals: int = 1_000_000
    tables: int = 100_000
    memories: int = 100
    tags: int = 1_000_000
    #: Element segments, and as many data segments.
    segments: int = 100_000
    #: Bytes of one function body.
    function_size: int = 7_654_321
    #: Locals of one function, parameters included.
    locals: int = 50_000
    #: Parameters of one type, and as many results.
    params: int = 1_000
    #: Fields of one structure.
    fields: int = 10_000
    #: Open blocks within one function.
    nesting: int = 100_000
    #: Values on the operand stack within one function.
    operands: int = 1_000_000
    #: Labels of one `br_table`.
    br_table: int = 1_000_000
    #: Pages (64 KiB) of one memory, at run time.
    memory_pages: int = 65_536
    #: Elements of one table, at run time.
    table_elements: int = 10_000_000
    #: Bytes of one import or export name.
    name_size: int = 100_000

    def __init__(self, **limits: int) -> None:
        """Other bounds than the defaults, by name. Raises TypeError, ValueError."""
        for name, value in limits.items():
            if name not in self.__annotations__:
                known = ", ".join(self.__annotations__)
                raise TypeError(f"there is no limit {name}; there are {known}")
            maximum = 1 << 48 if name == "memory_pages" else 0xFFFF_FFFF
            if not 0 <= value <= maximum:
                raise ValueError(f"Limits.{name} must be in 0..{maximum}, not {value}")
            setattr(self, name, value)

    def __repr__(self) -> str:
        changed = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"Limits({changed})"

    def native(self) -> ctypes.Structure:
        """The structure that the core reads; keep it alive as long as the module."""
        values = {name: getattr(self, name) for name in self.__annotations__}
        return mirror(structs.Limits)(**values)

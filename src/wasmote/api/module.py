"""Modules: loading and validating, and what can be known of a module without running it."""

import ctypes
import mmap
import os
from collections.abc import Iterable

from wasmote.api.layouts import (
    CustomSectionLayout,
    ExportLayout,
    ImportLayout,
    ModuleLayout,
    NameLayout,
    extern_type,
    items,
    text,
)
from wasmote.api.lifetime import make_owner
from wasmote.api.source import CompiledFile, open_source
from wasmote.core.limits import Limits
from wasmote.host.cpython.binding import BINDING, Address
from wasmote.isa.features import FEATURES, feature_mask
from wasmote.types import ExportType, ImportType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.compiled import CompiledCode
    from wasmote.api.sources import ModuleSources
    from wasmote.dwarf.sources import Source
    from wasmote.image.signature import KeySource
    from wasmote.jit.tier import Tier

_load = BINDING.function("module_load", ctypes.c_uint32, Address)
_add_types = BINDING.python_function("store_add_types", ctypes.c_uint32, Address, Address)
_function_name = BINDING.python_function(
    "function_name", ctypes.c_uint32, Address, ctypes.c_uint32, Address
)


class Module:
    """A decoded and validated module, from which any number of instances can be made.

    `source` is the path of a binary, or the binary itself. A large file is mapped into memory and
    not read as a whole; it must not be changed as long as the module is in use. `features` names
    what the module may use (`wasmote.FEATURES` has all names): it is refused if it needs another.
    With `require_signature`, a PEM file of public keys or the contents of one, it must be signed
    with one of them. That is checked first, and then no change of the file matters any more.

    Raises `SignatureError` without such a signature, `DecodeError`, `ValidationError` or
    `LimitError` for a module that is refused, another `ModuleError` for an image that this machine
    cannot run, `OSError` for a file that cannot be read, ImportError if checking signatures needs
    the extra `sign`.
    """

    __slots__ = (
        "__weakref__",
        "_binary",
        "_code",
        "_exports",
        "_imports",
        "_layout",
        "_owner",
        "_sources",
        "_tier",
        "_twin_tier",
        "name",
    )

    #: Says in messages which module is meant: by default the file's name without its extension.
    name: str

    def __init__(
        self,
        source: bytes | bytearray | memoryview | str | os.PathLike[str],
        *,
        name: str | None = None,
        limits: Limits | None = None,
        features: Iterable[str] = FEATURES,
        require_signature: "KeySource | None" = None,
    ) -> None:
        self._code: CompiledCode | None = None
        self._sources: ModuleSources | None = None
        #: How it comes to compiled code while it runs; None: not at all, so far.
        self._tier: Tier | None = None
        #: The same of its instances with fuel, which have code of their own.
        self._twin_tier: Tier | None = None
        self._binary: bytes | mmap.mmap | memoryview
        path = "" if isinstance(source, bytes | bytearray | memoryview) else os.fspath(source)
        self.name = name or os.path.splitext(os.path.basename(path))[0]
        opened = open_source(source, require_signature)
        if isinstance(opened, CompiledFile):
            self._use_image(opened)
        else:
            self._binary = opened
        self._imports: tuple[ImportType, ...] | None = None
        self._exports: tuple[ExportType, ...] | None = None
        address = self._allocate(limits or Limits(), feature_mask(features))
        kept = self._binary if self._code is None else self._code
        self._owner = make_owner(address, "cpython_release_module", None, kept)
        if _load(address) != 0:
            raise self._refusal()
        if self._code is not None:
            own = self._layout.function_count - self._layout.imported_functions
            self._code.check_tables(path or "the image", own, self._layout.type_count)
        if _add_types(ctypes.addressof(BINDING.store), address):
            raise MemoryError("no memory for the module's types and code")
        if self._code is not None:
            self._code.announce(self)

    def _use_image(self, opened: CompiledFile) -> None:
        """The source is an image: its module is loaded, and its code runs instead of that one's."""
        from wasmote.api.compiled import CompiledCode  # not for modules that are not compiled

        with opened.file as file:
            self._code = CompiledCode(opened.path, file, opened.verify)
        self._binary = self._code.module

    def _allocate(self, limits: Limits, features: int) -> int:
        """The core's structure of the module, its limits behind it, in a block of their own."""
        allowed = limits.native()
        size = ctypes.sizeof(ModuleLayout)
        address = BINDING.allocate(size + ctypes.sizeof(allowed))
        ctypes.memmove(address + size, ctypes.addressof(allowed), ctypes.sizeof(allowed))
        self._layout = ModuleLayout.from_address(address)
        self._layout.platform = ctypes.addressof(BINDING.platform)
        self._layout.limits = address + size
        self._layout.features = features
        self._layout.binary = _address(self._binary)
        self._layout.binary_size = len(self._binary)
        return address

    def _refusal(self) -> Exception:
        from wasmote.core.messages import load_error  # seldom needed, and not small

        error = self._layout.error
        start = self._binary[:256]
        return load_error(start, error.status, error.offset, error.detail, error.detail2)

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """What an instance needs, in the order of the module."""
        if self._imports is None:
            module = self._layout
            self._imports = tuple(
                ImportType(
                    text(each.module), text(each.name), extern_type(module, each.kind, each.index)
                )
                for each in items(ImportLayout, module.imports, module.import_count)
            )
        return self._imports

    @property
    def exports(self) -> tuple[ExportType, ...]:
        """What an instance offers, in the order of the module."""
        if self._exports is None:
            module = self._layout
            self._exports = tuple(
                ExportType(text(each.name), extern_type(module, each.kind, each.index))
                for each in items(ExportLayout, module.exports, module.export_count)
            )
        return self._exports

    @property
    def is_compiled(self) -> bool:
        """Whether this is native code, which only the engine `aot` runs."""
        return self._code is not None

    def custom_sections(self, name: str) -> list[bytes]:
        """The contents of all custom sections of that name."""
        module = self._layout
        return [
            ctypes.string_at(each.data, each.size)
            for each in items(CustomSectionLayout, module.customs, module.custom_count)
            if text(each.name) == name
        ]

    def function_name(self, index: int) -> str:
        """A function's export name, else its name in the name section, else `$f` and its index."""
        for export in items(ExportLayout, self._layout.exports, self._layout.export_count):
            if export.kind == 0 and export.index == index:
                return text(export.name)
        found = NameLayout()
        if _function_name(ctypes.addressof(self._layout), index, ctypes.addressof(found)):
            return text(found)
        return f"$f{index}"

    def _code_places(self, address: int, part: int) -> tuple[tuple[int, int], ...]:
        """The functions at an offset in the module's native code, the innermost first, and where
        they are in the module's binary. `part` is the core's structure whose code it is: that of
        the module, or of its twin for instances with fuel.
        """
        code = self._running_code(part)
        own = range(self._layout.imported_functions, self._layout.function_count)
        return code.places_at(address, own) if code else ()

    def _running_code(self, part: int = 0) -> "CompiledCode | None":
        """The native code that runs calls: the module's, or what was compiled meanwhile."""
        if self._code is not None:
            return self._code
        is_twin = part and part == self._layout.twin
        tier = self._twin_tier if is_twin else self._tier
        return tier.code if tier else None

    def _sources_at(self, offset: int) -> "tuple[Source, ...]":
        """The source lines of an instruction, see `Frame.sources`."""
        return self._source_map().at(offset)

    def _source_map(self) -> "ModuleSources":
        if self._sources is None:
            from wasmote.api.sources import ModuleSources  # seldom needed

            self._sources = ModuleSources(self)
        return self._sources

    def _is_entered(self, address: int, part: int) -> bool:
        """Whether a function is just being entered at an offset in the module's native code."""
        code = self._running_code(part)
        return code is not None and code.is_entered(address)

    def __repr__(self) -> str:
        return f"<wasmote.Module {self.name or 'of'} {len(self._binary)} bytes>"


def _address(binary: bytes | mmap.mmap | memoryview) -> int | None:
    """Where the bytes are; they stay there as long as the object is referred to."""
    if isinstance(binary, bytes):
        return ctypes.cast(ctypes.c_char_p(binary), ctypes.c_void_p).value
    return ctypes.addressof(ctypes.c_char.from_buffer(binary))

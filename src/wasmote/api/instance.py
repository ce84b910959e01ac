"""Instances: linking, start, and the namespace of exports."""

import ctypes
import gc
import weakref
from collections.abc import Iterator, Mapping

from wasmote.api.control import Fuel
from wasmote.api.exceptions import Tag, wrap_tag
from wasmote.api.func import Func
from wasmote.api.globals import wrap_global
from wasmote.api.imports import Extern, incompatible, resolve
from wasmote.api.layouts import (
    ErrorLayout,
    ExportLayout,
    GlobalLayout,
    InstanceLayout,
    addresses,
    extern_type,
    items,
    text,
)
from wasmote.api.lifetime import Links, Owner, func_at, join, make_owner, owner_layout
from wasmote.api.memory import Memory, wrap_memory
from wasmote.api.module import Module
from wasmote.api.table import Table, wrap_table
from wasmote.core.status import ExternKind, TrapCode, ValueType
from wasmote.core.structs import NONE
from wasmote.errors import Trap, TrapKind
from wasmote.host.cpython.binding import BINDING, DEFAULT_STACK_SIZE, Address
from wasmote.jit.settings import SETTINGS
from wasmote.types import ExternType, FuncType, GlobalType, TableType, TagType

TYPE_CHECKING = False  # importing `typing` costs start-up time
if TYPE_CHECKING:
    from wasmote.api.call_stack import CallStack
    from wasmote.api.live_frames import LiveFrame
    from wasmote.errors import Frame
    from wasmote.jit.tier import Tier

_create = BINDING.python_function("instance_create", ctypes.c_uint32, *[Address] * 5)
_function = BINDING.python_function("instance_function", Address, Address, ctypes.c_uint32)
_interrupt = BINDING.python_function(
    "cpython_interrupt", ctypes.c_uint32, Address, ctypes.py_object
)
_terminate = BINDING.python_function("cpython_terminate", None, Address, ctypes.py_object)
_set_fuel = BINDING.python_function("instance_set_fuel", ctypes.c_uint32, Address, Address)
_share_memories = BINDING.python_function("instance_share_memories", None, Address, Address)
#: The native function by which each engine runs a function (`Instance.run` in `core.structs`).
_ENGINES = {
    "auto": "fast_run",
    "fast": "fast_run",
    "classic": "classic_run",
    "aot": "aot_run",
    "jit": "tiered_run",
}
_KINDS = {
    Func: ExternKind.FUNCTION,
    Table: ExternKind.TABLE,
    Memory: ExternKind.MEMORY,
    Tag: ExternKind.TAG,
}
_POINTER = ctypes.sizeof(ctypes.c_void_p)
#: Bounds of `stack_size`.
_SMALLEST_STACK, _LARGEST_STACK = 1 << 16, 1 << 30
_LARGEST_HEAP = 1 << 30


class Instance:
    """A module ready to run, with memories, tables and globals of its own.

    `imports` maps module names to namespaces: mappings from names to Python callables, `Func`,
    `Memory`, `Table`, `Global`, `Tag`, plain numbers (for immutable globals), or another instance's
    `exports`. With `missing="trap"` functions that are not there trap when they are called.
    `engine` is "auto", "fast", "classic", "jit" (`wasmote.jit`), or "aot" for compiled modules,
    which "auto" knows.
    `stack_size` is in bytes, 64 KiB to 1 GiB: the space for the values of all active functions of
    one call. With `fuel`, an amount or a `Fuel`, its code may execute only so many instructions; a
    compiled module must have been compiled for that.
    `heap_size` is in bytes, up to 1 GiB: the app heap, room in memory 0 for `malloc` and the like,
    unless the module exports functions `malloc` and `free` of its own.
    With `sharing`, another instance of the module, its memories are those of that one: for a thread
    of the same program, which has globals and tables of its own.

    Runs the module's start function. Raises `LinkError` for imports that are missing or have the
    wrong type, `Trap` if a segment does not fit or the start function traps, what else that raises,
    MemoryError.
    """

    __slots__ = ("__weakref__", "_owner", "exports", "fuel", "module")

    module: Module
    exports: "Exports"
    #: What its code spends; None: it is not counted.
    fuel: Fuel | None

    def __init__(
        self,
        module: Module,
        imports: "Mapping[str, Mapping[str, object] | Exports] | None" = None,
        *,
        engine: str = "auto",
        missing: str = "error",
        stack_size: int = DEFAULT_STACK_SIZE,
        fuel: Fuel | int | None = None,
        heap_size: int = 0,
        sharing: "Instance | None" = None,
    ) -> None:
        if engine not in _ENGINES:
            raise ValueError(f"engine is one of {', '.join(_ENGINES)}, not {engine!r}")
        if missing not in ("error", "trap"):
            raise ValueError(f'missing is "error" or "trap", not {missing!r}')
        if not _SMALLEST_STACK <= stack_size <= _LARGEST_STACK:
            raise ValueError(f"stack_size is {_SMALLEST_STACK} to {_LARGEST_STACK} bytes")
        if not 0 <= heap_size <= _LARGEST_HEAP:
            raise ValueError(f"heap_size is 0 to {_LARGEST_HEAP} bytes, not {heap_size}")
        chosen = _engine_for(module, engine, fuel is not None)
        tier = _begin_compiling(module, engine, fuel is not None) if chosen == "jit" else None
        self.module = module
        self.fuel = Fuel(fuel) if isinstance(fuel, int) else fuel
        if sharing is not None and sharing.module is not module:
            raise ValueError(f"{sharing!r} is of another module than {module!r}")
        given = resolve(module.imports, imports or {}, missing)
        self._owner = self._instantiate(given, chosen, stack_size, tier, sharing)
        self._owner.links.instance = weakref.ref(self)
        if tier is not None:
            tier.instances.add(self)
        self.exports = Exports(self._owner, given)
        if heap_size:
            from wasmote.api.app_heap import add_app_heap

            add_app_heap(self, heap_size)
        if module._layout.start != NONE:
            func_at(_function(owner_layout(self._owner).resource, module._layout.start))()

    @property
    def user_data(self) -> object:
        """Whatever the embedder wants to keep with the instance; native functions find it, too."""
        return self._owner.links.user_data

    @user_data.setter
    def user_data(self, value: object) -> None:
        self._owner.links.user_data = value

    def malloc(self, size: int) -> int:
        """Allocate bytes in the app heap, else by the module's own `malloc`; returns their offset.

        Raises LookupError if there is neither, MemoryError if there is no room.
        """
        from wasmote.api.guest_memory import malloc

        return malloc(self, size)

    def free(self, offset: int) -> None:
        """Free what `malloc` gave. Raises LookupError without app heap and exported `free`."""
        from wasmote.api.guest_memory import free

        free(self, offset)

    def to_native(self, offset: int, size: int) -> memoryview:
        """So many bytes of memory 0 from an offset on, writable, without a copy.

        Raises IndexError if they are not all there, LookupError if there is no memory.
        """
        from wasmote.api.guest_memory import to_native

        return to_native(self, offset, size)

    def to_app(self, place: "int | memoryview") -> int:
        """The offset in memory 0 of an address of this process, or of a view of that memory.

        Raises IndexError for one that is not in it, LookupError if there is no memory.
        """
        from wasmote.api.guest_memory import to_app

        return to_app(self, place)

    def interrupt(self) -> int:
        """Stop the calls of this instance's functions that are under way in other threads.

        Each raises `Trap` with kind INTERRUPTED in its thread, within some milliseconds of running
        WebAssembly code. Later calls are not affected. Returns how many calls there were.
        """
        return int(_interrupt(BINDING.address, self._owner))

    def terminate(self) -> None:
        """End this instance: calls of its functions that are under way, and all later ones.

        Each raises `Trap` with kind TERMINATED, within some milliseconds of running WebAssembly
        code, or when the host function that it is in returns. What the instance exports can still
        be looked at.
        """
        _terminate(BINDING.address, self._owner)

    def call_stack(self) -> "tuple[Frame, ...]":
        """The frames of this instance's calls that this thread is in, innermost first.

        For host functions, which are called from the first of them, and signal handlers. Empty when
        no function of the instance is being executed.
        """
        from wasmote.api.call_stack import own_call_stack

        return own_call_stack(self._owner)

    def frames(self) -> "tuple[LiveFrame, ...]":
        """The same frames with the values of their locals and operands, the 64 innermost ones."""
        from wasmote.api.live_frames import live_frames

        return live_frames(self._owner)

    def call_stacks(self) -> "list[CallStack]":
        """A snapshot of this instance's calls that are under way, in all threads."""
        from wasmote.api.call_stack import call_stacks

        return call_stacks(self._owner)

    def _instantiate(
        self,
        given: list[Extern],
        engine: str,
        stack_size: int,
        tier: "Tier | None",
        sharing: "Instance | None",
    ) -> Owner:
        error = ErrorLayout()
        address = self._create(given, error)
        if error.status == TrapCode.OUT_OF_MEMORY and not address:
            gc.collect()  # instances in reference cycles hold their memories until then
            address = self._create(given, error)
        if not address:
            raise self._refusal(given, error)
        links = Links(self.module)
        owner = make_owner(address, "cpython_release_instance", links, self.module._owner)
        layout = owner_layout(owner)
        layout.call = BINDING.image.symbol("call_from_host")
        layout.pool = BINDING.pool(stack_size)
        instance = InstanceLayout.from_address(address)
        if sharing is not None:
            _share_memories(address, owner_layout(sharing._owner).resource)
            links.holds.append(sharing._owner)
        if self.fuel is not None:
            self._set_fuel(instance, links, self.fuel)
        if self.module._code is not None:
            self.module._code.attach(address)
        instance.run = BINDING.image.symbol(_ENGINES[engine])
        if tier is not None:
            tier.attach(address)
        instance.host = id(owner)
        _link(owner, self.module, given)
        if error.status != 0:  # what the segments have written so far stays
            raise Trap(TrapKind[TrapCode(error.status).name])
        return owner

    def _set_fuel(self, instance: ctypes.Structure, links: Links, fuel: Fuel) -> None:
        """Let the code spend fuel: that of an image does so anyway, others have one that does."""
        links.holds.append(fuel)
        amount = ctypes.addressof(fuel._layout)
        if self.module._code is not None:
            instance.fuel = amount
        elif _set_fuel(ctypes.addressof(instance), amount):
            raise MemoryError(f"no memory for the functions of {self.module!r}")

    def _create(self, given: list[Extern], error: ctypes.Structure) -> int:
        externs = (ctypes.c_void_p * len(given))(*(each._address for each in given))
        made = ctypes.c_void_p()
        _create(
            ctypes.addressof(BINDING.store),
            ctypes.addressof(self.module._layout),
            ctypes.addressof(externs),
            ctypes.addressof(made),
            ctypes.addressof(error),
        )
        return made.value or 0

    def _refusal(self, given: list[Extern], error: ctypes.Structure) -> Exception:
        if error.status == TrapCode.UNLINKED_IMPORT:
            return incompatible(self.module.imports[error.detail], given[error.detail])
        if error.status == TrapCode.OUT_OF_MEMORY:
            what = ExternKind(error.detail2).name.lower()
            return MemoryError(f"no memory for {what} {error.detail} of {self.module!r}")
        return Trap(TrapKind[TrapCode(error.status).name])

    def __repr__(self) -> str:
        return f"<wasmote.Instance of {self.module!r}>"


def _engine_for(module: Module, asked: str, counts: bool) -> str:
    """The engine for an instance of which that one was asked for; `counts`: it spends fuel.

    A compiled module has nothing that others could run.
    """
    engine = asked
    if module._code is not None:
        if asked not in ("auto", "aot", "jit"):
            raise ValueError(f"{module!r} is compiled: its engine is aot, not {asked}")
        engine = "aot"
    elif asked == "aot":
        raise ValueError(f"the engine aot runs compiled modules, and {module!r} is none")
    elif asked == "auto" and SETTINGS.auto:
        engine = "jit"
    if counts and module._code is not None and not module._code.metered:
        raise ValueError(
            f"{module!r} was compiled to code that does not count instructions: for fuel, compile"
            " it with --enable-fuel, or with fuel=True"
        )
    return engine


def _begin_compiling(module: Module, asked: str, counts: bool) -> "Tier":
    """See to it that a module of which there will be an instance gets compiled code."""
    from wasmote.jit.tier import tier_for

    tier = tier_for(module, counts)
    tier.begin(SETTINGS.delay if asked == "auto" else None)
    if asked == "jit" and SETTINGS.wait:
        tier.wait()
    return tier


def _link(owner: Owner, module: Module, given: list[Extern]) -> None:
    """Tie an instance to what it imports."""
    links: Links = owner.links
    links.holds.extend(given)
    layout = InstanceLayout.from_address(owner_layout(owner).resource)
    counts = module._layout
    links.tables += addresses(layout.tables, counts.table_count)
    variables = [
        wrap_global(each, owner) for each in addresses(layout.globals, counts.global_count)
    ]
    links.globals += [each._address for each in variables if each.type.content.is_reference]
    links.group.throws_references = any(
        _carries_references(extern_type(counts, ExternKind.TAG, index))
        for index in range(counts.tag_count)
    )
    for wanted, value in zip(module.imports, given, strict=True):
        if value._owner is not None and (
            _carries_references(wanted.type)
            or (isinstance(value, Func) and value._owner.links.group.throws_references)
        ):
            join(value._owner, owner)


def _carries_references(type: ExternType) -> bool:
    """Whether references can travel through such an import."""
    if isinstance(type, FuncType):
        return any(each.is_reference for each in (*type.params, *type.results))
    if isinstance(type, TagType):
        return any(each.is_reference for each in type.params)
    if isinstance(type, GlobalType):
        return type.content.is_reference
    return isinstance(type, TableType)


class Exports:
    """The exports of an instance by name: `exports.add`, `exports["add"]`, iteration over names.

    There are no other attributes, so every name is an export. Raises AttributeError, KeyError.
    """

    __slots__ = ("__dict__", "__weakref__", "_externs", "_index", "_owner")

    def __init__(self, owner: Owner, given: list[Extern]) -> None:
        module = owner.links.module._layout
        exports = items(ExportLayout, module.exports, module.export_count)
        self._owner = owner
        self._index = {text(each.name): (each.kind, each.index) for each in exports}
        self._externs: dict[tuple[int, int], Extern] = {}
        positions = [0] * len(ExternKind)
        for value in given:  # the same objects come out that went in
            kind = _KINDS.get(type(value), ExternKind.GLOBAL)
            self._externs[kind, positions[kind]] = value
            positions[kind] += 1

    def __getattr__(self, name: str) -> "Extern":
        if name not in self._index:
            raise AttributeError(f"there is no export {name!r}")
        value = self.__dict__[name] = self._extern(*self._index[name])
        return value

    def __getitem__(self, name: str) -> Extern:
        found = self._index[name]
        return self.__dict__[name] if name in self.__dict__ else self._extern(*found)

    def _extern(self, kind: int, index: int) -> Extern:
        """The object for an export; asked again, the same one."""
        key = kind, index
        if key not in self._externs:
            self._externs[key] = _wrap(self._owner, kind, index)
        return self._externs[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __dir__(self) -> list[str]:
        return list(self._index)

    def __repr__(self) -> str:
        return f"<wasmote exports: {', '.join(self._index)}>"


def _wrap(owner: Owner, kind: int, index: int) -> Extern:
    """The object for what is at `index` of one of an instance's index spaces."""
    address = owner_layout(owner).resource
    layout = InstanceLayout.from_address(address)
    if kind == ExternKind.FUNCTION:
        function = _function(address, index)
        if not function:
            raise MemoryError("no memory for a function reference")
        return func_at(function)  # type: ignore[no-any-return]
    if kind == ExternKind.TABLE:
        return wrap_table(_pointer(layout.tables, index), owner)
    if kind == ExternKind.MEMORY:
        return wrap_memory(_pointer(layout.memories, index), owner)
    if kind == ExternKind.TAG:
        return wrap_tag(_pointer(layout.tags, index), owner)
    return wrap_global(_pointer(layout.globals, index), owner)


def own_table(instance: Instance) -> Table | None:
    """Table 0, exported or not; None: there is none."""
    if not instance.module._layout.table_count:
        return None
    layout = InstanceLayout.from_address(owner_layout(instance._owner).resource)
    return wrap_table(_pointer(layout.tables, 0), instance._owner)


def stack_pointer(instance: Instance) -> ctypes.Structure | None:
    """The variable that C's stack of an instance begins at, as compilers for WebAssembly have it.

    That is the first mutable i32 global that is not imported; None: there is none.
    """
    counts = instance.module._layout
    layout = InstanceLayout.from_address(owner_layout(instance._owner).resource)
    for index in range(counts.imported_globals, counts.global_count):
        found = GlobalLayout.from_address(_pointer(layout.globals, index))
        if found.mutable and found.content == ValueType.I32:
            return found
    return None


def _pointer(array: int, index: int) -> int:
    """An element of an array of pointers."""
    return ctypes.c_void_p.from_address(array + index * _POINTER).value or 0

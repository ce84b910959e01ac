"""One store, several threads: each has instances of its own."""

import ctypes
from concurrent.futures import ThreadPoolExecutor

from wasmote.core import structs
from wasmote.core.store import store_add_function, store_remove_function
from wasmote.host.platform import create_platform
from wasmote.image.testing import Library
from wasmote.nativepy import native, ptr, u32

from .support import (
    I32,
    I64,
    Error,
    FuncInst,
    Instance,
    ModuleBuilder,
    Store,
    Table,
    address,
    core,
    elements,
    pointers,
)

COUNT = 60


@native(export="hammer")
def hammer(s: ptr[structs.Store], f: ptr[structs.FuncInst], count: u32, rounds: u32) -> u32:
    """Add and remove the handles of `count` functions; returns how many did not name theirs."""
    wrong: u32 = 0
    for _ in range(rounds):
        for i in range(count):
            handle = store_add_function(s, f + i)
            if s.functions[handle] != f + i:
                wrong += 1
        for i in range(count):
            if s.functions[f[i].handle] != f + i:
                wrong += 1
            store_remove_function(s, f + i)
    return wrong


class OwnedPlatform:
    """The real platform, without a watch."""

    def __init__(self) -> None:
        self.struct = create_platform(core().image.symbol)
        self.address = ctypes.addressof(self.struct)


def module_of(thread: int, platform: OwnedPlatform) -> ctypes.Structure:
    """COUNT functions of types that other threads have, too, all in a table."""
    b = ModuleBuilder()
    for n in range(5):
        b.type((I32,) * n)
    b.type((I64,) * (thread + 1))
    for i in range(COUNT):
        b.function(i % 6)
    b.table(COUNT)
    b.element(list(range(COUNT)))
    return b.build(platform)  # type: ignore[arg-type]


def live(store: ctypes.Structure, platform: OwnedPlatform, thread: int, cycles: int) -> int:
    """Load, instantiate, look at every handle, tear down; returns how many were right."""
    right = 0
    for _ in range(cycles):
        module = module_of(thread, platform)
        assert core().store_add_types(address(store), address(module)) == 0
        out, error = ctypes.c_void_p(), Error()
        code = core().instance_create(
            address(store), address(module), None, ctypes.addressof(out), address(error)
        )
        assert code == 0
        instance = Instance.from_address(out.value or 0)
        table = Table.from_address(pointers(instance.tables, 1)[0])
        for index, handle in enumerate(elements(table)):
            f = FuncInst.from_address(pointers(store.functions, handle + 1)[handle])
            right += (f.instance, f.index, f.handle) == (out.value, index, handle)
        core().instance_destroy(out.value)
        core().store_remove_types(address(store), address(module))
    return right


def test_handles_under_contention() -> None:
    """Native loops on several cores at once, while the table grows."""
    platform, store, threads, count = OwnedPlatform(), Store(), 4, 200
    assert core().store_init(address(store), platform.address) == 0
    library = Library(hammer)
    functions = [(FuncInst * count)() for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        wrong = list(
            pool.map(lambda f: library.hammer(address(store), address(f), count, 400), functions)
        )
    assert wrong == [0] * threads
    assert store.function_count == 0
    assert store.function_capacity <= 1024
    core().store_free(address(store))


def test_instances_of_several_threads_do_not_disturb_each_other() -> None:
    platform, store, threads, cycles = OwnedPlatform(), Store(), 6, 40
    assert core().store_init(address(store), platform.address) == 0
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda t: live(store, platform, t, cycles), range(threads)))
    assert found == [COUNT * cycles] * threads
    assert (store.function_count, store.type_count) == (0, 0)
    core().store_free(address(store))


def test_threads_agree_on_the_function_instances_of_one_instance() -> None:
    platform, store = OwnedPlatform(), Store()
    assert core().store_init(address(store), platform.address) == 0
    b = ModuleBuilder()
    b.type()
    count = 2000
    for _ in range(count):
        b.function()
    module = b.build(platform)  # type: ignore[arg-type]
    assert core().store_add_types(address(store), address(module)) == 0
    out, error = ctypes.c_void_p(), Error()
    assert (
        core().instance_create(
            address(store), address(module), None, ctypes.addressof(out), address(error)
        )
        == 0
    )
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda _: [core().instance_function(out.value, i) for i in range(count)], range(4)
            )
        )
    assert all(answer == answers[0] for answer in answers)
    assert len(set(answers[0])) == store.function_count == count
    core().instance_destroy(out.value)
    core().store_remove_types(address(store), address(module))
    assert (store.function_count, store.type_count) == (0, 0)
    core().store_free(address(store))

"""The store: function handles and canonical types."""

import ctypes
import random

from wasmote.core.structs import NONE

from .support import F64, I32, I64, FuncInst, FuncType, ModuleBuilder, World, address, core

Types = tuple[tuple[int, ...], tuple[int, ...]]


class TypeSource:
    """Function types in memory, each at an address of its own."""

    def __init__(self) -> None:
        self.kept: list[object] = []

    def make(self, params: tuple[int, ...] = (), results: tuple[int, ...] = ()) -> ctypes.Structure:
        types = (ctypes.c_uint32 * max(len(params + results), 1))(*params, *results)
        self.kept.append(types)
        return FuncType(
            types=ctypes.addressof(types), param_count=len(params), result_count=len(results)
        )


def type_id(world: World, type: ctypes.Structure) -> int:
    return core().store_type_id(address(world.store), address(type))


def release(world: World, id: int) -> None:
    core().store_release_type(address(world.store), id)


def handle_entry(world: World, handle: int) -> int:
    return ctypes.c_void_p.from_address(world.store.functions + 8 * handle).value or 0


def test_equal_types_share_an_id_and_others_do_not(world: World) -> None:
    source = TypeSource()
    shapes: list[Types] = [
        ((), ()),
        ((I32,), ()),
        ((), (I32,)),
        ((I32, I64), ()),
        ((I32,), (I64,)),
        ((), (I32, I64)),
        ((I64, I32), ()),
        ((F64,) * 100, (I32,)),
    ]
    ids = [type_id(world, source.make(*shape)) for shape in shapes]
    assert 0 not in ids
    assert len(set(ids)) == len(shapes)
    assert [type_id(world, source.make(*shape)) for shape in shapes] == ids
    assert world.store.type_count == len(shapes)
    for id in ids * 2:
        release(world, id)
    assert world.store.type_count == 0


def test_ids_are_stable_while_the_table_grows_and_shrinks(world: World) -> None:
    source, alphabet = TypeSource(), (I32, I64, F64)
    random.seed(1)
    held: dict[Types, list[int]] = {}
    for _ in range(4000):
        params = tuple(random.choices(alphabet, k=random.randrange(7)))
        shape = (params, tuple(random.choices(alphabet, k=random.randrange(2))))
        if random.random() < 0.6 or not held:
            id = type_id(world, source.make(*shape))
            assert id not in (other for key, ids in held.items() if key != shape for other in ids)
            held.setdefault(shape, []).append(id)
            assert set(held[shape]) == {id}
        else:
            shape = random.choice(list(held))
            release(world, held[shape].pop())
            if not held[shape]:
                del held[shape]
        assert world.store.type_count == len(held)
    for ids in held.values():
        for id in ids:
            release(world, id)
    assert world.store.type_count == 0


def test_distinct_modules_that_come_and_go_leave_nothing(world: World) -> None:
    blocks = len(world.platform.blocks)
    capacity = world.store.type_capacity
    for n in range(3000):
        builder = ModuleBuilder()
        builder.type(tuple(I32 if n >> bit & 1 else I64 for bit in range(12)), (I32,))
        builder.type((), ())
        builder.type((), ())
        module = world.load(builder)
        assert world.store.type_count == 2
        world.unload(module)
    assert world.store.type_count == 0
    assert world.store.type_capacity == capacity
    assert len(world.platform.blocks) == blocks


def test_types_of_a_module_are_all_or_none(world: World) -> None:
    builder = ModuleBuilder()
    for n in range(100):  # more than the first capacity
        builder.type((I32,) * n)
    module = builder.build(world.platform)
    store, failures = address(world.store), 0
    while True:
        failures += 1
        world.platform.fail_at = world.platform.requests + failures
        if core().store_add_types(store, address(module)) == 0:
            break
        assert world.store.type_count == 0
        assert all(t.id == 0 for t in (FuncType * 100).from_address(module.types))
        world.unload(module)  # no harm
    # Each type needs three blocks; the table had already grown when the later ones were reached.
    assert failures == 301
    world.platform.fail_at = None
    assert world.store.type_count == 100
    world.unload(module)
    assert world.store.type_count == 0


def test_a_group_of_types_that_makes_the_table_grow(world: World) -> None:
    """It was put into the chain of its bucket twice, which made that endless."""
    builder = ModuleBuilder()
    for n in range(100):
        builder.type((I32,) * n)
    module = builder.build(world.platform)
    for n, each in enumerate((FuncType * 100).from_address(module.types)):
        each.group_size = 100 if n == 0 else 0
    store, failures = address(world.store), 1
    world.platform.fail_at = world.platform.requests + failures
    while core().store_add_types(store, address(module)) != 0:
        failures += 1
        world.platform.fail_at = world.platform.requests + failures
    assert failures > 100  # a group that is not complete is in no chain, either
    world.platform.fail_at = None
    source = TypeSource()
    for n in range(1, 1000):  # one of these is in the same bucket
        release(world, type_id(world, source.make((I64,) * n)))
    assert world.store.type_count == 100
    world.unload(module)
    assert world.store.type_count == 0


def test_handles_name_functions_until_removed(world: World) -> None:
    store = address(world.store)
    nobody = FuncInst.from_address(handle_entry(world, 0))
    assert (nobody.type_id, nobody.instance, nobody.host) == (NONE, None, None)
    functions = [FuncInst() for _ in range(300)]  # more than the first capacity
    handles = [core().store_add_function(store, address(f)) for f in functions]
    assert len(set(handles)) == 300
    assert 0 not in handles
    assert [handle_entry(world, h) for h in handles] == [address(f) for f in functions]
    assert core().store_add_function(store, address(functions[7])) == handles[7]
    assert world.store.function_count == 300
    for f, h in zip(functions[::2], handles[::2], strict=True):
        core().store_remove_function(store, address(f))
        core().store_remove_function(store, address(f))
        assert f.handle == 0
        assert handle_entry(world, h) == address(nobody)
    capacity = world.store.function_capacity
    again = [core().store_add_function(store, address(f)) for f in functions[::2]]
    assert sorted(again) == sorted(handles[::2])
    assert world.store.function_capacity == capacity
    assert all(handle_entry(world, f.handle) == address(f) for f in functions)
    assert all(
        handle_entry(world, h) in map(address, [*functions, nobody]) for h in range(capacity)
    )
    for f in functions:
        core().store_remove_function(store, address(f))
    assert world.store.function_count == 0


def test_no_memory_for_a_handle(world: World) -> None:
    store = address(world.store)
    functions = [FuncInst() for _ in range(64)]
    for f in functions[:63]:
        assert core().store_add_function(store, address(f)) != 0
    world.platform.fail_at = world.platform.requests + 1
    assert core().store_add_function(store, address(functions[63])) == 0
    assert functions[63].handle == 0
    assert core().store_add_function(store, address(functions[63])) == 64

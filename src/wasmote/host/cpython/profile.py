"""Profiles: samples of what runs, taken where control passes by anyway.

A call polls some ten thousand times a second, and there are its calls of host functions. At each of
these places the profile looks how many times its interval has passed since; as many samples go to
the functions that are on the stack there. So nothing runs that would not run anyway, and
when no profile is taken all this costs a look at a pointer.
"""

from wasmote.core.structs import Instance
from wasmote.host.cpython.structs import (
    PROFILE_FRAMES,
    Activation,
    Object,
    Profile,
    ProfileNode,
    Python,
)
from wasmote.interp.common.trace import capture_stack
from wasmote.nativepy import (
    addr,
    atomic_exchange,
    atomic_store,
    boolean,
    fill,
    i64,
    native,
    ptr,
    sizeof,
    u8,
    u32,
    u64,
    usize,
    void,
)

#: Nodes of a tree at first, and at most.
FIRST, MOST = 256, 1 << 22


@native
def lock(python: ptr[Python]):
    while atomic_exchange(addr(python.profile_lock), u32(1)) != 0:
        pass


@native
def unlock(python: ptr[Python]):
    atomic_store(addr(python.profile_lock), u32(0))


@native(export="cpython_profile_start")
def profile_start(python: ptr[Python], profile: ptr[Profile]) -> u32:
    """Take samples for a profile from now on. 0: there is one already. The GIL is held."""
    if python.profile is not None:
        return 0
    lock(python)
    activation = python.active
    while activation is not None:
        activation.sampled = 0  # of an earlier profile
        activation = activation.next
    python.profile = profile
    unlock(python)
    return 1


@native(export="cpython_profile_stop")
def profile_stop(python: ptr[Python]) -> void:
    """Take no more samples. The GIL is held."""
    lock(python)
    python.profile = None
    unlock(python)


@native(export="cpython_profile_free")
def profile_free(python: ptr[Python], profile: ptr[Profile]) -> void:
    """Free what a profile holds, once it is stopped."""
    for i in range(profile.count):
        if profile.nodes[i].host is not None:
            python.Py_DecRef(profile.nodes[i].host)
    python.platform.release(ptr[u8](profile.nodes))
    profile.nodes = None
    profile.count = 0


@native(cold=True, noinline=True)
def take_sample(activation: ptr[Activation], time: i64, host: ptr[Object]) -> void:
    """Take the samples that are due; `host`: the host function that ran last, whose they are."""
    python = activation.python
    lock(python)
    profile = python.profile
    if profile is not None and is_wanted(profile, activation):
        if activation.sampled == 0:
            activation.sampled = time
        passed = u64(time - activation.sampled) // u64(profile.interval)
        if passed != 0:
            activation.sampled += i64(passed) * profile.interval
            add_samples(activation, profile, passed, host)
    unlock(python)


@native
def is_wanted(profile: ptr[Profile], activation: ptr[Activation]) -> boolean:
    if profile.instance is None:
        return True
    owner = activation.owner
    return owner is not None and ptr[Instance](owner.resource) == profile.instance


@native
def add_samples(
    activation: ptr[Activation], profile: ptr[Profile], samples: u64, host: ptr[Object]
):
    """Find the functions on the stack in the tree, and count."""
    python = activation.python
    total = capture_stack(activation.exec, profile.frames + 0, PROFILE_FRAMES)
    depth = total if total < PROFILE_FRAMES else u32(PROFILE_FRAMES)
    node: u32 = 0
    fine = profile.count != 0 or add_node(python, profile) != 0
    while depth != 0 and fine:
        depth -= 1
        frame = profile.frames + depth
        node = find_child(python, profile, node, frame.instance, None, frame.function)
        fine = node != 0
    if host is not None and fine:
        node = find_child(python, profile, node, None, host, 0)
        fine = node != 0
    profile.samples += samples
    if fine:
        profile.nodes[node].samples += samples
    else:
        profile.lost += samples


@native
def find_child(
    python: ptr[Python],
    profile: ptr[Profile],
    parent: u32,
    instance: ptr[Instance],
    host: ptr[Object],
    function: u32,
) -> u32:
    """The node of a function that `parent` called, made if need be. 0: there is no memory."""
    child = profile.nodes[parent].child
    while child != 0:
        node = profile.nodes + child
        if node.instance == instance and node.host == host and node.function == function:
            return child
        child = node.sibling
    if add_node(python, profile) == 0:
        return 0
    made = profile.count - 1
    node = profile.nodes + made
    node.instance = instance
    node.host = host
    if host is not None:
        python.Py_IncRef(host)
    node.function = function
    node.parent = parent
    node.sibling = profile.nodes[parent].child
    profile.nodes[parent].child = made
    return made


@native
def add_node(python: ptr[Python], profile: ptr[Profile]) -> u32:
    """Add a zeroed node: how many there are then. 0: there is no memory."""
    if profile.count == profile.capacity:
        capacity = u32(FIRST) if profile.capacity == 0 else profile.capacity * 2
        if capacity > MOST:
            return 0
        size = usize(capacity) * sizeof(ProfileNode)
        nodes = ptr[ProfileNode](python.platform.resize(ptr[u8](profile.nodes), size))
        if nodes is None:
            return 0
        profile.nodes = nodes
        profile.capacity = capacity
    fill(profile.nodes + profile.count, 0, sizeof(ProfileNode))
    profile.count += 1
    return profile.count

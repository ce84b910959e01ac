"""The `Platform` of a hosted process: where the core's memory comes from on this system."""

import ctypes
import sys
from collections.abc import Callable

from wasmote.core.structs import Platform
from wasmote.nativepy import mirror


def create_platform(symbol: Callable[[str], int]) -> ctypes.Structure:
    """A `Platform` for this process, with everything but `poll` and `call_host` filled in.

    `symbol` gives the address of an exported function of the core's image. The image and the result
    must stay where they are for as long as the core uses them. Raises `OSError` on a system that is
    not supported yet.
    """
    if sys.platform != "linux":
        raise OSError(f"Wasmote has no platform for {sys.platform} yet; there is one for Linux")
    from wasmote.host import linux

    context = linux.create_context()
    platform = mirror(Platform)(
        allocate=linux.address_of_libc("malloc"),
        resize=linux.address_of_libc("realloc"),
        release=linux.address_of_libc("free"),
        move=linux.address_of_libc("memmove"),
        set=linux.address_of_libc("memset"),
        reserve=symbol("linux_reserve"),
        commit=symbol("linux_commit"),
        unreserve=symbol("linux_unreserve"),
        wait=symbol("linux_wait"),
        wake=symbol("linux_wake"),
        clock=symbol("linux_clock"),
        stack_bottom=symbol("linux_stack_bottom"),
        watch=symbol("linux_watch"),
        hurry=symbol("linux_hurry"),
        memory_reservation=linux.MEMORY_RESERVATION,
        context=ctypes.addressof(context),
    )
    platform.kept = context  # lives as long as the platform
    return platform

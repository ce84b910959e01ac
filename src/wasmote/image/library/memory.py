"""Copying and filling memory."""

from wasmote.nativepy import (
    NativeFunction,
    inline,
    load,
    native,
    ptr,
    splat,
    static,
    store,
    u8,
    u32,
    u64,
    usize,
    vec,
    void,
)

CHUNK = vec[u64, 2]
BLOCK = 64


@inline
def copy_block(to: ptr[u8], source: ptr[u8]):
    """64 bytes, all read before any is written."""
    a = load(CHUNK, source, align=1)
    b = load(CHUNK, source + 16, align=1)
    c = load(CHUNK, source + 32, align=1)
    d = load(CHUNK, source + 48, align=1)
    store(to, a, align=1)
    store(to + 16, b, align=1)
    store(to + 32, c, align=1)
    store(to + 48, d, align=1)


@native(export="memcpy", no_builtins=True)
def memcpy(to: ptr[u8], source: ptr[u8], size: usize) -> ptr[u8]:
    done: usize = 0
    while size - done >= BLOCK:
        copy_block(to + done, source + done)
        done += BLOCK
    while size - done >= 8:
        store(to + done, load(u64, source + done, align=1), align=1)
        done += 8
    while done < size:
        to[done] = source[done]
        done += 1
    return to


@native(export="memmove", no_builtins=True)
def memmove(to: ptr[u8], source: ptr[u8], size: usize) -> ptr[u8]:
    if usize(to) - usize(source) >= size:
        return memcpy(to, source, size)
    left = size  # the destination overlaps the source's end: copy backwards
    while left >= BLOCK:
        left -= BLOCK
        copy_block(to + left, source + left)
    while left >= 8:
        left -= 8
        store(to + left, load(u64, source + left, align=1), align=1)
    while left != 0:
        left -= 1
        to[left] = source[left]
    return to


@native(export="memset", no_builtins=True)
def memset(to: ptr[u8], byte: u8, size: usize) -> ptr[u8]:
    pattern = u64(byte) * 0x0101010101010101
    wide = splat(CHUNK, pattern)
    done: usize = 0
    while size - done >= BLOCK:
        for offset in static((0, 16, 32, 48)):
            store(to + done + offset, wide, align=1)
        done += BLOCK
    while done < size:
        to[done] = byte
        done += 1
    return to


# -- ARM's ABI ---------------------------------------------------------------------------------


def _copies(name: str, function: NativeFunction) -> NativeFunction:
    @native(export=name, convention="aapcs", no_builtins=True)
    def copies(to: ptr[u8], source: ptr[u8], size: usize) -> void:
        function(to, source, size)

    return copies


def _fills(suffix: str) -> tuple[NativeFunction, NativeFunction]:
    @native(export=f"__aeabi_memset{suffix}", convention="aapcs", no_builtins=True)
    def fills(to: ptr[u8], size: usize, byte: u32) -> void:
        memset(to, u8(byte), size)

    @native(export=f"__aeabi_memclr{suffix}", convention="aapcs", no_builtins=True)
    def clears(to: ptr[u8], size: usize) -> void:
        memset(to, u8(0), size)

    return fills, clears


#: By name. Suffixes say how addresses are aligned.
FUNCTIONS: dict[str, NativeFunction] = {
    each.export or "": each
    for each in (
        memcpy,
        memmove,
        memset,
        *(_copies(f"__aeabi_memcpy{suffix}", memcpy) for suffix in ("", "4", "8")),
        *(_copies(f"__aeabi_memmove{suffix}", memmove) for suffix in ("", "4", "8")),
        *(each for suffix in ("", "4", "8") for each in _fills(suffix)),
    )
}

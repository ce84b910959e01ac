"""The functions that LLVM expects every program to have: memcpy, memmove, memset, memcmp."""

from wasmote.nativepy import inline, load, native, ptr, splat, static, store, u8, u64, usize, vec

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


RUNTIME = (memcpy, memmove, memset)

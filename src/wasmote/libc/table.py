"""The functions of libc-builtin and their signatures (see `wasmote.api.signatures`)."""

#: In nativepy: the symbol is `libc_` and the name without underscores at its start.
NATIVE = {
    "printf": "($*)i",
    "sprintf": "(*$*)i",
    "snprintf": "(*i$*)i",
    "vprintf": "($*)i",
    "vsprintf": "(*$*)i",
    "vsnprintf": "(*i$*)i",
    "puts": "($)i",
    "putchar": "(i)i",
    "memcmp": "(**i)i",
    "memcpy": "(**i)i",
    "memmove": "(**i)i",
    "memset": "(*ii)i",
    "memchr": "(*ii)i",
    "strchr": "($i)i",
    "strcmp": "($$)i",
    "strcpy": "(*$)i",
    "strlen": "($)i",
    "strncmp": "(**i)i",
    "strncpy": "(**i)i",
    "strncasecmp": "($$i)i",
    "strspn": "($$)i",
    "strcspn": "($$)i",
    "strstr": "($$)i",
    "malloc": "(i)i",
    "calloc": "(ii)i",
    "realloc": "(ii)i",
    "free": "(*)",
    "strdup": "($)i",
    "_strdup": "($)i",
    "posix_memalign": "(*ii)i",
    "atoi": "($)i",
    "strtol": "($*i)i",
    "strtoul": "($*i)i",
    "isupper": "(i)i",
    "isalpha": "(i)i",
    "isspace": "(i)i",
    "isgraph": "(i)i",
    "isprint": "(i)i",
    "isdigit": "(i)i",
    "isxdigit": "(i)i",
    "isalnum": "(i)i",
    "tolower": "(i)i",
    "toupper": "(i)i",
    "emscripten_memcpy_big": "(**i)i",
    "__cxa_allocate_exception": "(i)i",
    "pthread_mutex_init": "(**)i",
    "pthread_mutex_lock": "(*)i",
    "pthread_mutex_unlock": "(*)i",
    "pthread_mutex_destroy": "(*)i",
    "pthread_cond_init": "(**)i",
    "pthread_cond_wait": "(**)i",
    "pthread_cond_timedwait": "(**I)i",
    "pthread_cond_signal": "(*)i",
    "pthread_cond_broadcast": "(*)i",
    "pthread_cond_destroy": "(*)i",
}
#: In Python.
FALLBACKS = {
    "exit": "(i)",
    "abort": "(i)",
    "abortStackOverflow": "(i)",
    "nullFunc_X": "(i)",
    "__cxa_begin_catch": "(*)",
    "__cxa_throw": "(**i)",
    "clock_gettime": "(i*)i",
    "clock": "()I",
}
#: Functions that allocate: a module that imports one is given a heap, unless it is told otherwise.
ALLOCATING = frozenset(
    (
        "malloc",
        "calloc",
        "realloc",
        "strdup",
        "_strdup",
        "posix_memalign",
        "__cxa_allocate_exception",
    )
)
#: That heap's size in bytes; WAMR's default.
DEFAULT_HEAP = 16 * 1024
#: Functions that print.
PRINTING = frozenset(("printf", "vprintf", "puts", "putchar"))
#: Names of functions that do the same.
_SAME = {"vprintf": "printf", "vsprintf": "sprintf", "vsnprintf": "snprintf"}


def symbol(name: str) -> str:
    """The native function for a name of `NATIVE`."""
    return f"libc_{_SAME.get(name, name).lstrip('_')}"

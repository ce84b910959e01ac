"""What functions that print know of the host; in a file of its own, as every process reads it."""

from wasmote.core.structs import FuncInst
from wasmote.nativepy import ptr, struct


@struct
class Output:
    """Where the functions that print write to (`FuncInst.data`)."""

    write: ptr[FuncInst]  # of the host: (i64 address, i64 size) -> ()

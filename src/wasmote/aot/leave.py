"""What compiled code tells before others run who may want to know what it holds."""

from wasmote.interp.common.outside import leave_for
from wasmote.nativepy import inline, u32


@inline
def leave_compiled(exec, context, frame):
    """Note where control leaves compiled code, at a call from the native frame `frame`.

    The references that its functions still use are below `Exec.top`.
    """
    leave_for(exec.entry, context.instance, u32(0), frame)
    exec.entry.roots_end = exec.top

"""A process that compiles parts of a module for another one: `python -m wasmote.compile.worker`.

It gets a binary and options, then parts; for each it answers with an object file, or
with the message of a CompileError. Both come and go over standard input and output.
"""

import os
import signal
import time
from multiprocessing.connection import Connection

from wasmote.api.module import Module
from wasmote.compile.llvm_options import leave_out_scheduling
from wasmote.compile.partition import Plan
from wasmote.compile.pipeline import compile_partition
from wasmote.compile.source import read_source
from wasmote.core.limits import Limits
from wasmote.errors import CompileError

#: The module was accepted by the process that sends it.
_NO_LIMITS = Limits(**dict.fromkeys(Limits.__annotations__, 0xFFFF_FFFF))


def serve(incoming: Connection, outgoing: Connection, plan: Plan | None = None) -> None:
    """Work until there is nothing more to read. Without a plan, what one is made of comes first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    try:
        if plan is None:
            binary, options, part_size = incoming.recv()
            plan = Plan(read_source(Module(binary, limits=_NO_LIMITS)), options, part_size)
        leave_out_scheduling(plan.options)
        while True:
            partition = incoming.recv()
            start = time.process_time()
            try:
                answer: bytes | str = compile_partition(plan, partition)
            except CompileError as error:
                answer = str(error)
            except RuntimeError as error:  # LLVM's
                if not partition.loops:
                    raise
                answer = str(error)  # nobody depends on it
            outgoing.send((answer, time.process_time() - start))
    except (EOFError, BrokenPipeError):
        return


def main() -> None:
    """Serve over standard input and output."""
    incoming = Connection(os.dup(0), writable=False)
    outgoing = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # whatever else writes to standard output is no answer
    serve(incoming, outgoing)


if __name__ == "__main__":
    main()

"""A process that compiles modules for others.

`wasmote.jit.worker` starts it, in a session of its own. It reads orders from its standard input and
answers on its standard output, until the input ends.
"""

import os
import select
import signal
import threading
from dataclasses import replace
from typing import Any

from wasmote import FEATURES, CompileError, Limits, Module, WasmoteError
from wasmote.compile.compiler import Options, compile_parts, link
from wasmote.compile.meanwhile import Schedule, compile_meanwhile
from wasmote.compile.partition import Partition, Plan
from wasmote.compile.parts import Room, can_come_in_parts
from wasmote.compile.pipeline import compile_partition
from wasmote.compile.source import read_source
from wasmote.isa.features import Feature
from wasmote.jit.cache import IMAGE, LOCK, REFUSAL, Cache
from wasmote.jit.worker import receive, send

#: How reasons begin that will be the same the next time; running out of memory is none.
_LASTING = "cannot compile"


class Watch:
    """A thread that ends this process, and those that it has started, when the client is gone."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._bell = -1

    def start(self) -> None:
        asleep, self._bell = os.pipe()
        self._thread = threading.Thread(target=self._run, args=[asleep], daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, so that this process can be copied."""
        if self._thread:
            os.close(self._bell)
            self._thread.join()
            self._thread = None

    def _run(self, asleep: int) -> None:
        poll = select.poll()
        poll.register(0, 0)  # only that the other side closes it
        poll.register(asleep, 0)
        if any(file == 0 for file, _ in poll.poll()):
            end()
        os.close(asleep)


def end() -> None:
    """Nobody needs what is under way."""
    os.killpg(0, signal.SIGKILL)


class Process:
    """What this process is about to do."""

    def __init__(self, answers: int) -> None:
        self.answers = answers
        self.room: Room  # of the last module that came in parts
        self.schedule: Schedule
        self.watch = Watch()
        self.finish = False  # what is under way, also if nobody waits for it any more

    def serve(self) -> None:
        """Answer orders until there are no more."""
        while True:
            try:
                order, binary = receive(0)
            except EOFError:
                return
            if "key" not in order:  # wishes that came late
                self.deliver_late(order["loops"])
                continue
            self.finish = order["finish"]
            if not self.finish:
                self.watch.start()
            answer = self.answer(order, binary)
            self.watch.stop()
            self.tell(*answer)

    def answer(self, order: dict[str, Any], binary: bytes) -> tuple[dict[str, Any], bytes]:
        """Compile a module, into the cache if that is possible.

        The answer names the entry, else brings the image, or says why there is none.
        """
        cache = Cache(order["folder"]) if order["folder"] else None
        try:
            if cache is not None:
                return self.cached(cache, order, binary), b""
        except OSError:
            pass  # it costs time, nothing else
        try:
            return {"image": ""}, self.compiled(order, binary)
        except CompileError as error:
            return {"refused": str(error)}, b""

    def compiled(self, order: dict[str, Any], binary: bytes) -> bytes:
        """The image of a module. Raises CompileError."""
        try:
            plan = plan_of(order, binary)
            if can_come_in_parts(plan):
                return link(plan, self.delivered(plan, order)).encode()
            return link(plan, compile_parts(plan, _jobs())).encode()
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            # A mistake of the compiler's: others may still be compiled.
            raise CompileError(f"the compiler failed: {error!r}") from error

    def delivered(self, plan: Plan, order: dict[str, Any]) -> list[bytes]:
        """The object files of a module, whose parts the client gets as soon as they are there."""
        self.room, self.schedule = Room(plan, order["direct"]), Schedule(plan)
        waiting: list[tuple[Partition, bytes | None]] = []

        def listen() -> bool:
            try:
                wishes = receive(0)[0]
            except EOFError:
                if not self.finish:
                    end()
                return False
            self.schedule.wish(wishes["wishes"], wishes["loops"])
            return True

        def deliver(partition: Partition, raw: bytes | None) -> None:
            if partition.glue and raw is not None:
                self.tell(*self.room.begin(raw))
            else:
                waiting.append((partition, raw))
            while waiting and self.room.known:
                self.tell(*self.room.add(*waiting.pop(0)))

        self.watch.stop()  # `listen` hears if the client goes
        objects = compile_meanwhile(plan, _jobs(), self.schedule, 0, listen, deliver)
        if not self.finish:
            self.watch.start()
        return objects

    def deliver_late(self, loops: list[tuple[int, int]]) -> None:
        """All of the module is compiled, but it is still in these loops in the interpreter."""
        for loop in loops:
            partition = self.schedule.loop_part(*loop)
            raw = None
            try:
                raw = compile_partition(self.room.plan, partition)
            except (CompileError, RuntimeError):
                pass  # nobody depends on it
            self.tell(*self.room.add(partition, raw))

    def tell(self, answer: dict[str, Any], data: bytes) -> None:
        """Send something to the client, if there still is one."""
        try:
            send(self.answers, answer, data)
        except OSError:
            pass  # the image is still wanted for the cache

    def cached(self, cache: Cache, order: dict[str, Any], binary: bytes) -> dict[str, Any]:
        """Compile a module into the cache, unless another process just does. Raises OSError."""
        key = order["key"]
        cache.make_folder()
        with open(cache.path(key, LOCK), "wb") as lock:
            exclusively(lock.fileno())
            reason = cache.refusal(key)
            if reason is not None:
                return {"refused": reason}
            path = cache.find(key)
            if path is None:
                try:
                    path = cache.write(key, self.compiled(order, binary), IMAGE)
                except CompileError as error:
                    if str(error).startswith(_LASTING):
                        cache.write(key, str(error).encode(), REFUSAL)
                    return {"refused": str(error)}
            os.unlink(lock.name)
        cache.prune()
        return {"image": path}


def exclusively(file: int) -> None:
    """Wait until no other process holds the lock that a file is."""
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX)


def plan_of(order: dict[str, Any], binary: bytes) -> Plan:
    """How to compile a module. Raises CompileError."""
    features = [name for name in FEATURES if Feature(name).mask & order["features"]]
    most = dict.fromkeys(Limits.__annotations__, 4294967295)  # who asks has its own
    try:
        module = Module(binary, limits=Limits(**most), features=features)
    except WasmoteError as error:
        raise CompileError(str(error)) from None
    options = Options(
        level=order["level"], enterable=True, loops=tuple(order["loops"]), fuel=order["fuel"]
    )
    plan = Plan(read_source(module), options, order["part_size"] or None)
    if can_come_in_parts(plan):  # and so does code for loops, when it is asked for
        plan.options = replace(options, loops=())
    return plan


def _jobs() -> int:
    """How many processes compile: one processor is for the program."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def main() -> None:
    """Serve until the input ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever LLVM may print is no answer
    Process(answers).serve()

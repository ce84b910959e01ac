"""Ending what runs in other threads."""

import threading
import time

from build import module

import wasmote


def wait() -> None:
    """A host function that waits asks from time to time whether to go on."""
    while True:
        wasmote.checkpoint()
        time.sleep(0.01)


def work(number: int, instance: wasmote.Instance, name: str) -> None:
    try:
        instance.exports[name]()
    except wasmote.Trap as trap:
        results[number] = f"thread {number} ({name}) got an exception: {trap.message}"


results: dict[int, str] = {}
waiting = module("terminate/wait.wat")
instances = [wasmote.Instance(waiting, {"env": {"wait": wait}}) for _ in range(4)]
threads = []
for number, instance in enumerate(instances):
    name = ("compute", "sleep")[number % 2]
    threads.append(threading.Thread(target=work, args=(number, instance, name)))
    threads[-1].start()
time.sleep(0.2)
print("running:", sum(thread.is_alive() for thread in threads))
for instance, thread in zip(instances, threads, strict=True):
    instance.terminate()
    thread.join()
for number in sorted(results):
    print(results[number])

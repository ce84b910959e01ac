"""Plug-ins: code that others wrote, which can do nothing but what it is given."""

from build import PLAIN, module

import wasmote

shop = wasmote.Natives("shop")


@shop.function("($)")
def say(caller: wasmote.Caller, text: str) -> None:
    print(f"  {caller.user_data}: {text}")


for name in ("discount", "broken", "endless"):
    plugin = wasmote.Instance(module(f"plugins/{name}.c", *PLAIN), shop.imports())
    plugin.user_data = name
    for pieces in (2, 30):
        print(f"{pieces} pieces with the plug-in {name}")
        try:
            with wasmote.timeout(0.5):
                print(f"  price: {plugin.exports.price(pieces, 5.0):.2f}")
        except wasmote.Trap as trap:
            print(f"  stopped: {trap.message}")

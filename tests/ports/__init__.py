"""The embedding APIs in the shape of C: `wasmote.wamr` and `wasmote.capi`."""

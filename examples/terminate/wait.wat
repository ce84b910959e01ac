;; Waits for ever, in WebAssembly or in the host.
(module
  (import "env" "wait" (func $wait))
  (func (export "compute") (loop $again (br $again)))
  (func (export "sleep") (call $wait)))

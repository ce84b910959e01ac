;; Calls itself for ever, and needs the result, so that each call takes room.
(module
  (func $down (export "down") (param $n i32) (result i32)
    (i32.add
      (call $down (i32.add (local.get $n) (i32.const 1)))
      (local.get $n)))
  (func (export "fine") (result i32) (i32.const 42)))

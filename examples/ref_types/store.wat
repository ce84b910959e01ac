;; Keeps objects of the host, which it cannot look into.
(module
  (import "env" "same" (func $same (param externref externref) (result i32)))
  (table $objects 10 externref)
  (func (export "set") (param $index i32) (param $object externref)
    (table.set $objects (local.get $index) (local.get $object)))
  (func (export "get") (param $index i32) (result externref)
    (table.get $objects (local.get $index)))
  (func (export "has") (param $index i32) (param $object externref) (result i32)
    (call $same (table.get $objects (local.get $index)) (local.get $object))))

(module
  (import "env" "import_func1" (func $one (param i32 i32) (result i32)))
  (import "env" "import_func2" (func $two (param i32) (result i32)))
  (func (export "test") (result i32)
    (call $two (call $one (i32.const 10) (i32.const 20)))))

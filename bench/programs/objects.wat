;; Structures, arrays and casts; run by objects.py. Each function returns a checksum.
(module
  (type $node (struct (field (mut (ref null $node))) (field i32)))
  (type $tree (struct (field (ref null $tree)) (field (ref null $tree))))
  (type $numbers (array (mut i32)))
  (type $bytes (array (mut i8)))
  (rec
    (type $shape (sub (struct (field i32))))
    (type $square (sub $shape (struct (field i32) (field i32))))
    (type $circle (sub $shape (struct (field i32) (field i64)))))
  (type $shapes (array (mut (ref null $shape))))

  ;; objects that nobody keeps
  (func (export "garbage") (param $n i32) (result i32) (local $sum i32)
    (loop $more
      (local.set $sum (i32.add (local.get $sum)
        (struct.get $node 1 (call $pass (struct.new $node (ref.null $node) (local.get $n))))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func $pass (param (ref $node)) (result (ref $node)) (local.get 0))

  ;; a list is made, and gone through
  (func (export "list") (param $n i32) (result i32) (local $list (ref null $node)) (local $sum i32)
    (loop $more
      (local.set $list (struct.new $node (local.get $list) (local.get $n)))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (block $done
      (loop $next
        (local.set $sum
          (i32.add (local.get $sum) (struct.get $node 1 (br_on_null $done (local.get $list)))))
        (local.set $list (struct.get $node 0 (local.get $list)))
        (br $next))
      (unreachable))
    (local.get $sum))

  ;; trees of 2^17 - 1 nodes
  (func $make (param $depth i32) (result (ref $tree))
    (if (result (ref $tree)) (local.get $depth)
      (then (struct.new $tree
        (call $make (i32.sub (local.get $depth) (i32.const 1)))
        (call $make (i32.sub (local.get $depth) (i32.const 1)))))
      (else (struct.new_default $tree))))
  (func $check (param $tree (ref null $tree)) (result i32)
    (if (result i32) (ref.is_null (struct.get $tree 0 (local.get $tree)))
      (then (i32.const 1))
      (else (i32.add (i32.const 1) (i32.add
        (call $check (struct.get $tree 0 (local.get $tree)))
        (call $check (struct.get $tree 1 (local.get $tree))))))))
  (func (export "trees") (param $n i32) (result i32) (local $sum i32)
    (loop $more
      (local.set $sum (i32.add (local.get $sum) (call $check (call $make (i32.const 16)))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; the sieve of Eratosthenes in an array
  (func (export "sieve") (param $n i32) (result i32)
    (local $a (ref null $numbers)) (local $i i32) (local $j i32) (local $count i32)
    (local.set $a (array.new $numbers (i32.const 1) (local.get $n)))
    (local.set $i (i32.const 2))
    (loop $outer
      (if (array.get $numbers (local.get $a) (local.get $i))
        (then
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (local.set $j (i32.add (local.get $i) (local.get $i)))
          (block $done
            (loop $inner
              (br_if $done (i32.ge_u (local.get $j) (local.get $n)))
              (array.set $numbers (local.get $a) (local.get $j) (i32.const 0))
              (local.set $j (i32.add (local.get $j) (local.get $i)))
              (br $inner)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $count))

  ;; short arrays
  (func (export "arrays") (param $n i32) (result i32) (local $a (ref null $bytes)) (local $sum i32)
    (loop $more
      (local.set $a
        (array.new_default $bytes (i32.and (i32.mul (local.get $n) (i32.const 7)) (i32.const 63))))
      (local.set $sum (i32.add (local.get $sum) (array.len (local.get $a))))
      (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; casts of objects of two types in turn
  (func $area (param $shape (ref null $shape)) (result i32)
    (if (ref.test (ref $square) (local.get $shape))
      (then (return (struct.get $square 1 (ref.cast (ref $square) (local.get $shape))))))
    (i32.wrap_i64 (struct.get $circle 1 (ref.cast (ref $circle) (local.get $shape)))))
  (func (export "casts") (param $n i32) (result i32)
    (local $all (ref null $shapes)) (local $i i32) (local $sum i32)
    (local.set $all (array.new_default $shapes (i32.const 1000)))
    (loop $fill
      (array.set $shapes (local.get $all) (local.get $i)
        (if (result (ref $shape)) (i32.and (local.get $i) (i32.const 1))
          (then (struct.new $square (i32.const 0) (i32.const 3)))
          (else (struct.new $circle (i32.const 0) (i64.const 5)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $fill (i32.lt_u (local.get $i) (i32.const 1000))))
    (loop $again
      (local.set $i (i32.const 0))
      (loop $each
        (local.set $sum (i32.add (local.get $sum)
          (call $area (array.get $shapes (local.get $all) (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $each (i32.lt_u (local.get $i) (i32.const 1000))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
)

;; The least that the fallback fits: two functions of the interface, and a resource.
(component
  (import "wasi-mmap:mmap/mapping@0.1.0" (instance $mapping
    (export "mapping" (type (sub resource)))
    (export "page-size" (func (result u64)))
    (export "granularity" (func (result u64)))
  ))
  (core func $page-size (canon lower (func $mapping "page-size")))
  (core module $code
    (import "host" "page-size" (func $page-size (result i64)))
    (func (export "run") (result i32) (i32.wrap_i64 (call $page-size)))
  )
  (core instance $host (export "page-size" (func $page-size)))
  (core instance $code (instantiate $code (with "host" (instance $host))))
  (type $run (func (result (result))))
  (func $run (type $run) (canon lift (core func $code "run")))
  (instance $exported (export "run" (func $run)))
  (export "wasi:cli/run@0.2.6" (instance $exported))
)

;; Imports and exports of what is inside are not the component's own.
(component
  (component $inner
    (import "wasi-mmap:mmap/mapping@0.1.0" (instance (export "page-size" (func (result u64)))))
    (export "inner" (instance 0))
  )
  (core module (func (export "f")) (memory 1))
  (import "wasi-mmap:mmap/mapping@0.1.0" (instance $mapping (export "page-size" (func (result u64)))))
  (instance $instance (instantiate $inner (with "wasi-mmap:mmap/mapping@0.1.0" (instance $mapping))))
  (type $record (record (field "a" u8) (field "b" (tuple string f64))))
  (export "wasi:cli/run@0.2.0" (instance $instance))
)

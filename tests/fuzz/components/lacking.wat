;; One interface that the fallback has, and one of ours that it has not.
(component
  (import "wasi-mmap:mmap/mapping@0.1.0" (instance (export "granularity" (func (result u64)))))
  (import "wasi-mmap:mmap/nothing@0.1.0" (instance (export "do" (func))))
)

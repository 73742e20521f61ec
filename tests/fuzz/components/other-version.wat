;; Imports of another version, and of what nobody offers.
(component
  (import "wasi-mmap:mmap/mapping@0.2.0" (instance (export "page-size" (func (result u64)))))
  (import "somebody:else/thing" (instance (export "do" (func (param "a" string) (result (list u8))))))
  (import "wasi:clocks/monotonic-clock@0.2.6" (instance (export "now" (func (result u64)))))
)

;; The interface's name, with other types than it has.
(component
  (import "wasi-mmap:mmap/mapping@0.1.0" (instance
    (export "mapping" (type (sub resource)))
    (export "page-size" (func (param "of" string) (result (option u8))))
  ))
)

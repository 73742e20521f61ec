//! A small language for cases: a case makes files, maps them, operates on the mappings, and states what it expects.

use std::cmp::Ordering;

use wasi_mmap_core::{MapOptions, Rights};

use crate::op::{Op, Refusal, Value};

/// The backends that the suite runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The operating system, in process: Linux.
    Native,
    /// The operating system, in process: Windows.
    Windows,
    /// The Rust API in a plugin, under the host.
    Host,
    /// The WIT resource in a plugin, under the host.
    HostWit,
    /// The Rust API in a plugin that is composed with the fallback component.
    Fallback,
    /// The WIT resource in a plugin that is composed with the fallback component.
    FallbackWit,
    /// The fallback as a library, in a preview 1 module.
    FallbackLibrary,
    /// The fallback as a library of a native program, which does not tell it of ordinary reads and writes.
    FallbackNative,
}

impl Backend {
    /// All backends.
    pub const ALL: [Self; 8] = [
        Self::Native,
        Self::Windows,
        Self::Host,
        Self::HostWit,
        Self::Fallback,
        Self::FallbackWit,
        Self::FallbackLibrary,
        Self::FallbackNative,
    ];

    /// Returns whether the backend simulates the mapping with ordinary file I/O.
    pub fn is_fallback(self) -> bool {
        matches!(self, Self::Fallback | Self::FallbackWit | Self::FallbackLibrary | Self::FallbackNative)
    }
}

/// A case of the suite: one property of a mapping.
#[derive(Debug, Clone)]
#[must_use]
pub struct Case {
    /// The property, in a sentence.
    pub name: &'static str,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The backends that do not run it, and the reasons.
    pub skips: Vec<(Backend, &'static str)>,
}

/// One step of a case. Files are named within the directory that the case has for itself.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say what the step's own line does not")]
pub enum Step {
    /// Makes a file.
    File { name: &'static str, bytes: Vec<u8> },
    /// Writes to a file with ordinary I/O.
    Overwrite { name: &'static str, offset: u64, bytes: Vec<u8> },
    /// Changes the length of a file with ordinary I/O.
    SetLen { name: &'static str, len: u64 },
    /// Expects that the system refuses to give a file this length.
    SetLenFails { name: &'static str, len: u64 },
    /// Renames a file.
    Rename { from: &'static str, to: &'static str },
    /// Deletes a file.
    Remove { name: &'static str },
    /// Expects a file to have exactly these bytes.
    FileIs { name: &'static str, bytes: Vec<u8> },
    /// Expects a file to have this length.
    FileLenIs { name: &'static str, len: u64 },
    /// Makes a mapping in a slot.
    Map { slot: usize, source: Source, options: MapOptions, expect: Result<(), Refusal> },
    /// Operates on the mapping in a slot.
    Do { slot: usize, op: Op, expect: Result<Value, Refusal> },
    /// Copies from one mapping to another: destination, offset in the source, count.
    CopyFrom { slot: usize, destination: u64, source: usize, offset: u64, count: u64, expect: Result<Value, Refusal> },
    /// Drops the mapping in a slot.
    Drop { slot: usize },
}

/// The source of a mapping.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "named after the constructors")]
pub enum Source {
    File { name: &'static str, rights: Rights },
    Anonymous,
    Named(&'static str),
}

/// Makes a case without steps.
pub fn case(name: &'static str) -> Case {
    Case { name, steps: Vec::new(), skips: Vec::new() }
}

impl Case {
    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Skips the case on a backend.
    pub fn skip(mut self, backend: Backend, why: &'static str) -> Self {
        self.skips.push((backend, why));
        self
    }

    /// Skips the case on all fallbacks.
    pub fn skip_fallbacks(self, why: &'static str) -> Self {
        Backend::ALL
            .into_iter()
            .filter(|backend| backend.is_fallback())
            .fold(self, |case, backend| case.skip(backend, why))
    }

    /// Skips the case on the fallbacks that are not told of ordinary reads and writes.
    pub fn skip_unobserved(self, why: &'static str) -> Self {
        self.skip(Backend::FallbackWit, why).skip(Backend::FallbackNative, why)
    }

    /// Skips the case on all backends but Windows.
    pub fn only_on_windows(self, why: &'static str) -> Self {
        let others = Backend::ALL.into_iter().filter(|&backend| backend != Backend::Windows);
        others.fold(self, |case, backend| case.skip(backend, why))
    }

    /// Makes the file `f`.
    pub fn file(self, bytes: impl AsRef<[u8]>) -> Self {
        self.file_named("f", bytes)
    }

    /// Makes a file.
    pub fn file_named(self, name: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::File { name, bytes: bytes.as_ref().to_vec() })
    }

    /// Writes to the file `f` with ordinary I/O.
    pub fn overwrite(self, offset: u64, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Overwrite { name: "f", offset, bytes: bytes.as_ref().to_vec() })
    }

    /// Changes the length of the file `f` with ordinary I/O.
    pub fn set_len(self, len: u64) -> Self {
        self.step(Step::SetLen { name: "f", len })
    }

    /// Expects that the system refuses to give the file `f` this length.
    pub fn set_len_fails(self, len: u64) -> Self {
        self.step(Step::SetLenFails { name: "f", len })
    }

    /// Renames a file.
    pub fn rename(self, from: &'static str, to: &'static str) -> Self {
        self.step(Step::Rename { from, to })
    }

    /// Deletes a file.
    pub fn remove(self, name: &'static str) -> Self {
        self.step(Step::Remove { name })
    }

    /// Expects the file `f` to have exactly these bytes.
    pub fn file_is(self, bytes: impl AsRef<[u8]>) -> Self {
        self.file_named_is("f", bytes)
    }

    /// Expects a file to have exactly these bytes.
    pub fn file_named_is(self, name: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::FileIs { name, bytes: bytes.as_ref().to_vec() })
    }

    /// Expects the file `f` to have this length.
    pub fn file_len_is(self, len: u64) -> Self {
        self.step(Step::FileLenIs { name: "f", len })
    }

    /// Maps the file `f` in slot 0, opened for what the options need.
    pub fn map(self, options: MapOptions) -> Self {
        self.map_in(0, options)
    }

    /// Maps the file `f` in a slot.
    pub fn map_in(self, slot: usize, options: MapOptions) -> Self {
        let source = Source::File { name: "f", rights: options.rights() };
        self.step(Step::Map { slot, source, options, expect: Ok(()) })
    }

    /// Maps the file `f` in slot 0, opened for `rights`, and expects success.
    pub fn map_opened(self, rights: Rights, options: MapOptions) -> Self {
        self.step(Step::Map { slot: 0, source: Source::File { name: "f", rights }, options, expect: Ok(()) })
    }

    /// Expects that the file `f`, opened for what the options need, cannot be mapped.
    pub fn map_fails(self, options: MapOptions, refusal: Refusal) -> Self {
        self.map_opened_fails(options.rights(), options, refusal)
    }

    /// Expects that the file `f`, opened for `rights`, cannot be mapped.
    pub fn map_opened_fails(self, rights: Rights, options: MapOptions, refusal: Refusal) -> Self {
        self.map_source_fails(Source::File { name: "f", rights }, options, refusal)
    }

    /// Expects that something cannot be mapped.
    pub fn map_source_fails(self, source: Source, options: MapOptions, refusal: Refusal) -> Self {
        self.map_source_fails_in(0, source, options, refusal)
    }

    /// Expects that something cannot be mapped in a slot.
    pub fn map_source_fails_in(self, slot: usize, source: Source, options: MapOptions, refusal: Refusal) -> Self {
        self.step(Step::Map { slot, source, options, expect: Err(refusal) })
    }

    /// Maps anonymous memory in slot 0.
    pub fn anonymous(self, options: MapOptions) -> Self {
        self.step(Step::Map { slot: 0, source: Source::Anonymous, options, expect: Ok(()) })
    }

    /// Maps named memory in a slot.
    pub fn named(self, slot: usize, name: &'static str, options: MapOptions) -> Self {
        self.step(Step::Map { slot, source: Source::Named(name), options, expect: Ok(()) })
    }

    /// Operates on slot 0 and expects a value.
    pub fn op(self, op: Op, value: Value) -> Self {
        self.op_in(0, op, value)
    }

    /// Operates on a slot and expects a value.
    pub fn op_in(self, slot: usize, op: Op, value: Value) -> Self {
        self.step(Step::Do { slot, op, expect: Ok(value) })
    }

    /// Operates on slot 0 and expects an error.
    pub fn fails(self, op: Op, refusal: Refusal) -> Self {
        self.fails_in(0, op, refusal)
    }

    /// Operates on a slot and expects an error.
    pub fn fails_in(self, slot: usize, op: Op, refusal: Refusal) -> Self {
        self.step(Step::Do { slot, op, expect: Err(refusal) })
    }

    /// Copies between mappings: `source` is a slot and an offset in it.
    pub fn copy_from(
        self,
        slot: usize,
        destination: u64,
        source: (usize, u64),
        count: u64,
        expect: Result<Value, Refusal>,
    ) -> Self {
        self.step(Step::CopyFrom { slot, destination, source: source.0, offset: source.1, count, expect })
    }

    /// Drops the mapping in a slot.
    pub fn drop_mapping(self, slot: usize) -> Self {
        self.step(Step::Drop { slot })
    }

    /// Expects slot 0 to hold exactly these bytes, with its cursor untouched.
    pub fn holds(self, bytes: impl AsRef<[u8]>) -> Self {
        self.holds_in(0, bytes)
    }

    /// Expects a slot to hold exactly these bytes.
    pub fn holds_in(self, slot: usize, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.op_in(slot, Op::Len, number(bytes.len() as u64)).op_in(
            slot,
            Op::ReadAt(0, bytes.len() as u64),
            Value::Bytes(bytes.to_vec()),
        )
    }
}

/// Makes a value from a number.
pub fn number(number: u64) -> Value {
    Value::Number(number)
}

/// Makes a value from bytes.
pub fn bytes(bytes: impl AsRef<[u8]>) -> Value {
    Value::Bytes(bytes.as_ref().to_vec())
}

/// Makes the value of a search that found something at an offset.
pub fn at(place: u64) -> Value {
    Value::Place(Some(place))
}

/// The value of a search that found nothing.
pub const NOWHERE: Value = Value::Place(None);

/// No value: the operation succeeds.
pub const DONE: Value = Value::Unit;

/// The outcome of a comparison.
pub const LESS: Value = Value::Order(Ordering::Less);
/// The outcome of a comparison.
pub const EQUAL: Value = Value::Order(Ordering::Equal);
/// The outcome of a comparison.
pub const GREATER: Value = Value::Order(Ordering::Greater);

const fn refusal(name: &'static str, argument: &'static str) -> Refusal {
    Refusal { name, argument }
}

/// Makes the refusal of an argument outside the mapping.
pub const fn out_of_range(argument: &'static str) -> Refusal {
    refusal("out-of-range", argument)
}

/// Makes the refusal of an argument that no mapping accepts.
pub const fn invalid(argument: &'static str) -> Refusal {
    refusal("invalid", argument)
}

/// Makes the refusal of a mapping that would reach past the end of its file.
pub const fn beyond_end_of_file(argument: &'static str) -> Refusal {
    refusal("beyond-end-of-file", argument)
}

/// The mapping is closed.
pub const CLOSED: Refusal = refusal("closed", "");
/// The mapping is read-only.
pub const READ_ONLY: Refusal = refusal("read-only", "");
/// The file is empty.
pub const EMPTY_FILE: Refusal = refusal("empty-file", "");
/// The descriptor, the system or the host does not permit the operation.
pub const NOT_PERMITTED: Refusal = refusal("not-permitted", "");
/// The system or the backend does not support the operation.
pub const UNSUPPORTED: Refusal = refusal("unsupported", "");
/// The file was truncated under the mapping.
pub const TRUNCATED: Refusal = refusal("truncated", "");
/// The system failed in a way that has no case of its own.
pub const IO: Refusal = refusal("io", "");
/// No memory or address space is left.
pub const OUT_OF_MEMORY: Refusal = refusal("out-of-memory", "");

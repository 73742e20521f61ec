//! Conversions between this crate's types and those of generated WIT bindings.

/// Implements the conversions between this crate's types and those that a bindings generator makes of
/// `wasi-mmap:mmap/types`.
///
/// The argument is the path of the generated module, by `wit-bindgen` or wasmtime. The macro expands to implementations
/// of [`From`] in both directions, with two exceptions. [`Advice`](crate::Advice) converts with [`TryFrom`] to the
/// bindings: advice that would harm the host is not in the interface, and is
/// [`Error::NotPermitted`](crate::Error::NotPermitted). [`HeldLock`](crate::HeldLock) converts with [`TryFrom`] from
/// them, because its range may be invalid. The macro is called once, in the crate of the bindings:
///
/// ```ignore
/// wasi_mmap_core::wit_conversions!(crate::bindings::wasi_mmap::mmap::types);
/// ```
#[macro_export]
macro_rules! wit_conversions {
    ($types:path) => {
        const _: () = {
            use $types as wit;

            $crate::wit_conversions!(@enum Access { Read, Write, Copy });
            $crate::wit_conversions!(@enum Whence { Start, Current, End });
            $crate::wit_conversions!(@enum LockKind { Shared, Exclusive });
            $crate::wit_conversions!(@advice {
                Normal, Random, Sequential, WillNeed, DontNeed, Free, Remove, DontFork, DoFork, Mergeable, Unmergeable,
                HugePage, NoHugePage, DontDump, DoDump, NoSync, AutoSync, NoCore, Core, FreeReusable, FreeReuse
            });

            impl From<$crate::MapFlags> for wit::MapFlags {
                fn from(flags: $crate::MapFlags) -> Self {
                    let pairs = [
                        ($crate::MapFlags::PRIVATE, Self::PRIVATE),
                        ($crate::MapFlags::POPULATE, Self::POPULATE),
                        ($crate::MapFlags::NO_RESERVE, Self::NO_RESERVE),
                        ($crate::MapFlags::STACK, Self::STACK),
                        ($crate::MapFlags::HUGE_PAGES, Self::HUGE_PAGES),
                        ($crate::MapFlags::WIDEST_ACCESS, Self::WIDEST_ACCESS),
                        ($crate::MapFlags::BEYOND_END, Self::BEYOND_END),
                    ];
                    pairs.into_iter().filter(|pair| flags.contains(pair.0)).fold(Self::empty(), |all, one| all | one.1)
                }
            }

            impl From<wit::MapFlags> for $crate::MapFlags {
                fn from(flags: wit::MapFlags) -> Self {
                    Self::all().iter().filter(|&flag| flags.contains(flag.into())).collect()
                }
            }

            impl From<$crate::FlushFlags> for wit::FlushFlags {
                fn from(flags: $crate::FlushFlags) -> Self {
                    let pairs = [
                        ($crate::FlushFlags::ASYNC, Self::ASYNCHRONOUS),
                        ($crate::FlushFlags::INVALIDATE, Self::INVALIDATE),
                        ($crate::FlushFlags::SYNC, Self::SYNCHRONOUS),
                    ];
                    pairs.into_iter().filter(|pair| flags.contains(pair.0)).fold(Self::empty(), |all, one| all | one.1)
                }
            }

            impl From<wit::FlushFlags> for $crate::FlushFlags {
                fn from(flags: wit::FlushFlags) -> Self {
                    Self::all().iter().filter(|&flag| flags.contains(flag.into())).collect()
                }
            }

            impl From<wit::MapOptions> for $crate::MapOptions {
                fn from(options: wit::MapOptions) -> Self {
                    Self::new()
                        .offset(options.offset)
                        .length(options.length.unwrap_or(0))
                        .access(options.access.into())
                        .flags(options.map_flags.into())
                }
            }

            impl From<$crate::MapOptions> for wit::MapOptions {
                fn from(options: $crate::MapOptions) -> Self {
                    Self {
                        offset: options.offset,
                        length: options.requested_length(),
                        access: options.access.into(),
                        map_flags: options.flags.into(),
                    }
                }
            }

            impl From<wit::Slice> for $crate::Slice {
                fn from(slice: wit::Slice) -> Self {
                    Self { start: slice.start, stop: slice.stop, step: slice.step }
                }
            }

            impl From<$crate::Slice> for wit::Slice {
                fn from(slice: $crate::Slice) -> Self {
                    Self { start: slice.start, stop: slice.stop, step: slice.step }
                }
            }

            impl From<$crate::HeldLock> for wit::HeldLock {
                fn from(held: $crate::HeldLock) -> Self {
                    Self {
                        kind: held.kind.into(),
                        offset: held.range.offset(),
                        length: held.range.length(),
                        process: held.process,
                    }
                }
            }

            impl TryFrom<wit::HeldLock> for $crate::HeldLock {
                type Error = $crate::Error;

                fn try_from(held: wit::HeldLock) -> $crate::Result<Self> {
                    let range = $crate::LockRange::new(held.offset, held.length)?;
                    Ok(Self { kind: held.kind.into(), range, process: held.process })
                }
            }

            impl From<::std::cmp::Ordering> for wit::Ordering {
                fn from(ordering: ::std::cmp::Ordering) -> Self {
                    match ordering {
                        ::std::cmp::Ordering::Less => Self::Less,
                        ::std::cmp::Ordering::Equal => Self::Equal,
                        ::std::cmp::Ordering::Greater => Self::Greater,
                    }
                }
            }

            impl From<wit::Ordering> for ::std::cmp::Ordering {
                fn from(ordering: wit::Ordering) -> Self {
                    match ordering {
                        wit::Ordering::Less => Self::Less,
                        wit::Ordering::Equal => Self::Equal,
                        wit::Ordering::Greater => Self::Greater,
                    }
                }
            }

            impl From<$crate::Argument> for wit::Argument {
                fn from(argument: $crate::Argument) -> Self {
                    Self { name: argument.name.into_owned(), reason: argument.reason.into_owned() }
                }
            }

            impl From<wit::Argument> for $crate::Argument {
                fn from(argument: wit::Argument) -> Self {
                    Self::new(argument.name, argument.reason)
                }
            }

            impl From<$crate::OsError> for wit::OsError {
                fn from(error: $crate::OsError) -> Self {
                    let system = match error.system {
                        $crate::System::Linux => wit::System::Linux,
                        $crate::System::MacOs => wit::System::Macos,
                        $crate::System::FreeBsd => wit::System::Freebsd,
                        $crate::System::Windows => wit::System::Windows,
                        $crate::System::Wasi => wit::System::Wasi,
                        _ => wit::System::Other,
                    };
                    Self { system, code: error.code, message: error.message }
                }
            }

            impl From<wit::OsError> for $crate::OsError {
                fn from(error: wit::OsError) -> Self {
                    let system = match error.system {
                        wit::System::Linux => $crate::System::Linux,
                        wit::System::Macos => $crate::System::MacOs,
                        wit::System::Freebsd => $crate::System::FreeBsd,
                        wit::System::Windows => $crate::System::Windows,
                        wit::System::Wasi => $crate::System::Wasi,
                        wit::System::Other => $crate::System::Other,
                    };
                    Self { system, code: error.code, message: error.message }
                }
            }

            impl From<$crate::Error> for wit::Error {
                fn from(error: $crate::Error) -> Self {
                    match error {
                        $crate::Error::Closed => Self::Closed,
                        $crate::Error::ReadOnly => Self::ReadOnly,
                        $crate::Error::OutOfRange(argument) => Self::OutOfRange(argument.into()),
                        $crate::Error::Invalid(argument) => Self::Invalid(argument.into()),
                        $crate::Error::EmptyFile => Self::EmptyFile,
                        $crate::Error::BeyondEndOfFile(argument) => Self::BeyondEndOfFile(argument.into()),
                        $crate::Error::NotPermitted(what) => Self::NotPermitted(what.into_owned()),
                        $crate::Error::Busy => Self::Busy,
                        $crate::Error::Truncated => Self::Truncated,
                        $crate::Error::LimitExceeded(limit) => Self::LimitExceeded(limit.into_owned()),
                        $crate::Error::Unsupported(what) => Self::Unsupported(what.into_owned()),
                        $crate::Error::OutOfMemory => Self::OutOfMemory,
                        $crate::Error::NoSpace => Self::NoSpace,
                        $crate::Error::Io(error) => Self::Io(error.into()),
                        // A case that was added to `core` after this macro: only its text can be passed on.
                        error => Self::Unsupported(error.to_string()),
                    }
                }
            }

            impl From<wit::Error> for $crate::Error {
                fn from(error: wit::Error) -> Self {
                    match error {
                        wit::Error::Closed => Self::Closed,
                        wit::Error::ReadOnly => Self::ReadOnly,
                        wit::Error::OutOfRange(argument) => Self::OutOfRange(argument.into()),
                        wit::Error::Invalid(argument) => Self::Invalid(argument.into()),
                        wit::Error::EmptyFile => Self::EmptyFile,
                        wit::Error::BeyondEndOfFile(argument) => Self::BeyondEndOfFile(argument.into()),
                        wit::Error::NotPermitted(what) => Self::NotPermitted(what.into()),
                        wit::Error::Busy => Self::Busy,
                        wit::Error::Truncated => Self::Truncated,
                        wit::Error::LimitExceeded(limit) => Self::LimitExceeded(limit.into()),
                        wit::Error::Unsupported(what) => Self::Unsupported(what.into()),
                        wit::Error::OutOfMemory => Self::OutOfMemory,
                        wit::Error::NoSpace => Self::NoSpace,
                        wit::Error::Io(error) => Self::Io(error.into()),
                    }
                }
            }
        };
    };
    (@advice { $($case:ident),* }) => {
        impl From<wit::Advice> for $crate::Advice {
            fn from(advice: wit::Advice) -> Self {
                match advice {
                    $(wit::Advice::$case => Self::$case,)*
                }
            }
        }

        impl TryFrom<$crate::Advice> for wit::Advice {
            type Error = $crate::Error;

            fn try_from(advice: $crate::Advice) -> $crate::Result<Self> {
                match advice {
                    $($crate::Advice::$case => Ok(Self::$case),)*
                    _ => Err($crate::Error::NotPermitted(format!("the advice {advice:?}").into())),
                }
            }
        }
    };
    (@enum $name:ident { $($case:ident),* }) => {
        impl From<wit::$name> for $crate::$name {
            fn from(value: wit::$name) -> Self {
                match value {
                    $(wit::$name::$case => Self::$case,)*
                }
            }
        }

        impl From<$crate::$name> for wit::$name {
            #[allow(unreachable_patterns, reason = "a newer version of the type may have more cases")]
            fn from(value: $crate::$name) -> Self {
                match value {
                    $($crate::$name::$case => Self::$case,)*
                    _ => unreachable!("the interface has no such case"),
                }
            }
        }
    };
}

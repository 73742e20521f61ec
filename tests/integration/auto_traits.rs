//! The types that can be sent to another thread and shared with one, and those that cannot.

use std::marker::PhantomData;

use wasi_mmap::fallback::{Cache, CachedStorage, StdFile};
use wasi_mmap::{View, ViewMut};
use wasi_mmap_core::{Access, Argument, Error, FlushFlags, MapFlags, MapOptions, OsError, Slice};
use wasi_mmap_host::{Interrupt, Limits, MmapCtx, MmapCtxBuilder, Usage};
use wasi_mmap_native::{Mapping, MappingOptions, Namespace, OsStorage, SharedPages, Stability, StableSlice, Window};

/// A type whose inherent constants say which of the two traits it has: they hide those of [`Without`].
struct Has<T: ?Sized>(PhantomData<T>);

trait Without {
    const SEND: bool = false;
    const SYNC: bool = false;
}

impl<T: ?Sized> Without for Has<T> {}

impl<T: ?Sized + Send> Has<T> {
    const SEND: bool = true;
}

impl<T: ?Sized + Sync> Has<T> {
    const SYNC: bool = true;
}

/// Checks that each type is [`Send`] and [`Sync`], or not, as given.
macro_rules! check {
    ($send:literal, $sync:literal: $($type:ty),+ $(,)?) => {
        $(assert_eq!((Has::<$type>::SEND, Has::<$type>::SYNC), ($send, $sync), stringify!($type));)+
    };
}

#[test]
fn plain_data_is_send_and_sync() {
    check!(true, true: Access, Argument, Error, FlushFlags, Limits, MapFlags, MapOptions, OsError, Slice, Stability);
}

#[test]
fn native_mappings_and_what_is_made_of_them_are_send_and_sync() {
    check!(true, true: Mapping, MappingOptions, Namespace, OsStorage, SharedPages, StableSlice, Window);
}

#[test]
fn views_to_read_are_send_and_sync() {
    check!(true, true: View<'static>);
    // A copy is written back to its mapping, which may be bound to its thread.
    check!(false, false: ViewMut<'static>);
}

#[test]
fn the_host_can_be_moved_between_threads() {
    check!(true, true: Interrupt, MmapCtx, MmapCtxBuilder, Usage);
}

/// All mappings of one cache share it without a lock.
#[test]
fn the_fallback_stays_in_its_thread() {
    check!(false, false: Cache<StdFile>, CachedStorage<StdFile>, wasi_mmap::fallback::Mapping);
    check!(true, true: wasi_mmap::fallback::MappingOptions);
}

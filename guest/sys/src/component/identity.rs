//! The question whether two descriptors are of one file.
//!
//! `descriptor.is-same-object` answers it, on systems that know their files by numbers. Others return false for any two
//! descriptors; whether this is one of them is found out with two descriptors of a directory. There,
//! `descriptor.metadata-hash` is compared, which may change with every write, so that it is asked for both at once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::calls::lent;
use crate::bindings::wasi::filesystem::types::Descriptor;
use crate::held;

/// The key of each handle of the C library that was asked for one.
type Keys = HashMap<u32, Option<(u64, u64)>, FxBuildHasher>;

thread_local! {
    static KEYS: RefCell<Keys> = const { RefCell::new(HashMap::with_hasher(FxBuildHasher)) };
}

/// Forgets a handle that is dropped, and whose number may stand for another file soon.
pub(super) fn forget(handle: i32) {
    KEYS.with_borrow_mut(|keys| keys.remove(&handle.cast_unsigned()));
}

/// Returns whether the system knows that two descriptors of a directory are of one.
fn knows_objects() -> bool {
    thread_local! {
        static KNOWS_OBJECTS: Cell<Option<bool>> = const { Cell::new(None) };
    }
    if let Some(knows_objects) = KNOWS_OBJECTS.get() {
        return knows_objects;
    }
    // Observers that are told of the drop of the directories' descriptors may ask this question again. Until it is
    // decided, hashes are compared.
    KNOWS_OBJECTS.set(Some(false));
    let is_same = held::with_directory(|one| {
        held::with_directory(|other| lent(one).descriptor().is_same_object(lent(other).descriptor()))
    });
    let knows_objects = is_same.flatten() == Some(true);
    KNOWS_OBJECTS.set(Some(knows_objects));
    knows_objects
}

/// Returns the hash of a file's metadata, unless it is one of those that systems without numbers return.
fn hash(descriptor: &Descriptor) -> Option<(u64, u64)> {
    let hash = descriptor.metadata_hash().ok()?;
    (hash.lower != 0 && hash.upper != 0).then_some((hash.lower, hash.upper))
}

/// See [`HeldFile::key`](super::HeldFile::key).
pub(super) fn key(descriptor: &Descriptor) -> Option<(u64, u64)> {
    if knows_objects() { hash(descriptor) } else { None }
}

/// Returns the key of a file of the C library, which is asked for once: it is needed for each read and write. The C
/// library says when it drops the handle.
pub(super) fn recorded_key(descriptor: &Descriptor) -> Option<(u64, u64)> {
    let handle = descriptor.handle();
    if let Some(key) = KEYS.with_borrow(|keys| keys.get(&handle).copied()) {
        return key;
    }
    let key = key(descriptor);
    KEYS.with_borrow_mut(|keys| keys.insert(handle, key));
    key
}

/// See [`HeldFile::is_same`](super::HeldFile::is_same).
pub(super) fn is_same(one: &Descriptor, other: &Descriptor) -> bool {
    if one.handle() == other.handle() {
        return true;
    }
    if knows_objects() {
        return one.is_same_object(other);
    }
    hash(one).is_some_and(|hash_of_one| hash(other) == Some(hash_of_one))
}

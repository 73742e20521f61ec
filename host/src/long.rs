//! The functions that take long: they work in pieces, in an async store otherwise than in a sync one.

use std::sync::Arc;

use wasi_mmap_core::{Error, Internals, Result};
use wasi_mmap_native::Mapping;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower, WasmList};

use crate::ctx::MmapView;
use crate::limits::{Limit, Limits};
use crate::linker::{Handle, answer, get};
use crate::work::{Job, PIECE, Yield};

/// What came of the beginning of a call.
pub(crate) enum Begun<R> {
    /// It is over already.
    Answer(Result<R>),
    /// There is work to do.
    Job(Job<R>),
}

impl<R> Begun<R> {
    /// Passes bytes of the plugin's to the work, if there is any.
    pub(crate) fn with(self, bytes: WasmList<u8>) -> Self {
        match self {
            Self::Answer(_) => self,
            Self::Job(job) => Self::Job(job.with(bytes)),
        }
    }
}

impl<R> From<Result<Begun<R>>> for Begun<R> {
    fn from(begun: Result<Self>) -> Self {
        begun.unwrap_or_else(|error| Self::Answer(Err(error)))
    }
}

/// Whether the store is used with async.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Calls {
    Sync,
    Async,
}

/// Adds the functions.
pub(crate) fn add<T: MmapView + 'static>(calls: Calls, instance: &mut LinkerInstance<'_, T>) -> wasmtime::Result<()> {
    type Cx<'a, 'b, T> = &'a mut StoreContextMut<'b, T>;

    add_one(calls, instance, "[method]mapping.find", answer, |store: Cx<'_, '_, T>, arguments| {
        search(store, arguments, false)
    })?;
    add_one(calls, instance, "[method]mapping.rfind", answer, |store: Cx<'_, '_, T>, arguments| {
        search(store, arguments, true)
    })?;
    add_one(
        calls,
        instance,
        "[method]mapping.fill",
        answer,
        |store: Cx<'_, '_, T>, (handle, offset, length, byte): (Handle, u64, u64, u8)| {
            let mapping = get(store, &handle)?;
            let ctx = store.data_mut().mmap().ctx;
            let done = {
                let mut mapping = mapping.lock();
                let is_work = mapping.access().is_writable() && mapping.range(offset, length).is_ok();
                at_once(&ctx.limits, is_work, length, || mapping.fill_at(offset, length, byte))
            };
            let job = || Job::fill(mapping, offset..offset + length, byte, ctx.interrupt.clone());
            Ok(done.map_or_else(|| Begun::Job(job()), Begun::Answer))
        },
    )?;
    add_one(
        calls,
        instance,
        "[method]mapping.copy-within",
        answer,
        |store: Cx<'_, '_, T>, (handle, destination, source, count): (Handle, u64, u64, u64)| {
            let mapping = get(store, &handle)?;
            copy(store, mapping, None, (destination, source, count))
        },
    )?;
    add_one(
        calls,
        instance,
        "[method]mapping.copy-from",
        answer,
        |store: Cx<'_, '_, T>, (handle, destination, source, offset, count): (Handle, u64, Handle, u64, u64)| {
            let (mapping, source) = (get(store, &handle)?, get(store, &source)?);
            // Both handles may be the same mapping.
            let source = (!Arc::ptr_eq(&mapping, &source)).then_some(source);
            copy(store, mapping, source, (destination, offset, count))
        },
    )
}

/// Adds a function: `begin` does what is short, or says what there is to do, and `finish` makes the answer.
pub(crate) fn add_one<T: MmapView + 'static, A, R, O>(
    calls: Calls,
    instance: &mut LinkerInstance<'_, T>,
    name: &str,
    finish: fn(Result<R>) -> wasmtime::Result<O>,
    begin: impl Fn(&mut StoreContextMut<'_, T>, A) -> wasmtime::Result<Begun<R>> + Copy + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    A: ComponentNamedList + Lift + Send + 'static,
    R: Send + 'static,
    O: ComponentNamedList + Lower + 'static,
{
    match calls {
        Calls::Sync => instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, arguments: A| {
            match begin(&mut store, arguments)? {
                Begun::Answer(outcome) => finish(outcome),
                Begun::Job(mut job) => loop {
                    if let Some(outcome) = job.step(&store)? {
                        return finish(outcome);
                    }
                },
            }
        }),
        Calls::Async => instance.func_wrap_async(name, move |mut store: StoreContextMut<'_, T>, arguments: A| {
            Box::new(async move {
                match begin(&mut store, arguments)? {
                    Begun::Answer(outcome) => finish(outcome),
                    Begun::Job(mut job) => loop {
                        if let Some(outcome) = job.step(&store)? {
                            return finish(outcome);
                        }
                        Yield::default().await;
                    },
                }
            })
        }),
    }
}

type SearchArguments = (Handle, WasmList<u8>, Option<i64>, Option<i64>);

/// Checks a search as `core` does, and begins it where something is to be searched.
fn search<T: MmapView>(
    store: &mut StoreContextMut<'_, T>,
    (handle, needle, start, end): SearchArguments,
    backward: bool,
) -> wasmtime::Result<Begun<Option<u64>>> {
    let mapping = get(store, &handle)?;
    let needle = needle.as_le_slice(&*store);
    let range = mapping.lock().search_range(needle, start, end);
    let range = match range {
        Err(error) => return Ok(Begun::Answer(Err(error))),
        Ok(None) => return Ok(Begun::Answer(Ok(None))),
        Ok(Some(range)) => range,
    };
    if needle.is_empty() {
        return Ok(Begun::Answer(Ok(Some(if backward { range.end } else { range.start }))));
    }
    // It fits into the mapping, and is copied only then: it may lie in a window, and must not change during the search.
    let mut copy = Vec::new();
    if copy.try_reserve_exact(needle.len()).is_err() {
        return Ok(Begun::Answer(Err(Error::OutOfMemory)));
    }
    copy.extend_from_slice(needle);
    let needle = copy;
    let ctx = store.data_mut().mmap().ctx;
    Ok(match ctx.limits.check(Limit::WorkPerCall, range.end - range.start) {
        Err(error) => Begun::Answer(Err(error)),
        Ok(()) => Begun::Job(Job::search(mapping, needle, range, backward, ctx.interrupt.clone())),
    })
}

/// Does what is short, at once, and what the mapping refuses, which is no work; refuses what is more than a call may do. `None`
/// if there is work for a job.
fn at_once(limits: &Limits, is_work: bool, count: u64, operate: impl FnOnce() -> Result<()>) -> Option<Result<()>> {
    if !is_work {
        return Some(operate());
    }
    match limits.check(Limit::WorkPerCall, count) {
        Err(error) => Some(Err(error)),
        Ok(()) if count > PIECE => None,
        Ok(()) => Some(operate()),
    }
}

/// Begins a copy from `source`, or from the mapping itself: destination, offset, count.
fn copy<T: MmapView>(
    store: &mut StoreContextMut<'_, T>,
    mapping: Arc<crate::mapping::HostMapping>,
    source: Option<Arc<crate::mapping::HostMapping>>,
    (destination, offset, count): (u64, u64, u64),
) -> wasmtime::Result<Begun<()>> {
    let ctx = store.data_mut().mmap().ctx;
    let done = {
        let mut mapping = mapping.lock();
        let from = source.as_ref().map(|source| source.lock());
        let is_inside = |mapping: &Mapping, offset| mapping.range(offset, count).is_ok();
        let is_work = mapping.access().is_writable()
            && is_inside(&mapping, destination)
            && is_inside(from.as_deref().unwrap_or(&mapping), offset);
        at_once(&ctx.limits, is_work, count, || match &from {
            Some(from) => mapping.copy_from_at(destination, from, offset, count),
            None => mapping.copy_within_at(destination, offset, count),
        })
    };
    let interrupt = ctx.interrupt.clone();
    let job = || Job::copy(mapping, source, offset..offset + count, destination, interrupt);
    Ok(done.map_or_else(|| Begun::Job(job()), Begun::Answer))
}

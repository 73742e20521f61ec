//! Linking one function: the mapping behind a handle, the result, and the two forms of a call that may take long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wasi_mmap_core::Result;
use wasi_mmap_native::Mapping;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower, Resource};

use crate::bindings::types as wit;
use crate::call::{Call, Started};
use crate::ctx::MmapView;
use crate::mapping::HostMapping;

/// The result of a function of the interface.
pub(super) type WitResult<T> = wasmtime::Result<(std::result::Result<T, wit::Error>,)>;

/// A plugin's handle. The table holds a shared pointer, so that an operation need not keep the table borrowed.
pub(super) type Handle = Resource<HostMapping>;

/// The store that a function is called in.
pub(super) type Cx<'a, T> = StoreContextMut<'a, T>;

/// Whether the store is used with async.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    Sync,
    Async,
}

/// Returns the mapping behind a handle. The engine has trapped before if the plugin does not own the handle.
pub(super) fn mapping_of<T: MmapView>(
    store: &mut StoreContextMut<'_, T>,
    handle: &Handle,
) -> wasmtime::Result<Arc<HostMapping>> {
    let handle = Resource::<Arc<HostMapping>>::new_borrow(handle.rep());
    Ok(Arc::clone(store.data_mut().mmap().table.get(&handle)?))
}

/// Converts a result to that of the interface.
pub(super) fn to_wit<T>(result: Result<T>) -> WitResult<T> {
    Ok((result.map_err(wit::Error::from),))
}

/// Performs an operation on the mapping behind a handle.
pub(super) fn with_mapping<T: MmapView, R>(
    mut store: StoreContextMut<'_, T>,
    handle: &Handle,
    operate: impl FnOnce(&mut Mapping) -> Result<R>,
) -> WitResult<R> {
    let mapping = mapping_of(&mut store, handle)?;
    let result = operate(&mut mapping.lock());
    to_wit(result)
}

/// Begins a call on the mapping behind a handle.
pub(super) fn begin<T: MmapView>(store: &mut StoreContextMut<'_, T>, handle: &Handle) -> wasmtime::Result<Call> {
    let mapping = mapping_of(store, handle)?;
    let ctx = store.data_mut().mmap().ctx;
    Ok(Call { mapping, limits: ctx.limits, interrupt: ctx.interrupt.clone() })
}

/// Adds a function that may take long. `start` checks the call and does what is short; `finish` converts the result.
pub(super) fn add_long<T: MmapView + 'static, A, R, O>(
    mode: Mode,
    instance: &mut LinkerInstance<'_, T>,
    name: &str,
    finish: fn(Result<R>) -> wasmtime::Result<O>,
    start: impl Fn(&mut StoreContextMut<'_, T>, A) -> wasmtime::Result<Started<R>> + Copy + Send + Sync + 'static,
) -> wasmtime::Result<()>
where
    A: ComponentNamedList + Lift + Send + 'static,
    R: Send + 'static,
    O: ComponentNamedList + Lower + 'static,
{
    match mode {
        Mode::Sync => instance.func_wrap(name, move |mut store: StoreContextMut<'_, T>, arguments: A| {
            match start(&mut store, arguments)? {
                Started::Done(result) => finish(result),
                Started::Steps(mut steps) => loop {
                    if let Some(result) = steps.step(&store)? {
                        return finish(result);
                    }
                },
            }
        }),
        Mode::Async => instance.func_wrap_async(name, move |mut store: StoreContextMut<'_, T>, arguments: A| {
            Box::new(async move {
                match start(&mut store, arguments)? {
                    Started::Done(result) => finish(result),
                    Started::Steps(mut steps) => loop {
                        if let Some(result) = steps.step(&store)? {
                            return finish(result);
                        }
                        Yield::default().await;
                    },
                }
            })
        }),
    }
}

/// A future that yields to the executor once, whichever executor that is.
#[derive(Debug, Default)]
struct Yield {
    done: bool,
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.done, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

//! Linking one function: the mapping behind a handle, the result, and the two forms of a call that may take long.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wasi_mmap_core::Result;
use wasi_mmap_native::Mapping;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};

use crate::bindings::types as wit;
use crate::call::{Call, Started};
use crate::mapping::HostMapping;
use crate::timer::Sleep;
use crate::view::{GetView, View};

/// The result of a function of the interface.
pub(super) type WitResult<T> = wasmtime::Result<(std::result::Result<T, wit::Error>,)>;

/// A plugin's handle. The table holds a shared pointer, so that an operation need not keep the table borrowed.
pub(super) type Handle = Resource<HostMapping>;

/// Whether the store is used with async.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mode {
    Sync,
    Async,
}

/// The store of the plugin that calls a function.
pub(super) struct Caller<'a, T: 'static> {
    pub(super) store: StoreContextMut<'a, T>,
    get: GetView<T>,
}

impl<T> Caller<'_, T> {
    /// Returns the context and the table. The plugin's windows show what their files have grown by: nothing refers to
    /// their bytes, as the store is borrowed.
    pub(super) fn view(&mut self) -> wasmtime::Result<View<'_>> {
        let view = self.get.view(self.store.data_mut())?;
        view.ctx.growing.show_growth();
        Ok(view)
    }

    /// Returns the mapping behind a handle. The engine has trapped before if the plugin does not own the handle.
    pub(super) fn mapping(&mut self, handle: &Handle) -> wasmtime::Result<Arc<HostMapping>> {
        let handle = Resource::<Arc<HostMapping>>::new_borrow(handle.rep());
        Ok(Arc::clone(self.view()?.table.get(&handle)?))
    }

    /// Performs an operation on the mapping behind a handle.
    pub(super) fn with_mapping<R>(
        &mut self,
        handle: &Handle,
        operate: impl FnOnce(&mut Mapping) -> Result<R>,
    ) -> WitResult<R> {
        let mapping = self.mapping(handle)?;
        let result = operate(&mut mapping.lock());
        to_wit(result)
    }

    /// Begins a call on the mapping behind a handle.
    pub(super) fn begin(&mut self, handle: &Handle) -> wasmtime::Result<Call> {
        let mapping = self.mapping(handle)?;
        let View { ctx, .. } = self.view()?;
        Ok(Call { mapping, limits: *ctx.limits(), interrupt: ctx.interrupt.clone() })
    }
}

/// Converts a result to that of the interface.
pub(super) fn to_wit<T>(result: Result<T>) -> WitResult<T> {
    Ok((result.map_err(wit::Error::from),))
}

/// An interface of a linker, to which functions are added.
pub(super) struct Interface<'a, T: 'static> {
    instance: LinkerInstance<'a, T>,
    mode: Mode,
    get: GetView<T>,
}

impl<'a, T: Send + 'static> Interface<'a, T> {
    pub(super) fn new(linker: &'a mut Linker<T>, name: &str, mode: Mode, get: &GetView<T>) -> wasmtime::Result<Self> {
        Ok(Self { instance: linker.instance(name)?, mode, get: get.clone() })
    }

    /// Adds a resource of type `R`. `drop` drops the handle with this number.
    pub(super) fn resource<R: 'static>(
        &mut self,
        name: &str,
        drop: fn(View<'_>, u32) -> wasmtime::Result<()>,
    ) -> wasmtime::Result<()> {
        let get = self.get.clone();
        let drop = move |mut store: StoreContextMut<'_, T>, rep| drop(get.view(store.data_mut())?, rep);
        self.instance.resource(name, ResourceType::host::<R>(), drop)
    }

    /// Adds a function that is short.
    pub(super) fn add<A, O>(
        &mut self,
        name: &str,
        call: impl Fn(Caller<'_, T>, A) -> wasmtime::Result<O> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        A: ComponentNamedList + Lift + 'static,
        O: ComponentNamedList + Lower + 'static,
    {
        let get = self.get.clone();
        self.instance.func_wrap(name, move |store: StoreContextMut<'_, T>, arguments: A| {
            call(Caller { store, get: get.clone() }, arguments)
        })
    }

    /// Adds a function that may take long. `start` checks the call and does what is short; `finish` converts the
    /// result.
    pub(super) fn add_long<A, R, O>(
        &mut self,
        name: &str,
        finish: fn(Result<R>) -> wasmtime::Result<O>,
        start: impl Fn(&mut Caller<'_, T>, A) -> wasmtime::Result<Started<R>> + Copy + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        A: ComponentNamedList + Lift + Send + 'static,
        R: Send + 'static,
        O: ComponentNamedList + Lower + 'static,
    {
        let get = self.get.clone();
        match self.mode {
            Mode::Sync => self.instance.func_wrap(name, move |store: StoreContextMut<'_, T>, arguments: A| {
                let mut caller = Caller { store, get: get.clone() };
                match start(&mut caller, arguments)? {
                    Started::Done(result) => finish(result),
                    Started::Steps(mut steps) => loop {
                        if let Some(result) = steps.step(&caller.store)? {
                            return finish(result);
                        }
                        if let Some(pause) = steps.next_pause() {
                            std::thread::sleep(pause);
                        }
                    },
                }
            }),
            Mode::Async => self.instance.func_wrap_async(name, move |store: StoreContextMut<'_, T>, arguments: A| {
                let mut caller = Caller { store, get: get.clone() };
                Box::new(async move {
                    match start(&mut caller, arguments)? {
                        Started::Done(result) => finish(result),
                        Started::Steps(mut steps) => loop {
                            if let Some(result) = steps.step(&caller.store)? {
                                return finish(result);
                            }
                            match steps.next_pause() {
                                Some(pause) => Sleep::new(pause).await,
                                None => Yield::default().await,
                            }
                        },
                    }
                })
            }),
        }
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

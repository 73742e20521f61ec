//! The context and the table of a store, wherever the embedder keeps them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use wasmtime::component::{Resource, ResourceTable};

use crate::ctx::{MmapCtx, MmapCtxView};

/// Makes the context of a store from the store's data.
type MakeCtx<T> = Arc<dyn Fn(&mut T) -> MmapCtx + Send + Sync>;

/// The context and the table of a store, for one operation.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) ctx: Ctx<'a>,
    pub(crate) table: &'a mut ResourceTable,
}

/// The context of a store.
#[derive(Debug)]
pub(crate) enum Ctx<'a> {
    /// In the store's data.
    Data(&'a MmapCtx),
    /// In the table of resources.
    Table(Arc<MmapCtx>),
}

impl Deref for Ctx<'_> {
    type Target = MmapCtx;

    fn deref(&self) -> &MmapCtx {
        match self {
            Self::Data(ctx) => ctx,
            Self::Table(ctx) => ctx,
        }
    }
}

/// A way to the context and the table of a store.
pub(crate) enum GetView<T: 'static> {
    /// Both are in the store's data.
    Data(fn(&mut T) -> MmapCtxView<'_>),
    /// The context is in the table, or is made and put there.
    Table(fn(&mut T) -> &mut ResourceTable, MakeCtx<T>),
}

impl<T> Clone for GetView<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Data(get) => Self::Data(*get),
            Self::Table(get, make) => Self::Table(*get, Arc::clone(make)),
        }
    }
}

impl<T> fmt::Debug for GetView<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data(_) => "Data",
            Self::Table(..) => "Table",
        })
    }
}

impl<T> GetView<T> {
    /// Returns the context and the table.
    ///
    /// # Errors
    ///
    /// Fails if the context has no place in the table, which is full.
    pub(crate) fn view<'a>(&self, data: &'a mut T) -> wasmtime::Result<View<'a>> {
        match self {
            Self::Data(get) => {
                let MmapCtxView { ctx, table } = get(data);
                Ok(View { ctx: Ctx::Data(ctx), table })
            }
            Self::Table(get, make) => {
                if let Some(ctx) = MmapCtx::find_in(get(data)) {
                    return Ok(View { ctx: Ctx::Table(ctx), table: get(data) });
                }
                let ctx = Arc::new(make(data));
                let table = get(data);
                // It stays until the table is dropped: no plugin has a handle to it.
                let _: Resource<Arc<MmapCtx>> = table.push(Arc::clone(&ctx))?;
                Ok(View { ctx: Ctx::Table(ctx), table })
            }
        }
    }
}

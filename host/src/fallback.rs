//! The fallback component, and its composition with a plugin.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PlugError, plug};

/// The fallback: a component that exports `wasi-mmap:mmap` and imports `wasi:filesystem` and nothing else.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/fallback.wasm"));

/// The reason why a plugin could not be composed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// The plugin is not a component, or not a valid one.
    #[error("the plugin is not a valid component: {0}")]
    NotAComponent(String),
    /// The plugin does not import `wasi-mmap:mmap`, or imports another version of it.
    #[error("the plugin imports nothing that the fallback exports: it runs as it is, or was made for another version")]
    NothingToPlug,
    /// The composition failed.
    #[error("the plugin and the fallback do not fit together: {0}")]
    Graph(String),
}

/// Composes a plugin with the fallback. The result does not import `wasi-mmap:mmap`. Its imports are the plugin's
/// others and `wasi:filesystem`.
///
/// # Errors
///
/// [`ComposeError`].
pub fn compose(plugin: &[u8]) -> Result<Vec<u8>, ComposeError> {
    let mut graph = CompositionGraph::new();
    let socket = Package::from_bytes("plugin", None, plugin, graph.types_mut())
        .map_err(|error| ComposeError::NotAComponent(format!("{error:#}")))?;
    let fallback = Package::from_bytes("wasi-mmap:fallback", None, COMPONENT, graph.types_mut())
        .map_err(|error| ComposeError::Graph(format!("{error:#}")))?;
    let error = |error: &dyn std::fmt::Display| ComposeError::Graph(error.to_string());
    let socket = graph.register_package(socket).map_err(|e| error(&e))?;
    let fallback = graph.register_package(fallback).map_err(|e| error(&e))?;
    plug(&mut graph, vec![fallback], socket).map_err(|problem| match problem {
        PlugError::NoPlugHappened => ComposeError::NothingToPlug,
        PlugError::GraphError { source } => ComposeError::Graph(format!("{source:#}")),
    })?;
    graph.encode(EncodeOptions::default()).map_err(|e| error(&e))
}

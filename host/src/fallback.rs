//! The fallback component, and its composition with a plugin.

use std::collections::HashSet;

use wac_graph::types::{Package, SubtypeChecker, Types, are_semver_compatible};
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
    /// The plugin does not import `wasi-mmap:mmap`.
    #[error("the plugin does not import wasi-mmap:mmap, so it needs no fallback")]
    NothingToPlug,
    /// The fallback lacks interfaces that the plugin imports, or has others of the name.
    #[error("the fallback does not provide what the plugin imports: {}", .0.join("; "))]
    Misfit(Vec<String>),
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
    let misfits = misfits(graph.types(), &socket, &fallback);
    if !misfits.is_empty() {
        return Err(ComposeError::Misfit(misfits));
    }
    let error = |error: &dyn std::fmt::Display| ComposeError::Graph(error.to_string());
    let socket = graph.register_package(socket).map_err(|e| error(&e))?;
    let fallback = graph.register_package(fallback).map_err(|e| error(&e))?;
    plug(&mut graph, vec![fallback], socket).map_err(|problem| match problem {
        PlugError::NoPlugHappened => ComposeError::NothingToPlug,
        PlugError::GraphError { source } => ComposeError::Graph(format!("{source:#}")),
    })?;
    graph.encode(EncodeOptions::default()).map_err(|e| error(&e))
}

/// Returns the imports of the plugin that the fallback should provide and does not, with the reasons.
///
/// The composition itself leaves such imports alone, and then fails to be a valid component, without a reason.
fn misfits(types: &Types, socket: &Package, fallback: &Package) -> Vec<String> {
    let exports = &types[fallback.ty()].exports;
    let mut cache = HashSet::new();
    let mut checker = SubtypeChecker::new(&mut cache);
    let mut misfits = Vec::new();
    for (name, import) in types[socket.ty()].imports.iter().filter(|(name, _)| name.starts_with("wasi-mmap:mmap/")) {
        let compatible = || exports.iter().find(|(export, _)| are_semver_compatible(export, name));
        match exports.get_key_value(name).or_else(compatible) {
            None => misfits.push(format!("it has no {name}")),
            Some((_, export)) => {
                if let Err(error) = checker.is_subtype(*export, types, *import, types) {
                    misfits.push(format!("its {name} differs: {error:#}"));
                }
            }
        }
    }
    misfits
}

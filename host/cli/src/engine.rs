//! The engine, and plugins that are ready to run in it.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use wasmtime::component::Component;
use wasmtime::error::Context;
use wasmtime::{Config, Engine, Result, bail};

use crate::arguments::Backend;
use crate::cache::{Cache, Key, Unavailable};
use crate::compiled::{self, Description};
use crate::console::Console;
use crate::plugin::{Interfaces, Plugin};
use crate::{compose, files, memories, plugin};

/// Returns the engine that compiles and runs plugins.
///
/// # Errors
///
/// Fails if the engine does not know this machine.
pub(crate) fn engine() -> Result<Engine> {
    let mut config = Config::new();
    memories::configure(&mut config);
    Engine::new(&config)
}

/// Where the code of a plugin came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// The plugin was compiled now.
    Compiled,
    /// It was compiled earlier, and is in the cache.
    Cache,
    /// The file has the code.
    File,
}

/// A plugin that can be linked.
pub(crate) struct Prepared {
    pub(crate) component: Component,
    pub(crate) origin: Origin,
}

/// How to prepare a plugin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preparation<'a> {
    pub(crate) path: &'a Path,
    pub(crate) backend: Backend,
    /// Find compiled plugins in the cache, and keep them there.
    pub(crate) use_cache: bool,
    /// The user vouches for a file with native code.
    pub(crate) allow_compiled: bool,
    pub(crate) console: Console,
}

impl Preparation<'_> {
    /// Prepares a plugin of the backend.
    ///
    /// # Errors
    ///
    /// Says why the file is not a plugin that can be run.
    pub(crate) fn prepare(&self, engine: &Engine) -> Result<Prepared> {
        let name = files::name(self.path);
        let cannot_read = || format!("cannot read {name}");
        // Other files, such as pipes, can be read only once.
        let is_regular = !files::is_stream(self.path) && self.path.is_file();
        let cache = if self.use_cache { self.cache() } else { None };
        let key = |plugin: &mut dyn Read| Key::new(engine, self.is_fallback(), plugin);
        if is_regular {
            let mut file = File::open(self.path).with_context(cannot_read)?;
            let mut first = Vec::new();
            file.by_ref().take(16).read_to_end(&mut first).with_context(cannot_read)?;
            if compiled::is_code(&first) {
                self.check_vouched()?;
                return self.loaded(compiled::load_vouched(engine, self.path));
            }
            if let Some(cache) = &cache {
                file.rewind().with_context(cannot_read)?;
                let key = key(&mut file).with_context(cannot_read)?;
                if let Some(component) = self.find(engine, cache, &key) {
                    return Ok(Prepared { component, origin: Origin::Cache });
                }
            }
        }
        let bytes = files::read(self.path)?;
        if compiled::is_code(&bytes) {
            self.check_vouched()?;
            return self.loaded(compiled::load_vouched_bytes(engine, &bytes));
        }
        // The file may have changed since.
        let key = cache.as_ref().map(|_| key(&mut &bytes[..])).transpose()?;
        if let (Some(cache), Some(key), false) = (&cache, &key, is_regular)
            && let Some(component) = self.find(engine, cache, key)
        {
            return Ok(Prepared { component, origin: Origin::Cache });
        }
        let (component, description) = self.compile(engine, plugin::load(self.path, bytes)?)?;
        if let (Some(cache), Some(key)) = (&cache, &key) {
            let kept = compiled::serialize(&component, &description).and_then(|bytes| cache.store(key, &bytes));
            if let Err(error) = kept {
                self.console.warn(format_args!("the compiled plugin cannot be kept: {error:#}"));
            }
        }
        Ok(Prepared { component, origin: Origin::Compiled })
    }

    fn is_fallback(&self) -> bool {
        self.backend == Backend::Fallback
    }

    fn cache(&self) -> Option<Cache> {
        match Cache::open() {
            Ok(cache) => Some(cache),
            Err(Unavailable::Missing(_)) => None,
            Err(Unavailable::Unsafe(why)) => {
                self.console.warn(format_args!("compiled plugins are not kept: {why} (or pass --no-cache)"));
                None
            }
        }
    }

    fn find(&self, engine: &Engine, cache: &Cache, key: &Key) -> Option<Component> {
        let entry = cache.find(key)?;
        match compiled::load_cached(engine, entry) {
            Ok((component, _)) => Some(component),
            Err(error) => {
                self.console.warn(format_args!("a file of the cache is replaced: {error:#}"));
                None
            }
        }
    }

    fn check_vouched(&self) -> Result<()> {
        if self.allow_compiled {
            return Ok(());
        }
        bail!(
            "{} is a compiled plugin: native code, which no sandbox confines. If you trust whoever made it, pass \
             --allow-compiled",
            files::name(self.path)
        )
    }

    fn loaded(&self, loaded: Result<(Component, Description)>) -> Result<Prepared> {
        let name = files::name(self.path);
        let (component, description) = loaded.with_context(|| format!("{name} cannot be used"))?;
        if self.is_fallback() && !description.fallback && !description.interfaces.ours.is_empty() {
            bail!("{name} was compiled without the fallback: compile it again with --backend fallback");
        }
        Ok(Prepared { component, origin: Origin::File })
    }

    /// Compiles a plugin, with the fallback if that is the backend.
    ///
    /// # Errors
    ///
    /// Says why the plugin could not be run.
    pub(crate) fn compile(&self, engine: &Engine, plugin: Plugin) -> Result<(Component, Description)> {
        let name = files::name(self.path);
        let interfaces = plugin::interfaces(&plugin.component)?;
        check_runnable(&name, &interfaces)?;
        // A plugin that does not import our interface runs the same way with either backend.
        let fallback = self.is_fallback() && !interfaces.ours.is_empty();
        let bytes = if fallback {
            compose::with_fallback(self.console, self.path, &plugin.component)?
        } else {
            plugin.component
        };
        let component = self
            .console
            .spin("compiling the plugin", || Component::from_binary(engine, &bytes))
            .map_err(|error| wasmtime::format_err!("{name} is not a valid component: {error:?}"))?;
        let description = Description {
            command: env!("CARGO_PKG_VERSION").to_owned(),
            machine: Description::this_machine(),
            fallback,
            module: plugin.is_module,
            plugin_bytes: plugin.file_len as u64,
            interfaces,
        };
        Ok((component, description))
    }
}

fn check_runnable(name: &str, interfaces: &Interfaces) -> Result<()> {
    if !interfaces.unknown.is_empty() {
        bail!("{name} has imports that neither wasi-mmap nor WASI 0.2 provides: {}", interfaces.unknown.join(", "));
    }
    if !interfaces.is_command() {
        bail!("{name} is not a command: it does not export wasi:cli/run");
    }
    Ok(())
}

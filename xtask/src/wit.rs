//! Whether the vendored WIT packages of WASI are those that the engine ships.

use std::path::PathBuf;
use std::{fs, io};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, root};

/// Compares `wit/deps` with the packages in the source of `wasmtime-wasi`, byte by byte.
///
/// # Errors
///
/// Names the first package that differs, and both files.
pub(crate) fn check() -> Result<()> {
    let shipped = source_of("wasmtime-wasi")?.join("src/p2/wit/deps");
    let ours = root().join("wit/deps");
    for entry in fs::read_dir(&ours).with_context(|| format!("cannot read {}", ours.display()))? {
        let vendored = entry?.path();
        let original = shipped.join(vendored.file_name().unwrap_or_default());
        let read = |path: &PathBuf| -> io::Result<Vec<u8>> { fs::read(path) };
        let expected = read(&original).with_context(|| format!("the engine does not ship {}", original.display()))?;
        if read(&vendored)? != expected {
            bail!("{} is not {}: copy it anew", vendored.display(), original.display());
        }
    }
    Ok(())
}

/// Where cargo keeps the source of a package that the workspace depends on.
fn source_of(package: &str) -> Result<PathBuf> {
    let output =
        cargo(".").args(["metadata", "--format-version", "1", "--locked"]).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let manifest = metadata["packages"].as_array().into_iter().flatten().find(|found| found["name"] == package);
    let manifest = manifest.and_then(|found| found["manifest_path"].as_str());
    let manifest = manifest.with_context(|| format!("the workspace does not depend on {package}"))?;
    Ok(PathBuf::from(manifest).parent().context("a manifest lies in a folder")?.to_owned())
}

//! The images of the kernels, from Debian's packages or from a folder.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Kernel;
use crate::run::output;

/// Debian's package that depends on the newest kernel of a release for virtual machines, which is the smallest.
const NEWEST: &str = "linux-image-cloud-amd64";
/// The keys of Debian's archive, where their package installs them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Finds a kernel in a folder by its name in `/boot`, `vmlinuz-6.1.…`. Returns the last one by name if there are
/// several.
pub(super) fn find(kernel: &Kernel, folder: &Path) -> Result<Option<PathBuf>> {
    if !folder.exists() {
        return Ok(None);
    }
    let prefix = format!("vmlinuz-{}.", kernel.version);
    let mut images = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            images.push(entry.path());
        }
    }
    Ok(images.into_iter().max())
}

/// Downloads a kernel into a folder with apt, from the mirror of this system, but with a list of sources and a state of
/// its own, so that nothing changes on this system.
///
/// # Errors
///
/// Fails if there is no apt, if it does not use a mirror of Debian, or if the mirror does not have the kernel.
pub(super) fn download(kernel: &Kernel, folder: &Path) -> Result<PathBuf> {
    let scratch = folder.join(format!("{}-unfinished", kernel.version));
    let _ = fs::remove_dir_all(&scratch);
    for part in ["state/lists/partial", "cache/archives/partial", "files"] {
        fs::create_dir_all(scratch.join(part))?;
    }
    let signed = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    let sources = scratch.join("sources.list");
    fs::write(&sources, format!("deb {signed}{} {} main\n", mirror()?, kernel.release))?;
    let apt = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let paths = [("State", "state"), ("Cache", "cache"), ("Etc::SourceList", "sources.list")];
        for (option, path) in paths {
            let mut setting = OsString::from(format!("Dir::{option}="));
            setting.push(scratch.join(path));
            command.arg("-o").arg(setting);
        }
        command.args(["-o", "Dir::Etc::SourceParts=-", "-o", "Acquire::Languages=none"]);
        command.args(["-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64"]);
        command.args(arguments).current_dir(&scratch);
        command
    };
    let version = kernel.version;
    println!("== downloading Linux {version}");
    output(&mut apt("apt-get", &["update"]))?;
    let depends = output(&mut apt("apt-cache", &["depends", NEWEST]))?;
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let package = package.with_context(|| format!("Debian {} has no {NEWEST}", kernel.release))?;
    ensure!(
        package.starts_with(&format!("linux-image-{version}.")),
        "Debian {} has {package}, not Linux {version}",
        kernel.release
    );
    output(&mut apt("apt-get", &["download", package]))?;
    let mut archive = None;
    for entry in fs::read_dir(&scratch)? {
        archive = archive.or(Some(entry?.path()).filter(|path| path.extension().is_some_and(|ext| ext == "deb")));
    }
    let archive = archive.with_context(|| format!("apt did not download {package}"))?;
    let files = scratch.join("files");
    output(Command::new("dpkg-deb").arg("-x").arg(archive).arg(&files))?;
    let image = find(kernel, &files.join("boot"))?.with_context(|| format!("{package} does not contain a kernel"))?;
    let place = folder.join(image.file_name().context("a kernel has a name")?);
    fs::rename(image, &place)?;
    fs::remove_dir_all(&scratch)?;
    Ok(place)
}

/// Returns the address of the mirror of Debian that apt uses. Before its first update, apt does not know the labels of
/// releases.
fn mirror() -> Result<String> {
    let format = ["--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages", "Component: main"];
    let known = output(Command::new("apt-get").arg("indextargets").args(format))?;
    let mirrors = known.lines().filter_map(|line| line.split_once(' '));
    let mut of_debian =
        mirrors.filter(|(label, uri)| *label == "Debian" || uri.trim_end_matches('/').ends_with("/debian"));
    let (_, uri) = of_debian.next().context("apt does not use a mirror of Debian")?;
    Ok(uri.to_owned())
}

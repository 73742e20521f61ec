//! The kernels themselves, out of Debian's packages or a folder.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::Kernel;
use crate::run::quietly;

/// Debian's package that depends on a release's newest kernel: the one for virtual machines, which is the smallest.
const NEWEST: &str = "linux-image-cloud-amd64";
/// The keys of Debian's archive, as its own package installs them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Finds a kernel in a folder: `vmlinuz-6.1.…`, as it is in `/boot`; the last one by name, if there are several.
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

/// Downloads a kernel into a folder, without changing anything about what is installed: apt gets a list of releases and a state of
/// its own, and takes the mirror that it takes for everything else.
///
/// # Errors
///
/// If there is no apt, if it knows no mirror of Debian, or if the mirror has no such kernel.
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
    quietly(&format!("looking for Linux {version}"), &mut apt("apt-get", &["update"]))?;
    let depends = printed(&mut apt("apt-cache", &["depends", NEWEST]))?;
    let package = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let package = package.with_context(|| format!("Debian {} has no {NEWEST}", kernel.release))?;
    ensure!(
        package.starts_with(&format!("linux-image-{version}.")),
        "Debian {} has {package}, not Linux {version}",
        kernel.release
    );
    quietly(&format!("downloading {package}"), &mut apt("apt-get", &["download", package]))?;
    let mut archive = None;
    for entry in fs::read_dir(&scratch)? {
        archive = archive.or(Some(entry?.path()).filter(|path| path.extension().is_some_and(|ext| ext == "deb")));
    }
    let archive = archive.with_context(|| format!("apt has not downloaded {package}"))?;
    let files = scratch.join("files");
    quietly(&format!("unpacking {package}"), Command::new("dpkg-deb").arg("-x").arg(archive).arg(&files))?;
    let image = find(kernel, &files.join("boot"))?.with_context(|| format!("{package} has no kernel in it"))?;
    let place = folder.join(image.file_name().context("a kernel has a name")?);
    fs::rename(image, &place)?;
    fs::remove_dir_all(&scratch)?;
    Ok(place)
}

/// Returns the address of the mirror of Debian that apt uses. Where it has no lists yet, its releases have no label.
fn mirror() -> Result<String> {
    let format = ["--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages", "Component: main"];
    let known = printed(Command::new("apt-get").arg("indextargets").args(format))?;
    let mirrors = known.lines().filter_map(|line| line.split_once(' '));
    let mut of_debian =
        mirrors.filter(|(label, uri)| *label == "Debian" || uri.trim_end_matches('/').ends_with("/debian"));
    let (_, uri) = of_debian.next().context("apt knows no mirror of Debian")?;
    Ok(uri.to_owned())
}

/// Returns what a program prints that ends well.
pub(super) fn printed(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let program = command.get_program().display();
    ensure!(output.status.success(), "{program}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("it prints UTF-8")
}

//! Statements of the documents that are compared with the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the repository")
}

/// Adds the files below a folder that have unsafe code.
fn add_unsafe(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            add_unsafe(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
            let forms = ["unsafe {", "unsafe fn ", "unsafe impl ", "unsafe impl<", "unsafe extern "];
            if code.into_iter().any(|line| forms.iter().any(|form| line.contains(form))) {
                let path = path.strip_prefix(root()).expect("in the repository");
                found.insert(path.to_str().expect("UTF-8").replace('\\', "/"));
            }
        }
    }
}

#[test]
fn unsafe_code_is_only_where_the_document_lists_it() {
    let mut found = BTreeSet::new();
    for folder in [
        "core/src",
        "native/src",
        "host/src",
        "host/cli/src",
        "guest/src",
        "guest/c/src",
        "guest/component/src",
        "guest/memmap2/src",
        "guest/sys/src",
        "xtask/src",
    ] {
        add_unsafe(&root().join(folder), &mut found);
    }
    let document = fs::read_to_string(root().join("SECURITY.md")).expect("the document");
    let section = document.split("## Unsafe code").nth(1).and_then(|rest| rest.split("\n## ").next());
    let listed = section.expect("the section").split('`').filter(|word| word.ends_with(".rs")).map(str::to_owned);
    assert_eq!(listed.collect::<BTreeSet<_>>(), found);
}

/// The program in C that the README shows is the one that is built and run.
#[test]
fn the_readme_shows_the_example_in_c() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the document");
    let shown = readme.split("```c\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the program");
    let example = fs::read_to_string(root().join("guest/c/examples/upper.c")).expect("the example");
    assert_eq!(example.split_once("*/\n").expect("a comment").1, shown);
    assert!(shown.lines().count() <= 20);
}

/// Returns all sources in a folder as one text.
fn sources(folder: &str) -> String {
    let entries = fs::read_dir(root().join(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
    let sources = entries.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    sources.map(|path| fs::read_to_string(path).expect("a source")).collect()
}

/// Returns the names of the binaries of a package: those that its manifest lists, or the package itself.
fn binaries(package: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(package.join("Cargo.toml")).expect("a manifest");
    let listed: Vec<String> = manifest
        .split("[[bin]]\nname = \"")
        .skip(1)
        .map(|binary| binary.split('"').next().expect("a name").to_owned())
        .collect();
    if listed.is_empty() {
        vec![package.file_name().and_then(|name| name.to_str()).expect("a name").to_owned()]
    } else {
        listed
    }
}

/// A program that no test runs could break unnoticed.
#[test]
fn every_program_is_run_by_a_test() {
    let tests = sources("tests/integration") + &sources("host/cli/tests");
    let mut count = 0;
    for entry in fs::read_dir(root().join("tests/programs")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.join("Cargo.toml").is_file() {
            for name in binaries(&path) {
                assert!(tests.contains(&format!("plugin(\"{name}\"")), "no test runs {name} of {}", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 0, "there are no programs");
}

/// Every example of the guest crate is built as a plugin, which [`every_program_is_run_by_a_test`] then asks for.
#[test]
fn every_example_is_a_plugin() {
    let plugins = binaries(&root().join("tests/programs/examples"));
    let examples = fs::read_dir(root().join("guest/examples")).expect("a folder").map(|entry| {
        let path = entry.expect("an entry").path();
        path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned()
    });
    assert_eq!(examples.collect::<BTreeSet<_>>(), plugins.into_iter().collect());
}

#[test]
fn the_readme_shows_the_python_demo() {
    let demo = fs::read_to_string(root().join("guest/python/demo/edit.py")).expect("the demo");
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    assert!(readme.contains(&format!("```python\n{demo}```")), "README.md shows another program");
}

/// A plugin for any version of WASI with components has the imports, and one for preview 1 has not.
#[test]
fn plugins_for_components_import_the_interface() {
    let bindings = |target: &str| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["tree", "--locked", "--edges", "normal", "--package", "wasi-mmap", "--target", target]);
        let output = cargo.current_dir(root()).output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8").contains("wit-bindgen v")
    };
    assert!(bindings("wasm32-wasip2"));
    assert!(bindings("wasm32-wasip3"));
    assert!(!bindings("wasm32-wasip1"));
}

/// Returns the folder of the source of a dependency.
fn source_of(package: &str) -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version", "1", "--locked"]).current_dir(root());
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut packages = metadata["packages"].as_array().expect("packages").iter();
    let manifest = packages.find(|found| found["name"] == package).expect("a dependency")["manifest_path"].as_str();
    Path::new(manifest.expect("a path")).parent().expect("a folder").to_owned()
}

/// The page that `wit-bindgen` made of the interface has the documentation of the present interface.
#[test]
fn the_page_of_the_interface_is_that_of_the_interface() {
    let page = fs::read_to_string(root().join("docs/wit.md")).expect("the page");
    let lines: BTreeSet<&str> = page.lines().map(|line| line.trim().trim_start_matches("<p>")).collect();
    for file in ["types.wit", "mapping.wit", "window.wit", "lock.wit"] {
        let text = fs::read_to_string(root().join("wit").join(file)).expect("an interface");
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("///")).map(str::trim) {
            assert!(lines.contains(line), "docs/wit.md is older than {file}; see CONTRIBUTING.md. It lacks: {line}");
        }
    }
}

/// The copies of WASI's packages are those of the engine.
#[test]
fn the_wasi_packages_are_those_of_the_engine() {
    let originals = source_of("wasmtime-wasi").join("src/p2/wit/deps");
    let folders =
        ["wit/deps", "guest/python/wit/deps"].map(|folder| fs::read_dir(root().join(folder)).expect("a folder"));
    let copies: Vec<_> = folders.into_iter().flatten().map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(copies.len(), 6);
    for copy in copies {
        let original = originals.join(copy.file_name().expect("a name"));
        let text = fs::read(&original).unwrap_or_else(|error| panic!("{}: {error}", original.display()));
        assert_eq!(fs::read(&copy).expect("a file"), text, "{} is not {}", copy.display(), original.display());
    }
}

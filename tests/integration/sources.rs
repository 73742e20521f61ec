//! What is said of the sources, compared with them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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
            let forms = ["unsafe {", "unsafe fn ", "unsafe impl ", "unsafe extern "];
            if code.into_iter().any(|line| forms.iter().any(|form| line.contains(form))) {
                let path = path.strip_prefix(root()).expect("in the repository");
                found.insert(path.to_str().expect("UTF-8").replace('\\', "/"));
            }
        }
    }
}

#[test]
fn unsafe_code_is_where_the_document_says() {
    let mut found = BTreeSet::new();
    for folder in
        ["core/src", "native/src", "host/src", "host/cli/src", "guest/src", "guest/component/src", "xtask/src"]
    {
        add_unsafe(&root().join(folder), &mut found);
    }
    let document = fs::read_to_string(root().join("SECURITY.md")).expect("the document");
    let section = document.split("## Unsafe code").nth(1).and_then(|rest| rest.split("\n## ").next());
    let listed = section.expect("the section").split('`').filter(|word| word.ends_with(".rs")).map(str::to_owned);
    assert_eq!(listed.collect::<BTreeSet<_>>(), found);
}

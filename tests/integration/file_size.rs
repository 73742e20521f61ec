//! A process with a limit of file sizes (`ulimit -f`): the kernel ends it with SIGXFSZ unless we refuse first.

use std::fs;
use std::path::Path;

use super::child;
use super::support::{Run, engine, plugin};
use wasi_mmap::Mapping;
use wasi_mmap_core::{Access, Error};
use wasi_mmap_host::MmapCtx;
use wasmtime::component::Component;

/// The maximum length of a file in bytes.
const MOST: u64 = 1 << 20;

#[test]
fn a_limit_of_file_sizes_is_an_error() {
    let scratch = tempfile::tempdir().expect("a directory");
    for part in ["file-size-anonymous", "file-size-resize", "file-size-file", "file-size-named", "file-size-plugin"] {
        let output = child::command(part, &[scratch.path().to_str().expect("UTF-8")]).output().expect("a process");
        println!("{part}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{part}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

fn set_the_limit() {
    let limit = libc::rlimit { rlim_cur: MOST, rlim_max: MOST };
    // SAFETY: the structure is whole.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
}

#[track_caller]
fn is_refused<T>(outcome: Result<T, Error>) {
    let Err(Error::Io(error)) = outcome.map(|_| ()) else { panic!("it is not refused, or otherwise") };
    assert_eq!(error.code, libc::EFBIG);
    assert!(error.message.contains(&MOST.to_string()) && error.message.contains("RLIMIT_FSIZE"), "{error}");
}

/// The parts of the test above, each alone in a process.
pub fn meet(part: &str, scratch: &Path) {
    match part {
        "file-size-anonymous" => {
            set_the_limit();
            is_refused(Mapping::anonymous(MOST + 1));
            Mapping::anonymous(MOST).expect("it is allowed");
        }
        "file-size-resize" => {
            let (path, longer) = (scratch.join("resized"), scratch.join("longer"));
            fs::write(&path, vec![7; 8192]).expect("a file");
            fs::write(&longer, vec![7; 4 << 20]).expect("a file");
            set_the_limit();
            let memory = Mapping::anonymous(4096).expect("memory");
            for mut mapping in [memory, Mapping::options().access(Access::Write).open(&path).expect("a mapping")] {
                let len = mapping.len().expect("a length");
                is_refused(mapping.resize(MOST + 1));
                assert_eq!((mapping.len(), mapping.file_len()), (Ok(len), Ok(len)));
                mapping.resize(MOST).expect("it is allowed");
                mapping.resize(1).expect("it is allowed");
            }
            let mut mapping = Mapping::options().access(Access::Write).open(&longer).expect("it is mapped as it is");
            mapping.resize(4096).expect("it becomes shorter");
        }
        "file-size-file" => {
            // Mapping more of a file than there is makes it longer only where that is the rule; it is refused here.
            let path = scratch.join("mapped");
            fs::write(&path, vec![7; 8192]).expect("a file");
            set_the_limit();
            let options = Mapping::options().access(Access::Write).length(MOST + 1);
            options.open(&path).expect_err("it is refused");
            assert_eq!(fs::metadata(&path).expect("a file").len(), 8192);
        }
        "file-size-named" => {
            set_the_limit();
            let name = format!("test {} file size", std::process::id());
            is_refused(Mapping::options().length(MOST + 1).named(&name));
            Mapping::options().length(MOST).named(&name).expect("it is allowed");
        }
        "file-size-plugin" => {
            let probe = Component::from_binary(engine(), &plugin("probe", "wasm32-wasip2")).expect("a component");
            set_the_limit();
            for (len, fits) in [(MOST + 1, false), (MOST, true)] {
                let arguments = ["probe", "anonymous", &len.to_string(), "1"];
                let mut run = Run::new(MmapCtx::default(), scratch, &arguments).expect("a store");
                let (printed, outcome) = run.call_compiled(&probe, true).expect("the host survives");
                assert_eq!(outcome.is_ok(), fits, "{printed}");
                assert!(fits || printed.contains("RLIMIT_FSIZE"), "{printed}");
            }
        }
        other => panic!("no such part: {other}"),
    }
}

//! The workloads of the benchmarks return the same results.

use super::support::{compile_and_run_module, plugin, run_component};
use wasi_mmap_conformance::measured::sum_times;

/// Returns the result of a workload on a file of `bytes`.
fn result_of(target: &str, workload: &[&str], bytes: &[u8]) -> u64 {
    let scratch = tempfile::tempdir().expect("a directory");
    std::fs::write(scratch.path().join("file"), bytes).expect("a file");
    let arguments = [&["bench", workload[0], "/scratch/file"], &workload[1..]].concat();
    let bench = plugin("bench", target);
    let printed = match target {
        "wasm32-wasip2" => run_component(&bench, true, scratch.path(), &arguments),
        _ => compile_and_run_module(&bench, scratch.path(), &arguments),
    };
    let printed = printed.expect("the workload runs");
    let done: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    assert!(done["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{printed}");
    done["result"].as_u64().expect("a result")
}

#[test]
fn all_ways_to_scan_a_file_find_the_same() {
    let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let expected = sum_times(&bytes, 1);
    for workload in [["object-scan", "65536"], ["file-scan", "65536"], ["memory-scan", "1"]] {
        for target in ["wasm32-wasip1", "wasm32-wasip2"] {
            assert_eq!(result_of(target, &workload, &bytes), expected, "{workload:?} {target}");
        }
    }
    for workload in [&["map-scan"][..], &["whole-scan"], &["map-keep", "400000"], &["whole-keep"]] {
        for target in ["wasm32-wasip1", "wasm32-wasip2"] {
            assert_eq!(result_of(target, workload, &bytes), expected, "{workload:?} {target}");
        }
    }
    for workload in [&["view-scan", "1"][..], &["view-first"], &["view-keep", "400000"]] {
        assert_eq!(result_of("wasm32-wasip2", workload, &bytes), expected, "{workload:?}");
    }
}

#[test]
fn all_ways_to_read_lines_and_words_find_the_same() {
    let text = "one\ntwo and three\n\nand the last".repeat(1000);
    for (one, other) in [
        (["object-lines", "0", "0"], ["file-lines", "0", "0"]),
        (["object-random", "500", "30000"], ["file-random", "500", "30000"]),
        (["map-cycles", "500", "0"], ["open-cycles", "500", "0"]),
    ] {
        for target in ["wasm32-wasip1", "wasm32-wasip2"] {
            assert_eq!(
                result_of(target, &one, text.as_bytes()),
                result_of(target, &other, text.as_bytes()),
                "{one:?} {target}"
            );
        }
    }
    let loads = |workload| result_of("wasm32-wasip2", &[workload, "500"], text.as_bytes());
    assert_eq!(loads("view-random"), loads("memory-random"));
}

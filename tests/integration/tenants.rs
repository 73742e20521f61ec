//! Many tenants in one process, some of which take all that they get: quotas hold for each tenant and for the process.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::scale::raise_the_limit_of_descriptors;
use super::support::{Run, builder, plugin, prepare};
use wasi_mmap_host::{Limit, Limits, Quota};

/// The number of tenants. Every tenth is unfair.
const TENANTS: usize = 1000;
/// The mappings that a tenant may have at a time.
const PER_TENANT: u64 = 8;

/// The outcome of all plugins together.
#[derive(Debug, Default)]
struct Counts {
    /// Fair tenants that got what they wanted.
    served: AtomicUsize,
    /// Plugins of unfair tenants that their tenant's quota stopped.
    stopped: AtomicUsize,
    /// Plugins of any tenant that the quota of the process stopped.
    crowded_out: AtomicUsize,
}

fn mappings(most: u64) -> Limits {
    let mut limits = Limits::unlimited();
    limits.set(Limit::Mappings, most);
    limits
}

/// Runs the plugins of all tenants, on four threads and all alive together, in a process that may have `most` mappings.
/// A fair tenant has one plugin, with two mappings. An unfair one has three, and each would have 200.
fn run_tenants(most: u64) -> Counts {
    raise_the_limit_of_descriptors();
    let scratch = tempfile::tempdir().expect("a directory");
    fs::write(scratch.path().join("file"), [7; 4096]).expect("a file");
    let command = prepare(&plugin("probe", "wasm32-wasip2"), true).expect("a command");
    let process = Quota::new(mappings(most));
    let tenants: Vec<_> = (0..TENANTS).map(|_| Quota::within(&process, mappings(PER_TENANT))).collect();
    let (counts, alive, next) = (Counts::default(), Mutex::new(Vec::new()), AtomicUsize::new(0));
    let run = |tenant: usize, count: &str| {
        let ctx = builder().quota(&tenants[tenant]).build();
        let mut run = Run::new(ctx, scratch.path(), &["probe", "leak", "/scratch/file", count]).expect("a store");
        let (printed, outcome) = run.call_prepared(&command).expect("it ends");
        assert!(process.usage().get(Limit::Mappings) <= most);
        assert!(tenants[tenant].usage().get(Limit::Mappings) <= PER_TENANT);
        alive.lock().expect("no panic").push(run);
        let counter = match (outcome, printed.as_str()) {
            (Ok(()), _) => &counts.served,
            (Err(()), text)
                if text.contains(&format!("mappings is {PER_TENANT}, and 9 would be needed, in a quota")) =>
            {
                &counts.stopped
            }
            (Err(()), text) if text.contains(&format!("mappings is {most}, and {} would", most + 1)) => {
                &counts.crowded_out
            }
            other => panic!("tenant {tenant}: {other:?}"),
        };
        counter.fetch_add(1, Relaxed);
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    match next.fetch_add(1, Relaxed) {
                        tenant if tenant >= TENANTS => break,
                        tenant if tenant.is_multiple_of(10) => (0..3).for_each(|_| run(tenant, "100")),
                        tenant => run(tenant, "1"),
                    }
                }
            });
        }
    });
    let used: u64 = tenants.iter().map(|tenant| tenant.usage().get(Limit::Mappings)).sum();
    assert_eq!(process.usage().get(Limit::Mappings), used);
    assert!(used <= most, "{used} of {most}");
    println!("{most} mappings for {TENANTS} tenants: {counts:?}, {used} used");
    drop(alive);
    assert_eq!(process.usage().get(Limit::Mappings), 0, "everything is returned");
    counts
}

#[test]
fn unfair_tenants_take_nothing_from_fair_ones() {
    let counts = run_tenants(TENANTS as u64 * PER_TENANT);
    assert_eq!(counts.served.into_inner(), 900, "each fair tenant has its mappings");
    assert_eq!(counts.stopped.into_inner(), 300);
}

#[test]
fn all_tenants_together_keep_to_the_quota_of_the_process() {
    let counts = run_tenants(500);
    assert!(counts.crowded_out.into_inner() > 0, "there is not enough for all");
    assert!(counts.served.into_inner() > 0, "those who came first are served");
}

/// A quota on areas and descriptors leaves the process what it needs, whatever its plugins want.
#[test]
fn the_quota_of_a_process_leaves_the_other_half() {
    let limits = Limits::of_process();
    let areas = fs::read_to_string("/proc/sys/vm/max_map_count").expect("Linux");
    let areas: u64 = areas.trim().parse().expect("a number");
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.expect("a limit");
    // A mapping takes an area and a descriptor, a window splits one area into three, and so does advice for a part.
    let taken = limits.get(Limit::Mappings) + 2 * limits.get(Limit::Windows) + 2 * limits.get(Limit::PartialAdvice);
    assert!(taken <= areas / 2, "{taken} of {areas}");
    assert!(limits.get(Limit::Mappings) <= descriptors / 2);
}

//! Many mappings and plugins, at once and one after the other, and the limits of a process.

use std::fs;
use std::path::Path;
use std::ptr;
use std::time::Instant;

use super::child;
use super::support::{Run, any_windows, builder, engine, is_long, plugin};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasi_mmap::Mapping;
use wasi_mmap_core::{Access, Error};
use wasi_mmap_host::Limit;
use wasmtime::component::Component;

/// The resources that this process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    descriptors: i64,
    areas: i64,
    /// Memory of its own, in bytes.
    memory: i64,
}

impl Held {
    fn now() -> Self {
        let descriptors = fs::read_dir("/proc/self/fd").expect("Linux").count() as i64;
        let areas = fs::read_to_string("/proc/self/maps").expect("Linux").lines().count() as i64;
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
        let kibibytes: i64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        Self { descriptors, areas, memory: kibibytes * 1024 }
    }
}

/// Runs a part of these tests alone in a process, and shows what it says.
#[track_caller]
fn alone(part: &str, arguments: &[&str]) {
    let output = child::command(part, arguments).output().expect("a process");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{part}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn opening_and_closing_leaks_nothing() {
    alone("soak", &[if is_long() { "100000" } else { "2000" }]);
}

#[test]
fn the_cost_of_many_is_linear() {
    let [mappings, plugins] = if is_long() { ["10000", "1000"] } else { ["500", "50"] };
    alone("many", &[mappings, plugins]);
}

#[test]
fn leaking_plugins_leave_nothing_behind() {
    alone("leak", &[if is_long() { "200" } else { "10" }]);
}

#[test]
fn exhausted_limits_of_the_process_are_errors() {
    alone("limits-of-the-process", &[]);
}

fn compiled(name: &str) -> Component {
    Component::from_binary(engine(), &plugin(name, "wasm32-wasip2")).expect("a component")
}

fn ended_well(run: &mut Run, component: &Component) -> String {
    let (printed, outcome) = run.call_compiled(component, true).expect("it runs to its end");
    assert_eq!(outcome, Ok(()), "{printed}");
    printed
}

/// Checks that no more is held than after a few repetitions.
#[track_caller]
fn same(what: &str, before: Held, after: Held) {
    println!("{what}: {before:?}, then {after:?}");
    assert_eq!(before.descriptors, after.descriptors, "{what}: descriptors");
    // The allocator may take an area more, and its memory is not the same each time.
    assert!(after.areas <= before.areas + 4, "{what}: areas");
    assert!(after.memory <= before.memory + (4 << 20), "{what}: memory");
}

/// Opens and closes, attaches and detaches, `count` times.
pub fn soak(count: usize) {
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("file");
    fs::write(&file, vec![7; 8 * 4096]).expect("a file");
    let native = |count: usize| {
        for cycle in 0..count {
            let access = [Access::Read, Access::Write, Access::Copy][cycle % 3];
            let mut mapping = Mapping::options().access(access).open(&file).expect("a mapping");
            assert_eq!(mapping.get(5 * 4096), Ok(7));
            if cycle % 2 == 0 {
                mapping.close().expect("it closes");
            }
        }
        Held::now()
    };
    let before = native(100);
    same("native", before, native(count));

    let component = compiled("faults");
    let plugin = |count: usize| {
        let arguments = ["faults", "cycles", "/scratch/file", &count.to_string()];
        let mut run = Run::new(any_windows(), scratch.path(), &arguments).expect("a store");
        ended_well(&mut run, &component);
        let alive = Held::now();
        drop(run);
        (alive, Held::now())
    };
    plugin(100);
    let (alive, gone) = plugin(100);
    let (alive_then, gone_then) = plugin(count);
    same("a plugin, alive", alive, alive_then);
    same("a plugin, gone", gone, gone_then);
}

/// Plugins that leak all that they are allowed, in store after store.
pub fn leak(stores: usize) {
    let scratch = tempfile::tempdir().expect("a directory");
    let component = compiled("hostile");
    let one = || {
        let ctx = builder().limit(Limit::Mappings, 400).build();
        let mut run = Run::new(ctx, scratch.path(), &["hostile", "leak-everything"]).expect("a store");
        let printed = ended_well(&mut run, &component);
        assert_eq!(printed, "400: limit exceeded: mappings is 400, and 401 would be needed\n");
        let alive = Held::now();
        drop(run);
        (alive, Held::now())
    };
    one();
    let (alive, gone) = one();
    println!("with a plugin that has leaked everything: {alive:?}; without: {gone:?}");
    assert!(alive.descriptors >= gone.descriptors + 400 && alive.areas >= gone.areas + 400);
    for _ in 0..stores {
        let (_, then) = one();
        assert!(then.descriptors == gone.descriptors && then.areas <= gone.areas + 4, "{gone:?}, then {then:?}");
    }
    same("all stores", gone, one().1);
}

/// Raises the limit of open descriptors to its maximum, and returns it.
pub fn raise_the_limit_of_descriptors() -> usize {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("up to the maximum");
    limit.maximum.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
}

/// Makes 10 and then `count` objects, prints the cost of each, and returns them.
fn cost<T>(what: &str, count: usize, mut make: impl FnMut() -> T) -> Vec<T> {
    let mut all = Vec::with_capacity(count + 10);
    for count in [10, count] {
        let (before, started) = (Held::now(), Instant::now());
        all.extend((0..count).map(|_| make()));
        let (spent, after, count) = (started.elapsed(), Held::now(), count as f64);
        println!(
            "{what}, {count} of them, each: {:.2} descriptors, {:.2} areas, {:.0} bytes, {:.1} µs",
            (after.descriptors - before.descriptors) as f64 / count,
            (after.areas - before.areas) as f64 / count,
            (after.memory - before.memory) as f64 / count,
            spent.as_secs_f64() * 1e6 / count,
        );
    }
    all
}

/// Many mappings, and many plugins with a window each.
pub fn many(mappings: usize, plugins: usize) {
    let most = raise_the_limit_of_descriptors();
    let mappings = mappings.min(most.saturating_sub(500));
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("file");
    fs::write(&file, vec![7; 8 * 4096]).expect("a file");
    let component = compiled("faults");
    let hold = || {
        let arguments = ["faults", "hold", "/scratch/file"];
        let mut run = Run::new(any_windows(), scratch.path(), &arguments).expect("a store");
        assert_eq!(ended_well(&mut run, &component), "7\n");
        assert_eq!(run.store.data().mmap.usage().get(Limit::Windows), 1);
        run
    };
    // What the engine makes once is not counted.
    drop(hold());
    let start = Held::now();
    let all = cost("mappings", mappings, || Mapping::open(&file).expect("a mapping"));
    // A fault is repaired among so many mappings.
    fs::OpenOptions::new().write(true).open(&file).expect("a file").set_len(4096).expect("it becomes shorter");
    for mapping in all.iter().rev().take(100) {
        assert_eq!((mapping.get(5 * 4096), mapping.get(5)), (Err(Error::Truncated), Ok(7)));
    }
    drop(all);
    assert_eq!(Held::now().descriptors, start.descriptors);

    fs::write(&file, vec![7; 8 * 4096]).expect("a file");
    let plugins = plugins.min(most.saturating_sub(500) / 2);
    let all = cost("plugins with a window", plugins, hold);
    drop(all);
    assert_eq!(Held::now().descriptors, start.descriptors);
}

/// The limits of a process: of descriptors, and of areas of memory.
pub fn meet_the_limits_of_the_process() {
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("file");
    fs::write(&file, vec![7; 8 * 4096]).expect("a file");
    let (probe, faults) = (compiled("probe"), compiled("faults"));
    let unlimited = || builder().limit(Limit::Mappings, u64::MAX).build();
    // Once while there is room, so that what is made once is there.
    let probe_anonymous = || {
        let mut run = Run::new(unlimited(), scratch.path(), &["probe", "anonymous", "4096", "500"])?;
        run.call_compiled(&probe, true)
    };
    let hold =
        || Run::new(unlimited(), scratch.path(), &["faults", "hold", "/scratch/file"])?.call_compiled(&faults, true);
    assert_eq!(probe_anonymous().expect("a run").1, Ok(()));
    assert_eq!(hold().expect("a run").1, Ok(()));
    no_more_descriptors(&file, &probe_anonymous);
    no_more_areas(&file, &probe_anonymous, &hold);
    assert_eq!(probe_anonymous().expect("a run").1, Ok(()));
    assert_eq!(hold().expect("a run").1, Ok(()));
}

type Attempt<'a> = &'a dyn Fn() -> wasmtime::Result<super::support::Ended>;

fn no_more_descriptors(file: &Path, probe: Attempt<'_>) {
    let held = Held::now().descriptors as u64;
    let old = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(held + 40), ..old }).expect("a lower limit");
    let mut all = Vec::new();
    let error = loop {
        match Mapping::open(file) {
            Ok(mapping) => all.push(mapping),
            Err(error) => break error,
        }
    };
    println!("no more descriptors, after {} mappings: {error}", all.len());
    assert_eq!(error.name(), "io");
    assert!(error.to_string().contains("Too many open files"), "{error}");
    assert_eq!(all[0].get(0), Ok(7), "those that there are go on");
    all.truncate(all.len() / 2);
    let (printed, outcome) = probe().expect("the plugin runs");
    println!("a plugin hears: {printed}");
    assert_eq!(outcome, Err(()));
    assert!(printed.contains("open files"), "{printed}");
    drop(all);
    setrlimit(Resource::Nofile, old).expect("the old limit");
}

fn no_more_areas(file: &Path, probe: Attempt<'_>, hold: Attempt<'_>) {
    let most: usize =
        fs::read_to_string("/proc/sys/vm/max_map_count").expect("Linux").trim().parse().expect("a number");
    let (page, len) = (4096, (most + 100) * 2 * 4096);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
    // SAFETY: the kernel chooses where.
    let start = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED);
    let place = |number: usize| start.cast::<u8>().wrapping_add(number * 2 * page).cast();
    // Every second page becomes an area of its own.
    // SAFETY: the pages were just mapped, and nobody uses them.
    let areas = (0..most + 100).find(|&number| unsafe { libc::mprotect(place(number), page, libc::PROT_READ) } != 0);
    let areas = areas.expect("there is a limit");
    // The system lets a process have one more than it says; the mappings are kept until it has no more at all.
    let mut kept: [Option<Mapping>; 8] = std::array::from_fn(|_| None);
    let native = kept.iter_mut().find_map(|kept| match Mapping::open(file) {
        Ok(mapping) => {
            *kept = Some(mapping);
            None
        }
        Err(error) => Some(error),
    });
    let plugins = [probe(), hold()].map(|ended| format!("{ended:?}"));
    // Some room: enough for a plugin, and not for all that it wants.
    for number in 0..100 {
        // SAFETY: as above.
        unsafe { libc::mprotect(place(areas - 1 - number), page, libc::PROT_NONE) };
    }
    let some = [probe(), hold()].map(|ended| format!("{ended:?}"));
    // SAFETY: as above.
    unsafe { libc::munmap(start, len) };
    println!("no more areas, {areas} of which are ours: {native:?}");
    println!("plugins without room: {plugins:#?}, with some: {some:#?}");
    assert_eq!(native, Some(Error::OutOfMemory));
    assert!(some[0].contains("out-of-memory"), "a plugin hears of it");
}

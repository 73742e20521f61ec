//! mmap-sync: values that a writer hands to readers through mapped files, with atomic numbers in one that both write.

use std::path::Path;
use std::time::Duration;

use mmap_sync::synchronizer::Synchronizer;

use crate::Outcome;

/// What is handed over: fewer than 128 bytes, since mmap-sync counts to 2^39 in a `usize`, which has 32 bits in a plugin.
type Words = Vec<String>;

/// How long the writer waits for readers.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) fn run(folder: &Path) -> Outcome {
    let prefix = folder.join("values");
    let mut writer = Synchronizer::new(prefix.as_os_str());
    // With mappings of its own.
    let mut reader = Synchronizer::new(prefix.as_os_str());
    for version in 1..=100 {
        let words: Words = (0..version % 12).map(|word| format!("{word} of {version}")).collect();
        let (written, was_reset) = writer.write(&words, GRACE)?;
        // SAFETY: the words are dropped before the writer's next turn.
        let read = unsafe { reader.read::<Words>(true)? };
        let last = read.last().map(|word| word.as_str());
        println!("{written} bytes, reset {was_reset}: {} words, {last:?}", read.len());
    }
    drop((writer, reader));

    let mut reader = Synchronizer::new(prefix.as_os_str());
    println!("opened again: {:?}", reader.version()?);
    // SAFETY: nobody writes.
    let read = unsafe { reader.read::<Words>(true)? };
    println!("{} words, {:?}", read.len(), read.first().map(|word| word.as_str()));
    Ok(())
}

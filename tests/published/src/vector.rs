//! memvec: a `Vec` in a file, which it maps anew whenever the vector grows or shrinks.

use std::path::Path;

use memvec::{MemVec, VecFile};

use crate::Outcome;

/// An element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Row {
    number: u64,
    square: u64,
}

impl Row {
    fn new(number: u64) -> Self {
        Self { number, square: number * number }
    }
}

pub(crate) fn run(folder: &Path) -> Outcome {
    let path = folder.join("rows");
    let mut rows = vector(VecFile::open_or_create(&path, |_| Ok(()))?)?;
    for number in 0..20_000 {
        rows.push(Row::new(number));
    }
    rows.insert(1, Row::new(100_000));
    rows.retain(|row| row.number % 3 != 0);
    print("with a third left out", &rows);
    println!("removed {:?} and {:?}", rows.remove(5), rows.swap_remove(7));
    drop(rows);

    let mut rows = vector(VecFile::open(&path)?)?;
    print("opened again", &rows);
    rows.truncate(3_000);
    rows.shrink_to_fit();
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.square));
    for row in rows.iter_mut().step_by(7) {
        row.square += 1;
    }
    print("shortened, sorted and changed", &rows);
    drop(rows);
    println!("{} bytes in the file", std::fs::metadata(&path)?.len());
    Ok(())
}

/// Returns the vector in a file.
fn vector<'a>(file: VecFile<'a>) -> Result<MemVec<'a, Row, VecFile<'a>>, String> {
    // SAFETY: rows are plain numbers, and the file has nothing but rows.
    unsafe { MemVec::try_from_memory(file) }.map_err(|(_, error)| error.to_string())
}

/// Prints what depends on each row and its place.
fn print(when: &str, rows: &[Row]) {
    let sum = rows
        .iter()
        .fold(0u64, |sum, row| sum.wrapping_mul(31).wrapping_add(row.number).wrapping_mul(31).wrapping_add(row.square));
    println!("{when}: {} rows, {sum:016x}, {:?} to {:?}", rows.len(), rows.first(), rows.last());
}

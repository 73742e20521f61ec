//! Playing a sequence on a backend.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use wasi_mmap_core::{Access, Error, FlushFlags, Result, Rights};

use super::mapping::Model;
use super::{Outcome, PAGE, SLOTS, Sequence, Step, decoded};
use crate::case::{CLOSED, READ_ONLY};
use crate::op::{Op, Subject, Value};

type Subjects<S> = [Option<S>; SLOTS];

/// Plays the sequence that the bytes encode, against the model. In a fault, the file is truncated at the end of a page,
/// and restored later: until then, an operation returns what the model returns, or that the file is too short.
///
/// # Errors
///
/// The sequence, if it differs from the model.
pub fn play_bytes<S: Subject>(bytes: &[u8], scratch: &Path) -> std::result::Result<(), String> {
    let sequence = decoded::sequence(bytes);
    play::<S>(&sequence, false, scratch).map_err(|difference| format!("{difference}\n{sequence:#?}"))
}

/// Does the same with a file that gets any length in a fault and keeps it: the results are not compared, but
/// the operations must return.
///
/// # Errors
///
/// An operation that failed for another reason than its arguments or the file's length.
pub fn play_with_faults<S: Subject>(bytes: &[u8], scratch: &Path) -> std::result::Result<(), String> {
    let sequence = decoded::sequence(bytes);
    let path = scratch.join("faults");
    let io = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::write(&path, vec![b'a'; sequence.len]).map_err(io)?;
    let file = OpenOptions::new().write(true).open(&path).map_err(io)?;
    let mut subjects: Subjects<S> = [const { None }; SLOTS];
    for (index, step) in sequence.steps.iter().enumerate() {
        let mut outcomes = Vec::new();
        match step {
            Step::Fault { len, looks } => {
                file.set_len(*len).map_err(io)?;
                for (slot, op) in looks {
                    outcomes.extend(subjects[*slot].as_mut().map(|subject| subject.apply(op)));
                }
            }
            step => outcomes.extend(perform(step, &path, &mut subjects)),
        }
        for outcome in outcomes {
            if let Err(error @ (Error::Io(_) | Error::NoSpace)) = outcome {
                return Err(format!("step {index}: {error}\n{sequence:#?}"));
            }
        }
    }
    Ok(())
}

/// Performs a step other than a fault. Returns `None` if there is no mapping for it.
fn perform<S: Subject>(step: &Step, path: &Path, subjects: &mut Subjects<S>) -> Option<Result<Value>> {
    match step {
        Step::Map { slot, options } => {
            subjects[*slot] = None;
            Some(S::map_file(path, Rights::all(), options).map(|mapping| {
                subjects[*slot] = Some(mapping);
                Value::Unit
            }))
        }
        Step::Do { slot, op } => Some(subjects[*slot].as_mut()?.apply(op)),
        Step::Copy { to, destination, offset, count } => copy(subjects, *to, (*destination, *offset, *count)),
        Step::Fault { .. } => None,
    }
}

/// Plays a sequence against the model.
pub(super) fn play<S: Subject>(sequence: &Sequence, windows: bool, scratch: &Path) -> std::result::Result<(), String> {
    let path = scratch.join("model");
    let io = |error: std::io::Error| format!("{}: {error}", path.display());
    let file: Vec<u8> = (0..sequence.len).map(|i| b"ab\n\0"[(i * i / 7) % 4]).collect();
    fs::write(&path, &file).map_err(io)?;
    let mut model = Model { windows, file, slots: [const { None }; SLOTS] };
    let mut subjects: Subjects<S> = [const { None }; SLOTS];
    for (index, step) in sequence.steps.iter().enumerate() {
        if model.cuts_another(step) {
            continue;
        }
        if let Step::Fault { len, looks } = step {
            let survived = survive(&mut model, &mut subjects, &path, *len, looks);
            survived.map_err(|wrong| format!("step {index}: {wrong}"))?;
            continue;
        }
        let Some(found) = perform(step, &path, &mut subjects) else { continue };
        let expected = match step {
            Step::Map { slot, options } => model.map(*slot, options).map(|()| Value::Unit),
            Step::Do { slot, op } => model.apply(*slot, op),
            Step::Copy { to, destination, offset, count } => {
                model_copy(&mut model, *to, (*destination, *offset, *count))
            }
            Step::Fault { .. } => continue,
        };
        compare(&expected, &found).map_err(|difference| format!("step {index}: {difference}"))?;
    }
    drop(subjects);
    if fs::read(&path).map_err(io)? == model.file { Ok(()) } else { Err("the file differs at the end".into()) }
}

/// Truncates the file at the end of a page, reads the mappings, and restores the file. Private mappings end before the
/// cut, so that they lose nothing.
fn survive<S: Subject>(
    model: &mut Model,
    subjects: &mut Subjects<S>,
    path: &Path,
    len: u64,
    looks: &[(usize, Op)],
) -> std::result::Result<(), String> {
    let io = |error: std::io::Error| format!("{}: {error}", path.display());
    let failed = |what| move |error: Error| format!("{what}: {error}");
    for (mapping, subject) in model.slots.iter_mut().zip(&mut *subjects) {
        match (&mapping, &mut *subject) {
            (Some(open), Some(it)) if !open.private => {
                // What is only in a cache would make the file longer when it is written.
                if !open.closed && open.access == Access::Write {
                    it.apply(&Op::Flush(0, None, FlushFlags::SYNC)).map_err(failed("flushing before a fault"))?;
                }
            }
            _ => (*mapping, *subject) = (None, None),
        }
    }
    let mut file = OpenOptions::new().write(true).open(path).map_err(io)?;
    let cut = len as usize / PAGE * PAGE;
    if cut < model.file.len() {
        file.set_len(cut as u64).map_err(io)?;
    }
    for (slot, op) in looks {
        let Some(subject) = &mut subjects[*slot] else { continue };
        let before = model.slots[*slot].clone();
        let (expected, found) = (model.apply(*slot, op), subject.apply(op));
        if matches!(found, Err(Error::Truncated)) && cut < model.file.len() {
            // What was refused has not moved the cursor.
            model.slots[*slot] = before;
        } else {
            compare(&expected, &found).map_err(|difference| format!("{op:?} in a fault: {difference}"))?;
        }
    }
    if cut < model.file.len() {
        file.seek(SeekFrom::Start(cut as u64)).map_err(io)?;
        file.write_all(&model.file[cut..]).map_err(io)?;
    }
    for (mapping, subject) in model.slots.iter().zip(subjects) {
        if let (Some(mapping), Some(subject)) = (mapping, subject)
            && !mapping.closed
        {
            subject.apply(&Op::Refresh).map_err(failed("refreshing after a fault"))?;
        }
    }
    Ok(())
}

fn copy<S: Subject>(
    subjects: &mut Subjects<S>,
    to: usize,
    (destination, offset, count): (u64, u64, u64),
) -> Option<Result<Value>> {
    let (left, right) = subjects.split_at_mut(1);
    let (target, source) = if to == 0 { (&mut left[0], &right[0]) } else { (&mut right[0], &left[0]) };
    Some(target.as_mut()?.copy_from(destination, source.as_ref()?, offset, count))
}

fn model_copy(model: &mut Model, to: usize, (destination, offset, count): (u64, u64, u64)) -> Outcome {
    let source = model.slots[1 - to].clone().expect("the subject had one");
    let target = model.slots[to].as_mut().expect("the subject had one");
    match (target.closed, target.access, source.closed) {
        (true, _, _) => return Err(CLOSED),
        (_, Access::Read, _) => return Err(READ_ONLY),
        (_, _, true) => return Err(CLOSED),
        _ => {}
    }
    let at = target.at(destination, count, ("destination", "count"))?;
    let from = source.at(offset, count, ("source", "count"))?;
    target.check_write(&model.file, at, count as usize)?;
    let bytes = source.bytes(&model.file)[from..from + count as usize].to_vec();
    target.put(&mut model.file, at, &bytes);
    Ok(Value::Unit)
}

fn compare(expected: &Outcome, found: &Result<Value>) -> std::result::Result<(), String> {
    let agree = match (expected, found) {
        (Ok(expected), Ok(found)) => expected == found,
        (Err(refusal), Err(error)) => refusal.matches(error),
        _ => false,
    };
    if agree { Ok(()) } else { Err(format!("expected {}, found {}", short(expected), short(found))) }
}

fn short(outcome: &impl std::fmt::Debug) -> String {
    let text = format!("{outcome:?}");
    text.char_indices().nth(200).map_or(text.clone(), |(end, _)| format!("{}…", &text[..end]))
}

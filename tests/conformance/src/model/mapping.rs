//! The model itself.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::SeekFrom;

use wasi_mmap_core::{Access, Advice, FlushFlags, MapFlags, MapOptions, Slice};

use super::{Outcome, PAGE, SLOTS, Step, granularity};
use crate::case::{CLOSED, READ_ONLY, UNSUPPORTED, beyond_end_of_file, invalid, out_of_range};
use crate::op::{Op, Refusal, Value};

/// A mapping in its simplest form.
#[derive(Debug, Clone)]
pub(super) struct ModelMapping {
    start: usize,
    len: usize,
    pub(super) access: Access,
    pub(super) private: bool,
    windows: bool,
    /// Whether the mapping may reach past the end of the file.
    reaches_beyond_end: bool,
    position: u64,
    pub(super) closed: bool,
    /// The pages that were written, if writes stay here; by number, counted from the start of the mapping.
    own: BTreeMap<usize, Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) windows: bool,
    pub(super) file: Vec<u8>,
    pub(super) slots: [Option<ModelMapping>; SLOTS],
}

impl ModelMapping {
    pub(super) fn bytes(&self, file: &[u8]) -> Vec<u8> {
        let end = (self.start + self.len).min(file.len());
        let mut bytes = file.get(self.start..end).unwrap_or_default().to_vec();
        bytes.resize(self.len, 0);
        for (&page, own) in &self.own {
            let from = page * PAGE;
            let count = own.len().min(self.len - from);
            bytes[from..from + count].copy_from_slice(&own[..count]);
        }
        bytes
    }

    /// Refuses a write to a page past the end of the file.
    pub(super) fn check_write(&self, file: &[u8], at: usize, count: usize) -> std::result::Result<(), Refusal> {
        let in_file = file.len().saturating_sub(self.start).next_multiple_of(PAGE);
        if count > 0 && self.reaches_beyond_end && at + count > in_file {
            return Err(beyond_end_of_file("offset"));
        }
        Ok(())
    }

    /// Changes bytes. Those past the end of the file are discarded.
    pub(super) fn put(&mut self, file: &mut [u8], at: usize, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(file.len().saturating_sub(self.start + at))];
        if bytes.is_empty() {
            return;
        }
        if !self.private {
            file[self.start + at..self.start + at + bytes.len()].copy_from_slice(bytes);
            return;
        }
        for (i, &byte) in bytes.iter().enumerate() {
            let (page, within) = ((at + i) / PAGE, (at + i) % PAGE);
            let (from, to) = (self.start + page * PAGE, (self.start + (page + 1) * PAGE).min(file.len()));
            let own = self.own.entry(page).or_insert_with(|| {
                let mut own = file[from..to].to_vec();
                own.resize(PAGE, 0);
                own
            });
            own[within] = byte;
        }
    }

    /// Returns the range of `count` bytes at an offset, or the refusal that names the wrong argument.
    pub(super) fn at(
        &self,
        offset: u64,
        count: u64,
        names: (&'static str, &'static str),
    ) -> std::result::Result<usize, Refusal> {
        let len = self.len as u64;
        if offset > len {
            Err(out_of_range(names.0))
        } else if count > len - offset {
            Err(out_of_range(names.1))
        } else {
            Ok(offset as usize)
        }
    }

    fn search(&self, file: &[u8], needle: &[u8], bounds: (Option<i64>, Option<i64>), last: bool) -> Value {
        let len = self.len as i128;
        let bound = |bound: i64| if bound < 0 { (i128::from(bound) + len).max(0) } else { i128::from(bound) };
        let start = bounds.0.map_or(i128::from(self.position), bound);
        let end = bounds.1.map_or(len, bound).min(len);
        let bytes = self.bytes(file);
        let mut places = (start..=end - needle.len() as i128).filter(|&at| bytes[at as usize..].starts_with(needle));
        let place = if last { places.next_back() } else { places.next() };
        Value::Place(place.map(|at| at as u64))
    }

    fn indices(&self, slice: Slice) -> Vec<usize> {
        let (len, step) = (self.len as i128, i128::from(slice.step));
        let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
        let place = |bound: i64| {
            let bound = i128::from(bound);
            (if bound < 0 { bound + len } else { bound }).clamp(low, high)
        };
        let start = slice.start.map_or(if step > 0 { low } else { high }, place);
        let stop = slice.stop.map_or(if step > 0 { high } else { low }, place);
        let mut all = Vec::new();
        let mut at = start;
        while (step > 0 && at < stop) || (step < 0 && at > stop) {
            all.push(at as usize);
            at += step;
        }
        all
    }

    fn apply(&mut self, file: &mut Vec<u8>, op: &Op) -> Outcome {
        let writes = match op {
            Op::Set(..) | Op::WriteSlice(..) => {
                if self.access == Access::Read {
                    return Err(READ_ONLY);
                }
                if matches!(op, Op::WriteSlice(Slice { step: 0, .. }, _)) {
                    return Err(invalid("step"));
                }
                true
            }
            Op::Write(_) | Op::WriteByte(_) | Op::WriteAt(..) | Op::CopyWithin(..) | Op::Fill(..) => true,
            _ => false,
        };
        match op {
            Op::IsClosed => return Ok(Value::Flag(self.closed)),
            Op::Close => {
                self.closed = true;
                return Ok(Value::Unit);
            }
            _ if self.closed => return Err(CLOSED),
            _ if writes && self.access == Access::Read => return Err(READ_ONLY),
            _ => {}
        }
        let len = self.len as u64;
        let rest = len.saturating_sub(self.position);
        match op {
            Op::IsClosed | Op::Close => unreachable!("handled above"),
            Op::Len => Ok(Value::Number(len)),
            Op::Size => Ok(Value::Number(file.len() as u64)),
            Op::Access => Ok(Value::Access(self.access)),
            Op::Tell => Ok(Value::Number(self.position)),
            Op::Seek(to) => {
                let target = match *to {
                    SeekFrom::Start(offset) => i128::from(offset),
                    SeekFrom::Current(offset) => i128::from(self.position) + i128::from(offset),
                    SeekFrom::End(offset) => i128::from(len) + i128::from(offset),
                };
                if !(0..=i128::from(len)).contains(&target) {
                    return Err(out_of_range("offset"));
                }
                self.position = target as u64;
                Ok(Value::Number(self.position))
            }
            Op::Read(count) => {
                let count = count.unwrap_or(rest).min(rest);
                let from = self.position.min(len) as usize;
                let bytes = self.bytes(file)[from..from + count as usize].to_vec();
                self.position += count;
                Ok(Value::Bytes(bytes))
            }
            Op::ReadByte => {
                if rest == 0 {
                    return Err(out_of_range("cursor"));
                }
                self.position += 1;
                Ok(Value::Number(self.bytes(file)[self.position as usize - 1].into()))
            }
            Op::ReadLine => {
                let bytes = self.bytes(file)[self.position.min(len) as usize..].to_vec();
                let line: Vec<u8> = match bytes.iter().position(|&byte| byte == b'\n') {
                    Some(end) => bytes[..=end].to_vec(),
                    None => bytes,
                };
                self.position += line.len() as u64;
                Ok(Value::Bytes(line))
            }
            Op::Write(bytes) => {
                let at = self.at(self.position, bytes.len() as u64, ("cursor", "bytes"))?;
                self.check_write(file, at, bytes.len())?;
                self.put(file, at, bytes);
                self.position += bytes.len() as u64;
                Ok(Value::Number(bytes.len() as u64))
            }
            Op::WriteByte(byte) => {
                let at = self.at(self.position, 1, ("cursor", "cursor"))?;
                self.check_write(file, at, 1)?;
                self.put(file, at, &[*byte]);
                self.position += 1;
                Ok(Value::Unit)
            }
            Op::ReadAt(offset, count) => {
                let at = self.at(*offset, *count, ("offset", "length"))?;
                Ok(Value::Bytes(self.bytes(file)[at..at + *count as usize].to_vec()))
            }
            Op::ReadRanges(ranges) => {
                let mut all = Vec::new();
                for &(offset, count) in ranges {
                    let at = self.at(offset, count, ("offset", "length"))?;
                    all.extend_from_slice(&self.bytes(file)[at..at + count as usize]);
                }
                Ok(Value::Bytes(all))
            }
            Op::WriteAt(offset, bytes) => {
                let at = self.at(*offset, bytes.len() as u64, ("offset", "bytes"))?;
                self.check_write(file, at, bytes.len())?;
                self.put(file, at, bytes);
                Ok(Value::Unit)
            }
            Op::Get(index) | Op::Set(index, _) => {
                let place = if *index < 0 { i128::from(*index) + i128::from(len) } else { i128::from(*index) };
                if !(0..i128::from(len)).contains(&place) {
                    return Err(out_of_range("index"));
                }
                if let Op::Set(_, byte) = op {
                    self.check_write(file, place as usize, 1)?;
                    self.put(file, place as usize, &[*byte]);
                    return Ok(Value::Unit);
                }
                Ok(Value::Number(self.bytes(file)[place as usize].into()))
            }
            Op::ReadSlice(slice) if slice.step == 0 => Err(invalid("step")),
            Op::ReadSlice(slice) => {
                let bytes = self.bytes(file);
                Ok(Value::Bytes(self.indices(*slice).into_iter().map(|at| bytes[at]).collect()))
            }
            Op::WriteSlice(slice, bytes) => {
                let places = self.indices(*slice);
                if places.len() != bytes.len() {
                    return Err(invalid("bytes"));
                }
                if let Some(&last) = places.iter().max() {
                    self.check_write(file, last, 1)?;
                }
                places.into_iter().zip(bytes).for_each(|(at, &byte)| self.put(file, at, &[byte]));
                Ok(Value::Unit)
            }
            Op::Find(needle, start, end) => Ok(self.search(file, needle, (*start, *end), false)),
            Op::Rfind(needle, start, end) => Ok(self.search(file, needle, (*start, *end), true)),
            Op::CopyWithin(destination, source, count) => {
                let to = self.at(*destination, *count, ("destination", "count"))?;
                let from = self.at(*source, *count, ("source", "count"))?;
                self.check_write(file, to, *count as usize)?;
                let bytes = self.bytes(file)[from..from + *count as usize].to_vec();
                self.put(file, to, &bytes);
                Ok(Value::Unit)
            }
            Op::Fill(offset, count, byte) => {
                let at = self.at(*offset, *count, ("offset", "length"))?;
                self.check_write(file, at, *count as usize)?;
                self.put(file, at, &vec![*byte; *count as usize]);
                Ok(Value::Unit)
            }
            Op::Compare(offset, bytes) => {
                let at = self.at(*offset, bytes.len() as u64, ("offset", "bytes"))?;
                let order: Ordering = self.bytes(file)[at..at + bytes.len()].cmp(bytes);
                Ok(Value::Order(order))
            }
            Op::Flush(offset, count, flags) => {
                self.at(*offset, count.unwrap_or(len.saturating_sub(*offset)), ("offset", "length"))?;
                if self.access != Access::Write {
                    return Ok(Value::Unit);
                }
                if !offset.is_multiple_of(PAGE as u64) {
                    return Err(invalid("offset"));
                }
                if flags.contains(FlushFlags::ASYNC | FlushFlags::SYNC) {
                    return Err(invalid("flags"));
                }
                Ok(Value::Unit)
            }
            Op::Advise(advice, start, count) => {
                if *start >= len {
                    return Err(out_of_range("start"));
                }
                let end = i128::from(*start) + count.map_or(i128::from(len - start), i128::from);
                if end > i128::from(i64::MAX) {
                    return Err(out_of_range("length"));
                }
                if !start.is_multiple_of(PAGE as u64) {
                    return Err(invalid("start"));
                }
                if self.windows {
                    return Err(UNSUPPORTED);
                }
                if *advice == Advice::DontNeed {
                    let end = end.min(i128::from(len)) as usize;
                    self.own.retain(|&page, _| page * PAGE < *start as usize || page * PAGE >= end);
                }
                Ok(Value::Unit)
            }
            Op::Resize(to) => {
                if self.access != Access::Write {
                    return Err(READ_ONLY);
                }
                if *to == 0 {
                    return Err(invalid("length"));
                }
                if i128::from(*to) + self.start as i128 > i128::from(i64::MAX) {
                    return Err(out_of_range("length"));
                }
                if self.windows && self.private {
                    return Err(UNSUPPORTED);
                }
                let to = *to as usize;
                file.resize(self.start + to, 0);
                self.own.retain(|&page, _| page * PAGE < to);
                if let Some(own) = self.own.get_mut(&(to / PAGE)) {
                    own[to % PAGE..].fill(0);
                }
                self.len = to;
                Ok(Value::Unit)
            }
            Op::Refresh => Ok(Value::Unit),
        }
    }
}

impl Model {
    /// Operates on the mapping in a slot.
    pub(super) fn apply(&mut self, slot: usize, op: &Op) -> Outcome {
        self.slots[slot].as_mut().expect("the subject has one").apply(&mut self.file, op)
    }

    pub(super) fn map(&mut self, slot: usize, options: &MapOptions) -> std::result::Result<(), Refusal> {
        // A mapping ends before the next one takes its place.
        self.slots[slot] = None;
        let (offset, size) = (options.offset, self.file.len() as u64);
        let access = options.access;
        let private = access == Access::Copy || options.flags.contains(MapFlags::PRIVATE);
        let grows = self.windows && access == Access::Write && !private;
        let reaches_beyond_end = options.flags.contains(MapFlags::BEYOND_END);
        let may_end_later = grows || reaches_beyond_end;
        let len = match options.requested_length() {
            None if offset >= size => return Err(beyond_end_of_file("offset")),
            None => size - offset,
            Some(len) if !may_end_later && (offset > size || size - offset < len) => {
                return Err(beyond_end_of_file("length"));
            }
            Some(len) => len,
        };
        if !offset.is_multiple_of(granularity(self.windows)) {
            return Err(invalid("offset"));
        }
        if grows {
            self.file.resize(self.file.len().max((offset + len) as usize), 0);
        }
        // The file is open for writing, too.
        let is_widest = options.flags.contains(MapFlags::WIDEST_ACCESS) && access == Access::Read && !private;
        let access = if is_widest { Access::Write } else { access };
        self.slots[slot] = Some(ModelMapping {
            start: offset as usize,
            len: len as usize,
            access,
            private,
            windows: self.windows,
            reaches_beyond_end,
            position: 0,
            closed: false,
            own: BTreeMap::new(),
        });
        Ok(())
    }

    /// Returns whether a step would cut off bytes of another mapping, which this test does not cover. Windows
    /// cuts none off while there is one.
    pub(super) fn cuts_another(&self, step: &Step) -> bool {
        let Step::Do { slot, op: Op::Resize(len) } = step else { return false };
        let Some(mapping) = &self.slots[*slot] else { return false };
        let end = mapping.start as u64 + len.min(&(1 << 40));
        let others = self.slots.iter().enumerate().filter(|(other, _)| other != slot);
        let mut open = others.filter_map(|(_, other)| other.as_ref().filter(|other| !other.closed));
        open.any(|other| (other.start + other.len) as u64 > end || self.windows && end < self.file.len() as u64)
    }
}

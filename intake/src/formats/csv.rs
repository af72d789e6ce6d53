//! Records of a CSV file, read one at a time: bounded memory, exact line numbers, every byte as it stands.
//!
//! RFC 4180 and what is found in the wild: LF, CRLF or CR, a byte order mark, quotes inside unquoted values.
//! The general crates have no limit on the size of a record, and an open quote turns the rest of a file into
//! one; that is why the reader is our own.

use std::io::{self, BufRead};

/// The largest record, in bytes.
pub(crate) const RECORD_LIMIT: usize = 1 << 20;

/// One record: its values as bytes, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Why it cannot be used, where that is so.
    pub flaw: Option<Flaw>,
}

/// What makes a record unusable as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Longer than [`RECORD_LIMIT`]; only its beginning is kept.
    TooLong,
    /// A quoted value that the file never closes.
    OpenQuote,
}

impl Record {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// One value, without its quotes.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.bytes.get(start..end)
    }

    /// All values.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Whether there is nothing in it but blanks, as in the last lines of many spreadsheets.
    pub fn is_blank(&self) -> bool {
        self.flaw.is_none() && self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.flaw = None;
    }

    fn push(&mut self, byte: u8) {
        if self.bytes.len() + self.ends.len() < RECORD_LIMIT {
            self.bytes.push(byte);
        } else {
            self.flaw = Some(Flaw::TooLong);
        }
    }

    fn end_value(&mut self) {
        if self.bytes.len() + self.ends.len() < RECORD_LIMIT {
            self.ends.push(self.bytes.len());
        } else {
            self.flaw = Some(Flaw::TooLong);
        }
    }
}

/// The records of one input.
#[derive(Debug)]
pub(crate) struct Records<R> {
    input: R,
    delimiter: u8,
    line: u64,
    bytes: u64,
    after_carriage_return: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeRecord,
    BeforeValue,
    InValue,
    InQuotes,
    AfterQuote,
}

/// What one byte does to the place where the reader is.
enum Step {
    Go(Place),
    EndOfRecord,
}

impl<R: BufRead> Records<R> {
    /// Reads from the start of an input; a UTF-8 byte order mark is passed over.
    pub fn new(mut input: R, delimiter: u8) -> io::Result<Self> {
        let mut bytes = 0;
        if input.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
            input.consume(3);
            bytes = 3;
        }
        Ok(Self { input, delimiter, line: 1, bytes, after_carriage_return: false })
    }

    /// How many bytes have been read.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The first bytes that are still to be read.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    /// Passes over one line as it stands and gives it back with its line break, at most the size of a record.
    pub fn raw_line(&mut self) -> io::Result<Vec<u8>> {
        let mut kept = Vec::new();
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            let room = RECORD_LIMIT.saturating_sub(kept.len()).min(length);
            kept.extend_from_slice(&buffer[..room]);
            self.input.consume(length);
            self.bytes += length as u64;
            if end.is_some() {
                self.line += 1;
            }
            if end.is_some() || length == 0 {
                self.after_carriage_return = false;
                return Ok(kept);
            }
        }
    }

    /// Reads the next record into `record`; false at the end of the input. Empty lines are no records.
    pub fn read(&mut self, record: &mut Record) -> io::Result<bool> {
        record.clear();
        let mut place = Place::BeforeRecord;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(at_end(place, record));
            }
            let mut used = 0;
            let mut ended = false;
            for &byte in buffer {
                used += 1;
                // The second half of CRLF belongs to the line break that was counted already.
                let second_half = byte == b'\n' && self.after_carriage_return;
                self.after_carriage_return = byte == b'\r';
                let line_break = !second_half && matches!(byte, b'\n' | b'\r');
                if place == Place::BeforeRecord {
                    if line_break || second_half {
                        self.line += u64::from(line_break);
                        continue;
                    }
                    record.line = self.line;
                    place = Place::BeforeValue;
                }
                self.line += u64::from(line_break);
                match step(place, byte, self.delimiter, record) {
                    Step::Go(next) => place = next,
                    Step::EndOfRecord => {
                        ended = true;
                        break;
                    }
                }
            }
            self.input.consume(used);
            self.bytes += used as u64;
            if ended {
                self.finish_line_break()?;
                return Ok(true);
            }
        }
    }

    /// Passes over the second half of a CRLF whose first half ended a record.
    fn finish_line_break(&mut self) -> io::Result<()> {
        if self.after_carriage_return && self.input.fill_buf()?.first() == Some(&b'\n') {
            self.input.consume(1);
            self.bytes += 1;
        }
        self.after_carriage_return = false;
        Ok(())
    }
}

fn step(place: Place, byte: u8, delimiter: u8, record: &mut Record) -> Step {
    match (place, byte) {
        (Place::InQuotes, b'"') => Step::Go(Place::AfterQuote),
        // Two quotes inside quotes stand for one.
        (Place::InQuotes, _) | (Place::AfterQuote, b'"') => {
            record.push(byte);
            Step::Go(Place::InQuotes)
        }
        (Place::BeforeRecord | Place::BeforeValue, b'"') => Step::Go(Place::InQuotes),
        (_, b'\n' | b'\r') => {
            record.end_value();
            Step::EndOfRecord
        }
        (_, byte) if byte == delimiter => {
            record.end_value();
            Step::Go(Place::BeforeValue)
        }
        (_, _) => {
            record.push(byte);
            Step::Go(Place::InValue)
        }
    }
}

/// The input has ended; whether that ended a record.
fn at_end(place: Place, record: &mut Record) -> bool {
    if place == Place::BeforeRecord {
        return false;
    }
    record.end_value();
    if place == Place::InQuotes {
        record.flaw = record.flaw.or(Some(Flaw::OpenQuote));
    }
    true
}

/// Writes one record with its line break; values are quoted where they must be.
pub(crate) fn write_record<'a>(values: impl Iterator<Item = &'a [u8]>, delimiter: u8, out: &mut Vec<u8>) {
    let start = out.len();
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(delimiter);
        }
        let special = |byte: &u8| *byte == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
        if value.iter().any(special) {
            out.push(b'"');
            for &byte in value {
                if byte == b'"' {
                    out.push(b'"');
                }
                out.push(byte);
            }
            out.push(b'"');
        } else {
            out.extend_from_slice(value);
        }
    }
    if out.len() == start {
        // A record of one empty value would be an empty line, which is no record.
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8], capacity: usize) -> Vec<Record> {
        let mut records = Records::new(io::BufReader::with_capacity(capacity, bytes), b',').unwrap();
        let mut all = Vec::new();
        let mut record = Record::default();
        while records.read(&mut record).unwrap() {
            all.push(record.clone());
        }
        assert_eq!(records.bytes(), bytes.len() as u64, "every byte is counted");
        all
    }

    #[track_caller]
    fn check(text: &str, expected: &[(u64, &[&str])]) {
        for capacity in [3, 4096] {
            let records = read_all(text.as_bytes(), capacity);
            let found: Vec<(u64, Vec<String>)> = records
                .iter()
                .map(|record| {
                    let values = record.iter().map(|value| String::from_utf8_lossy(value).into_owned());
                    (record.line, values.collect())
                })
                .collect();
            let expected: Vec<(u64, Vec<String>)> = expected
                .iter()
                .map(|(line, values)| (*line, values.iter().map(|value| (*value).to_owned()).collect()))
                .collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn records_know_the_line_they_begin_on() {
        check("a,b\n1,2\n", &[(1, &["a", "b"]), (2, &["1", "2"])]);
        check("a,b\r\n\r\n1,\"x\r\ny\"\r\n3,4", &[(1, &["a", "b"]), (3, &["1", "x\r\ny"]), (5, &["3", "4"])]);
        check("a\r1\r2", &[(1, &["a"]), (2, &["1"]), (3, &["2"])]);
    }

    #[test]
    fn quotes_and_marks_are_read_as_spreadsheets_write_them() {
        check("\u{feff}a,b\n\"say \"\"hi\"\"\",\n", &[(1, &["a", "b"]), (2, &["say \"hi\"", ""])]);
        check("5\" disk,x\n\"\"\n", &[(1, &["5\" disk", "x"]), (2, &[""])]);
    }

    #[test]
    fn a_quote_left_open_is_noticed() {
        let records = read_all(b"a,b\n1,\"2\n3,4\n", 4096);
        assert_eq!(records[1].flaw, Some(Flaw::OpenQuote));
        assert_eq!(records[1].line, 2);
    }

    #[test]
    fn a_record_without_end_takes_bounded_memory_and_the_next_one_is_read() {
        let mut text = b"a,b\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * RECORD_LIMIT));
        text.extend_from_slice(b"\n1,2\n");
        text.extend(std::iter::repeat_n(b',', 3 * RECORD_LIMIT));
        text.extend_from_slice(b"\n3,4\n");
        let records = read_all(&text, 4096);
        let flaws: Vec<_> = records.iter().map(|record| (record.line, record.flaw)).collect();
        assert_eq!(
            flaws,
            [(1, None), (2, Some(Flaw::TooLong)), (3, None), (4, Some(Flaw::TooLong)), (5, None)]
        );
        assert!(records.iter().all(|record| record.bytes.len() + record.ends.len() <= RECORD_LIMIT));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let values: [&[u8]; 4] = [b"a,b", b"say \"hi\"", b"two\nlines", b"\xff\x00"];
        let mut out = Vec::new();
        write_record(values.into_iter(), b',', &mut out);
        write_record([&b""[..]].into_iter(), b',', &mut out);
        let records = read_all(&out, 4096);
        assert_eq!(records[0].iter().collect::<Vec<_>>(), values);
        assert_eq!(records[1].iter().collect::<Vec<_>>(), [b""]);
    }

    proptest! {
        #[test]
        fn any_values_survive_writing_and_reading(
            rows in proptest::collection::vec(proptest::collection::vec("[a,\"\n\r é]{0,5}", 1..4), 1..5),
            capacity in 1_usize..20,
        ) {
            let mut out = Vec::new();
            for row in &rows {
                write_record(row.iter().map(String::as_bytes), b',', &mut out);
            }
            let read: Vec<Vec<String>> = read_all(&out, capacity)
                .iter()
                .map(|record| record.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect())
                .collect();
            prop_assert_eq!(read, rows);
        }
    }
}

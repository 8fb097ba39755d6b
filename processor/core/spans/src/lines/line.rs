//! Reads a line of the access log where it is plain; what is not takes a closer look, which Python has.
//!
//! The format is said in `milvus_otel_processor.enrichment.access_log.line`: what is read here is what is read there.

use memchr::{memchr_iter, memchr2};

use super::likelihood::Time;
use crate::head::TraceId;

const FIELDS: usize = 14;
/// Methods that ask whether something is there: for some of their codes, and messages, it is an answer that it is not.
const PROBES: [&str; 8] = [
    "DescribeCollection",
    "HasCollection",
    "HasPartition",
    "DescribeIndex",
    "GetIndexState",
    "GetIndexBuildProgress",
    "DescribeAlias",
    "DescribeDatabase",
];
const LONGEST_METHOD: usize = 256;
const LONGEST_PEER: usize = 256;
const LONGEST_COST: usize = 24;
const SECOND: Time = 1_000_000_000;

/// What a plain line says that has to be known of every line.
#[derive(Debug, Default, PartialEq)]
pub struct Plain<'a> {
    pub end: Time,
    pub cost: Time,
    pub method: &'a str,
    pub peer: &'a str,
    pub trace_id: Option<TraceId>,
    pub failed: bool,
    pub database: &'a str,
    pub collection: &'a str,
    /// The fields that hold what clients wrote, with the tabs between them.
    pub texts: &'a str,
    /// Status, code and message, likewise.
    pub answer: &'a str,
}

/// Return what a line says; None where that is not plain, whether or not it is a line of this format.
pub fn plain(text: &[u8]) -> Option<Plain<'_>> {
    let text = std::str::from_utf8(text).ok()?;
    let fields = fields(text)?;
    let [now, method, peer, cost, trace_id, user, sdk, database, partitions, collection, again, status, code, message] =
        fields;
    if cost != again || [user, sdk, database, partitions, collection].contains(&cost) {
        return None;
    }
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_method || method.len() > LONGEST_METHOD || peer.len() > LONGEST_PEER || !message.starts_with("msg=") {
        return None;
    }
    Some(Plain {
        end: time(now.as_bytes())?,
        cost: nanoseconds(cost)?,
        method,
        peer,
        trace_id: id(trace_id)?,
        failed: failed(method, status, code, message)?,
        database,
        collection,
        texts: between(text, user, collection),
        answer: between(text, status, message),
    })
}

/// By what the request of a line is counted: database, collection, status and code.
pub type Said<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Return by what the request of a plain line is counted, without another look at all else; None where the line is not plain.
pub fn said(plain: &[u8]) -> Option<Said<'_>> {
    let (mut tabs, mut count) = ([0; FIELDS - 1], 0);
    for at in memchr_iter(b'\t', plain) {
        *tabs.get_mut(count)? = at;
        count += 1;
    }
    let within = |before: usize, behind: usize| &plain[tabs[before] + 1..tabs[behind]];
    (count == tabs.len()).then(|| (within(6, 7), within(8, 9), within(10, 12)))
}

/// Return a text from the beginning of one of its parts to the end of another.
fn between<'a>(text: &'a str, first: &str, last: &str) -> &'a str {
    let offset = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    &text[offset(first)..offset(last) + last.len()]
}

fn fields(text: &str) -> Option<[&str; FIELDS]> {
    if memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
        return None;
    }
    let (mut fields, mut from, mut count) = ([""; FIELDS], 0, 0);
    for at in memchr_iter(b'\t', text.as_bytes()) {
        *fields.get_mut(count)? = &text[from..at];
        (from, count) = (at + 1, count + 1);
    }
    *fields.get_mut(count)? = &text[from..];
    (count + 1 == FIELDS).then_some(fields)
}

/// Tell whether the request failed; None where that is not plain.
fn failed(method: &str, status: &str, code: &str, message: &str) -> Option<bool> {
    let digits = code.strip_prefix('-').unwrap_or(code);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || status.starts_with("HttpError") {
        return None;
    }
    let is_zero = matches!(code, "0" | "200");
    let is_well = matches!(status, "OK" | "Successful") && is_zero;
    if PROBES.contains(&method) {
        return (is_well && code == "0" && message == "msg=").then_some(false);
    }
    let is_unknown = status == "Unknown" && is_zero;
    Some(!is_well && !is_unknown)
}

/// Return the trace id, None within where the text is no id.
fn id(text: &str) -> Option<Option<TraceId>> {
    if text.len() != 32 {
        return text.is_ascii().then_some(None);
    }
    let mut id = TraceId::default();
    for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = (high? << 4 | low?) as u8;
    }
    Some(Some(id))
}

/// Return the nanoseconds of a duration such as 261.921µs or 1.5s.
fn nanoseconds(text: &str) -> Option<Time> {
    let units = [("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (number, unit) = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() > LONGEST_COST || !is_plain(whole) || !is_plain(part) {
        return None;
    }
    Some((number.parse::<f64>().ok()? * unit).round_ties_even() as Time)
}

/// Return the nanoseconds since 1970 of a time such as 2026/11/18 11:06:40.005 +00:00.
fn time(text: &[u8]) -> Option<Time> {
    let shape = b"dddd/dd/dd dd:dd:dd.ddd zdd:dd";
    let fits = |(byte, kind): (&u8, &u8)| match kind {
        b'd' => byte.is_ascii_digit(),
        b'z' => b"+-".contains(byte),
        _ => byte == kind,
    };
    if text.len() != shape.len() || !text.iter().zip(shape).all(fits) {
        return None;
    }
    let number =
        |from: usize, to: usize| text[from..to].iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (hour, minute, second) = (number(11, 13), number(14, 16), number(17, 19));
    let (zone_hour, zone_minute) = (number(25, 27), number(28, 30));
    let is_day =
        (1971..=2200).contains(&year) && (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if !is_day || hour > 23 || zone_hour > 23 || minute > 59 || zone_minute > 59 || second > 59 {
        return None;
    }
    let zone = (zone_hour * 60 + zone_minute) * if text[24] == b'-' { -60 } else { 60 };
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zone;
    Some(Time::from(seconds) * SECOND + Time::from(number(20, 23)) * 1_000_000)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - 477; // those until the end of 1969
    (year - 1970) * 365 + leap_days + (1..month).map(|month| days_of(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "2026/11/18 11:06:40.005 +00:00\tSearch\ttcp-127.0.0.1:5000\t261.921µs\t\
        0102030405060708090a0b0c0d0e0f10\troot\tPython-3.0.2\tdefault\t[]\tproducts\t261.921µs\tSuccessful\t0\tmsg=";

    #[test]
    fn a_plain_line_is_read() {
        let line = plain(LINE.as_bytes()).unwrap();
        assert_eq!(line.end, 1_795_000_000_005_000_000);
        assert_eq!((line.cost, line.method, line.peer), (261_921, "Search", "tcp-127.0.0.1:5000"));
        assert_eq!((line.trace_id.map(|id| id[15]), line.failed), (Some(16), false));
        assert_eq!((line.database, line.collection), ("default", "products"));
        assert_eq!(line.texts, "root\tPython-3.0.2\tdefault\t[]\tproducts");
        assert_eq!(line.answer, "Successful\t0\tmsg=");
        assert_eq!(said(LINE.as_bytes()), Some((&b"default"[..], &b"products"[..], &b"Successful\t0"[..])));
    }

    #[test]
    fn what_is_not_plain_is_left_to_a_closer_look() {
        for (what, with) in [
            ("Successful\t0", "Successful\tUnknown"),
            ("Successful", "HttpError404"),
            ("Search", "/v2/vectordb/entities/search"),
            ("\tmsg=", "\tmsg=a\tb"),
            ("root", "261.921µs"),
            ("2026/11/18", "2026/02/30"),
            ("10\troot", "1g\troot"),
            ("msg=", "msg=\n"),
        ] {
            assert_eq!(plain(LINE.replace(what, with).as_bytes()), None, "{with}");
        }
        assert_eq!(plain(b"\xff"), None);
        assert_eq!((said(b"a\tb"), said(&[b'\t'; FIELDS])), (None, None));
    }

    #[test]
    fn a_request_failed_whose_status_or_code_says_so() {
        assert_eq!(failed("Search", "Failed", "100", "msg="), Some(true));
        assert_eq!(failed("Search", "Successful", "65535", "msg="), Some(true));
        assert_eq!(failed("Search", "Unknown", "0", "msg="), Some(false));
        assert_eq!(failed("HasCollection", "Successful", "0", "msg="), Some(false));
        assert_eq!(failed("HasCollection", "Failed", "100", "msg="), None);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 3, 1), 11_017);
        assert_eq!(days_since_1970(2026, 11, 18), 20_775);
    }
}

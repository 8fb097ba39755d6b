//! The requests in a trace whose calls are plain to see, and all that what they are counted under depends on.
//!
//! What a request is counted under is found in Python, in `milvus_otel_processor.requests`, once: of requests of which a
//! [`Description`] says the same, the answer is the same.

pub mod answers;
pub mod repeated;
pub mod told;

use std::ops::Range;

use memchr::memmem::Finder;

use crate::attributes::{attribute_pairs, attribute_value};
use crate::calls::{Call, Marks, calls, calls_as_they_came};
use crate::head::Head;
use crate::lines::line::Said;
use crate::lines::paired::{Call as Paired, Seen};
use crate::lines::served::SpanId;
use crate::trace::Trace;

/// Nanoseconds: no request lasts a day.
const LONGEST: u64 = 86_400_000_000_000;
const NONE: u8 = 0;
const SOME: u8 = 1;
/// In front of what describes requests of which somebody has found what is known: others begin with one of the above.
const KNOWN: u8 = 2;

/// What is read of spans to know what a request is counted under.
pub struct Keys {
    /// The attribute of Milvus' own span that says how its call ended.
    pub status: Vec<u8>,
    /// The attributes of a caller's span that say what it asks for: these, and those with this beginning and end.
    pub caller: Vec<Vec<u8>>,
    pub caller_begin: Vec<u8>,
    pub caller_end: Vec<u8>,
    /// What is in front of the name of a channel.
    pub channel: Finder<'static>,
    /// What spans hold that speak for or against a line.
    pub exception: Finder<'static>,
}

/// A call that Milvus served.
pub struct Served {
    /// Its place among the calls.
    pub place: usize,
    pub id: SpanId,
    pub begin: u64,
    pub end: u64,
    /// The place of its caller's span.
    pub caller: Option<usize>,
    /// How long that lasted beyond it.
    pub outside: u64,
    /// Whether another call of the method began later that was made for the same.
    pub is_followed: bool,
}

impl Served {
    /// Whether its times are none that a request has.
    pub fn is_implausible(&self) -> bool {
        self.end < self.begin || self.end - self.begin > LONGEST
    }
}

/// The calls of a trace.
pub struct Found {
    pub calls: Vec<Call>,
    /// Where the methods of the calls are among the bytes of the trace.
    methods: Vec<Range<usize>>,
    pub served: Vec<Served>,
    /// How many of them Milvus has no span of.
    pub not_served: usize,
}

/// Return the calls of a trace; None where they are not plain to see. `own` tells of each of its groups whether it is Milvus' own.
///
/// `as_it_came` is whether to look at the trace as it was before anything was appended to it.
pub fn look<G>(trace: &Trace<G>, marks: &Marks, own: &[bool], as_it_came: bool) -> Option<Found> {
    let calls = if as_it_came { calls_as_they_came(trace, marks, own) } else { calls(trace, marks, own) }?;
    if calls.is_empty() {
        return Some(Found { calls, methods: Vec::new(), served: Vec::new(), not_served: 0 });
    }
    let heads = trace.heads_as_they_came()?;
    let (mut methods, mut served) = (Vec::with_capacity(calls.len()), Vec::with_capacity(calls.len()));
    let mut below = vec![0_usize; calls.len()];
    calls.iter().filter_map(|call| call.above).for_each(|above| below[above] += 1);
    let mut not_served = 0;
    for (place, call) in calls.iter().enumerate() {
        let of = call.server.unwrap_or(call.named());
        let head = &heads[of];
        methods.push(if call.is_operation { 0..0 } else { method(trace, of, head)? });
        if call.server.is_none() {
            not_served += usize::from(!call.is_operation || below[place] == 0);
            continue;
        }
        let operation = call.above.filter(|above| below[*above] == 1).and_then(|above| calls[above].client);
        let (begin, end, caller) = (head.start, head.end, operation.or(call.client));
        let outside = caller.map_or(0, |caller| outside(&heads[caller], begin, end));
        let id = head.span_id.of(trace.span(of)).try_into().ok()?;
        served.push(Served { place, id, begin, end, caller, outside, is_followed: false });
    }
    let mut found = Found { calls, methods, served, not_served };
    if below.iter().any(|count| *count > 1) {
        found.find_followed(trace);
    }
    Some(found)
}

/// Where the method is that the span at this place is named by.
fn method<G>(trace: &Trace<G>, place: usize, head: &Head) -> Option<Range<usize>> {
    let name = trace.part_in_bytes(place, &head.name);
    let slash = trace.framed()[name.clone()].iter().rposition(|byte| *byte == b'/')?;
    Some(name.start + slash + 1..name.end)
}

/// How much longer than from `begin` to `end` the span of a caller lasted.
fn outside(head: &Head, begin: u64, end: u64) -> u64 {
    let outside = i128::from(head.end) - i128::from(head.start) - (i128::from(end) - i128::from(begin));
    outside.max(0).try_into().unwrap_or(u64::MAX)
}

impl Found {
    /// The method of the call at this place; none of an operation.
    pub fn method<'a, G>(&self, trace: &'a Trace<G>, place: usize) -> &'a [u8] {
        &trace.framed()[self.methods[place].clone()]
    }

    fn find_followed<G>(&mut self, trace: &Trace<G>) {
        let is_followed = |one: &Served| {
            let above = self.calls[one.place].above;
            let is_later = |other: &Served| {
                self.calls[other.place].above == above
                    && self.method(trace, other.place) == self.method(trace, one.place)
                    && other.begin > one.begin
            };
            above.is_some() && self.served.iter().any(is_later)
        };
        let followed: Vec<bool> = self.served.iter().map(is_followed).collect();
        self.served.iter_mut().zip(followed).for_each(|(one, is_followed)| one.is_followed = is_followed);
    }

    /// What is asked of the access log about them.
    pub fn asked<'a, G>(&self, trace: &'a Trace<G>) -> Vec<Paired<'a>> {
        let paired = |(place, call): (usize, &Call)| Paired {
            method: self.method(trace, place),
            server: None,
            is_bare: call.spans.len() < 2,
        };
        let mut asked: Vec<Paired<'_>> = self.calls.iter().enumerate().map(paired).collect();
        for one in &self.served {
            asked[one.place].server = Some(Seen { id: one.id, start: one.begin.into(), end: one.end.into() });
        }
        asked
    }
}

/// All that what the requests of a trace are counted under depends on, but for the state of the catalogue: as bytes, to compare.
#[derive(Default)]
pub struct Description {
    pub bytes: Vec<u8>,
}

impl Description {
    fn put(&mut self, part: Option<&[u8]>) {
        match part {
            None => self.bytes.push(NONE),
            Some(part) => {
                self.bytes.push(SOME);
                self.bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
                self.bytes.extend_from_slice(part);
            }
        }
    }

    fn put_number(&mut self, number: Option<usize>) {
        self.bytes.extend_from_slice(&(number.map_or(u32::MAX, |number| number as u32)).to_le_bytes());
    }

    /// Describe the requests of a trace, of which the access log says that; None where a span is not valid.
    pub fn of<G>(trace: &Trace<G>, found: &Found, said: &[Option<Said<'_>>], keys: &Keys) -> Option<Description> {
        let mut description = Description { bytes: Vec::with_capacity(128) };
        let mut served = found.served.iter().peekable();
        let mut names_channels: Option<bool> = None;
        for (place, call) in found.calls.iter().enumerate() {
            description.put_call(trace, found, place);
            if let Some(client) = call.client {
                description.put_caller(trace.span(client), keys)?;
            }
            let line = said[place];
            if let Some((database, collection, answer)) = line {
                [database, collection, answer].iter().for_each(|text| description.put(Some(text)));
            }
            description.put(None);
            // The line of a request that is alone says more than its channels, if it says a collection at all.
            let is_told = line.is_some_and(|(_, collection, _)| is_plain_name(collection)) && found.calls.len() == 1;
            if !is_told && *names_channels.get_or_insert_with(|| trace.may_hold(&keys.channel)) {
                description.put_channels(trace, call, &keys.channel);
            }
            description.put(None);
            if let Some(one) = served.next_if(|one| one.place == place) {
                let value = attribute_value(trace.span(call.server?), &keys.status)?;
                description.put(value.as_deref());
                description.put_served(trace, one);
            }
        }
        Some(description)
    }

    /// Describe the requests of a trace of which that was found to be known.
    pub fn of_known<G>(trace: &Trace<G>, found: &Found, known: &[u8]) -> Description {
        let mut description = Description { bytes: Vec::with_capacity(128) };
        description.bytes.push(KNOWN);
        for place in 0..found.calls.len() {
            description.put_call(trace, found, place);
        }
        found.served.iter().for_each(|one| description.put_served(trace, one));
        description.bytes.extend_from_slice(known);
        description
    }

    fn put_call<G>(&mut self, trace: &Trace<G>, found: &Found, place: usize) {
        let call = &found.calls[place];
        self.put((!call.is_operation).then(|| found.method(trace, place)));
        self.put_number(call.above);
        self.put(call.client.is_some().then_some(&[]));
        self.put(call.server.is_some().then_some(&[]));
    }

    fn put_served<G>(&mut self, trace: &Trace<G>, one: &Served) {
        self.bytes.push(u8::from(one.is_followed));
        let group = one.caller.map_or(0, |caller| trace.group(caller).number);
        self.bytes.extend_from_slice(&group.to_le_bytes());
    }

    fn put_caller(&mut self, span: &[u8], keys: &Keys) -> Option<()> {
        for pair in attribute_pairs(span) {
            let (key, pair) = pair?;
            let is_one = keys.caller.iter().any(|one| one == key)
                || (key.starts_with(&keys.caller_begin) && key.ends_with(&keys.caller_end));
            if is_one {
                self.put(Some(pair));
            }
        }
        self.put(None);
        Some(())
    }

    /// The distinct ids of collections in the names of channels that the spans of a call hold.
    fn put_channels<G>(&mut self, trace: &Trace<G>, call: &Call, mark: &Finder<'_>) {
        let mut ids: Vec<&[u8]> = Vec::new();
        for place in &call.spans {
            let span = trace.span(*place);
            for at in mark.find_iter(span) {
                if let Some(id) = channel_id(&span[at + mark.needle().len()..]).filter(|id| !ids.contains(id)) {
                    ids.push(id);
                }
            }
        }
        ids.sort_unstable();
        ids.iter().for_each(|id| self.put(Some(id)));
    }
}

/// The id of the collection in the rest of a channel's name behind the mark, such as `3_451234567890123456v0`.
fn channel_id(rest: &[u8]) -> Option<&[u8]> {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = digits(rest);
    let id = rest[number..].strip_prefix(b"_").filter(|_| number > 0)?;
    let size = digits(id);
    let is_one = (1..=19).contains(&size) && id.get(size) == Some(&b'v') && id.get(size + 1)?.is_ascii_digit();
    is_one.then(|| &id[..size])
}

/// Whether this is a name of a collection for sure.
fn is_plain_name(text: &[u8]) -> bool {
    let is_first = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    text != b"Unknown"
        && text.len() < 256
        && text.first().is_some_and(is_first)
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_$".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_in_the_name_of_a_channel() {
        assert_eq!(channel_id(b"3_451234567890123456v0"), Some(&b"451234567890123456"[..]));
        for rest in [&b"3_v0"[..], b"_1v0", b"3_1v", b"3_1", b"3_12345678901234567890v0", b"a_1v0", b""] {
            assert_eq!(channel_id(rest), None, "{rest:?}");
        }
    }
}

//! What a trace has to have for anyone to look at it at its decision.

use memchr::memmem::Finder;

use crate::any_of::AnyOf;
use crate::calls::{Marks, calls};
use crate::trace::Trace;
use crate::wire::{Message, fields, is_valid, tag, varint};

/// A trace is wanted where it has one of these. What Python has to be asked about is not among them.
pub struct Wanted {
    /// Codes of statuses.
    pub statuses: Vec<i64>,
    /// A duration of so many nanoseconds, at least and at the most.
    pub durations: Vec<Bounds>,
    /// A number of spans.
    pub counts: Vec<Bounds>,
    /// A hash of the id, going on from the first number, that is not above the second.
    pub hashes: Vec<(u64, u64)>,
    /// A root whose name rules have to be asked about.
    pub roots: bool,
    /// No root.
    pub rootless: bool,
    pub texts: AnyOf,
    pub values: Vec<WantedValue>,
    pub calls: Option<WantedCalls>,
    pub failures: Option<WantedFailures>,
}

/// The least and the greatest; both are within.
#[derive(Clone, Copy, Debug)]
pub struct Bounds(pub i128, pub Option<i128>);

impl Bounds {
    fn hold(&self, number: i128) -> bool {
        self.0 <= number && self.1.is_none_or(|most| number <= most)
    }
}

/// A trace is wanted where such a value is behind the key.
pub struct WantedValue {
    pub key: Finder<'static>,
    /// The least and the greatest number; where there are none, somebody has to be asked about values.
    pub bounds: Option<(f64, f64)>,
    /// Whether spans that hold the key have to be valid for a trace not to be wanted.
    pub decoded: bool,
}

impl WantedValue {
    /// Tell whether a trace is wanted; `ask` is asked about values where they are no numbers within bounds.
    pub fn is_in<G, E>(&self, trace: &Trace<G>, mut ask: impl FnMut(&[u8]) -> Result<bool, E>) -> Result<bool, E> {
        let Some(found) = trace.values_behind(&self.key) else { return Ok(true) };
        for value in &found {
            let is_such = match self.bounds {
                Some((least, greatest)) => number(value).is_none_or(|number| least <= number && number <= greatest),
                None => ask(value)?,
            };
            if is_such {
                return Ok(true);
            }
        }
        let is_valid = |place: usize| is_valid(trace.span(place), Message::Span);
        Ok(self.decoded && !found.is_empty() && !trace.holders(&self.key).all(is_valid))
    }
}

/// Return the number that an encoded value is, 0 where it is none; None where that is not plain to see.
fn number(value: &[u8]) -> Option<f64> {
    let mut number = 0.0;
    for field in fields(value) {
        let field = field?;
        number = match field.tag {
            tag::VALUE_INT => varint(value, &mut { field.begin })? as i64 as f64,
            tag::VALUE_DOUBLE => f64::from_le_bytes(value[field.begin..field.end].try_into().ok()?),
            tag::VALUE_ARRAY | tag::VALUE_KEY_VALUES => return None,
            tag::VALUE_STRING | tag::VALUE_BOOL | tag::VALUE_BYTES => 0.0,
            _ => number,
        };
    }
    Some(number)
}

/// A trace with a call is wanted where it has one of these.
pub struct WantedCalls {
    pub marks: Marks,
    pub texts: AnyOf,
    /// An attribute with this key, and with another value, encoded, than these.
    pub key: Finder<'static>,
    pub values: Vec<Vec<u8>>,
}

/// A trace is wanted where it holds the name of a service, and an attribute with this key, and another value than these.
pub struct WantedFailures {
    pub service: Finder<'static>,
    pub key: Finder<'static>,
    pub values: Vec<Vec<u8>>,
}

impl WantedFailures {
    /// Tell whether a trace that is not wanted by this holds the service; None where it is wanted.
    pub fn unwanted_holds<G>(&self, trace: &Trace<G>) -> Option<bool> {
        let holds = trace.may_hold(&self.service);
        (!holds || all_among(trace, &self.key, &self.values)).then_some(holds)
    }
}

/// Tell whether all values behind a key are among these; false where one is not plain to see.
fn all_among<G>(trace: &Trace<G>, key: &Finder<'_>, values: &[Vec<u8>]) -> bool {
    let is_known = |value: &&[u8]| values.iter().any(|known| known == value);
    trace.values_behind(key).is_some_and(|found| found.iter().all(is_known))
}

impl Wanted {
    /// Tell whether what was read of its spans when they came is enough for a trace to be wanted.
    pub fn by_facts<G>(&self, trace: &Trace<G>) -> bool {
        !trace.is_as_it_came()
            || (self.roots && trace.facts.asked)
            || (self.rootless && !trace.facts.rooted)
            || trace.has_status(&self.statuses) != Some(false)
            || trace.facts.far
            || trace.duration().is_none_or(|duration| self.durations.iter().any(|bounds| bounds.hold(duration)))
            || self.counts.iter().any(|bounds| bounds.hold(trace.len() as i128))
            || self.hashes.iter().any(|(basis, greatest)| trace.id_hash(*basis) <= *greatest)
    }

    /// Return how many calls a trace is about, where neither texts nor calls make it wanted; else None.
    ///
    /// `own` tells of each of its groups whether it is the service's.
    pub fn unwanted_calls<G>(&self, trace: &Trace<G>, own: &[bool]) -> Option<usize> {
        if self.texts.is_in(trace.framed()) {
            return None;
        }
        let Some(wanted) = &self.calls else { return Some(0) };
        let calls = calls(trace, &wanted.marks, own)?;
        if calls.iter().any(|call| call.is_operation) {
            return None; // it says something of itself
        }
        let is_plain = calls.is_empty() || !wanted.texts.is_in(trace.framed());
        let is_unwanted = is_plain && (calls.is_empty() || all_among(trace, &wanted.key, &wanted.values));
        is_unwanted.then(|| calls.iter().filter(|call| call.above.is_none()).count())
    }
}

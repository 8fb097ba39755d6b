//! What the span of a kept request is told of where its time went: attributes, as `milvus_otel_processor.requests.attributes` has them.

use crate::counts::STAGES;
use crate::wire::{put_field, put_varint, tag};

/// Nanoseconds up to which a time in milliseconds is exact enough to be rounded as a whole number.
const LONGEST_EXACT: u64 = 86_400_000_000_000;
/// A stage that took less nanoseconds needs no change.
const LEAST: u64 = 10_000_000;
const DOUBLE_VALUE: u8 = 0x21;
const STRING_VALUE: u32 = 0x0a;

/// The attributes, and what is said where one stage took most of the time.
pub struct Telling {
    /// The key of each stage, where it is wanted.
    pub names: Vec<Option<Vec<u8>>>,
    /// The key of the sentence, where that is wanted.
    pub hint: Option<Vec<u8>>,
    /// Operations, in small letters and without underlines, and their kinds; the last kind is that of all others.
    pub operations: Vec<(Vec<u8>, usize)>,
    /// The sentences by kind and stage.
    pub hints: Vec<Vec<Option<Vec<u8>>>>,
}

/// Attributes to add to a span: each as its key, and as the bytes that add it.
pub type Attributes<'a> = Vec<(&'a [u8], Vec<u8>)>;

impl Telling {
    /// Return the attributes for nanoseconds by stage; None where it takes a closer look at the operation.
    pub fn attributes(&self, times: &[u64; STAGES], operation: &[u8]) -> Option<Attributes<'_>> {
        if !operation.is_ascii() {
            return None;
        }
        let mut found = Vec::with_capacity(STAGES);
        for (nanoseconds, name) in times.iter().zip(&self.names) {
            if let Some(name) = name.as_ref().filter(|_| *nanoseconds > 0) {
                let mut value = vec![DOUBLE_VALUE];
                value.extend_from_slice(&milliseconds(*nanoseconds).to_le_bytes());
                found.push((&name[..], attribute(name, &value)));
            }
        }
        if let (Some(name), Some(sentence)) = (&self.hint, self.sentence(times, operation)) {
            let mut value = Vec::with_capacity(sentence.len() + 3);
            put_field(&mut value, STRING_VALUE, sentence);
            found.push((&name[..], attribute(name, &value)));
        }
        Some(found)
    }

    fn sentence(&self, times: &[u64; STAGES], operation: &[u8]) -> Option<&[u8]> {
        let longest = *times.iter().max()?;
        let all: u128 = times.iter().map(|nanoseconds| u128::from(*nanoseconds)).sum();
        if longest < LEAST || 2 * u128::from(longest) <= all {
            return None;
        }
        let stage = times.iter().position(|nanoseconds| *nanoseconds == longest)?;
        let plain = operation.iter().filter(|byte| **byte != b'_').map(u8::to_ascii_lowercase);
        let kind = self.operations.iter().find(|(known, _)| known.iter().copied().eq(plain.clone()));
        self.hints[kind.map_or(self.hints.len() - 1, |(_, kind)| *kind)][stage].as_deref()
    }
}

/// Nanoseconds as milliseconds, to the microsecond.
fn milliseconds(nanoseconds: u64) -> f64 {
    if nanoseconds <= LONGEST_EXACT && nanoseconds % 1000 != 500 {
        return ((nanoseconds + 500) / 1000) as f64 / 1000.0;
    }
    // What is in the middle goes where the nearest binary number lies.
    let exact = 1000.0 * (nanoseconds as f64 / 1e9);
    format!("{exact:.3}").parse().unwrap_or(exact)
}

/// Serialize `Span.attributes: [{key, value}]`.
fn attribute(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut pair = Vec::with_capacity(key.len() + value.len() + 8);
    put_field(&mut pair, tag::KEY, key);
    put_field(&mut pair, tag::VALUE, value);
    let mut out = Vec::with_capacity(pair.len() + 4);
    out.push(tag::ATTRIBUTE as u8);
    put_varint(&mut out, pair.len() as u64);
    out.extend_from_slice(&pair);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_microseconds() {
        for (nanoseconds, told) in
            [(1, 0.0), (499, 0.0), (501, 0.001), (1_234_567, 1.235), (86_400_000_000_000, 86_400_000.0)]
        {
            assert_eq!(milliseconds(nanoseconds), told, "{nanoseconds}");
        }
        assert_eq!(milliseconds(u64::MAX), 18_446_744_073_709.555);
    }
}

//! Which spans of Milvus' were seen before: senders send again what they do not know to have come, and so does a storage.

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use crate::head::TraceId;

/// Spans of calls that are remembered, in each of two generations.
const SPANS_REMEMBERED: usize = 16_384;
/// How long a key is: the id of a trace, and behind it that of a span.
const KEY: usize = TRACE_ID + SPAN_ID;
const TRACE_ID: usize = 16;
const SPAN_ID: usize = 8;

/// Knows the spans that came last, and those that an earlier process has counted. Bounded, but for what is `noted`.
#[derive(Default)]
pub struct Repeated {
    hasher: RandomState,
    now: HashSet<u64, RandomState>,
    before: HashSet<u64, RandomState>,
    counted: HashSet<u64, RandomState>,
    /// The keys of those that came since somebody asked; None where nobody does.
    noted: Option<Vec<u8>>,
}

impl Repeated {
    /// Tell whether this span came before; from now on it has. One without an id of its own is none that has.
    pub fn is_repeated(&mut self, trace: &TraceId, span: &[u8]) -> bool {
        let key = self.hasher.hash_one((trace, span));
        let came_before = self.now.contains(&key) || self.before.contains(&key);
        if !came_before {
            if self.now.len() >= SPANS_REMEMBERED {
                self.before = std::mem::take(&mut self.now);
            }
            self.now.insert(key);
            if self.counted.contains(&key) {
                return true; // it is noted, with the request that it was recovered from
            }
        }
        if let Some(noted) = self.noted.as_mut().filter(|_| span.len() == SPAN_ID) {
            noted.extend_from_slice(trace);
            noted.extend_from_slice(span);
        }
        came_before && !span.is_empty()
    }

    /// Know these as counted by an earlier process, instead of those of the last call, and note from now on which come.
    pub fn note(&mut self, counted: &[u8]) {
        let keys = counted.chunks_exact(KEY).filter_map(|key| key.split_first_chunk::<TRACE_ID>());
        self.counted = keys.map(|(trace, span)| self.hasher.hash_one((trace, span))).collect();
        self.noted.get_or_insert_default();
    }

    /// Return the keys of those that came since the last call.
    pub fn take_noted(&mut self) -> Vec<u8> {
        self.noted.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_comes_again_is_told() {
        let mut repeated = Repeated::default();
        assert!(!repeated.is_repeated(&[1; 16], b"12345678"));
        assert!(!repeated.is_repeated(&[2; 16], b"12345678"));
        assert!(repeated.is_repeated(&[1; 16], b"12345678"));
        assert!(!repeated.is_repeated(&[1; 16], b"") && !repeated.is_repeated(&[1; 16], b""));
    }

    #[test]
    fn spans_that_are_long_gone_are_forgotten() {
        let mut repeated = Repeated::default();
        for number in 0..3 * SPANS_REMEMBERED as u64 {
            repeated.is_repeated(&[1; 16], &number.to_le_bytes());
            assert!(repeated.now.len() <= SPANS_REMEMBERED && repeated.before.len() <= SPANS_REMEMBERED);
        }
        assert!(!repeated.is_repeated(&[1; 16], &0_u64.to_le_bytes()));
    }

    #[test]
    fn what_an_earlier_process_has_counted_came_before_and_what_comes_now_is_noted() {
        let mut repeated = Repeated::default();
        assert!(!repeated.is_repeated(&[1; 16], b"unnoted!") && repeated.take_noted().is_empty());
        repeated.note(b"2222222222222222spanspan3333333333333333spanspan333");
        assert!(repeated.is_repeated(b"2222222222222222", b"spanspan"));
        assert!(repeated.is_repeated(b"3333333333333333", b"spanspan"));
        assert!(!repeated.is_repeated(b"4444444444444444", b"spanspan") && !repeated.is_repeated(&[4; 16], b"short"));
        assert_eq!(repeated.take_noted(), b"4444444444444444spanspan");
        assert!(repeated.take_noted().is_empty());
        repeated.note(b"");
        assert!(repeated.is_repeated(b"2222222222222222", b"spanspan"), "it came to this process too");
        assert_eq!(repeated.take_noted(), b"2222222222222222spanspan", "sent again, it is in another request on disk");
        assert!(!repeated.is_repeated(b"3333333333333334", b"spanspan"));
    }
}

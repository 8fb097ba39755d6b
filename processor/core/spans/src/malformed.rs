//! A trace without the spans that are not valid.

use std::sync::OnceLock;

use crate::entry::Facts;
use crate::head::Head;
use crate::trace::{Span, Trace};
use crate::wire::{Message, is_valid};

impl<G> Trace<G> {
    /// Return the trace without the spans that are not valid to the bottom, as they came; None where all are.
    pub fn without_malformed(&mut self) -> Option<Self> {
        if self.is_valid {
            return None;
        }
        let good: Vec<bool> = (0..self.len()).map(|place| is_valid(self.span(place), Message::Span)).collect();
        if good.iter().all(|good| *good) {
            self.is_valid = true;
            return None;
        }
        let mut kept = Trace {
            id: self.id,
            facts: self.facts,
            bytes: self.bytes.clone(),
            spans: self.spans().to_vec().into(),
            heads: OnceLock::new(),
            groups: self.groups.clone(),
            tails: self.tails.clone(),
            changed: self.changed.clone(),
            is_valid: true,
        };
        kept.keep(&good);
        Some(kept)
    }

    fn keep(&mut self, good: &[bool]) {
        let mut kept = good.iter();
        let mut spans = self.spans.take().unwrap_or_default();
        spans.retain(|_| kept.next() == Some(&true));
        let mut kept = good.iter();
        self.tails.retain(|_| kept.next() == Some(&true));
        let place_of = |place: u32| {
            let place = place as usize;
            good[place].then(|| good[..place].iter().filter(|good| **good).count() as u32)
        };
        self.changed = self.changed.iter().filter_map(|place| place_of(*place)).collect();
        let mut used: Vec<bool> = vec![false; self.groups.len()];
        spans.iter().for_each(|span| used[span.group as usize] = true);
        let number_of: Vec<u32> = used
            .iter()
            .scan(0, |next, used| {
                let number = *next;
                *next += u32::from(*used);
                Some(number)
            })
            .collect();
        let mut kept = used.iter();
        self.groups.retain(|_| kept.next() == Some(&true));
        spans.iter_mut().for_each(|span| span.group = number_of[span.group as usize]);
        self.compact(spans);
    }

    /// Put the bytes of the spans that are left together, and read anew what is read of all of them.
    fn compact(&mut self, mut spans: Vec<Span>) {
        let mut bytes = Vec::new();
        let mut facts = Facts { arrived: self.facts.arrived, asked: self.facts.asked, ..Facts::default() };
        for span in &mut spans {
            let begin = bytes.len();
            bytes.extend_from_slice(&self.bytes[span.begin..span.end]);
            (span.begin, span.end) = (begin, bytes.len());
            facts.add(&bytes[begin..], Head::read(&bytes[begin..]).as_ref());
        }
        (self.bytes, self.facts, self.spans) = (bytes, facts, spans.into());
    }
}

//! What is appended to the spans of a trace.

use std::sync::Arc;

use memchr::memmem::find;

use crate::attributes::attribute_keys;
use crate::trace::Trace;
use crate::wire::{put_field, tag};

const ERROR: i32 = 2;

impl<G> Trace<G> {
    /// Append the same bytes to some of the spans.
    pub fn append(&mut self, places: impl IntoIterator<Item = usize>, encoded: &[u8]) {
        if encoded.is_empty() {
            return;
        }
        self.tails.resize(self.len(), None);
        let whole: Arc<[u8]> = encoded.into();
        let mut last: Option<[Arc<[u8]>; 2]> = None; // a tail, and what has become of it
        for place in places {
            let tail = &mut self.tails[place];
            *tail = Some(match (tail.take(), &last) {
                (None, _) => whole.clone(),
                (Some(before), Some([same, joined])) if Arc::ptr_eq(&before, same) => joined.clone(),
                (Some(before), _) => {
                    let joined: Arc<[u8]> = [&before[..], encoded].concat().into();
                    last = Some([before, joined.clone()]);
                    joined
                }
            });
        }
    }

    /// Append, to each of the spans, those of the attributes that it does not have: what has one is not overwritten.
    ///
    /// `all` is all of them, one behind the other. Returns how many spans got nothing; None where a span is not valid.
    pub fn append_missing(&mut self, places: &[usize], attributes: &[(&[u8], &[u8])], all: &[u8]) -> Option<usize> {
        // Mostly no span has any of them, and one look at all is cheaper than one at each.
        let holds = |(key, _): &(&[u8], &[u8])| self.texts().any(|bytes| find(bytes, key).is_some());
        if 2 * places.len() >= self.len() && !attributes.iter().any(holds) {
            self.append(places.iter().copied(), all);
            return Some(if all.is_empty() { places.len() } else { 0 });
        }
        let (mut whole, mut unchanged) = (Vec::new(), 0);
        let beginning = beginning(attributes);
        for &place in places {
            let may_have_some = |bytes: &[u8]| find(bytes, beginning).is_some();
            if !may_have_some(self.span(place)) && !may_have_some(self.tail(place)) {
                whole.push(place);
                unchanged += usize::from(all.is_empty());
                continue;
            }
            let span = self.whole(place);
            let keys = match attribute_keys(&span) {
                Some(keys) => keys,
                // What does not hold their bytes has none of them, whatever else is the matter with it.
                None if attributes.iter().any(|(key, _)| find(&span, key).is_some()) => {
                    self.append(whole, all);
                    return None;
                }
                None => Vec::new(),
            };
            if !attributes.iter().any(|(key, _)| keys.contains(key)) {
                whole.push(place);
                unchanged += usize::from(all.is_empty());
                continue;
            }
            let missing = attributes.iter().filter(|(key, _)| !keys.contains(key));
            let missing = missing.flat_map(|(_, encoded)| encoded.iter().copied()).collect::<Vec<u8>>();
            unchanged += usize::from(missing.is_empty());
            self.append([place], &missing);
        }
        self.append(whole, all);
        Some(unchanged)
    }

    /// Give a span the status ERROR, with a description, behind the status that it has.
    ///
    /// A field that comes again overwrites, part by part, what came before: so protobuf has it, and so do its decoders in Go
    /// (the Collector's pdata), Python and C++.
    pub fn set_error(&mut self, place: usize, message: &[u8]) {
        let (mut status, mut field) = (vec![tag::STATUS_CODE as u8, ERROR as u8], Vec::new());
        if !message.is_empty() {
            put_field(&mut status, tag::STATUS_MESSAGE, message);
        }
        put_field(&mut field, tag::STATUS, &status);
        self.append([place], &field);
        self.changed.push(place as u32);
    }

    /// Give a span this trace state, behind the one that it has.
    pub fn set_trace_state(&mut self, place: usize, trace_state: &[u8]) {
        let mut field = Vec::new();
        put_field(&mut field, tag::TRACE_STATE, trace_state);
        self.append([place], &field);
        self.changed.push(place as u32);
    }
}

/// Return what all keys begin with.
fn beginning<'a>(attributes: &[(&'a [u8], &[u8])]) -> &'a [u8] {
    let Some((first, _)) = attributes.first() else { return &[] };
    let common = |other: &[u8]| first.iter().zip(other).take_while(|(byte, other)| byte == other).count();
    let size = attributes.iter().map(|(key, _)| common(key)).min();
    &first[..size.unwrap_or_default()]
}

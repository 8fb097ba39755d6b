//! A trace that no longer waits: what its bytes say, and what is appended to them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;
use memchr::memmem::{Finder, find};

use crate::entry::{Facts, frames, status_bit};
use crate::groups::Group;
use crate::head::{Head, TraceId, id_hash, is_no_parent};
use crate::wire::{Message, attribute_keys, attribute_value, is_valid, put_field, tag};

const ERROR: i32 = 2;
/// Distinct values of an attribute in a trace that are remembered while more are looked for.
const FEW_VALUES: usize = 64;
/// A length from here on takes more than one byte.
const LONG: u8 = 0x80;

#[derive(Clone, Copy)]
struct Span {
    begin: usize,
    end: usize,
    group: u32,
}

pub struct Trace<G> {
    pub id: TraceId,
    pub facts: Facts,
    bytes: Vec<u8>,
    spans: Vec<Span>,
    groups: Vec<Arc<Group<G>>>,
    /// What is behind each span, if something is: many have the same.
    tails: Vec<Option<Arc<[u8]>>>,
    /// The places of spans whose heads are others by what was appended.
    changed: Vec<u32>,
    /// Whether all spans are known to be valid to the bottom.
    is_valid: bool,
}

impl<G> Trace<G> {
    /// Make a trace of spans with their frames.
    pub fn new(id: TraceId, bytes: Vec<u8>, groups: Vec<Arc<Group<G>>>, facts: Facts) -> Self {
        let mut spans = Vec::with_capacity(facts.count as usize);
        spans.extend(frames(&bytes).map(|(begin, end, group)| Span { begin, end, group }));
        Trace { id, facts, bytes, spans, groups, tails: Vec::new(), changed: Vec::new(), is_valid: false }
    }

    /// Make a trace of one span.
    pub fn of_span(id: TraceId, span: &[u8], head: Option<&Head>, group: Arc<Group<G>>, now: f64) -> Self {
        let mut facts = Facts { arrived: now, asked: true, ..Facts::default() };
        facts.add(span, head);
        let spans = vec![Span { begin: 0, end: span.len(), group: 0 }];
        let (tails, changed, groups) = (Vec::new(), Vec::new(), vec![group]);
        Trace { id, facts, bytes: span.to_vec(), spans, groups, tails, changed, is_valid: false }
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The span at this place as it came.
    pub fn span(&self, place: usize) -> &[u8] {
        let span = self.spans[place];
        &self.bytes[span.begin..span.end]
    }

    /// What was appended to the span at this place.
    pub fn tail(&self, place: usize) -> &[u8] {
        self.tails.get(place).and_then(Option::as_deref).unwrap_or_default()
    }

    /// The bytes of the spans with what was appended.
    pub fn size(&self) -> usize {
        self.facts.size + self.tails.iter().flatten().map(|tail| tail.len()).sum::<usize>()
    }

    pub fn group(&self, place: usize) -> &Arc<Group<G>> {
        &self.groups[self.spans[place].group as usize]
    }

    /// The place of a span's group among `groups`.
    pub fn group_place(&self, place: usize) -> usize {
        self.spans[place].group as usize
    }

    /// The groups; one may be there several times.
    pub fn groups(&self) -> &[Arc<Group<G>>] {
        &self.groups
    }

    /// Whether all heads are valid, and nothing was appended.
    pub fn is_as_it_came(&self) -> bool {
        self.facts.sound && self.tails.is_empty()
    }

    /// The bytes of all spans as they came, each behind some bytes that mean nothing.
    pub fn framed(&self) -> &[u8] {
        &self.bytes
    }

    /// Iterate over the places of the spans that held these bytes when they came.
    pub fn holders<'a>(&'a self, text: &'a Finder<'_>) -> impl Iterator<Item = usize> + 'a {
        let (mut from, mut place) = (0, 0);
        std::iter::from_fn(move || {
            loop {
                let at = from + text.find(self.bytes.get(from..)?)?;
                while self.spans.get(place)?.end < at + text.needle().len() {
                    place += 1;
                }
                let span = self.spans[place];
                if span.begin <= at {
                    (from, place) = (span.end, place + 1);
                    return Some(place - 1);
                }
                from = span.begin; // what was found is partly in front of the span
            }
        })
    }

    /// The groups, each once, in no order.
    pub fn distinct_groups(&self) -> Vec<&Arc<Group<G>>> {
        let mut distinct: Vec<_> = self.groups.iter().collect();
        distinct.sort_unstable_by_key(|group| group.number);
        distinct.dedup_by_key(|group| group.number);
        distinct
    }

    /// The span at this place with what was appended.
    pub fn whole(&self, place: usize) -> Cow<'_, [u8]> {
        let (span, tail) = (self.span(place), self.tail(place));
        if tail.is_empty() { span.into() } else { [span, tail].concat().into() }
    }

    /// The span at this place with all that its head says: what was appended is part of it where that changes the head.
    pub fn span_of_head(&self, place: usize) -> Cow<'_, [u8]> {
        if self.changed.contains(&(place as u32)) { self.whole(place) } else { self.span(place).into() }
    }

    fn heads(&self) -> impl Iterator<Item = Option<(Head, Cow<'_, [u8]>)>> + '_ {
        (0..self.len()).map(|place| {
            let span = self.span_of_head(place);
            Some((Head::read(&span)?, span))
        })
    }

    /// The places of spans without a parent; None where a head is not valid.
    pub fn roots(&self) -> Option<Vec<usize>> {
        let mut roots = Vec::new();
        for (place, head) in self.heads().enumerate() {
            let (head, span) = head?;
            if head.is_root(&span) {
                roots.push(place);
            }
        }
        Some(roots)
    }

    /// Whether a root is there, and the parent of every other span; None where a head is not valid.
    ///
    /// In a trace without a root the one span whose parent did not come counts as such: Milvus makes such traces where a client
    /// sent a `client_request_id`.
    pub fn is_complete(&self) -> Option<bool> {
        let heads: Vec<(Head, Cow<'_, [u8]>)> = self.heads().collect::<Option<_>>()?;
        let ids: HashSet<&[u8], RandomState> = heads.iter().map(|(head, span)| head.span_id.of(span)).collect();
        let parents = || heads.iter().map(|(head, span)| head.parent_span_id.of(span));
        let has_root = parents().any(is_no_parent);
        let orphans = parents().filter(|parent| !is_no_parent(parent) && !ids.contains(parent)).count();
        Some(orphans == usize::from(!has_root))
    }

    /// Nanoseconds from the earliest start to the latest end; None where a head is not valid.
    pub fn duration(&self) -> Option<i128> {
        let Facts { start, end, sound, .. } = self.facts;
        if self.is_empty() {
            return Some(0);
        }
        sound.then(|| i128::from(end) - i128::from(start))
    }

    /// Whether a span has one of the statuses; None where a head is not valid.
    pub fn has_status(&self, codes: &[i64]) -> Option<bool> {
        if !self.facts.sound {
            return None;
        }
        let bits = codes.iter().fold(0, |bits, code| bits | status_bit(*code));
        let is_named = codes.iter().all(|code| (0..7).contains(code));
        if is_named && self.changed.is_empty() {
            return Some(self.facts.statuses & bits != 0);
        }
        Some(self.heads().flatten().any(|(head, _)| codes.contains(&head.status.into())))
    }

    /// Whether these bytes may occur in a span: false is a sure no.
    pub fn may_hold(&self, text: &Finder<'_>) -> bool {
        self.texts().any(|bytes| text.find(bytes).is_some())
    }

    /// All bytes there are, each at least once: in one piece as they came, then what was appended.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> + '_ {
        let mut before: Option<&Arc<[u8]>> = None;
        let tails = self.tails.iter().flatten().filter_map(move |tail| {
            let is_same = before.is_some_and(|before| Arc::ptr_eq(before, tail));
            before = Some(tail);
            (!is_same).then_some(&tail[..])
        });
        std::iter::once(&self.bytes[..]).chain(tails)
    }

    /// The places of the spans that hold these bytes.
    pub fn holding(&self, text: &Finder<'_>) -> Vec<usize> {
        if !self.may_hold(text) {
            return Vec::new();
        }
        let holds = |place: &usize| text.find(self.span(*place)).is_some() || text.find(self.tail(*place)).is_some();
        (0..self.len()).filter(holds).collect()
    }

    /// The distinct values of the attribute with this key, encoded; None where an attribute of a span that holds it is not valid.
    pub fn encoded_values(&self, key: &Finder<'_>) -> Option<HashSet<Vec<u8>, RandomState>> {
        let mut found = HashSet::default();
        for place in self.holding(key) {
            let span = self.whole(place);
            if let Some(value) = attribute_value(&span, key.needle())? {
                if !found.contains(&value[..]) {
                    found.insert(value.into_owned());
                }
            }
        }
        Some(found)
    }

    /// The distinct values that follow the key's bytes anywhere, encoded; None where one is not plain to see, or they are many.
    ///
    /// A value follows its key in what every encoder writes: the values of the attribute are then among these, and are few.
    pub fn values_behind(&self, key: &Finder<'_>) -> Option<Vec<&[u8]>> {
        let size = key.needle().len();
        if size == 0 {
            return None;
        }
        let mut found: Vec<&[u8]> = Vec::new();
        for bytes in self.texts() {
            for at in key.find_iter(bytes) {
                let rest = &bytes[at + size..];
                let [value_tag, length, ..] = *rest else { return None };
                let value = rest.get(2..2 + usize::from(length))?;
                if u32::from(value_tag) != tag::VALUE || length >= LONG {
                    return None;
                }
                if found.last() != Some(&value) && !found.contains(&value) {
                    if found.len() == FEW_VALUES {
                        return None;
                    }
                    found.push(value);
                }
            }
        }
        Some(found)
    }

    /// Append the same bytes to some of the spans.
    pub fn append(&mut self, places: impl IntoIterator<Item = usize>, encoded: &[u8]) {
        if encoded.is_empty() {
            return;
        }
        self.tails.resize(self.spans.len(), None);
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
        for &place in places {
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
            spans: self.spans.clone(),
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
        self.spans.retain(|_| kept.next() == Some(&true));
        let mut kept = good.iter();
        self.tails.retain(|_| kept.next() == Some(&true));
        let place_of = |place: u32| {
            let place = place as usize;
            good[place].then(|| good[..place].iter().filter(|good| **good).count() as u32)
        };
        self.changed = self.changed.iter().filter_map(|place| place_of(*place)).collect();
        let mut used: Vec<bool> = vec![false; self.groups.len()];
        self.spans.iter().for_each(|span| used[span.group as usize] = true);
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
        self.spans.iter_mut().for_each(|span| span.group = number_of[span.group as usize]);
        self.compact();
    }

    /// Put the bytes of the spans that are left together, and read anew what is read of all of them.
    fn compact(&mut self) {
        let mut bytes = Vec::new();
        let mut facts = Facts { arrived: self.facts.arrived, asked: self.facts.asked, ..Facts::default() };
        for span in &mut self.spans {
            let begin = bytes.len();
            bytes.extend_from_slice(&self.bytes[span.begin..span.end]);
            (span.begin, span.end) = (begin, bytes.len());
            facts.add(&bytes[begin..], Head::read(&bytes[begin..]).as_ref());
        }
        (self.bytes, self.facts) = (bytes, facts);
    }

    /// The 64-bit FNV-1a hash of the id, going on from `basis`.
    pub fn id_hash(&self, basis: u64) -> u64 {
        id_hash(&self.id, basis)
    }
}

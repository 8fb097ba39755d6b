//! A trace that no longer waits: what its bytes say.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use foldhash::fast::RandomState;
use memchr::memmem::Finder;

use crate::attributes::attribute_value;
use crate::entry::{Facts, frames, status_bit};
use crate::groups::Group;
use crate::head::{Head, Part, TraceId, id_hash, is_no_parent};
use crate::wire::tag;

/// Distinct values of an attribute in a trace that are remembered while more are looked for.
const FEW_VALUES: usize = 64;
/// A length from here on takes more than one byte.
const LONG: u8 = 0x80;

#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub begin: usize,
    pub end: usize,
    pub group: u32,
}

pub struct Trace<G> {
    pub id: TraceId,
    pub facts: Facts,
    pub(crate) bytes: Vec<u8>,
    /// Where the spans are, found out when it is first asked for: many traces go when their bytes have been searched.
    pub(crate) spans: OnceLock<Vec<Span>>,
    /// The heads of all spans as they came, read when they are first asked for, until they are forgotten.
    pub(crate) heads: OnceLock<Vec<Head>>,
    pub(crate) groups: Vec<Arc<Group<G>>>,
    /// What is behind each span, if something is: many have the same.
    pub(crate) tails: Vec<Option<Arc<[u8]>>>,
    /// The places of spans whose heads are others by what was appended.
    pub(crate) changed: Vec<u32>,
    /// Whether all spans are known to be valid to the bottom.
    pub(crate) is_valid: bool,
}

impl<G> Trace<G> {
    /// Make a trace of spans with their frames.
    pub fn new(id: TraceId, bytes: Vec<u8>, groups: Vec<Arc<Group<G>>>, facts: Facts) -> Self {
        let (spans, heads) = (OnceLock::new(), OnceLock::new());
        Trace { id, facts, bytes, spans, heads, groups, tails: Vec::new(), changed: Vec::new(), is_valid: false }
    }

    /// Make a trace of one span.
    pub fn of_span(id: TraceId, span: &[u8], head: Option<&Head>, group: Arc<Group<G>>, now: f64) -> Self {
        let mut facts = Facts { arrived: now, asked: true, ..Facts::default() };
        facts.add(span, head);
        let spans = vec![Span { begin: 0, end: span.len(), group: 0 }].into();
        let (heads, tails, changed, groups) = (OnceLock::new(), Vec::new(), Vec::new(), vec![group]);
        Trace { id, facts, bytes: span.to_vec(), spans, heads, groups, tails, changed, is_valid: false }
    }

    pub fn len(&self) -> usize {
        self.facts.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the spans are, in their order.
    pub(crate) fn spans(&self) -> &[Span] {
        self.spans.get_or_init(|| {
            let mut spans = Vec::with_capacity(self.len());
            spans.extend(frames(&self.bytes).map(|(begin, end, group)| Span { begin, end, group }));
            spans
        })
    }

    /// The span at this place as it came.
    pub fn span(&self, place: usize) -> &[u8] {
        let span = self.spans()[place];
        &self.bytes[span.begin..span.end]
    }

    /// The heads of all spans as they came; None where one is not valid.
    pub fn heads_as_they_came(&self) -> Option<&[Head]> {
        let read = || {
            let mut heads = Vec::with_capacity(self.len());
            heads.extend((0..self.len()).map_while(|place| Head::read(self.span(place))));
            heads
        };
        let heads = if self.facts.sound { self.heads.get_or_init(read) } else { return None };
        (heads.len() == self.len()).then_some(heads)
    }

    /// Where a part of the span at this place is among all bytes.
    pub(crate) fn part_in_bytes(&self, place: usize, part: &Part) -> Range<usize> {
        part.within(self.spans()[place].begin)
    }

    /// Give back the memory for heads.
    pub fn forget_heads(&mut self) {
        self.heads = OnceLock::new();
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
        &self.groups[self.spans()[place].group as usize]
    }

    /// The place of a span's group among `groups`.
    pub fn group_place(&self, place: usize) -> usize {
        self.spans()[place].group as usize
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
                while self.spans().get(place)?.end < at + text.needle().len() {
                    place += 1;
                }
                let span = self.spans()[place];
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

    /// The heads of all spans, each with the span that it is of, as they are with what was appended; None where one is not valid.
    fn heads(&self) -> Option<impl Iterator<Item = Option<(Head, Cow<'_, [u8]>)>> + '_> {
        let heads = self.heads_as_they_came()?;
        Some((0..self.len()).map(move |place| match self.span_of_head(place) {
            Cow::Borrowed(span) => Some((heads[place], span.into())),
            changed => Some((Head::read(&changed)?, changed)),
        }))
    }

    /// The places of spans without a parent; None where a head is not valid.
    pub fn roots(&self) -> Option<Vec<usize>> {
        let mut roots = Vec::new();
        for (place, head) in self.heads()?.enumerate() {
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
        let heads: Vec<(Head, Cow<'_, [u8]>)> = self.heads()?.collect::<Option<_>>()?;
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
        Some(self.heads()?.flatten().any(|(head, _)| codes.contains(&head.status.into())))
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

    /// The 64-bit FNV-1a hash of the id, going on from `basis`.
    pub fn id_hash(&self, basis: u64) -> u64 {
        id_hash(&self.id, basis)
    }
}

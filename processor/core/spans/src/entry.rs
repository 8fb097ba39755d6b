//! A trace that waits.

use std::sync::Arc;

use crate::cut::{Cut, Part};
use crate::groups::Group;
use crate::head::Head;

/// What stands in front of each span where it waits: its size, and the place of its group among its trace's, 4 bytes each.
pub const FRAME: usize = 8;
/// Groups of a trace among which the one of a span is looked for; one that is further back is put there again.
const GROUPS_LOOKED_AT: usize = 16;

/// What is read of each span when it comes, of all spans of a trace together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// When the first span came; seconds of the caller's clock.
    pub arrived: f64,
    pub start: u64,
    pub end: u64,
    /// A bit for each status code; the last stands for all that have no name.
    pub statuses: u8,
    /// Whether the heads of all spans are valid.
    pub sound: bool,
    /// Whether a span begins later than an int64 can say.
    pub far: bool,
    /// Whether a root is there.
    pub rooted: bool,
    /// Whether rules on the names of roots have to be asked.
    pub asked: bool,
    pub count: u32,
    /// The bytes of the spans.
    pub size: usize,
}

impl Default for Facts {
    fn default() -> Self {
        Facts {
            arrived: 0.0,
            start: u64::MAX,
            end: 0,
            statuses: 0,
            sound: true,
            far: false,
            rooted: false,
            asked: false,
            count: 0,
            size: 0,
        }
    }
}

impl Facts {
    /// Count a span in; `head` is None where it is not valid.
    pub fn add(&mut self, span: &[u8], head: Option<&Head>) {
        self.count += 1;
        self.size += span.len();
        let Some(head) = head else {
            self.sound = false;
            return;
        };
        self.start = self.start.min(head.start);
        self.end = self.end.max(head.end);
        self.far |= i64::try_from(head.start).is_err();
        self.rooted |= head.is_root(span);
        self.statuses |= status_bit(head.status.into());
    }
}

/// Return the bit of a status code.
pub fn status_bit(code: i64) -> u8 {
    1 << if (0..7).contains(&code) { code } else { 7 }
}

pub struct Entry<G> {
    pub facts: Facts,
    groups: Vec<Arc<Group<G>>>,
    /// The spans, each behind its frame.
    bytes: Vec<u8>,
    /// With how many spans a large trace is looked at again.
    pub next_look: u32,
}

impl<G> Default for Entry<G> {
    fn default() -> Self {
        Entry { facts: Facts::default(), groups: Vec::new(), bytes: Vec::new(), next_look: 0 }
    }
}

impl<G> Entry<G> {
    /// The bytes of its spans, with their frames.
    pub fn framed(&self) -> &[u8] {
        &self.bytes
    }

    /// Take the spans of a request in; `groups` are those of its envelopes.
    pub fn add(&mut self, request: &[u8], cut: &Cut, part: &Part, groups: &[Arc<Group<G>>]) {
        let room: usize = cut.rows_of(part).map(|row| cut.rows[row].span(request).len() + FRAME).sum();
        self.bytes.reserve_exact(room);
        let (mut envelope, mut place) = (u32::MAX, 0);
        for row in cut.rows_of(part) {
            let row = &cut.rows[row];
            if row.envelope != envelope {
                envelope = row.envelope;
                place = self.place_of(&groups[envelope as usize]);
            }
            let span = row.span(request);
            self.bytes.extend_from_slice(&(span.len() as u32).to_le_bytes());
            self.bytes.extend_from_slice(&place.to_le_bytes());
            self.bytes.extend_from_slice(span);
            self.facts.add(span, row.head.as_ref());
        }
    }

    fn place_of(&mut self, group: &Arc<Group<G>>) -> u32 {
        let near = self.groups.len().saturating_sub(GROUPS_LOOKED_AT);
        let found = self.groups[near..].iter().position(|other| Arc::ptr_eq(other, group));
        let place = found.map_or(self.groups.len(), |place| near + place);
        if place == self.groups.len() {
            self.groups.reserve_exact(1);
            self.groups.push(group.clone());
        }
        place as u32
    }

    /// Return all spans with their frames, and their groups.
    pub fn into_bytes(self) -> (Vec<u8>, Vec<Arc<Group<G>>>) {
        (self.bytes, self.groups)
    }

    /// Return an entry with the same spans.
    pub fn copy(&self) -> Self {
        let (bytes, groups) = self.bytes();
        Entry { facts: self.facts, groups, bytes, next_look: self.next_look }
    }

    /// Return a copy of the same.
    pub fn bytes(&self) -> (Vec<u8>, Vec<Arc<Group<G>>>) {
        (self.bytes.clone(), self.groups.clone())
    }
}

/// Iterate over spans with their frames: where each begins and ends, and the place of its group.
pub fn frames(bytes: &[u8]) -> impl Iterator<Item = (usize, usize, u32)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let [a, b, c, d, e, f, g, h] = *bytes.get(at..)?.first_chunk::<FRAME>()?;
        let begin = at + FRAME;
        at = begin + u32::from_le_bytes([a, b, c, d]) as usize;
        Some((begin, at, u32::from_le_bytes([e, f, g, h])))
    })
}

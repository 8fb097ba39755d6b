//! Spans that wait, by trace, from a request to the decision.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::cut::{Cut, Part};
use crate::decisions::{Decision, Decisions};
use crate::entry::Entry;
use crate::groups::{Group, Groups};
use crate::head::{Head, TraceId, id_hash, is_no_parent};
use crate::names::{Names, OfRoot};
use crate::passes::{Passes, alone};
use crate::times::{Times, Waits};
use crate::trace::Trace;

const KNOWN_GROUPS: usize = 4096;
const KNOWN_GROUPS_SIZE: usize = 4 << 20;
/// Spans up to which a trace is looked at each time that it grows.
const SMALL_TRACE: u32 = 64;
/// Traces that are shown of one request, or of one call for those that are due: however many come, it costs next to nothing.
pub const MOST_SHOWN: usize = 256;

/// How a store is to work.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub waits: Waits,
    /// How many decisions are remembered.
    pub sampled_cache_size: usize,
    pub not_sampled_cache_size: usize,
    /// Whether the names of roots are asked about.
    pub asks_roots: bool,
    /// Whether an answer about a root depends on its resource as well.
    pub tells_resources: bool,
    /// Whether it is to be known to which traces the last request added.
    pub tells_touched: bool,
}

/// Of the traces that nobody looks at, those that are given out all the same, for people to look at: the ones whose ids have, going
/// on from `basis`, a smaller hash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    pub basis: u64,
    /// Of traces that nobody wants.
    pub unwanted: u64,
    /// Of traces that the name of their root decides early.
    pub early: u64,
}

/// What came of a request. `K` is what is known of a decision.
pub struct Arrived<G, K> {
    pub spans: usize,
    pub refused: usize,
    /// Traces and spans that were dropped at once, by the number of the verdict.
    pub early: Vec<(usize, usize)>,
    /// Spans of traces that were sampled, each as a trace of its own.
    pub late: Vec<(Arc<K>, Trace<G>)>,
    pub late_not_sampled: usize,
    /// Some of the traces that were decided early, with the number of the verdict.
    pub shown: Vec<(u32, Trace<G>)>,
    /// What `Store::passes` wants of what was decided early, or came late to a trace that was not sampled.
    pub passed: Vec<Trace<G>>,
}

pub struct Store<G, K> {
    settings: Settings,
    pub(crate) entries: HashMap<TraceId, Box<Entry<G>>, RandomState>,
    times: Times,
    decisions: Decisions<K>,
    pub groups: Groups<G>,
    pub names: Names,
    /// What somebody wants to see of traces that are not decided any more.
    pub passes: Option<Box<Passes>>,
    touched: Vec<TraceId>,
    pub shown: Shown,
    spans: usize,
    size: usize,
}

impl<G, K> Store<G, K> {
    pub fn new(settings: Settings) -> Self {
        Store {
            settings,
            entries: HashMap::default(),
            times: Times::new(settings.waits),
            decisions: Decisions::new(settings.sampled_cache_size, settings.not_sampled_cache_size),
            groups: Groups::new(KNOWN_GROUPS, KNOWN_GROUPS_SIZE),
            names: Names::default(),
            passes: None,
            touched: Vec::new(),
            shown: Shown::default(),
            spans: 0,
            size: 0,
        }
    }

    /// Work by other settings from now on, for what waits as well. All that is known of names is forgotten.
    pub fn configure(&mut self, settings: Settings, now: f64) {
        self.settings = settings;
        self.times.change(settings.waits, now);
        self.decisions.resize(settings.sampled_cache_size, settings.not_sampled_cache_size);
        self.names = Names::default();
        self.entries.values_mut().for_each(|entry| {
            entry.facts.asked = true;
            entry.next_look = 0;
        });
    }

    /// The places of a request's envelopes that are not known.
    pub fn unknown_groups(&self, cut: &Cut) -> Vec<usize> {
        let unknown = |place: &usize| self.groups.get(&cut.envelopes[*place]).is_none();
        (0..cut.envelopes.len()).filter(unknown).collect()
    }

    /// The roots of a request of whose names nothing is known: for each name, and group if that counts, the key and one row.
    pub fn unknown_roots(&self, request: &[u8], cut: &Cut, groups: &[Arc<Group<G>>]) -> Vec<(Vec<u8>, usize)> {
        let mut unknown = Vec::new();
        if self.settings.asks_roots {
            for (place, row) in cut.rows.iter().enumerate() {
                let Some(name) = root_name(row.span(request), row.head.as_ref()) else { continue };
                let key = self.key(name, &groups[row.envelope as usize]);
                if self.names.get(&key).is_none() {
                    unknown.push((key.into_owned(), place));
                }
            }
            unknown.sort_unstable();
            unknown.dedup_by(|one, other| one.0 == other.0);
        }
        unknown
    }

    /// By what an answer about a root is remembered: its name, and its group where that counts.
    fn key<'a>(&self, name: &'a [u8], group: &Group<G>) -> Cow<'a, [u8]> {
        if self.settings.tells_resources { [name, &group.number.to_le_bytes()].concat().into() } else { name.into() }
    }

    /// Take a request in. `groups` are those of its envelopes, `of_root` answers for the names of its roots.
    ///
    /// Trace by trace: one that goes wrong leaves the others as they are.
    pub fn ingest(
        &mut self,
        request: &[u8],
        cut: &Cut,
        groups: &[Arc<Group<G>>],
        of_root: impl Fn(&Names, &[u8]) -> OfRoot,
        now: f64,
    ) -> Arrived<G, K> {
        let (spans, refused) = (cut.rows.len(), cut.refused);
        let (early, late, shown, passed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut arrived = Arrived { spans, refused, early, late, late_not_sampled: 0, shown, passed };
        self.touched.clear();
        for part in &cut.parts {
            if self.entries.contains_key(&part.id) {
                self.arrive(request, cut, part, groups, &of_root, now, &mut arrived);
                continue;
            }
            match self.decisions.get(&part.id) {
                None => self.arrive(request, cut, part, groups, &of_root, now, &mut arrived),
                Some(Decision::NotSampled) => {
                    arrived.late_not_sampled += cut.rows_of(part).count();
                    arrived.passed.extend(self.passed_late(request, cut, part, groups, now));
                }
                Some(Decision::Sampled(kept)) => {
                    let alone = |row| (kept.clone(), alone(request, cut, part, groups, row, now));
                    arrived.late.extend(cut.rows_of(part).map(alone));
                }
            }
        }
        arrived
    }

    #[expect(clippy::too_many_arguments, reason = "a request and what belongs to it")]
    fn arrive(
        &mut self,
        request: &[u8],
        cut: &Cut,
        part: &Part,
        groups: &[Arc<Group<G>>],
        of_root: &impl Fn(&Names, &[u8]) -> OfRoot,
        now: f64,
        arrived: &mut Arrived<G, K>,
    ) {
        let (mut asked, mut roots) = (false, 0);
        for (before, row) in cut.rows_of(part).enumerate() {
            let row = &cut.rows[row];
            let Some(name) = root_name(row.span(request), row.head.as_ref()) else { continue };
            roots += 1;
            if !self.settings.asks_roots {
                continue;
            }
            match of_root(&self.names, &self.key(name, &groups[row.envelope as usize])) {
                OfRoot::Nothing => {}
                OfRoot::Ask => asked = true,
                OfRoot::Decides(verdict) => {
                    if self.is_shown(&part.id, self.shown.early) && arrived.shown.len() < MOST_SHOWN {
                        arrived.shown.push((verdict, self.with(request, cut, part, groups, now)));
                    }
                    let rest = cut.rows_of(part).count() - before - 1;
                    arrived.passed.extend(self.passed(request, cut, part, groups, now));
                    return self.decide_early(part.id, verdict, before + 1, rest, arrived);
                }
            }
        }
        let is_new = self.add(request, cut, part, groups, asked, now);
        if is_new {
            self.times.arrived(part.id, now);
        }
        if roots > 0 {
            self.times.hurry(part.id, now);
        }
        if is_new || roots > 0 {
            let count = self.entries.get(&part.id).map_or(0, |entry| entry.facts.count);
            self.times.watch(part.id, count, now);
        }
        if self.settings.tells_touched {
            self.touched.push(part.id);
        }
    }

    /// Tell whether a trace is one of those below this hash.
    pub fn is_shown(&self, id: &TraceId, below: u64) -> bool {
        below > 0 && id_hash(id, self.shown.basis) < below
    }

    /// Return a trace as it would be with the spans of a request, which are not added.
    pub(crate) fn with(&self, request: &[u8], cut: &Cut, part: &Part, groups: &[Arc<Group<G>>], now: f64) -> Trace<G> {
        let mut entry = self.entries.get(&part.id).map_or_else(Entry::default, |entry| entry.copy());
        if entry.facts.count == 0 {
            entry.facts.arrived = now;
        }
        entry.add(request, cut, part, groups);
        let facts = entry.facts;
        let (bytes, groups) = entry.into_bytes();
        Trace::new(part.id, bytes, groups, facts)
    }

    /// Put spans to their trace; tell whether it is new.
    fn add(&mut self, request: &[u8], cut: &Cut, part: &Part, groups: &[Arc<Group<G>>], asked: bool, now: f64) -> bool {
        let mut is_new = false;
        let entry = self.entries.entry(part.id).or_insert_with(|| {
            is_new = true;
            Box::default()
        });
        let before = entry.facts;
        if is_new {
            entry.facts.arrived = now;
        }
        entry.add(request, cut, part, groups);
        entry.facts.asked |= asked;
        self.spans += (entry.facts.count - before.count) as usize;
        self.size += entry.facts.size - before.size;
        is_new
    }

    /// Drop a trace, as the name of its root decides; `spans` of the request belong to it, `rest` came behind the root.
    fn decide_early(&mut self, id: TraceId, verdict: u32, spans: usize, rest: usize, arrived: &mut Arrived<G, K>) {
        let waited = self.remove(&id).map_or(0, |entry| entry.facts.count as usize);
        let verdict = verdict as usize;
        if arrived.early.len() <= verdict {
            arrived.early.resize(verdict + 1, (0, 0));
        }
        arrived.early[verdict].0 += 1;
        arrived.early[verdict].1 += waited + spans;
        arrived.late_not_sampled += rest;
        self.decisions.put(id, Decision::NotSampled);
    }

    fn remove(&mut self, id: &TraceId) -> Option<Entry<G>> {
        let entry = self.entries.remove(id)?;
        self.spans -= entry.facts.count as usize;
        self.size -= entry.facts.size;
        Some(*entry)
    }

    /// Remove and return traces that are due, and then those that are complete and were quiet for long enough; up to `limit`.
    pub fn take_due(&mut self, now: f64, limit: usize) -> Vec<Trace<G>> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some(id) = self.times.next_due(now) else { break };
            taken.extend(self.take(&id)); // one that was decided early is not there any more
        }
        while taken.len() < limit {
            let Some(watched) = self.times.next_watched(now) else { break };
            let Some(entry) = self.entries.get(&watched.id) else { continue };
            let count = entry.facts.count;
            if count > watched.arrived {
                self.times.watch(watched.id, count, now);
                continue;
            }
            let whole = self.view(&watched.id).is_some_and(|trace| trace.is_complete() == Some(true));
            if whole {
                taken.extend(self.take(&watched.id));
            }
        }
        taken
    }

    /// Remove and return the oldest traces, due or not, `limit` at the most.
    pub fn take_oldest(&mut self, limit: usize) -> Vec<Trace<G>> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some(id) = self.times.next_oldest() else { break };
            taken.extend(self.take(&id));
        }
        taken
    }

    /// Remove and return a trace, if it waits.
    pub fn take(&mut self, id: &TraceId) -> Option<Trace<G>> {
        let entry = self.remove(id)?;
        let facts = entry.facts;
        let (bytes, groups) = entry.into_bytes();
        Some(Trace::new(*id, bytes, groups, facts))
    }

    /// Return a trace as it is now, if it waits, and let it wait on.
    pub fn view(&mut self, id: &TraceId) -> Option<Trace<G>> {
        let entry = self.entries.get(id)?;
        let (bytes, groups) = entry.bytes();
        Some(Trace::new(*id, bytes, groups, entry.facts))
    }

    /// Return the ids of the traces to which the last request added, if that is to be known, and which wait still.
    ///
    /// Of a large trace only where it has grown by an eighth since it was last returned: else it would take quadratic time.
    pub fn touched(&mut self) -> Vec<TraceId> {
        let Store { touched, entries, .. } = self;
        let is_looked_at = |id: &&TraceId| {
            let Some(entry) = entries.get_mut(*id) else { return false };
            let count = entry.facts.count;
            if count <= SMALL_TRACE {
                return true;
            }
            let is_due = count >= entry.next_look;
            if is_due {
                entry.next_look = count.saturating_add(count / 8);
            }
            is_due
        };
        touched.iter().filter(is_looked_at).copied().collect()
    }

    /// Remove and return those of them that are larger than `size` bytes.
    pub fn take_larger_than(&mut self, size: usize) -> Vec<Trace<G>> {
        let is_large = |id: &TraceId| self.entries.get(id).is_some_and(|entry| entry.facts.size > size);
        let large: Vec<TraceId> = self.touched.iter().filter(|id| is_large(id)).copied().collect();
        large.iter().filter_map(|id| self.take(id)).collect()
    }

    /// Remember what was decided over a trace, for the spans that come late.
    pub fn remember(&mut self, id: TraceId, decision: Decision<K>) {
        self.decisions.put(id, decision);
    }

    /// Tell whether a trace that is gone was sampled, as far as it is remembered.
    pub fn sampled(&self, id: &TraceId) -> Option<bool> {
        self.decisions.get(id).map(|decision| matches!(decision, Decision::Sampled(_)))
    }

    pub fn contains(&self, id: &TraceId) -> bool {
        self.entries.contains_key(id)
    }

    /// How many traces wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many spans wait.
    pub fn spans(&self) -> usize {
        self.spans
    }

    /// How many bytes these spans are.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How long a trace waits at the most; seconds.
    pub fn wait(&self) -> f64 {
        self.settings.waits.whole
    }

    pub fn tick(&self) -> f64 {
        self.times.tick
    }
}

fn root_name<'a>(span: &'a [u8], head: Option<&Head>) -> Option<&'a [u8]> {
    head.filter(|head| is_no_parent(head.parent_span_id.of(span))).map(|head| head.name.of(span))
}

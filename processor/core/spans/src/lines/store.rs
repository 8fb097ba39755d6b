//! Lines that wait for the decision over their trace, bounded in number and in time.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::held::{Asked, Held, Waiting};
use super::likelihood::{MILLISECOND, Time};
use super::line::Plain;
use super::ordered::Ordered;
use super::pool::{Call, Candidate, Lines, Pool, Timed};
use super::served::{Served, SpanId};
use crate::head::TraceId;

/// Bytes that the lines take at the most, however long they are.
const LARGEST: usize = 64 << 20;
/// Beside its text: what is known of it, and places in tables.
const BYTES_PER_LINE: usize = 400;
/// Failed lines that are looked at one by one.
const FEW: usize = 16;
/// How the paths of REST's version 1 begin.
const VERSION_1: &str = "/v1/vector/";
const NO_CONNECTION: usize = usize::MAX;

/// A line as it comes; `object` is what Python has made of it, if it had to.
pub struct New<'a, P> {
    pub text: &'a [u8],
    pub line: Plain<'a>,
    /// About how many bytes it takes.
    pub size: usize,
    pub object: Option<P>,
}

/// What became of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Came {
    pub received: usize,
    pub doubled: usize,
    pub evicted: usize,
}

/// Lines by trace id, and those whose trace id is not that of a trace in a pool with the calls that they may be of.
pub struct Store<P> {
    max_lines: usize,
    pub(super) waiting: Waiting<P>,
    pub(super) pool: Pool,
    hasher: RandomState,
    keys: HashSet<u64, RandomState>,
    pub size: usize,
    requests: u64,
    /// How many lines have no trace id; how many have none that is not perhaps a client's own text.
    nameless: usize,
    pub(super) without_trace: usize,
    pub(super) wanted: bool,
    of_version_1: HashMap<Box<str>, Ordered, RandomState>,
    failures_of_version_1: usize,
    failures: HashMap<TraceId, usize, RandomState>,
    nameless_failures: usize,
    made_up_failures: BTreeSet<u64>,
}

impl<P> Store<P> {
    pub fn new(max_lines: usize) -> Self {
        Store {
            max_lines,
            waiting: Waiting { first: 0, lines: VecDeque::new(), by_trace: HashMap::default() },
            pool: Pool::default(),
            hasher: RandomState::default(),
            keys: HashSet::default(),
            size: 0,
            requests: 0,
            nameless: 0,
            without_trace: 0,
            wanted: false,
            of_version_1: HashMap::default(),
            failures_of_version_1: 0,
            failures: HashMap::default(),
            nameless_failures: 0,
            made_up_failures: BTreeSet::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.waiting.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.lines.is_empty()
    }

    /// Begin with the lines of another request.
    pub fn next_request(&mut self) {
        self.requests += 1;
    }

    /// Take a line in, once: a sender that was not answered sends again. Those that came at `too_old` or before are forgotten.
    pub fn add(&mut self, new: New<'_, P>, now: f64, too_old: f64, came: &mut Came) {
        self.forget(too_old, came);
        let New { text, line, size, object } = new;
        let key = self.hasher.hash_one(text);
        if !self.keys.insert(key) {
            came.doubled += 1;
            return;
        }
        let number = self.waiting.first + self.waiting.lines.len() as u64;
        let Plain { end, cost, method, peer, trace_id, failed, .. } = line;
        let mut of = NO_CONNECTION;
        if may_be_made_up(trace_id.as_ref()) {
            self.without_trace += 1;
            self.nameless += usize::from(trace_id.is_none());
            let timed = Timed { number, request: self.requests, end, cost, failed, of };
            of = self.pool.add_line(timed, peer, method);
        }
        if let Some(id) = trace_id {
            self.waiting.by_trace.entry(id).or_default().push_back(number);
        }
        if failed {
            self.add_failure(number, trace_id);
        }
        if method.starts_with(VERSION_1) {
            self.of_version_1.entry(method.into()).or_default().add(end, number);
            self.failures_of_version_1 += usize::from(failed);
        }
        let size = BYTES_PER_LINE + size;
        self.size += size;
        came.received += 1;
        self.waiting.lines.push_back(Held {
            arrived: now,
            request: self.requests,
            end,
            cost,
            trace_id,
            key,
            method: method.into(),
            text: text.into(),
            size,
            failed,
            is_plain: object.is_none(),
            claimed: false,
            server: None,
            of,
            object,
        });
    }

    /// Whether there are lines without a trace id, so that all calls have to be known to find out whose they are.
    pub fn wants_calls(&self) -> bool {
        self.nameless > 0 || (self.wanted && self.without_trace > 0)
    }

    /// Take calls in that came at `now`; those that came at `too_old` or before are forgotten.
    pub fn add_calls(&mut self, calls: Vec<Served>, now: f64, too_old: f64, is_waiting: &dyn Fn(&TraceId) -> bool) {
        let lines = Asked { waiting: &self.waiting, is_waiting };
        calls.into_iter().for_each(|call| self.pool.add_call(call, now, &lines));
        self.pool.forget(too_old, self.max_lines);
    }

    pub fn holds_lines_without_trace(&self) -> bool {
        self.without_trace > 0
    }

    pub fn holds_lines_of_version_1(&self) -> bool {
        !self.of_version_1.is_empty()
    }

    pub fn holds_failures_of_version_1(&self) -> bool {
        self.failures_of_version_1 > 0
    }

    /// The numbers of the lines with this trace id.
    pub fn of_trace(&self, trace_id: &TraceId) -> Vec<u64> {
        self.waiting.by_trace.get(trace_id).map(|of| of.iter().copied().collect()).unwrap_or_default()
    }

    /// The numbers of the lines of this path of REST's version 1 whose time includes this one, to the millisecond.
    pub fn within(&self, path: &str, start: Time, end: Time) -> Vec<u64> {
        let Some(lines) = self.of_version_1.get(path) else { return Vec::new() };
        let after = lines.between(end - MILLISECOND, Time::MAX);
        after.filter(|number| self.begin(*number) <= start).collect()
    }

    fn begin(&self, number: u64) -> Time {
        let line = self.waiting.at(number);
        line.end - line.cost
    }

    /// Take in by how many nanoseconds a span is longer than the cost in its line.
    pub fn learn(&mut self, surplus: Time) {
        self.pool.learn(surplus);
    }

    /// Tell whether a line, or a call that was taken in, may be that of a request in this trace.
    pub fn knows(&self, trace_id: &TraceId) -> bool {
        self.without_trace > 0
            || self.waiting.by_trace.contains_key(trace_id)
            || !self.pool.calls_of(trace_id).is_empty()
    }

    /// The lines that may be that of the call with this span, each with its probability; None where it has not been taken in.
    pub fn candidates(&mut self, span: &SpanId, is_waiting: &dyn Fn(&TraceId) -> bool) -> Option<Vec<Candidate>> {
        self.wanted = true;
        let call = self.pool.call_of_span(span)?;
        Some(self.pool.candidates(call, &Asked { waiting: &self.waiting, is_waiting }))
    }

    /// Tell how many calls of a trace were taken in, and whether one of them failed, or a line with its id says so.
    pub fn known_calls(&mut self, id: &TraceId) -> (usize, bool) {
        if may_be_made_up(Some(id)) {
            // Its trace is here, so that its id is no client's own text.
            self.of_trace(id).into_iter().for_each(|number| self.claim(number, None));
        }
        let calls = self.pool.calls_of(id);
        let has_failed = |call: &u64| self.pool.call(*call).served.failed;
        (calls.len(), self.failures.contains_key(id) || calls.iter().any(has_failed))
    }

    /// Tell whether a request of a trace may have failed, as far as lines and calls that were taken in know.
    ///
    /// `holds_calls` is whether its spans hold the service's name: where no call of it was taken in, there may be some.
    pub fn knows_failure(&mut self, id: &TraceId, holds_calls: bool, is_waiting: &dyn Fn(&TraceId) -> bool) -> bool {
        let (calls, failed) = self.known_calls(id);
        if failed || self.failures_of_version_1 > 0 {
            return true;
        }
        if (calls == 0 && !holds_calls) || !self.holds_open_failures(is_waiting) {
            return false;
        }
        calls == 0 || self.may_calls_have_failed(id, is_waiting)
    }

    /// Tell whether a line of a failed request may be that of one of the calls of a trace that were taken in.
    pub fn may_calls_have_failed(&self, id: &TraceId, is_waiting: &dyn Fn(&TraceId) -> bool) -> bool {
        let lines = Asked { waiting: &self.waiting, is_waiting };
        self.pool.calls_of(id).iter().any(|number| {
            let Call { of, served, .. } = self.pool.call(*number);
            self.pool.may_have_failed_at(*of, served.start, served.end, &lines)
        })
    }

    /// Tell whether a line of a failed request may be that of this call, which need not have been taken in.
    pub fn may_have_failed(&mut self, call: &Served, is_waiting: &dyn Fn(&TraceId) -> bool) -> bool {
        self.pool.may_have_failed(call, &Asked { waiting: &self.waiting, is_waiting })
    }

    /// Tell whether there is the line of a failed request of which it is not known whose it is.
    ///
    /// From then on all calls are wanted, to find that out.
    pub fn holds_open_failures(&mut self, is_waiting: &dyn Fn(&TraceId) -> bool) -> bool {
        if self.nameless_failures > 0 {
            return true;
        }
        // A random trace id looks made up one time in 64: nearly always its trace waits, or has been decided.
        let lines = Asked { waiting: &self.waiting, is_waiting };
        let mut some = self.made_up_failures.iter();
        let open = self.made_up_failures.len() > FEW || some.any(|number| lines.share(*number) > 0.0);
        self.wanted |= open;
        open
    }

    /// Take in that a line's request has been found, and the id of Milvus' span of it; or that its trace has come.
    pub fn claim(&mut self, number: u64, server: Option<&SpanId>) {
        if let Some(line) = self.waiting.at_mut(number) {
            line.claimed = true;
            line.server = server.copied().or(line.server);
            self.made_up_failures.remove(&number);
        }
    }

    pub fn text(&self, number: u64) -> &[u8] {
        &self.waiting.at(number).text
    }

    pub fn object(&self, number: u64) -> Option<&P> {
        self.waiting.at(number).object.as_ref()
    }

    /// The id of Milvus' span of a line's request, where that has been found.
    pub fn server(&self, number: u64) -> Option<SpanId> {
        self.waiting.at(number).server
    }

    /// The number of the request that a line came in.
    pub fn request(&self, number: u64) -> u64 {
        self.waiting.at(number).request
    }

    /// Hold what Python has made of a line, where that still waits.
    pub fn put_object(&mut self, number: u64, object: P) {
        if let Some(line) = self.waiting.at_mut(number) {
            line.object = Some(object);
        }
    }

    fn is_full(&self) -> bool {
        self.waiting.lines.len() >= self.max_lines || self.size >= LARGEST
    }

    fn add_failure(&mut self, number: u64, trace_id: Option<TraceId>) {
        let Some(id) = trace_id else {
            self.nameless_failures += 1;
            return;
        };
        *self.failures.entry(id).or_default() += 1;
        if may_be_made_up(Some(&id)) {
            self.made_up_failures.insert(number);
        }
    }

    fn forget(&mut self, too_old: f64, came: &mut Came) {
        while let Some(oldest) = self.waiting.lines.front().map(|line| line.arrived) {
            if oldest > too_old && !self.is_full() {
                break;
            }
            came.evicted += usize::from(oldest > too_old);
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let number = self.waiting.first;
        let Some(line) = self.waiting.lines.pop_front() else { return };
        self.waiting.first += 1;
        self.keys.remove(&line.key);
        self.size -= line.size;
        match line.trace_id {
            Some(id) => self.forget_of_trace(&id, number, line.failed),
            None => {
                self.nameless -= 1;
                self.nameless_failures -= usize::from(line.failed);
            }
        }
        if may_be_made_up(line.trace_id.as_ref()) {
            self.without_trace -= 1;
            let Held { request, end, cost, failed, of, .. } = line;
            self.pool.remove_line(Timed { number, request, end, cost, failed, of });
            self.wanted &= self.without_trace > 0;
        }
        if line.method.starts_with(VERSION_1) {
            self.failures_of_version_1 -= usize::from(line.failed);
            if let Some(lines) = self.of_version_1.get_mut(&line.method) {
                lines.remove(line.end, number);
                if lines.is_empty() {
                    self.of_version_1.remove(&line.method);
                }
            }
        }
    }

    fn forget_of_trace(&mut self, id: &TraceId, number: u64, failed: bool) {
        if let Some(of_trace) = self.waiting.by_trace.get_mut(id) {
            of_trace.pop_front();
            if of_trace.is_empty() {
                self.waiting.by_trace.remove(id);
            }
        }
        if failed {
            self.made_up_failures.remove(&number);
            if let Some(count) = self.failures.get_mut(id) {
                *count -= 1;
                if *count == 0 {
                    self.failures.remove(id);
                }
            }
        }
    }
}

/// Tell whether a client's own text may stand in the place of the trace id: no id at all, or a UUID without its dashes.
pub fn may_be_made_up(trace_id: Option<&TraceId>) -> bool {
    trace_id.is_none_or(|id| id[6] >> 4 == 4 && id[8] >> 6 == 2)
}

//! Which line is that of a call, where no trace id says so: the lines and calls that wait for each other, by connection and method.
//!
//! What is decided here, and why, is said in `milvus_otel_processor.enrichment.pairing`.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::likelihood::{LONGEST_WITHIN, MILLISECOND, Time};
use super::ordered::Ordered;
use super::served::{Served, SpanId};
use crate::head::TraceId;

const CALLS_AVERAGED: f64 = 200.0;
const MOST_VOTES: i32 = 20;

/// A line that may be that of a call, and the probability that it is.
pub type Candidate = (u64, f64);

/// What of a line counts here.
#[derive(Clone, Copy)]
pub struct Timed {
    pub number: u64,
    /// The number of the request that it came in.
    pub request: u64,
    pub end: Time,
    pub cost: Time,
    pub failed: bool,
    /// The connection that it is of.
    pub of: usize,
}

/// What lines are: asked about those that wait.
pub trait Lines {
    fn timed(&self, number: u64) -> Timed;
    /// How much of a line there is to give away: 0 for one that is another's for sure.
    fn share(&self, number: u64) -> f64;
    /// Whether a call is known to have a line elsewhere.
    fn is_settled(&self, call: &Call) -> bool;
}

pub struct Call {
    arrived: f64,
    pub served: Served,
    /// The connection that it is of.
    pub of: usize,
}

/// The lines and calls of one method on one connection; or all lines of a method, and its calls of which no span says the peer.
pub struct Connection {
    key: Key,
    pub lines: Ordered,
    /// Those of the lines whose requests failed.
    pub failed: Ordered,
    pub calls: Ordered,
    // What was found, until something comes that might have changed it.
    pub solved: HashMap<u64, Vec<Candidate>, RandomState>,
    pub given: HashMap<u64, f64, RandomState>,
    pub solved_until: Time,
}

/// A peer, or all of them, and a method.
type Key = (Option<Box<str>>, Box<str>);

impl Connection {
    fn new(key: Key) -> Self {
        Connection {
            key,
            lines: Ordered::default(),
            failed: Ordered::default(),
            calls: Ordered::default(),
            solved: HashMap::default(),
            given: HashMap::default(),
            solved_until: 0,
        }
    }

    /// Whether the calls that come here are all that the lines may be of, so that their numbers tell how many are lost.
    pub fn is_of_peer(&self) -> bool {
        self.key.0.is_some()
    }

    fn forget_answers(&mut self) {
        self.solved.clear();
        self.given.clear();
        self.solved_until = 0;
    }

    fn add_line(&mut self, line: Timed) {
        if line.end - line.cost < self.solved_until {
            self.forget_answers();
        }
        self.lines.add(line.end, line.number);
        if line.failed {
            self.failed.add(line.end, line.number);
        }
    }

    fn remove_line(&mut self, line: Timed) {
        self.lines.remove(line.end, line.number);
        if line.failed {
            self.failed.remove(line.end, line.number);
        }
        self.given.remove(&line.number);
    }
}

#[derive(Default)]
pub struct Pool {
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    by_key: HashMap<Key, usize, RandomState>,
    votes: i32,
    /// What share of lines is lost.
    pub lost: f64,
    /// Whether spans lie within their line's interval.
    pub within: bool,
    calls: VecDeque<Call>,
    first_call: u64,
    by_span: HashMap<SpanId, u64, RandomState>,
    of_trace: HashMap<TraceId, Vec<u64>, RandomState>,
}

impl Pool {
    /// Take in a line that does not say its trace; return its connection.
    pub fn add_line(&mut self, line: Timed, peer: &str, method: &str) -> usize {
        let of = self.connection((Some(peer.into()), method.into()));
        self.at_mut(of).add_line(line);
        if let Some(of_method) = self.by_key.get(&(None, method.into())).copied() {
            self.at_mut(of_method).add_line(line);
        }
        of
    }

    /// Forget a line.
    pub fn remove_line(&mut self, line: Timed) {
        self.at_mut(line.of).remove_line(line);
        let method = self.at(line.of).key.1.clone();
        if let Some(of_method) = self.by_key.get(&(None, method)).copied() {
            self.at_mut(of_method).remove_line(line);
            self.tidy(of_method);
        }
        self.tidy(line.of);
    }

    /// Take in a call that came at `now`, once.
    pub fn add_call(&mut self, served: Served, now: f64, lines: &impl Lines) {
        if self.by_span.contains_key(&served.span_id) {
            return;
        }
        let number = self.first_call + self.calls.len() as u64;
        let of = self.of(&served, lines);
        self.by_span.insert(served.span_id, number);
        self.of_trace.entry(served.trace_id).or_default().push(number);
        let connection = self.at_mut(of);
        if served.start < connection.solved_until {
            connection.forget_answers();
        }
        connection.calls.add(served.end, number);
        self.calls.push_back(Call { arrived: now, served, of });
    }

    /// Forget calls that came at `too_old` or before, and those that are too many.
    pub fn forget(&mut self, too_old: f64, most: usize) {
        while self.calls.front().is_some_and(|call| call.arrived <= too_old) || self.calls.len() > most {
            let Some(Call { served, of, .. }) = self.calls.pop_front() else { break };
            let number = self.first_call;
            self.first_call += 1;
            let connection = self.at_mut(of);
            connection.calls.remove(served.end, number);
            connection.solved.remove(&number);
            self.by_span.remove(&served.span_id);
            if let Some(of_trace) = self.of_trace.get_mut(&served.trace_id) {
                of_trace.retain(|other| *other != number);
                if of_trace.is_empty() {
                    self.of_trace.remove(&served.trace_id);
                }
            }
            self.tidy(of);
        }
    }

    /// Take in by how many nanoseconds a span is longer than the cost in its line, where the trace id has told which that is.
    pub fn learn(&mut self, surplus: Time) {
        self.votes = (self.votes + if surplus >= 0 { 1 } else { -1 }).clamp(-MOST_VOTES, MOST_VOTES);
        self.within = self.votes < 0;
    }

    pub fn call_of_span(&self, span_id: &SpanId) -> Option<u64> {
        self.by_span.get(span_id).copied()
    }

    /// The calls of a trace that are held.
    pub fn calls_of(&self, trace_id: &TraceId) -> &[u64] {
        self.of_trace.get(trace_id).map_or(&[], Vec::as_slice)
    }

    pub fn call(&self, number: u64) -> &Call {
        &self.calls[(number - self.first_call) as usize]
    }

    /// The lines that may be that of a call that is held, each with its probability.
    pub fn candidates(&mut self, call: u64, lines: &impl Lines) -> Vec<Candidate> {
        let found = self.candidates_at(call, lines);
        self.note(&found);
        found
    }

    /// Take in how probable it is that the line of a call is lost, which has these candidates.
    pub fn note(&mut self, found: &[Candidate]) {
        let none = 1.0 - found.iter().map(|(_, probability)| probability).sum::<f64>();
        self.lost += (none - self.lost) / CALLS_AVERAGED;
    }

    /// Tell whether the line of a failed request is not impossible for a call.
    pub fn may_have_failed(&mut self, served: &Served, lines: &impl Lines) -> bool {
        let of = match &served.peer {
            Some(peer) => self.by_key.get(&(Some(peer.as_str().into()), served.method.as_str().into())).copied(),
            None => Some(self.of(served, lines)),
        };
        let Some(of) = of else { return false };
        let may_have = self.may_have_failed_at(of, served.start, served.end, lines);
        self.tidy(of);
        may_have
    }

    pub fn at(&self, of: usize) -> &Connection {
        self.connections[of].as_ref().expect("a connection with lines or calls is there")
    }

    pub fn at_mut(&mut self, of: usize) -> &mut Connection {
        self.connections[of].as_mut().expect("a connection with lines or calls is there")
    }

    /// The numbers of lines near a call.
    pub fn near(&self, ordered: &Ordered, start: Time, end: Time) -> Vec<u64> {
        ordered.between(start - MILLISECOND, end + if self.within { LONGEST_WITHIN } else { 0 }).collect()
    }

    fn of(&mut self, served: &Served, lines: &impl Lines) -> usize {
        match &served.peer {
            Some(peer) => self.connection((Some(peer.as_str().into()), served.method.as_str().into())),
            None => self.method(&served.method, lines),
        }
    }

    fn connection(&mut self, key: Key) -> usize {
        if let Some(of) = self.by_key.get(&key) {
            return *of;
        }
        let made = Some(Connection::new(key.clone()));
        let of = self.free.pop().unwrap_or(self.connections.len());
        match self.connections.get_mut(of) {
            Some(place) => *place = made,
            None => self.connections.push(made),
        }
        self.by_key.insert(key, of);
        of
    }

    /// All lines of a method, and its calls without a peer: gathered when first needed, as most calls have one.
    fn method(&mut self, method: &str, lines: &impl Lines) -> usize {
        let key: Key = (None, method.into());
        if let Some(of) = self.by_key.get(&key) {
            return *of;
        }
        let of_method = self.connections.iter().flatten().filter(|one| &*one.key.1 == method);
        let mut held: Vec<Timed> =
            of_method.flat_map(|one| one.lines.iter()).map(|number| lines.timed(number)).collect();
        held.sort_by_key(|line| (line.end, line.number));
        let of = self.connection(key);
        held.into_iter().for_each(|line| self.at_mut(of).add_line(line));
        of
    }

    fn tidy(&mut self, of: usize) {
        let is_empty = |one: &Connection| one.lines.is_empty() && one.calls.is_empty();
        if let Some(connection) = self.connections[of].take_if(|one| is_empty(one)) {
            self.by_key.remove(&connection.key);
            self.free.push(of);
        }
    }
}

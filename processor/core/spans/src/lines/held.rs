//! The lines that wait, and what the pool asks about them.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::likelihood::Time;
use super::pool::{Call, Lines, Timed};
use super::served::SpanId;
use crate::head::TraceId;

/// A line that waits.
pub struct Held<P> {
    pub arrived: f64,
    pub request: u64,
    pub end: Time,
    pub cost: Time,
    pub trace_id: Option<TraceId>,
    pub key: u64,
    pub method: Box<str>,
    pub text: Box<[u8]>,
    pub size: usize,
    pub failed: bool,
    /// Whether the text is that of a plain line.
    pub is_plain: bool,
    pub claimed: bool,
    /// The id of Milvus' span of its request, where that has been found.
    pub server: Option<SpanId>,
    pub of: usize,
    pub object: Option<P>,
}

/// The lines that wait, by their number: they go in the order in which they came.
pub struct Waiting<P> {
    pub first: u64,
    pub lines: VecDeque<Held<P>>,
    pub by_trace: HashMap<TraceId, VecDeque<u64>, RandomState>,
}

impl<P> Waiting<P> {
    pub fn at(&self, number: u64) -> &Held<P> {
        &self.lines[(number - self.first) as usize]
    }

    pub fn at_mut(&mut self, number: u64) -> Option<&mut Held<P>> {
        self.lines.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

/// The same with an answer to whether a trace waits: its lines are not taken for another's.
pub struct Asked<'a, P> {
    pub waiting: &'a Waiting<P>,
    pub is_waiting: &'a dyn Fn(&TraceId) -> bool,
}

impl<P> Lines for Asked<'_, P> {
    fn timed(&self, number: u64) -> Timed {
        let &Held { request, end, cost, failed, of, .. } = self.waiting.at(number);
        Timed { number, request, end, cost, failed, of }
    }

    fn share(&self, number: u64) -> f64 {
        let line = self.waiting.at(number);
        let is_anothers = line.trace_id.is_some_and(|id| line.claimed || (self.is_waiting)(&id));
        if is_anothers { 0.0 } else { 1.0 }
    }

    fn is_settled(&self, call: &Call) -> bool {
        let of_trace = self.waiting.by_trace.get(&call.served.trace_id);
        of_trace.is_some_and(|of| of.iter().any(|number| *self.waiting.at(*number).method == *call.served.method))
    }
}

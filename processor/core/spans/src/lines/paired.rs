//! Which line is that of each call of a trace, where that is plain to see; what is not takes a closer look, which Python has.
//!
//! What is decided here is decided in `milvus_otel_processor.enrichment.sources.access_log`, which says why, and for all traces.

use super::held::{Asked, Held, Waiting};
use super::likelihood::{MILLISECOND, Time};
use super::line::{Said, said};
use super::pool::Candidate;
use super::served::SpanId;
use super::store::Store;
use crate::head::TraceId;

/// Between Milvus' line and its span of one request, with the same trace id.
const TOLERANCE: Time = 100 * MILLISECOND;
/// How probable an answer has to be where no trace id tells.
const SURE: f64 = 0.97;
/// How likely a failed request has no exception on its spans.
const ODD: f64 = 0.05;
/// How likely a call is that of none of several lines.
const UNFORESEEN: f64 = 0.002;
/// Calls of a trace up to which their lines are looked for here.
const MOST_CALLS: usize = 256;

/// A call over gRPC.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub method: &'a [u8],
    /// Milvus' own span of it, if it is there.
    pub server: Option<Seen>,
    /// Whether that is all there is of the call.
    pub is_bare: bool,
}

/// Milvus' own span of a call.
#[derive(Clone, Copy)]
pub struct Seen {
    pub id: SpanId,
    pub start: Time,
    pub end: Time,
}

/// The line of a call, and whether a trace id has told which that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    pub line: u64,
    pub by_trace: bool,
}

impl<P> Store<P> {
    /// Return the line of each of the calls of a trace, if it has one; None where that is not plain to see.
    ///
    /// `speaks` tells whether the trace's spans may speak for or against a line by more than their times; None where no line is to be
    /// looked for by times.
    pub fn pair(
        &mut self,
        id: &TraceId,
        calls: &[Call<'_>],
        speaks: Option<&dyn Fn() -> bool>,
        is_waiting: &dyn Fn(&TraceId) -> bool,
    ) -> Option<Vec<Option<Paired>>> {
        let mut found = vec![None; calls.len()];
        if calls.len() > MOST_CALLS {
            return None;
        }
        let of_trace = self.waiting.by_trace.get(id);
        let only = of_trace.filter(|of| of.len() == 1).and_then(|of| of.front());
        if let ([Call { method, server: Some(server), .. }], Some(line)) = (calls, only) {
            // So it is nearly always.
            let held = self.waiting.at(*line);
            let is_its = held.method.as_bytes() == *method && held.server.is_none_or(|id| id == server.id);
            found[0] = (is_its && held.may_be_of(server)).then_some(Paired { line: *line, by_trace: true });
        } else if let Some(of_trace) = of_trace {
            let lines: Vec<u64> = of_trace.iter().copied().collect();
            for (place, call) in calls.iter().enumerate() {
                if calls[..place].iter().all(|before| before.method != call.method) {
                    pair_method(&self.waiting, &lines, calls, call.method, &mut found)?;
                }
            }
        }
        if self.without_trace > 0 || self.holds_lines_of_version_1() {
            for (call, found) in calls.iter().zip(&mut found) {
                if let (None, Some(server)) = (*found, call.server) {
                    *found = self.without_trace_id(&server, call.is_bare, speaks?, is_waiting)?;
                }
            }
        }
        Some(found)
    }

    /// Take in that these are the lines of these calls.
    pub fn claim_all(&mut self, calls: &[Call<'_>], found: &[Option<Paired>]) {
        for (call, paired) in calls.iter().zip(found) {
            let (Some(Paired { line, by_trace: true }), Some(server)) = (*paired, call.server) else { continue };
            let Some(held) = self.waiting.at_mut(line) else { continue };
            let (is_new, surplus) = (held.server.is_none(), server.end - server.start - held.cost);
            self.claim(line, Some(&server.id));
            if is_new {
                self.learn(surplus);
            }
        }
    }

    /// Return by what a line's request is counted; None where it is not plain.
    pub fn said(&self, number: u64) -> Option<Said<'_>> {
        let line = self.waiting.at(number);
        if line.is_plain { said(&line.text) } else { None }
    }

    fn without_trace_id(
        &mut self,
        server: &Seen,
        is_bare: bool,
        speaks: &dyn Fn() -> bool,
        is_waiting: &dyn Fn(&TraceId) -> bool,
    ) -> Option<Option<Paired>> {
        let call = self.pool.call_of_span(&server.id)?;
        self.wanted = true;
        let candidates = self.pool.candidates_at(call, &Asked { waiting: &self.waiting, is_waiting });
        let answer = if candidates.is_empty() {
            None
        } else if speaks() {
            return None;
        } else {
            Some(Paired { line: self.agreed(&candidates, is_bare)?, by_trace: false })
        };
        self.pool.note(&candidates);
        Some(answer)
    }

    /// Return a line that says what is surely said of a call with these candidates; None where nothing is.
    fn agreed(&self, candidates: &[Candidate], is_bare: bool) -> Option<u64> {
        let weight = |(number, probability): &Candidate| {
            let is_odd = self.waiting.at(*number).failed && !is_bare;
            probability * if is_odd { ODD } else { 1.0 }
        };
        let weights: Vec<f64> = candidates.iter().map(weight).collect();
        let least = if candidates.len() > 1 { UNFORESEEN } else { 0.0 };
        let none = (1.0 - candidates.iter().map(|(_, probability)| probability).sum::<f64>()).max(least);
        let total = weights.iter().sum::<f64>() + none;
        let mut shares: Vec<(Option<Said<'_>>, f64, u64)> = Vec::new();
        for ((number, _), weight) in candidates.iter().zip(&weights) {
            if weight / total >= SURE {
                return Some(*number);
            }
            let said = Some(self.said(*number)?);
            match shares.iter_mut().find(|(other, ..)| *other == said) {
                Some((_, share, _)) => *share += weight / total,
                None => shares.push((said, weight / total, *number)),
            }
        }
        shares.iter().find(|(_, share, _)| *share >= SURE).map(|(.., number)| *number)
    }
}

/// Pair the calls of one method with the lines of a trace that are of that method; None where it takes a closer look.
fn pair_method<P>(
    waiting: &Waiting<P>,
    lines: &[u64],
    calls: &[Call<'_>],
    method: &[u8],
    found: &mut [Option<Paired>],
) -> Option<()> {
    // What a span of another request has, of which a late one may be the neighbour, is not this one's.
    let is_free = |number: &u64| {
        let server = waiting.at(*number).server;
        server.is_none_or(|id| calls.iter().any(|call| call.server.is_some_and(|server| server.id == id)))
    };
    let is_of_method = |number: &u64| waiting.at(*number).method.as_bytes() == method;
    let mut lines: Vec<u64> = lines.iter().copied().filter(|number| is_of_method(number) && is_free(number)).collect();
    if lines.is_empty() {
        return Some(());
    }
    let of_method = calls.iter().enumerate().filter(|(_, call)| call.method == method);
    let mut served: Vec<(usize, Seen)> =
        of_method.map(|(place, call)| Some((place, call.server?))).collect::<Option<_>>()?;
    if let ([(place, server)], [line]) = (&served[..], &lines[..]) {
        if waiting.at(*line).may_be_of(server) {
            found[*place] = Some(Paired { line: *line, by_trace: true });
        }
        return Some(());
    }
    served.sort_by_key(|(_, server)| server.end);
    lines.sort_by_key(|number| waiting.at(*number).end);
    let is_clear = served.len() == lines.len()
        && lines.windows(2).all(|pair| waiting.at(pair[0]).end != waiting.at(pair[1]).end)
        && served
            .iter()
            .zip(&lines)
            .all(|((_, server), line)| (0..MILLISECOND).contains(&(server.end - waiting.at(*line).end)));
    is_clear.then(|| {
        for ((place, _), line) in served.iter().zip(&lines) {
            found[*place] = Some(Paired { line: *line, by_trace: true });
        }
    })
}

impl<P> Held<P> {
    /// Whether the times of a call are near enough.
    fn may_be_of(&self, server: &Seen) -> bool {
        let apart = [server.start - (self.end - self.cost), server.end - self.end].map(beyond_millisecond);
        apart[0].min(apart[1]) <= TOLERANCE
    }
}

/// How far a time is behind another that was cut off to whole milliseconds.
fn beyond_millisecond(after: Time) -> Time {
    if after < 0 { -after } else { (after - MILLISECOND).max(0) }
}

//! What a look at traces that are due has brought.

use milvus_otel_spans::trace::Trace as Spanned;
use pyo3::prelude::*;

use crate::hooks::Made;
use crate::trace::Trace;

/// Of what came of traces before, how many are looked at for the same: of one request they come one behind the other.
const NEAR: usize = 16;

/// Traces that were taken, and what nobody wanted.
#[derive(Default)]
#[pyclass(frozen, get_all, module = "milvus_otel_core")]
pub struct Taken {
    pub traces: Vec<Py<Trace>>,
    /// How many more, by when their first spans came.
    pub unwanted: Vec<(f64, usize)>,
    pub unwanted_spans: usize,
    pub unwanted_calls: usize,
    /// Some of those that nobody wanted, for people to look at.
    pub shown: Vec<Py<Trace>>,
    /// Verdicts: each with when the first spans of its traces came, how many these are, and their spans.
    pub dropped: Vec<(Py<PyAny>, f64, usize, usize)>,
    /// Some of those, likewise.
    pub shown_dropped: Vec<(Py<PyAny>, Py<Trace>)>,
}

impl Taken {
    pub fn add_unwanted(&mut self, trace: &Spanned<Made>) {
        match self.unwanted.last_mut() {
            Some((arrived, traces)) if *arrived == trace.facts.arrived => *traces += 1,
            _ => self.unwanted.push((trace.facts.arrived, 1)),
        }
        self.unwanted_spans += trace.len();
    }

    pub fn add_dropped(&mut self, py: Python<'_>, verdict: &Py<PyAny>, trace: &Spanned<Made>) {
        let is_same =
            |known: &&mut (Py<PyAny>, f64, usize, usize)| known.0.is(verdict) && known.1 == trace.facts.arrived;
        match self.dropped.iter_mut().rev().take(NEAR).find(is_same) {
            Some((_, _, traces, spans)) => (*traces, *spans) = (*traces + 1, *spans + trace.len()),
            None => self.dropped.push((verdict.clone_ref(py), trace.facts.arrived, 1, trace.len())),
        }
    }
}

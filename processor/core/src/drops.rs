//! Traces that are dropped by their root when they are due, though rules want them, as Python says it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use milvus_otel_spans::head::Head;
use milvus_otel_spans::trace::Trace;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::hooks::Made;
use crate::wanted::{Gone, Wanted};

const ROOTS_REMEMBERED: usize = 4096;
const LONGEST_NAME_REMEMBERED: usize = 512;

/// How such traces are told, made ready.
pub struct Drops {
    of_root: Py<PyAny>,
    /// The answers by the number of the group, and the name behind it.
    answers: Mutex<HashMap<Vec<u8>, Option<usize>, RandomState>>,
    /// Each with what stands against it.
    verdicts: Vec<(Py<PyAny>, Wanted)>,
    seen: Wanted,
    /// Whether only traces whose roots were asked about can be dropped.
    asked: bool,
}

impl Drops {
    pub fn new(drops: &Bound<'_, PyAny>) -> PyResult<Self> {
        let verdicts: Vec<(Py<PyAny>, Bound<'_, PyAny>)> = drops.getattr("verdicts")?.extract()?;
        let verdicts = verdicts.into_iter().map(|(verdict, unless)| Ok((verdict, Wanted::new(&unless)?)));
        Ok(Drops {
            of_root: drops.getattr("of_root")?.unbind(),
            answers: Mutex::default(),
            verdicts: verdicts.collect::<PyResult<_>>()?,
            seen: Wanted::new(&drops.getattr("seen")?)?,
            asked: drops.getattr("asked")?.extract()?,
        })
    }

    /// Return what becomes of a trace that nobody has to look at; None where somebody has to.
    pub fn verdict(&self, py: Python<'_>, trace: &Trace<Made>) -> PyResult<Option<Gone<'_>>> {
        if (self.asked && !trace.facts.asked) || !trace.is_as_it_came() {
            return Ok(None);
        }
        let Some(roots) = trace.roots() else { return Ok(None) };
        let [root] = roots[..] else { return Ok(None) };
        let Some(place) = self.of_root(py, trace, root)? else { return Ok(None) };
        let Some((verdict, unless)) = self.verdicts.get(place) else { return Ok(None) };
        if unless.unwanted_calls(py, trace)?.is_none() {
            return Ok(None);
        }
        Ok(self.seen.unwanted_calls(py, trace)?.map(|calls| Gone { verdict: Some(verdict), calls }))
    }

    fn of_root(&self, py: Python<'_>, trace: &Trace<Made>, root: usize) -> PyResult<Option<usize>> {
        let (span, group) = (trace.span(root), trace.group(root));
        let name = Head::read(span).map(|head| head.name.of(span)).unwrap_or_default();
        let key = [&group.number.to_le_bytes()[..], name].concat();
        if let Some(known) = self.answers.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(*known);
        }
        let answer = self.of_root.bind(py).call1((PyBytes::new(py, name), &group.made.group))?.extract()?;
        if name.len() <= LONGEST_NAME_REMEMBERED {
            let mut answers = self.answers.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
            if answers.len() >= ROOTS_REMEMBERED {
                answers.clear();
            }
            answers.insert(key, answer);
        }
        Ok(answer)
    }
}

//! Where the time of a request went, as Python asks for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use milvus_otel_spans::spent::{STAGES, Step, Steps as Known, spent};
use milvus_otel_spans::trace::Trace;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::hooks::{Hooks, Made};
use crate::wanted::OfGroup;

const NAMES_REMEMBERED: usize = 4096;
const LONGEST_NAME_REMEMBERED: usize = 512;

/// How the stages are told, made ready.
pub struct Steps {
    /// What it was made from, held so that its address stays its own.
    from: Py<PyAny>,
    known: Known,
    is_core: OfGroup,
    step_of: Py<PyAny>,
    names: Mutex<HashMap<Vec<u8>, Step, RandomState>>,
}

impl Steps {
    pub fn new(steps: &Bound<'_, PyAny>) -> PyResult<Self> {
        let known = Known {
            events: steps.getattr("events")?.extract()?,
            queue: steps.getattr("queue")?.extract()?,
            core: steps.getattr("core")?.extract()?,
        };
        Ok(Steps {
            from: steps.clone().unbind(),
            known,
            is_core: OfGroup::new(steps.getattr("is_core")?),
            step_of: steps.getattr("step_of")?.unbind(),
            names: Mutex::default(),
        })
    }

    /// Python's answer about a name: the place of a stage, or a number behind all of them.
    fn ask(&self, py: Python<'_>, name: &[u8]) -> PyResult<Step> {
        let answer: Option<usize> = self.step_of.bind(py).call1((PyBytes::new(py, name),))?.extract()?;
        Ok(match answer {
            None => Step::None,
            Some(stage) if stage < STAGES => Step::Stage(stage as u8),
            Some(STAGES) => Step::Proxy,
            Some(other) if other == STAGES + 1 => Step::Task,
            Some(_) => Step::Stepped,
        })
    }

    fn step_of(&self, py: Python<'_>, name: &[u8]) -> PyResult<Step> {
        let names = self.names.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        if let Some(step) = names.get(name) {
            return Ok(*step);
        }
        drop(names);
        let step = self.ask(py, name)?;
        if name.len() <= LONGEST_NAME_REMEMBERED {
            let mut names = self.names.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
            if names.len() >= NAMES_REMEMBERED {
                names.clear();
            }
            names.insert(name.to_vec(), step);
        }
        Ok(step)
    }

    /// Do the same where all names are known, as nearly always; else an error.
    fn spent_by_known_names(
        &self,
        py: Python<'_>,
        trace: &Trace<Made>,
        places: Option<&[usize]>,
        between: (u64, u64),
        core: &[bool],
    ) -> Result<Option<[u64; STAGES]>, ()> {
        let names = self.names.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let step_of = |name: &[u8]| names.get(name).copied().ok_or(());
        match places {
            Some(places) => spent(trace, places.iter().copied(), between, &self.known, core, step_of),
            None => spent(trace, 0..trace.len(), between, &self.known, core, step_of),
        }
    }

    /// Return the nanoseconds by stage between two times, from the spans at some places, or at all; None where one is not valid.
    pub fn spent(
        &self,
        py: Python<'_>,
        trace: &Trace<Made>,
        places: Option<&[usize]>,
        between: (u64, u64),
    ) -> PyResult<Option<[u64; STAGES]>> {
        let core = self.is_core.answers(py, trace)?;
        if let Ok(spent) = self.spent_by_known_names(py, trace, places, between, &core) {
            return Ok(spent);
        }
        let step_of = |name: &[u8]| self.step_of(py, name);
        match places {
            Some(places) => spent(trace, places.iter().copied(), between, &self.known, &core, step_of),
            None => spent(trace, 0..trace.len(), between, &self.known, &core, step_of),
        }
    }
}

impl Hooks {
    /// Return what these steps are made ready to; mostly they are the same as before.
    pub fn steps(&self, steps: &Bound<'_, PyAny>) -> PyResult<Arc<Steps>> {
        let mut known = self.steps.lock_py_attached(steps.py()).unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.from.is(steps)) {
            return Ok(known.clone());
        }
        let made = Arc::new(Steps::new(steps)?);
        *known = Some(made.clone());
        Ok(made)
    }
}

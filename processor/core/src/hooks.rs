//! What the store asks Python for, and what of the answers is remembered for all traces.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use milvus_otel_spans::cut::Envelope;
use milvus_otel_spans::groups::Group;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyFrozenSet};

use crate::spent::Steps;
use crate::texts::Texts;
use crate::wanted::{Marks, Wanted};

const SETS_REMEMBERED: usize = 1024;

/// A group as Python made it, by itself and as the set of it alone.
pub struct Made {
    pub group: Py<PyAny>,
    pub alone: Py<PyFrozenSet>,
}

/// Functions of Python's, and answers that all traces share.
pub struct Hooks {
    make_group: Py<PyAny>,
    of_root: Py<PyAny>,
    pub attributes: Py<PyAny>,
    pub value: Py<PyAny>,
    pub events: Py<PyAny>,
    pub texts: Texts,
    pub marks: Mutex<Option<Arc<Marks>>>,
    pub steps: Mutex<Option<Arc<Steps>>>,
    /// What was asked for last of a trace that was taken.
    pub wanted: Mutex<Option<Arc<Wanted>>>,
    sets: Mutex<HashMap<Vec<u64>, Py<PyFrozenSet>, RandomState>>,
}

impl Hooks {
    pub fn new(hooks: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Hooks {
            make_group: hooks.getattr("make_group")?.unbind(),
            of_root: hooks.getattr("of_root")?.unbind(),
            attributes: hooks.getattr("attributes")?.unbind(),
            value: hooks.getattr("value")?.unbind(),
            events: hooks.getattr("events")?.unbind(),
            texts: Texts::default(),
            marks: Mutex::default(),
            steps: Mutex::default(),
            wanted: Mutex::default(),
            sets: Mutex::default(),
        })
    }

    /// Have a group made; Python raises where its envelope is not valid.
    pub fn make(&self, py: Python<'_>, envelope: &Envelope) -> PyResult<Made> {
        let parts = (PyBytes::new(py, &envelope.resource), PyBytes::new(py, &envelope.scope));
        let group = self.make_group.call1(py, parts)?;
        let alone = PyFrozenSet::new(py, [&group])?.unbind();
        Ok(Made { group, alone })
    }

    /// Ask about the name of a root.
    pub fn of_root<'py>(&self, py: Python<'py>, name: &[u8], group: Option<&Py<PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let (ask, name) = (self.of_root.bind(py), PyBytes::new(py, name));
        match group {
            Some(group) => ask.call1((name, group)),
            None => ask.call1((name,)),
        }
    }

    /// Return the set of these groups, mostly the same object for the same groups.
    pub fn set_of<'py>(&self, py: Python<'py>, groups: &[&Arc<Group<Made>>]) -> PyResult<Bound<'py, PyFrozenSet>> {
        if let [group] = groups {
            return Ok(group.made.alone.bind(py).clone());
        }
        let numbers: Vec<u64> = groups.iter().map(|group| group.number).collect();
        let known = |set: &Py<PyFrozenSet>| set.bind(py).clone();
        let mut sets = self.sets.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(&numbers).map(known) {
            return Ok(set);
        }
        let set = PyFrozenSet::new(py, groups.iter().map(|group| &group.made.group))?;
        if sets.len() >= SETS_REMEMBERED {
            sets.clear();
        }
        sets.insert(numbers, set.clone().unbind());
        Ok(set)
    }

    /// Forget all sets: their groups are to live no longer than spans of them do.
    pub fn forget_sets(&self, py: Python<'_>) {
        self.sets.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner).clear();
    }
}

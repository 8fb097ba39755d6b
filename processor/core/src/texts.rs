//! Searches that are made for many traces: what they need is made ready once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use milvus_otel_spans::Finder;
use milvus_otel_spans::any_of::AnyOf;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyFrozenSet};

const FINDERS_REMEMBERED: usize = 256;
const FINDERS_LONGEST: usize = 1024;
const SETS_REMEMBERED: usize = 64;

/// Looks for several texts at once.
pub struct Several {
    /// The set that it was made from, held so that its address stays its own.
    set: Py<PyFrozenSet>,
    any: AnyOf,
    each: Vec<(Py<PyBytes>, Finder<'static>)>,
}

impl Several {
    fn new(set: &Bound<'_, PyFrozenSet>) -> PyResult<Self> {
        let texts: Vec<Bound<'_, PyBytes>> = set.iter().map(|text| Ok(text.cast_into()?)).collect::<PyResult<_>>()?;
        let any = AnyOf::new(&texts.iter().map(|text| text.as_bytes()).collect::<Vec<_>>())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let each = texts.into_iter().map(|text| (Finder::new(text.as_bytes()).into_owned(), text));
        let each = each.map(|(finder, text)| (text.unbind(), finder)).collect();
        Ok(Several { set: set.clone().unbind(), any, each })
    }

    /// Return those of the texts that are in one of these pieces; mostly none is, which is seen at once.
    pub fn present<'a>(&self, pieces: impl Fn() -> Box<dyn Iterator<Item = &'a [u8]> + 'a>) -> Vec<&Py<PyBytes>> {
        if !pieces().any(|piece| self.any.is_in(piece)) {
            return Vec::new();
        }
        let is_there = |finder: &Finder<'static>| pieces().any(|piece| finder.find(piece).is_some());
        self.each.iter().filter(|(_, finder)| is_there(finder)).map(|(text, _)| text).collect()
    }
}

/// The searches that were made last. Bounded.
#[derive(Default)]
pub struct Texts {
    finders: Mutex<HashMap<Box<[u8]>, Arc<Finder<'static>>, RandomState>>,
    several: Mutex<HashMap<usize, Arc<Several>, RandomState>>,
}

impl Texts {
    pub fn finder(&self, py: Python<'_>, text: &[u8]) -> Arc<Finder<'static>> {
        let mut finders = self.finders.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        if let Some(finder) = finders.get(text) {
            return finder.clone();
        }
        let finder = Arc::new(Finder::new(text).into_owned());
        if finders.len() >= FINDERS_REMEMBERED {
            finders.clear();
        }
        if text.len() <= FINDERS_LONGEST {
            finders.insert(text.into(), finder.clone());
        }
        finder
    }

    pub fn several(&self, set: &Bound<'_, PyFrozenSet>) -> PyResult<Arc<Several>> {
        let address = set.as_ptr() as usize;
        let mut known = self.several.lock_py_attached(set.py()).unwrap_or_else(PoisonError::into_inner);
        if let Some(several) = known.get(&address).filter(|several| several.set.is(set)) {
            return Ok(several.clone());
        }
        let several = Arc::new(Several::new(set)?);
        if known.len() >= SETS_REMEMBERED {
            known.clear();
        }
        known.insert(address, several.clone());
        Ok(several)
    }
}

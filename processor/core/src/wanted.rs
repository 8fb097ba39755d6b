//! What a trace has to have for anyone to look at it, as Python says it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use milvus_otel_spans::Finder;
use milvus_otel_spans::any_of::AnyOf;
use milvus_otel_spans::calls::{Marks as Plain, Operations};
use milvus_otel_spans::groups::Group;
use milvus_otel_spans::passes::Passes;
use milvus_otel_spans::trace::Trace;
use milvus_otel_spans::wanted::{Bounds, Wanted as Read, WantedCalls, WantedFailures, WantedValue};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyFrozenSet};

use crate::drops::Drops;
use crate::hooks::{Hooks, Made};

const GROUPS_REMEMBERED: usize = 4096;
/// Of at most 127 bytes each.
const VALUES_REMEMBERED: usize = 4096;

/// A question about a group, asked once of each of those that came last.
pub struct OfGroup {
    ask: Py<PyAny>,
    answers: Mutex<HashMap<u64, bool, RandomState>>,
}

impl OfGroup {
    pub fn new(ask: Bound<'_, PyAny>) -> Self {
        OfGroup { ask: ask.unbind(), answers: Mutex::default() }
    }

    /// Return the answers about all groups of a trace, in their order.
    pub fn answers(&self, py: Python<'_>, trace: &Trace<Made>) -> PyResult<Vec<bool>> {
        let known = self.answers.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let all: Option<Vec<bool>> = trace.groups().iter().map(|group| known.get(&group.number).copied()).collect();
        drop(known);
        all.map_or_else(|| trace.groups().iter().map(|group| self.answer(py, group)).collect(), Ok)
    }

    pub fn answer(&self, py: Python<'_>, group: &Arc<Group<Made>>) -> PyResult<bool> {
        let known = |answers: &HashMap<u64, bool, RandomState>| answers.get(&group.number).copied();
        if let Some(known) = known(&self.answers.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)) {
            return Ok(known);
        }
        let answer = self.ask.bind(py).call1((&group.made.group,))?.is_truthy()?;
        let mut answers = self.answers.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= GROUPS_REMEMBERED {
            answers.clear();
        }
        answers.insert(group.number, answer);
        Ok(answer)
    }
}

/// A question about values, asked once of each of those that came last.
pub struct OfValue {
    ask: Py<PyAny>,
    answers: Mutex<HashMap<Vec<u8>, bool, RandomState>>,
}

impl OfValue {
    fn new(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(OfValue { ask: value.getattr("matches")?.unbind(), answers: Mutex::default() })
    }

    fn answer(&self, py: Python<'_>, encoded: &[u8]) -> PyResult<bool> {
        let known = self.answers.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner).get(encoded).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer = self.ask.bind(py).call1((PyBytes::new(py, encoded),))?.is_truthy()?;
        let mut answers = self.answers.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= VALUES_REMEMBERED {
            answers.clear();
        }
        answers.insert(encoded.to_vec(), answer);
        Ok(answer)
    }
}

/// How calls are told from other spans.
pub struct Marks {
    /// What it was made from, held so that its address stays its own.
    from: Py<PyAny>,
    pub marks: Plain,
    is_own: OfGroup,
}

impl Marks {
    pub fn new(marks: &Bound<'_, PyAny>) -> PyResult<Self> {
        let is_own = OfGroup::new(marks.getattr("is_own")?);
        Ok(Marks { from: marks.clone().unbind(), marks: plain(marks)?, is_own })
    }

    /// Tell of each group of a trace whether it is the service's own.
    pub fn own(&self, py: Python<'_>, trace: &Trace<Made>) -> PyResult<Vec<bool>> {
        self.is_own.answers(py, trace)
    }
}

fn plain(marks: &Bound<'_, PyAny>) -> PyResult<Plain> {
    let bytes = |name: &str| -> PyResult<Vec<u8>> { marks.getattr(name)?.extract() };
    let (service, roots, operations) = (bytes("service")?, bytes("roots")?, bytes("operations")?);
    let others: Vec<Vec<u8>> =
        marks.getattr("others")?.try_iter()?.map(|text| text?.extract()).collect::<PyResult<_>>()?;
    let all = [&others[..], &[roots.clone(), service.clone(), operations.clone()]].concat();
    Ok(Plain {
        service: Finder::new(&service).into_owned(),
        parts: bytes("parts")?,
        others: any_of(&others)?,
        roots,
        operations: Operations {
            mark: Finder::new(&operations).into_owned(),
            keys: marks.getattr("operation_keys")?.extract()?,
            value: bytes("operation_value")?,
        },
        any: any_of(&all)?,
    })
}

fn any(texts: &Bound<'_, PyAny>) -> PyResult<AnyOf> {
    let texts: Vec<Vec<u8>> = texts.try_iter()?.map(|text| text?.extract()).collect::<PyResult<_>>()?;
    any_of(&texts)
}

fn any_of(texts: &[Vec<u8>]) -> PyResult<AnyOf> {
    AnyOf::new(texts).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Return what these settings of a store want to see of traces that are not decided any more.
pub fn passes_of(settings: &Bound<'_, PyAny>) -> PyResult<Option<Box<Passes>>> {
    let (texts, roots) = (settings.getattr("passes")?, settings.getattr("passes_roots")?);
    if !texts.is_truthy()? && !roots.is_truthy()? {
        return Ok(None);
    }
    let begin: Vec<u8> = roots.extract()?;
    let roots = (!begin.is_empty()).then(|| Finder::new(&begin).into_owned());
    Ok(Some(Box::new(Passes { texts: any(&texts)?, roots })))
}

impl Hooks {
    /// Return what these marks are made ready to; mostly they are the same as before.
    pub fn marks(&self, marks: &Bound<'_, PyAny>) -> PyResult<Arc<Marks>> {
        let mut known = self.marks.lock_py_attached(marks.py()).unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.from.is(marks)) {
            return Ok(known.clone());
        }
        let made = Arc::new(Marks::new(marks)?);
        *known = Some(made.clone());
        Ok(made)
    }
}

/// What becomes of a trace that nobody has to look at.
pub struct Gone<'a> {
    /// The verdict that its root settles; None where no rule samples it.
    pub verdict: Option<&'a Py<PyAny>>,
    /// How many calls it is about.
    pub calls: usize,
}

/// What makes a trace wanted.
pub struct Wanted {
    /// What it was made from, held so that its address stays its own.
    from: Py<PyAny>,
    read: Read,
    /// In the order of `read.values`.
    of_value: Vec<OfValue>,
    of_group: Option<OfGroup>,
    calls: Option<(OfGroup, Py<PyAny>)>,
    is_known_failure: Option<Py<PyAny>>,
    /// What may be done with traces that are wanted.
    pub drops: Option<Box<Drops>>,
}

impl Wanted {
    /// Return what these wishes are made ready to, which is remembered.
    pub fn of(wanted: &Bound<'_, PyAny>, remembered: &Mutex<Option<Arc<Wanted>>>) -> PyResult<Arc<Wanted>> {
        let mut known = remembered.lock_py_attached(wanted.py()).unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.from.is(wanted)) {
            return Ok(known.clone());
        }
        let made = Arc::new(Wanted::new(wanted)?);
        *known = Some(made.clone());
        Ok(made)
    }

    pub fn new(wanted: &Bound<'_, PyAny>) -> PyResult<Self> {
        let texts = wanted.getattr("texts")?.cast_into::<PyFrozenSet>()?;
        let values = wanted.getattr("values")?.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        let of_group = wanted.getattr("of_group")?;
        let calls = wanted.getattr("calls")?;
        let calls = (!calls.is_none()).then_some(calls);
        let failures = wanted.getattr("failures")?;
        let failures = (!failures.is_none()).then_some(failures);
        let drops = wanted.getattr("drops")?;
        let statuses = wanted.getattr("statuses")?.cast_into::<PyFrozenSet>()?;
        let read = Read {
            statuses: statuses.iter().map(|code| code.extract()).collect::<PyResult<_>>()?,
            durations: bounds(&wanted.getattr("durations")?)?,
            counts: bounds(&wanted.getattr("counts")?)?,
            hashes: wanted.getattr("hashes")?.extract()?,
            roots: wanted.getattr("roots")?.extract()?,
            rootless: wanted.getattr("rootless")?.extract()?,
            texts: any(&texts)?,
            values: values.iter().map(wanted_value).collect::<PyResult<_>>()?,
            calls: calls.as_ref().map(wanted_calls).transpose()?,
            failures: failures.as_ref().map(wanted_failures).transpose()?,
        };
        let asked = |calls: &Bound<'_, PyAny>| -> PyResult<_> {
            let is_own = calls.getattr("marks")?.getattr("is_own")?;
            Ok((OfGroup::new(is_own), calls.getattr("is_known")?.unbind()))
        };
        Ok(Wanted {
            from: wanted.clone().unbind(),
            read,
            of_value: values.iter().map(OfValue::new).collect::<PyResult<_>>()?,
            of_group: (!of_group.is_none()).then(|| OfGroup::new(of_group)),
            calls: calls.as_ref().map(asked).transpose()?,
            is_known_failure: failures
                .map(|failures| Ok::<_, PyErr>(failures.getattr("is_known")?.unbind()))
                .transpose()?,
            drops: (!drops.is_none()).then(|| Drops::new(&drops).map(Box::new)).transpose()?,
        })
    }

    /// Return what becomes of a trace that nobody has to look at; None where somebody has to.
    pub fn without_anybody(&self, py: Python<'_>, trace: &Trace<Made>) -> PyResult<Option<Gone<'_>>> {
        if let Some(calls) = self.unwanted_calls(py, trace)? {
            return Ok(Some(Gone { verdict: None, calls }));
        }
        let Some(drops) = &self.drops else { return Ok(None) };
        drops.verdict(py, trace)
    }

    /// Return how many calls a trace is about that nobody wants; None where somebody does.
    pub fn unwanted_calls(&self, py: Python<'_>, trace: &Trace<Made>) -> PyResult<Option<usize>> {
        if self.read.by_facts(trace) {
            return Ok(None);
        }
        if let Some(of_group) = &self.of_group {
            for group in trace.groups() {
                if of_group.answer(py, group)? {
                    return Ok(None);
                }
            }
        }
        for (value, of_value) in self.read.values.iter().zip(&self.of_value) {
            if value.is_in(trace, |encoded| of_value.answer(py, encoded))? {
                return Ok(None);
            }
        }
        let Some(calls) = self.without_known_calls(py, trace)? else { return Ok(None) };
        Ok((!self.may_have_failed(py, trace)?).then_some(calls))
    }

    fn may_have_failed(&self, py: Python<'_>, trace: &Trace<Made>) -> PyResult<bool> {
        let (Some(failures), Some(is_known)) = (&self.read.failures, &self.is_known_failure) else { return Ok(false) };
        let Some(holds) = failures.unwanted_holds(trace) else { return Ok(true) };
        is_known.bind(py).call1((PyBytes::new(py, &trace.id), holds))?.is_truthy()
    }

    fn without_known_calls(&self, py: Python<'_>, trace: &Trace<Made>) -> PyResult<Option<usize>> {
        let Some((is_own, is_known)) = &self.calls else { return Ok(self.read.unwanted_calls(trace, &[])) };
        let Some(calls) = self.read.unwanted_calls(trace, &is_own.answers(py, trace)?) else { return Ok(None) };
        let is_known = is_known.bind(py).call1((PyBytes::new(py, &trace.id),))?.is_truthy()?;
        Ok((!is_known).then_some(calls))
    }
}

fn wanted_calls(calls: &Bound<'_, PyAny>) -> PyResult<WantedCalls> {
    Ok(WantedCalls {
        marks: plain(&calls.getattr("marks")?)?,
        texts: any(&calls.getattr("texts")?)?,
        key: finder(&calls.getattr("key")?)?,
        values: values(&calls.getattr("values")?)?,
    })
}

fn bounds(all: &Bound<'_, PyAny>) -> PyResult<Vec<Bounds>> {
    let all: Vec<(i128, Option<i128>)> = all.extract()?;
    Ok(all.into_iter().map(|(least, most)| Bounds(least, most)).collect())
}

fn wanted_value(value: &Bound<'_, PyAny>) -> PyResult<WantedValue> {
    Ok(WantedValue {
        key: finder(&value.getattr("key")?)?,
        bounds: value.getattr("bounds")?.extract()?,
        decoded: value.getattr("decoded")?.extract()?,
    })
}

fn wanted_failures(failures: &Bound<'_, PyAny>) -> PyResult<WantedFailures> {
    Ok(WantedFailures {
        service: finder(&failures.getattr("service")?)?,
        key: finder(&failures.getattr("key")?)?,
        values: values(&failures.getattr("values")?)?,
    })
}

fn finder(text: &Bound<'_, PyAny>) -> PyResult<Finder<'static>> {
    Ok(Finder::new(text.cast::<PyBytes>()?.as_bytes()).into_owned())
}

fn values(values: &Bound<'_, PyAny>) -> PyResult<Vec<Vec<u8>>> {
    values.cast::<PyFrozenSet>()?.iter().map(|value| value.extract()).collect()
}

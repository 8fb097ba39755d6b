//! The store, for Python.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use foldhash::fast::RandomState;
use milvus_otel_spans::cut::{Cut, Envelope};
use milvus_otel_spans::decisions::Decision;
use milvus_otel_spans::groups::Group;
use milvus_otel_spans::head::TraceId;
use milvus_otel_spans::join;
use milvus_otel_spans::names::OfRoot;
use milvus_otel_spans::store::{Arrived as Came, MOST_SHOWN, Settings, Shown, Store as Spans};
use milvus_otel_spans::times::Waits;
use milvus_otel_spans::trace::Trace as Spanned;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyString, PyWeakrefReference};

use crate::faults::{contained, malformed};
use crate::hooks::{Hooks, Made};
use crate::requests::Requests;
use crate::taken::Taken;
use crate::trace::Trace;
use crate::wanted::{Gone, Wanted, passes_of};

/// What the answer is to the name of a root where rules have to be asked.
const ASK: &str = "ask";
/// Requests from here on are cut up while other threads run.
const LARGE: usize = 1 << 14;
/// Traces that nobody wants, in one call: a request is not to wait long for the store.
const LOOKED_AT: usize = 2048;

/// What came of a request.
#[pyclass(frozen, get_all, module = "milvus_otel_core")]
pub struct Arrived {
    spans: usize,
    refused: usize,
    early: Vec<(Py<PyAny>, usize, usize)>,
    late: Vec<(Py<PyAny>, Py<Trace>)>,
    late_not_sampled: usize,
    /// Some of the traces that were decided early, for people to look at.
    shown: Vec<(Py<PyAny>, Py<Trace>)>,
    passed: Vec<Py<Trace>>,
}

struct Inner {
    spans: Spans<Made, Py<PyAny>>,
    /// What roots decide early; names hold the places.
    verdicts: Vec<Py<PyAny>>,
}

impl Inner {
    fn number_of(&mut self, verdict: &Bound<'_, PyAny>) -> u32 {
        let found = self.verdicts.iter().position(|known| known.is(verdict));
        let number = found.unwrap_or(self.verdicts.len());
        if found.is_none() {
            self.verdicts.push(verdict.clone().unbind());
        }
        number as u32
    }
}

/// Waiting spans by trace. No function of Python's is called while it is locked.
#[pyclass(frozen, module = "milvus_otel_core")]
pub struct Store {
    hooks: Arc<Hooks>,
    /// Whether an answer about a root depends on its resource as well.
    tells_resources: AtomicBool,
    inner: Mutex<Inner>,
    wanted: Mutex<Option<Arc<Wanted>>>,
    /// What counts the requests of traces that nobody else sees.
    pub requests: OnceLock<Py<PyWeakrefReference>>,
}

/// What a request needs to know that was not known: answers for names, and groups.
#[derive(Default)]
struct Learned {
    answers: HashMap<Vec<u8>, OfRoot, RandomState>,
    /// Of each of its envelopes.
    groups: Vec<Arc<Group<Made>>>,
}

fn settings_of(settings: &Bound<'_, PyAny>) -> PyResult<Settings> {
    Ok(Settings {
        waits: Waits {
            whole: settings.getattr("wait")?.extract()?,
            after_root: settings.getattr("wait_after_root")?.extract()?,
            after_complete: settings.getattr("wait_after_complete")?.extract()?,
        },
        sampled_cache_size: settings.getattr("sampled_cache_size")?.extract()?,
        not_sampled_cache_size: settings.getattr("not_sampled_cache_size")?.extract()?,
        asks_roots: settings.getattr("asks_roots")?.extract()?,
        tells_resources: settings.getattr("tells_resources")?.extract()?,
        tells_touched: settings.getattr("tells_touched")?.extract()?,
    })
}

impl Store {
    fn inner<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, Inner> {
        self.inner.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    pub fn traces(&self, py: Python<'_>, taken: Vec<Spanned<Made>>) -> PyResult<Vec<Py<Trace>>> {
        taken.into_iter().map(|trace| Py::new(py, Trace::new(trace, self.hooks.clone()))).collect()
    }

    pub fn object(&self, py: Python<'_>, trace: Spanned<Made>) -> PyResult<Py<Trace>> {
        Py::new(py, Trace::new(trace, self.hooks.clone()))
    }

    fn learn(&self, py: Python<'_>, request: &[u8], cut: &Cut) -> PyResult<Learned> {
        let mut learned = Learned { groups: self.groups(py, cut)?, answers: HashMap::default() };
        let roots = self.inner(py).spans.unknown_roots(request, cut, &learned.groups);
        let tells_resources = self.tells_resources.load(Ordering::Relaxed);
        for (key, row) in roots {
            let row = &cut.rows[row];
            let name = row.head.as_ref().map(|head| head.name.of(row.span(request))).unwrap_or_default();
            let group = &learned.groups[row.envelope as usize].made.group;
            let answer = self.hooks.of_root(py, name, tells_resources.then_some(group))?;
            let mut inner = self.inner(py);
            let answer = if answer.is_none() {
                OfRoot::Nothing
            } else if answer.cast::<PyString>().is_ok_and(|text| text == ASK) {
                OfRoot::Ask
            } else {
                OfRoot::Decides(inner.number_of(&answer))
            };
            inner.spans.names.put(&key, answer);
            learned.answers.insert(key, answer);
        }
        Ok(learned)
    }

    /// Return the groups of a request's envelopes; those that are not known are made.
    fn groups(&self, py: Python<'_>, cut: &Cut) -> PyResult<Vec<Arc<Group<Made>>>> {
        let mut new: HashMap<&Envelope, Arc<Group<Made>>, RandomState> = HashMap::default();
        let places = self.inner(py).spans.unknown_groups(cut);
        for place in places {
            let envelope = &cut.envelopes[place];
            if new.contains_key(envelope) {
                continue;
            }
            let made = self.hooks.make(py, envelope)?;
            let (group, others_forgotten) = self.inner(py).spans.groups.add(envelope.clone(), made);
            if others_forgotten {
                self.hooks.forget_sets(py);
            }
            new.insert(envelope, group);
        }
        let inner = self.inner(py);
        let group_of = |envelope: &Envelope| new.get(envelope).cloned().or_else(|| inner.spans.groups.get(envelope));
        let groups: Option<Vec<_>> = cut.envelopes.iter().map(group_of).collect();
        // One may have been forgotten for the sake of another of the same request.
        drop(inner);
        match groups {
            Some(groups) => Ok(groups),
            None => self.made_anew(py, cut),
        }
    }

    fn made_anew(&self, py: Python<'_>, cut: &Cut) -> PyResult<Vec<Arc<Group<Made>>>> {
        let mut new: HashMap<&Envelope, Arc<Group<Made>>, RandomState> = HashMap::default();
        for envelope in &cut.envelopes {
            if !new.contains_key(envelope) {
                let made = self.hooks.make(py, envelope)?;
                new.insert(envelope, self.inner(py).spans.groups.add(envelope.clone(), made).0);
            }
        }
        Ok(cut.envelopes.iter().filter_map(|envelope| new.get(envelope).cloned()).collect())
    }

    fn put(&self, py: Python<'_>, request: &[u8], cut: &Cut, learned: &Learned, now: f64) -> PyResult<Arrived> {
        let mut inner = self.inner(py);
        let came = inner.spans.ingest(
            request,
            cut,
            &learned.groups,
            |names, name| names.get(name).or_else(|| learned.answers.get(name).copied()).unwrap_or(OfRoot::Ask),
            now,
        );
        let Came { spans, refused, early, late, late_not_sampled, shown, passed } = came;
        let early = early.iter().zip(&inner.verdicts).filter(|((traces, _), _)| *traces > 0);
        let early = early.map(|((traces, spans), verdict)| (verdict.clone_ref(py), *traces, *spans)).collect();
        let verdict_of = |verdict: u32| inner.verdicts.get(verdict as usize).map(|verdict| verdict.clone_ref(py));
        let shown: Vec<_> =
            shown.into_iter().filter_map(|(verdict, trace)| Some((verdict_of(verdict)?, trace))).collect();
        drop(inner);
        let shown = shown
            .into_iter()
            .map(|(verdict, trace)| Ok((verdict, Py::new(py, Trace::new(trace, self.hooks.clone()))?)))
            .collect::<PyResult<_>>()?;
        let late = late
            .into_iter()
            .map(|(kept, trace)| Ok((kept.clone_ref(py), Py::new(py, Trace::new(trace, self.hooks.clone()))?)));
        let late = late.collect::<PyResult<_>>()?;
        let passed = self.count(py, passed)?;
        Ok(Arrived { spans, refused, early, late, late_not_sampled, shown, passed })
    }
}

#[pymethods]
impl Store {
    #[new]
    fn new(hooks: &Bound<'_, PyAny>, settings: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut inner = Inner { spans: Spans::new(settings_of(settings)?), verdicts: Vec::new() };
        inner.spans.passes = passes_of(settings)?;
        let tells_resources = AtomicBool::new(settings.getattr("tells_resources")?.extract()?);
        Ok(Store {
            hooks: Arc::new(Hooks::new(hooks)?),
            tells_resources,
            inner: Mutex::new(inner),
            wanted: Mutex::default(),
            requests: OnceLock::new(),
        })
    }

    fn ingest(&self, py: Python<'_>, request: &[u8], now: f64) -> PyResult<Arrived> {
        contained(|| {
            let cut = if request.len() < LARGE { Cut::new(request) } else { py.detach(|| Cut::new(request)) };
            let cut = cut.ok_or_else(|| malformed("the request"))?;
            let learned = self.learn(py, request, &cut)?;
            self.put(py, request, &cut, &learned, now)
        })
    }

    fn take_due(&self, py: Python<'_>, now: f64, limit: usize) -> PyResult<Vec<Py<Trace>>> {
        contained(|| {
            let taken = self.inner(py).spans.take_due(now, limit);
            self.traces(py, taken)
        })
    }

    fn take_wanted(&self, now: f64, limit: usize, wanted: &Bound<'_, PyAny>) -> PyResult<Taken> {
        let py = wanted.py();
        let wanted = Wanted::of(wanted, &self.wanted)?;
        contained(|| {
            let mut found = Taken::default();
            let (mut gone, requests) = (0, self.requests(py)?);
            while found.traces.len() < limit && gone < LOOKED_AT {
                let taken = self.inner(py).spans.take_due(now, limit - found.traces.len());
                if taken.is_empty() {
                    break;
                }
                for trace in taken {
                    // Where it cannot be told, that comes out when the trace is judged.
                    let Some(Gone { verdict, calls }) = wanted.without_anybody(py, &trace).unwrap_or(None) else {
                        found.traces.push(Py::new(py, Trace::new(trace, self.hooks.clone()))?);
                        continue;
                    };
                    gone += 1;
                    found.unwanted_calls += calls;
                    match verdict {
                        Some(verdict) => found.add_dropped(py, verdict, &trace),
                        None => found.add_unwanted(&trace),
                    }
                    let mut inner = self.inner(py);
                    inner.spans.remember(trace.id, Decision::NotSampled);
                    let Shown { unwanted, early, .. } = inner.spans.shown;
                    let is_shown = inner.spans.is_shown(&trace.id, if verdict.is_some() { early } else { unwanted });
                    drop(inner);
                    let counted = match &requests {
                        Some(requests) => requests.get().count(py, trace, false, |trace| self.object(py, trace))?,
                        None => Ok(trace),
                    };
                    if is_shown && found.shown.len() + found.shown_dropped.len() < MOST_SHOWN {
                        let trace = counted.map_or_else(Ok, |trace| self.object(py, trace))?;
                        match verdict {
                            Some(verdict) => found.shown_dropped.push((verdict.clone_ref(py), trace)),
                            None => found.shown.push(trace),
                        }
                    }
                }
            }
            Ok(found)
        })
    }

    fn take_oldest(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<Py<Trace>>> {
        contained(|| {
            let taken = self.inner(py).spans.take_oldest(limit);
            self.traces(py, taken)
        })
    }

    fn take_larger_than(&self, py: Python<'_>, size: usize) -> PyResult<Vec<Py<Trace>>> {
        contained(|| {
            let taken = self.inner(py).spans.take_larger_than(size);
            self.traces(py, taken)
        })
    }

    fn take(&self, py: Python<'_>, trace_id: &[u8]) -> PyResult<Trace> {
        contained(|| {
            let taken = id_of(trace_id).and_then(|id| self.inner(py).spans.take(&id));
            let taken = taken.ok_or_else(|| PyKeyError::new_err(PyBytes::new(py, trace_id).unbind()))?;
            Ok(Trace::new(taken, self.hooks.clone()))
        })
    }

    fn touched(&self, py: Python<'_>) -> PyResult<Vec<Py<Trace>>> {
        contained(|| {
            let mut inner = self.inner(py);
            let ids = inner.spans.touched();
            let views = ids.iter().filter_map(|id| inner.spans.view(id)).collect();
            drop(inner);
            self.traces(py, views)
        })
    }

    fn remember(&self, py: Python<'_>, trace_id: &[u8], kept: Option<Py<PyAny>>) {
        let Some(id) = id_of(trace_id) else { return };
        let decision = kept.map_or(Decision::NotSampled, |kept| Decision::Sampled(Arc::new(kept)));
        self.inner(py).spans.remember(id, decision);
    }

    fn show(&self, py: Python<'_>, basis: u64, unwanted: u64, early: u64) {
        self.inner(py).spans.shown = Shown { basis, unwanted, early };
    }

    /// Have the requests counted in traces that are given to nobody; only the first that is to do so does.
    fn count_with(&self, requests: &Bound<'_, Requests>) -> PyResult<bool> {
        Ok(self.requests.set(PyWeakrefReference::new(requests)?.unbind()).is_ok())
    }

    fn configure(&self, py: Python<'_>, settings: &Bound<'_, PyAny>, now: f64) -> PyResult<()> {
        self.tells_resources.store(settings.getattr("tells_resources")?.extract()?, Ordering::Relaxed);
        let (settings, passes) = (settings_of(settings)?, passes_of(settings)?);
        let mut inner = self.inner(py);
        inner.spans.passes = passes;
        inner.spans.configure(settings, now);
        inner.verdicts.clear();
        Ok(())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.inner(py).spans.len()
    }

    fn __contains__(&self, py: Python<'_>, trace_id: &[u8]) -> bool {
        id_of(trace_id).is_some_and(|id| self.inner(py).spans.contains(&id))
    }

    fn sampled(&self, py: Python<'_>, trace_id: &[u8]) -> Option<bool> {
        id_of(trace_id).and_then(|id| self.inner(py).spans.sampled(&id))
    }

    #[getter]
    fn spans(&self, py: Python<'_>) -> usize {
        self.inner(py).spans.spans()
    }

    #[getter]
    fn size(&self, py: Python<'_>) -> usize {
        self.inner(py).spans.size()
    }

    #[getter]
    fn group_size(&self, py: Python<'_>) -> usize {
        self.inner(py).spans.groups.held()
    }

    #[getter]
    fn wait(&self, py: Python<'_>) -> f64 {
        self.inner(py).spans.wait()
    }

    #[getter]
    fn tick(&self, py: Python<'_>) -> f64 {
        self.inner(py).spans.tick()
    }

    #[staticmethod]
    fn join<'py>(py: Python<'py>, traces: Vec<PyRef<'py, Trace>>) -> PyResult<Bound<'py, PyBytes>> {
        contained(|| Ok(PyBytes::new(py, &join::request(traces.iter().map(|trace| &trace.taken)))))
    }
}

fn id_of(trace_id: &[u8]) -> Option<TraceId> {
    trace_id.try_into().ok()
}

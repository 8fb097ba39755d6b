//! Lines of the access log that wait, for Python: see `milvus_otel_processor.enrichment.access_log.native`.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use milvus_otel_spans::head::TraceId;
use milvus_otel_spans::lines::Time;
use milvus_otel_spans::lines::line::{Plain, plain};
use milvus_otel_spans::lines::logs::bodies;
use milvus_otel_spans::lines::served::{Served, SpanId, served};
use milvus_otel_spans::lines::store::{Came as Counted, New, Store};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::faults::contained;

/// What a line takes as Python has it, beside its texts.
const BYTES_PER_OBJECT: usize = 600;
/// What is farther from 1970 is no time that a line can have.
const NO_TIME: Time = Time::MAX >> 2;

type Change = (String, String, String);
type Candidate = (Py<PyAny>, f64);
/// Trace id, span id, start, end, method, peer and gRPC status.
type Call = (Vec<u8>, Vec<u8>, u64, u64, String, Option<String>, i64);

/// What came of a log request.
#[pyclass(frozen, get_all, module = "milvus_otel_core")]
pub struct Came {
    lines: usize,
    received: usize,
    doubled: usize,
    evicted: usize,
    /// Method, database and collection of requests that change something, each once.
    changes: Vec<Change>,
}

/// A line that Python has read.
struct Read {
    object: Py<PyAny>,
    key: [u8; 8],
    size: usize,
    end: Time,
    cost: Time,
    method: String,
    peer: String,
    trace_id: Option<TraceId>,
    failed: bool,
}

enum Line<'a> {
    Plain(&'a [u8], Plain<'a>),
    Read(Read),
}

/// A line that is held, with its number, and the id of Milvus' span of its request, where that has been found.
struct Known {
    number: u64,
    server: Option<SpanId>,
    line: Content,
}

enum Content {
    Read(Py<PyAny>),
    Held { text: Vec<u8>, request: u64 },
}

/// Lines and calls that wait for each other. Of Python's functions only `is_waiting` is called while it is locked.
#[pyclass(frozen, module = "milvus_otel_core")]
pub struct Lines {
    store: Mutex<Store<Py<PyAny>>>,
    own: TraceId,
    watched: HashSet<String, RandomState>,
    make: Py<PyAny>,
    is_waiting: Py<PyAny>,
}

impl Lines {
    pub fn store<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, Store<Py<PyAny>>> {
        self.store.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Ask whether a trace waits; a fault counts as no.
    pub fn asks<'a>(&'a self, py: Python<'a>) -> impl Fn(&TraceId) -> bool + 'a {
        move |id| {
            let answer = self.is_waiting.bind(py).call1((PyBytes::new(py, id),));
            answer.and_then(|answer| answer.is_truthy()).unwrap_or(false)
        }
    }

    fn add(&self, py: Python<'_>, lines: Vec<Line<'_>>, now: f64, too_old: f64) -> Counted {
        let (mut came, mut store) = (Counted::default(), self.store(py));
        store.next_request();
        for line in lines {
            match line {
                Line::Plain(text, line) => {
                    store.add(New { text, line, size: text.len(), object: None }, now, too_old, &mut came);
                }
                Line::Read(read) => {
                    let (method, peer) = (read.method.as_str(), read.peer.as_str());
                    let Read { end, cost, trace_id, failed, size, .. } = read;
                    let line = Plain { end, cost, method, peer, trace_id, failed, ..Plain::default() };
                    // It is told from others by its key, and not read again.
                    store.add(New { text: &read.key, line, size, object: Some(read.object) }, now, too_old, &mut came);
                }
            }
        }
        came
    }

    /// Return lines as Python has them; those that it has not read yet are read.
    fn objects(&self, py: Python<'_>, known: Vec<Known>) -> PyResult<Vec<Py<PyAny>>> {
        let mut found = Vec::with_capacity(known.len());
        for Known { number, server, line } in known {
            let object = match line {
                Content::Read(object) => {
                    object.setattr(py, "number", number)?;
                    object
                }
                Content::Held { text, request } => {
                    let line = plain(&text).ok_or_else(|| PyValueError::new_err("a line that is held was plain"))?;
                    let trace_id = line.trace_id.map(|id| PyBytes::new(py, &id));
                    let said = (line.end, line.cost, line.method, line.peer, trace_id, line.texts, line.answer);
                    let object = self.make.bind(py).call1((said, number, request))?.unbind();
                    self.store(py).put_object(number, object.clone_ref(py));
                    object
                }
            };
            if let Some(id) = server {
                object.setattr(py, "server", PyBytes::new(py, &id))?;
            }
            found.push(object);
        }
        Ok(found)
    }
}

/// What is known of lines while the store is locked: afterwards another thread may have them forgotten.
fn known(py: Python<'_>, store: &Store<Py<PyAny>>, numbers: impl IntoIterator<Item = u64>) -> Vec<Known> {
    let known = |number: u64| {
        let line = match store.object(number) {
            Some(object) => Content::Read(object.clone_ref(py)),
            None => Content::Held { text: store.text(number).to_vec(), request: store.request(number) },
        };
        Known { number, server: store.server(number), line }
    };
    numbers.into_iter().map(known).collect()
}

fn read_line(line: &Bound<'_, PyAny>) -> PyResult<Read> {
    let time = |name: &str| -> PyResult<Time> {
        Ok(line.getattr(name)?.extract::<Time>().map_or(NO_TIME, |time| time.clamp(-NO_TIME, NO_TIME)))
    };
    let key: i64 = line.getattr("key")?.extract()?;
    Ok(Read {
        key: key.to_le_bytes(),
        size: BYTES_PER_OBJECT + line.getattr("size")?.extract::<usize>()?,
        end: time("end")?,
        cost: time("cost")?,
        method: line.getattr("method")?.extract()?,
        peer: line.getattr("peer")?.extract()?,
        trace_id: id(line.getattr("trace_id")?.extract::<Option<Vec<u8>>>()?.as_deref())?,
        failed: !line.getattr("facts")?.getattr("error_type")?.is_none(),
        object: line.clone().unbind(),
    })
}

fn id(trace_id: Option<&[u8]>) -> PyResult<Option<TraceId>> {
    let of = |id: &[u8]| id.try_into().map_err(|_| PyValueError::new_err("a trace id has 16 bytes"));
    trace_id.map(of).transpose()
}

#[pymethods]
impl Lines {
    #[new]
    fn new(
        max_lines: usize,
        own: &[u8],
        watched: HashSet<String, RandomState>,
        make: Py<PyAny>,
        is_waiting: Py<PyAny>,
    ) -> PyResult<Self> {
        let own = id(Some(own))?.unwrap_or_default();
        Ok(Lines { store: Mutex::new(Store::new(max_lines)), own, watched, make, is_waiting })
    }

    /// Take in the lines of a log request; None where that is not plain to see, and nothing was taken in.
    fn ingest(
        &self,
        py: Python<'_>,
        request: &[u8],
        read: &Bound<'_, PyAny>,
        now: f64,
        too_old: f64,
    ) -> PyResult<Option<Came>> {
        contained(|| {
            let Some(bodies) = bodies(request) else { return Ok(None) };
            let (mut lines, mut changes) = (Vec::with_capacity(bodies.len()), HashMap::new());
            for text in bodies {
                match plain(text) {
                    Some(line) if line.trace_id == Some(self.own) => {}
                    Some(line) => {
                        if !line.failed && self.watched.contains(line.method) {
                            let place = changes.len();
                            changes.entry((line.method, line.database, line.collection)).or_insert(place);
                        }
                        lines.push(Line::Plain(text, line));
                    }
                    None => {
                        for line in read.call1((PyBytes::new(py, text),))?.try_iter()? {
                            lines.push(Line::Read(read_line(&line?)?));
                        }
                    }
                }
            }
            let mut changes: Vec<_> = changes.into_iter().collect();
            changes.sort_unstable_by_key(|(_, place)| *place);
            let owned = |((method, database, collection), _): ((&str, &str, &str), usize)| {
                (method.to_owned(), database.to_owned(), collection.to_owned())
            };
            let changes = changes.into_iter().map(owned).collect();
            let count = lines.len();
            let Counted { received, doubled, evicted } = self.add(py, lines, now, too_old);
            Ok(Some(Came { lines: count, received, doubled, evicted, changes }))
        })
    }

    /// Take in lines that Python has read.
    fn add_lines(&self, lines: &Bound<'_, PyAny>, now: f64, too_old: f64) -> PyResult<Came> {
        let read: Vec<Line<'_>> =
            lines.try_iter()?.map(|line| Ok(Line::Read(read_line(&line?)?))).collect::<PyResult<_>>()?;
        let lines_read = read.len();
        contained(|| {
            let Counted { received, doubled, evicted } = self.add(lines.py(), read, now, too_old);
            Ok(Came { lines: lines_read, received, doubled, evicted, changes: Vec::new() })
        })
    }

    /// Look for calls in a request, if they are wanted, and take them in.
    fn observe(&self, py: Python<'_>, request: &[u8], now: f64, too_old: f64) -> PyResult<()> {
        contained(|| {
            if self.store(py).wants_calls() {
                let calls = served(request);
                if !calls.is_empty() {
                    self.store(py).add_calls(calls, now, too_old, &self.asks(py));
                }
            }
            Ok(())
        })
    }

    /// Take in one call.
    fn add_call(&self, py: Python<'_>, call: Call, now: f64, too_old: f64) -> PyResult<()> {
        let Some(call) = served_of(call) else { return Ok(()) };
        contained(|| {
            self.store(py).add_calls(vec![call], now, too_old, &self.asks(py));
            Ok(())
        })
    }

    /// Return the lines that may be that of a call, and the probability of each; None where the call was not taken in.
    fn candidates(&self, py: Python<'_>, span_id: &[u8]) -> PyResult<Option<Vec<Candidate>>> {
        let Ok(span_id) = span_id.try_into() else { return Ok(None) };
        let found = contained(|| {
            let mut store = self.store(py);
            let found = store.candidates(&span_id, &self.asks(py));
            Ok(found.map(|found| {
                let (numbers, probabilities): (Vec<u64>, Vec<f64>) = found.into_iter().unzip();
                (known(py, &store, numbers), probabilities)
            }))
        })?;
        let Some((lines, probabilities)) = found else { return Ok(None) };
        Ok(Some(self.objects(py, lines)?.into_iter().zip(probabilities).collect()))
    }

    fn of_trace(&self, py: Python<'_>, trace_id: TraceId) -> PyResult<Vec<Py<PyAny>>> {
        let store = self.store(py);
        let lines = known(py, &store, store.of_trace(&trace_id));
        drop(store);
        self.objects(py, lines)
    }

    fn within(&self, py: Python<'_>, path: &str, start: Time, end: Time) -> PyResult<Vec<Py<PyAny>>> {
        let store = self.store(py);
        let lines = known(py, &store, store.within(path, start, end));
        drop(store);
        self.objects(py, lines)
    }

    fn knows(&self, py: Python<'_>, trace_id: TraceId) -> bool {
        self.store(py).knows(&trace_id)
    }

    fn known_calls(&self, py: Python<'_>, trace_id: TraceId) -> (usize, bool) {
        self.store(py).known_calls(&trace_id)
    }

    fn knows_failure(&self, py: Python<'_>, trace_id: TraceId, holds_calls: bool) -> PyResult<bool> {
        contained(|| Ok(self.store(py).knows_failure(&trace_id, holds_calls, &self.asks(py))))
    }

    fn may_calls_have_failed(&self, py: Python<'_>, trace_id: TraceId) -> PyResult<bool> {
        contained(|| Ok(self.store(py).may_calls_have_failed(&trace_id, &self.asks(py))))
    }

    fn may_have_failed(&self, py: Python<'_>, call: Call) -> PyResult<bool> {
        let Some(call) = served_of(call) else { return Ok(false) };
        contained(|| Ok(self.store(py).may_have_failed(&call, &self.asks(py))))
    }

    fn holds_open_failures(&self, py: Python<'_>) -> PyResult<bool> {
        contained(|| Ok(self.store(py).holds_open_failures(&self.asks(py))))
    }

    fn claim(&self, py: Python<'_>, number: u64, server: Option<&[u8]>) {
        let server = server.and_then(|id| SpanId::try_from(id).ok());
        self.store(py).claim(number, server.as_ref());
    }

    fn learn(&self, py: Python<'_>, surplus: Time) {
        self.store(py).learn(surplus);
    }

    #[getter]
    fn wants_calls(&self, py: Python<'_>) -> bool {
        self.store(py).wants_calls()
    }

    #[getter]
    fn holds_lines_without_trace(&self, py: Python<'_>) -> bool {
        self.store(py).holds_lines_without_trace()
    }

    #[getter]
    fn holds_lines_of_version_1(&self, py: Python<'_>) -> bool {
        self.store(py).holds_lines_of_version_1()
    }

    #[getter]
    fn holds_failures_of_version_1(&self, py: Python<'_>) -> bool {
        self.store(py).holds_failures_of_version_1()
    }

    #[getter]
    fn size(&self, py: Python<'_>) -> usize {
        self.store(py).size
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.store(py).len()
    }
}

/// Return a call as it is held; None where its ids are no ids.
fn served_of(call: Call) -> Option<Served> {
    let (trace_id, span_id, start, end, method, peer, status) = call;
    Some(Served {
        trace_id: trace_id.try_into().ok()?,
        span_id: span_id.try_into().ok()?,
        start: start.into(),
        end: end.into(),
        method,
        peer,
        failed: status != 0,
    })
}

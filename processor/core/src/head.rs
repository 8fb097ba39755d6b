//! The heads of spans, for Python.

use milvus_otel_spans::head::{Head as Read, Part};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyList};

use crate::trace::Trace;

/// What nearly every trace is decided by; a copy of what the span says.
#[pyclass(frozen, module = "milvus_otel_core")]
pub struct Head {
    read: Read,
    bytes: Vec<u8>,
}

/// The status of a span.
#[pyclass(frozen, module = "milvus_otel_core")]
pub struct Status {
    #[pyo3(get)]
    code: i32,
    message: Vec<u8>,
}

impl Head {
    pub fn new(read: &Read, span: &[u8]) -> Self {
        let (read, bytes) = read.extracted(span);
        Head { read, bytes }
    }

    fn part<'py>(&self, py: Python<'py>, part: Part) -> Bound<'py, PyBytes> {
        PyBytes::new(py, part.of(&self.bytes))
    }
}

#[pymethods]
impl Head {
    #[getter]
    fn span_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.part(py, self.read.span_id)
    }

    #[getter]
    fn parent_span_id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.part(py, self.read.parent_span_id)
    }

    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.part(py, self.read.name)
    }

    #[getter]
    fn trace_state<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.part(py, self.read.trace_state)
    }

    #[getter]
    fn kind(&self) -> i32 {
        self.read.kind
    }

    #[getter]
    fn start_time_unix_nano(&self) -> u64 {
        self.read.start
    }

    #[getter]
    fn end_time_unix_nano(&self) -> u64 {
        self.read.end
    }

    #[getter]
    fn flags(&self) -> u32 {
        self.read.flags
    }

    #[getter]
    fn status(&self) -> Status {
        Status { code: self.read.status, message: self.read.status_message.of(&self.bytes).to_vec() }
    }
}

#[pymethods]
impl Status {
    #[getter]
    fn message<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.message)
    }
}

/// The heads of a trace, each made when it is asked for.
#[pyclass(frozen, sequence, module = "milvus_otel_core")]
pub struct Heads {
    trace: Py<Trace>,
}

impl Heads {
    pub fn new(trace: Py<Trace>) -> Self {
        Heads { trace }
    }
}

#[pymethods]
impl Heads {
    fn __len__(&self, py: Python<'_>) -> usize {
        self.trace.borrow(py).taken.len()
    }

    fn __getitem__(&self, py: Python<'_>, index: isize) -> PyResult<Head> {
        let trace = self.trace.borrow(py);
        let count = trace.taken.len();
        let place = if index < 0 { count.checked_sub(index.unsigned_abs()) } else { Some(index.unsigned_abs()) };
        let place = place.filter(|place| *place < count);
        trace.head_at(place.ok_or_else(|| PyIndexError::new_err(format!("span {index} of a trace of {count}")))?)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let trace = self.trace.borrow(py);
        let heads: Vec<Head> = (0..trace.taken.len()).map(|place| trace.head_at(place)).collect::<PyResult<_>>()?;
        PyList::new(py, heads)?.try_iter()
    }
}

//! What is counted of all requests, for Python: see `milvus_otel_processor.requests.counts`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use milvus_otel_spans::counts::distribution::Distribution;
use milvus_otel_spans::counts::{Counts as Counted, Record, STAGES, Settings};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

use crate::faults::contained;

/// The fields of a record, in their order.
type Said = (u32, u64, [u64; STAGES], bool, [u8; 16], u64);
/// Place of the bucket, seconds, trace id and Unix time of an exemplar.
type Exemplar = (usize, f64, Py<PyBytes>, u64);
/// Scale, zero count, offset and counts.
type Exponential = (i32, u64, i64, Vec<u64>);
/// Counts, sum, exemplars and exponential buckets.
type Told = (Vec<u64>, f64, Vec<Exemplar>, Option<Exponential>);

/// Counts requests. Nothing that calls Python may be done while it is locked.
#[pyclass(frozen, module = "milvus_otel_core")]
pub struct Counts {
    pub counts: Arc<Mutex<Counted>>,
}

impl Counts {
    pub fn locked<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, Counted> {
        self.counts.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Counts {
    #[new]
    #[pyo3(signature = (bounds, stage_bounds, *, exemplars, exponential=false, slices=false))]
    fn new(bounds: Vec<f64>, stage_bounds: Vec<f64>, exemplars: bool, exponential: bool, slices: bool) -> Self {
        let settings = Settings { bounds, stage_bounds, exemplars, exponential, slices };
        Counts { counts: Arc::new(Mutex::new(Counted::new(settings))) }
    }

    fn introduce(&self, py: Python<'_>, group: u32) -> u32 {
        self.locked(py).introduce(group)
    }

    fn add(&self, py: Python<'_>, record: Said) -> PyResult<()> {
        let (series, nanoseconds, times, kept, trace_id, ended_ns) = record;
        let mut counts = self.locked(py);
        if !counts.knows(series) {
            return Err(PyValueError::new_err(format!("series {series} was not introduced")));
        }
        counts.add(&Record { series, nanoseconds, times, kept, trace_id, ended_ns });
        Ok(())
    }

    fn count_slices(&self, py: Python<'_>, wanted: bool) {
        self.locked(py).count_slices(wanted);
    }

    fn count_exponentially(&self, py: Python<'_>, wanted: bool) {
        self.locked(py).count_exponentially(wanted);
    }

    fn requests(&self, py: Python<'_>) -> PyResult<Vec<(u32, Told)>> {
        contained(|| {
            // Copied first: others count on while Python's objects are made.
            let copied: Vec<_> = self.locked(py).requests().map(|(series, one)| (series, one.clone())).collect();
            Ok(copied.into_iter().map(|(series, one)| (series, told(py, one))).collect())
        })
    }

    fn stages(&self, py: Python<'_>) -> PyResult<Vec<(u32, usize, Told)>> {
        contained(|| {
            let copied: Vec<_> =
                self.locked(py).stages().map(|(group, stage, one)| (group, stage, one.clone())).collect();
            Ok(copied.into_iter().map(|(group, stage, one)| (group, stage, told(py, one))).collect())
        })
    }

    fn slice(&self, py: Python<'_>) -> PyResult<Vec<(u32, Py<PyBytes>)>> {
        contained(|| {
            let packed: Vec<_> = self.locked(py).slice().map(|(series, cell)| (series, cell.packed())).collect();
            Ok(packed.into_iter().map(|(series, cell)| (series, PyBytes::new(py, &cell).unbind())).collect())
        })
    }

    fn take_slice(&self, py: Python<'_>) -> PyResult<Vec<(u32, Py<PyBytes>)>> {
        contained(|| {
            let taken = self.locked(py).take_slice();
            Ok(taken.into_iter().map(|(series, cell)| (series, PyBytes::new(py, &cell.packed()).unbind())).collect())
        })
    }

    /// Remember each record, for a test; nothing bounds them.
    fn _remember(&self, py: Python<'_>) {
        self.locked(py).remembered = Some(Vec::new());
    }

    /// Return the records that came since.
    fn _records(&self, py: Python<'_>) -> Vec<Said> {
        let remembered = self.locked(py).remembered.clone().unwrap_or_default();
        let said = |one: Record| (one.series, one.nanoseconds, one.times, one.kept, one.trace_id, one.ended_ns);
        remembered.into_iter().map(said).collect()
    }

    #[getter]
    fn size(&self, py: Python<'_>) -> usize {
        self.locked(py).size()
    }
}

fn told(py: Python<'_>, one: Distribution) -> Told {
    let exemplars = one.exemplars.iter();
    let exemplars = exemplars
        .map(|(place, one)| (*place, one.seconds, PyBytes::new(py, &one.trace_id).unbind(), one.ended_ns))
        .collect();
    let exponential = one.exponential.map(|one| (one.scale, one.zero_count, one.offset, one.counts));
    (one.counts.into_vec(), one.sum, exemplars, exponential)
}

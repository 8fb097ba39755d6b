//! What a store does about the requests in traces that it gives to nobody.

use milvus_otel_spans::trace::Trace as Spanned;
use pyo3::prelude::*;

use crate::hooks::Made;
use crate::requests::Requests;
use crate::store::Store;
use crate::trace::Trace;

impl Store {
    /// What counts requests. It lives as long as Python wants: held here, it would hold itself.
    pub fn requests<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, Requests>>> {
        self.requests.get().map_or(Ok(None), |requests| requests.bind(py).upgrade_as())
    }

    /// Count the requests in traces about which there is nothing to decide any more; return those that nobody counts.
    pub fn count(&self, py: Python<'_>, passed: Vec<Spanned<Made>>) -> PyResult<Vec<Py<Trace>>> {
        let Some(requests) = self.requests(py)? else { return self.traces(py, passed) };
        for trace in passed {
            let _ = requests.get().count(py, trace, false, |trace| self.object(py, trace))?;
        }
        Ok(Vec::new())
    }
}

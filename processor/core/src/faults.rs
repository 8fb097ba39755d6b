//! Errors as Python sees them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

pyo3::import_exception!(google.protobuf.message, DecodeError);

/// The error for bytes that are not valid protobuf.
pub fn malformed(what: &str) -> PyErr {
    DecodeError::new_err(format!("{what} is not valid protobuf"))
}

/// Make an exception of a panic, one that `except Exception` sees: a fault of ours costs what was asked for, and nothing else.
pub fn contained<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(PyRuntimeError::new_err(format!("fault in milvus_otel_core: {text}")))
    })
}

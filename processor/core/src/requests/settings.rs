//! What requests are counted by, as Python says it.

use milvus_otel_spans::Finder;
use milvus_otel_spans::counts::STAGES;
use milvus_otel_spans::requests::Keys;
use milvus_otel_spans::requests::told::Telling;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Return what spans are told of where their time went.
pub fn telling_of(telling: &Bound<'_, PyAny>) -> PyResult<Telling> {
    let made = Telling {
        names: telling.getattr("names")?.extract()?,
        hint: telling.getattr("hint")?.extract()?,
        operations: telling.getattr("operations")?.extract()?,
        hints: telling.getattr("hints")?.extract()?,
    };
    let is_whole = !made.hints.is_empty()
        && made.hints.iter().all(|by_stage| by_stage.len() == STAGES)
        && made.operations.iter().all(|(_, kind)| *kind < made.hints.len());
    if is_whole { Ok(made) } else { Err(PyValueError::new_err("sentences are missing")) }
}

/// Return what is read of spans.
pub fn keys_of(keys: &Bound<'_, PyAny>) -> PyResult<Keys> {
    let bytes = |name: &str| -> PyResult<Vec<u8>> { keys.getattr(name)?.extract() };
    let finder = |name: &str| -> PyResult<Finder<'static>> { Ok(Finder::new(&bytes(name)?).into_owned()) };
    Ok(Keys {
        status: bytes("status")?,
        caller: keys.getattr("caller")?.extract()?,
        caller_begin: bytes("caller_begin")?,
        caller_end: bytes("caller_end")?,
        channel: finder("channel")?,
        exception: finder("exception")?,
    })
}

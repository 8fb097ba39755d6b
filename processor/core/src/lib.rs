//! The span store of milvus-otel-processor for Python: the crate `milvus-otel-spans` in Python's terms.
//!
//! What each class and method means is said in `milvus_otel_processor.spans.contract`.

#![forbid(unsafe_code)]

mod counts;
mod drops;
mod faults;
mod head;
mod hooks;
mod lines;
mod requests;
mod spent;
mod store;
mod taken;
mod texts;
mod trace;
mod wanted;

use pyo3::prelude::*;

/// The number of the contract between the two, `CONTRACT` in `milvus_otel_processor.spans.contract`: they are raised together.
const CONTRACT: u32 = 22;

// Python gives objects memory that is aligned to 16 bytes; what wants more of its fields, such as a `Finder`, has to be boxed.
const _: () = assert!(align_of::<store::Store>() <= 16 && align_of::<trace::Trace>() <= 16);
const _: () = assert!(align_of::<requests::Requests>() <= 16);
const _: () = assert!(align_of::<lines::Lines>() <= 16 && align_of::<counts::Counts>() <= 16);

/// Go wrong, so that a test can see what becomes of a panic.
#[pyfunction]
fn _go_wrong() -> PyResult<()> {
    faults::contained(|| panic!("on purpose"))
}

#[pymodule]
fn milvus_otel_core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("CONTRACT", CONTRACT)?;
    module.add_function(wrap_pyfunction!(_go_wrong, module)?)?;
    module.add_class::<store::Store>()?;
    module.add_class::<store::Arrived>()?;
    module.add_class::<taken::Taken>()?;
    module.add_class::<counts::Counts>()?;
    module.add_class::<lines::Lines>()?;
    module.add_class::<lines::Came>()?;
    module.add_class::<requests::Requests>()?;
    module.add_class::<trace::Trace>()?;
    module.add_class::<head::Head>()?;
    module.add_class::<head::Heads>()?;
    module.add_class::<head::Status>()
}

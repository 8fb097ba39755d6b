//! Spans that wait for the decision over their trace, and what their bytes say.
//!
//! The way of a span: [`cut`] a request up, [`store`] its spans by trace until they are due, read and append to the [`trace`],
//! [`join`] what is kept into a request again. Beside them wait the [`lines`] of Milvus' access log. Nothing here knows of Python, of
//! rules, or of a clock.

#![forbid(unsafe_code)]

pub mod any_of;
mod append;
pub mod attributes;
pub mod calls;
pub mod counts;
pub mod cut;
pub mod decisions;
mod entry;
pub mod groups;
pub mod head;
pub mod join;
pub mod lines;
mod malformed;
pub mod names;
pub mod passes;
pub mod requests;
pub mod spent;
pub mod store;
pub mod times;
pub mod trace;
pub mod wanted;
pub mod wire;

pub use memchr::memmem::Finder;

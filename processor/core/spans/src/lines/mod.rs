//! Lines of Milvus' access log that wait for their trace, and the calls that they may be of.
//!
//! The way of a line: out of the [`logs`], read where it is plain ([`line`]), held in the [`store`]; where no trace id says whose it
//! is, it is paired ([`pool`], [`connection`]) with a call that was [`served`], by how their times fit ([`likelihood`]) and in which
//! order they stand ([`alignment`]). Requests that are counted find their lines in [`paired`]. `milvus_otel_processor.enrichment` has the same in Python, and says why it is so.

mod alignment;
mod connection;
mod held;
mod likelihood;
pub mod line;
pub mod logs;
mod ordered;
pub mod paired;
mod pool;
pub mod served;
pub mod store;

pub use likelihood::Time;

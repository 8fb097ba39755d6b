//! What happened to the requests of one series within a slice of time.

use super::{Record, STAGES};

/// What bins grow by: the quantiles are at most 1 % off.
const RELATIVE_ERROR: f64 = 0.01;
/// Seconds; what lies beyond counts as these.
const SHORTEST: f64 = 1e-9;
const LONGEST: f64 = 1e7;

/// Durations are counted in the bins of a DDSketch; see `milvus_otel_processor.requests.sketch`.
#[derive(Clone, Debug)]
pub struct Cell {
    pub requests: u32,
    pub kept: u32,
    /// Of all of them together.
    pub seconds: f64,
    /// Likewise, by stage.
    pub times: [f64; STAGES],
    /// How many there were by bin, in its order.
    pub bins: Vec<(i16, u32)>,
    /// The trace id of the slowest of those that were kept.
    pub slowest_kept: [u8; 16],
    pub slowest_seconds: f64,
}

impl Default for Cell {
    fn default() -> Self {
        Cell {
            requests: 0,
            kept: 0,
            seconds: 0.0,
            times: [0.0; STAGES],
            bins: Vec::new(),
            slowest_kept: [0; 16],
            slowest_seconds: -1.0,
        }
    }
}

impl Cell {
    /// Add a request; return how many bytes more it takes.
    pub fn add(&mut self, seconds: f64, record: &Record) -> usize {
        let before = self.grown();
        self.requests += 1;
        self.seconds += seconds;
        for (sum, nanoseconds) in self.times.iter_mut().zip(record.times) {
            *sum += nanoseconds as f64 / super::NANOSECONDS;
        }
        let bin = bin(seconds);
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(place) => self.bins[place].1 += 1,
            Err(place) => self.bins.insert(place, (bin, 1)),
        }
        if record.kept {
            self.kept += 1;
            if seconds > self.slowest_seconds {
                (self.slowest_seconds, self.slowest_kept) = (seconds, record.trace_id);
            }
        }
        self.grown() - before
    }

    /// Bytes that it takes beside what an empty one takes.
    pub fn grown(&self) -> usize {
        self.bins.capacity() * size_of::<(i16, u32)>()
    }

    /// All of it, as `Cell.packed` in `milvus_otel_processor.requests.cells` writes it.
    pub fn packed(&self) -> Vec<u8> {
        let mut packed = Vec::with_capacity(40 + 8 * STAGES + 6 * self.bins.len());
        packed.extend(self.requests.to_le_bytes());
        packed.extend(self.kept.to_le_bytes());
        packed.extend(self.seconds.to_le_bytes());
        packed.extend(self.slowest_seconds.to_le_bytes());
        packed.extend(self.slowest_kept);
        packed.extend(self.times.iter().flat_map(|seconds| seconds.to_le_bytes()));
        packed.extend(self.bins.iter().flat_map(|(bin, _)| bin.to_le_bytes()));
        packed.extend(self.bins.iter().flat_map(|(_, count)| count.to_le_bytes()));
        packed
    }
}

/// The number of the bin that a duration counts in.
fn bin(seconds: f64) -> i16 {
    let per_log = 1.0 / ((1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)).ln();
    (seconds.clamp(SHORTEST, LONGEST).ln() * per_log).ceil() as i16
}

//! How well a line of the access log and Milvus' own span of a call fit each other.
//!
//! What the numbers mean, and where they are from, is said in `milvus_otel_processor.enrichment.pairing.likelihood`.

use std::f64::consts::{LN_2, PI};
use std::sync::LazyLock;

/// Nanoseconds since 1970, or between two moments: those that a span says, and years that only a line can say.
pub type Time = i128;

pub const MILLISECOND: Time = 1_000_000;
pub const LONGEST_SURPLUS: Time = 200 * MILLISECOND;
pub const LONGEST_WITHIN: Time = 20 * MILLISECOND;

const TYPICAL: f64 = 60_000.0;
const SPREAD: f64 = 0.55;
const TAIL: f64 = 0.05;
const TAIL_SCALE: f64 = 300_000.0;
const SWAPPED: f64 = 0.005;
const SWAPPED_WITHIN: f64 = 15_000.0;
const STEPS: f64 = 8.0 / LN_2;
const FIRST: Time = 1_000;

static DENSITIES: LazyLock<Vec<f64>> = LazyLock::new(|| (0..=step(LONGEST_SURPLUS)).map(density).collect());

fn step(surplus: Time) -> usize {
    (((surplus + FIRST) as f64).ln() * STEPS) as usize
}

fn density(step: usize) -> f64 {
    let surplus = ((step as f64 + 0.5) / STEPS).exp();
    let deviation = (surplus / TYPICAL).ln() / SPREAD;
    let typical = (-deviation * deviation / 2.0).exp() / (surplus * SPREAD * (2.0 * PI).sqrt());
    (1.0 - TAIL) * typical + TAIL * TAIL_SCALE / (surplus + TAIL_SCALE).powi(2)
}

/// Return how likely a call and its line have these times, for each nanosecond of surplus; 0 where they cannot have.
pub fn fit(start: Time, end: Time, line: Time, cost: Time, within: bool) -> f64 {
    let (surplus, earliest, latest) = (end - start - cost, start + cost, end);
    let (surplus, earliest, latest) = if within { (-surplus, latest, earliest) } else { (surplus, earliest, latest) };
    if surplus < 0 || surplus > if within { LONGEST_WITHIN } else { LONGEST_SURPLUS } {
        return 0.0;
    }
    // The line was written between these two moments, and in its own millisecond.
    let overlap = latest.min(line + MILLISECOND) - earliest.max(line);
    if overlap < 0 {
        return 0.0;
    }
    DENSITIES[step(surplus)] * (overlap + 1) as f64 / (surplus + 1) as f64
}

/// Return how likely the lines of two calls were written the other way round, beside the order in which the calls ended.
pub fn swap(first_end: Time, next_end: Time) -> f64 {
    SWAPPED + (0.5 - SWAPPED) * ((first_end - next_end) as f64 / SWAPPED_WITHIN).exp()
}

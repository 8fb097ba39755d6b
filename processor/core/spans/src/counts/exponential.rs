//! Base-2 exponential histograms of durations, bounded in buckets, as OpenTelemetry's data model has them.

/// The SDK's default: where more would be needed, two become one.
pub const MOST_BUCKETS: usize = 160;
const FIRST_SCALE: i32 = 20;

/// How often values were within each bucket: the one with index `i` is above `base ** i`, up to `base ** (i + 1)`.
///
/// `base` is `2 ** 2 ** -scale`; values of 0 are in `zero_count`.
#[derive(Clone, Debug)]
pub struct Exponential {
    pub scale: i32,
    pub zero_count: u64,
    /// The index of the first of `counts`, of which neither the first nor the last is 0.
    pub offset: i64,
    pub counts: Vec<u64>,
}

impl Default for Exponential {
    fn default() -> Self {
        Exponential { scale: FIRST_SCALE, zero_count: 0, offset: 0, counts: Vec::new() }
    }
}

impl Exponential {
    /// Count a value; return how many bytes more it takes.
    pub fn add(&mut self, value: f64) -> usize {
        if value <= 0.0 {
            self.zero_count += 1;
            return 0;
        }
        let before = self.counts.capacity();
        let mut index = index(value, self.scale);
        if self.counts.is_empty() {
            self.offset = index;
        }
        let last = |one: &Self| one.offset + one.counts.len() as i64 - 1;
        while last(self).max(index) - self.offset.min(index) >= MOST_BUCKETS as i64 {
            self.halve();
            index >>= 1;
        }
        if index < self.offset {
            let missing = usize::try_from(self.offset - index).unwrap_or(0);
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.offset = index;
        }
        let place = usize::try_from(index - self.offset).unwrap_or(0);
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] += 1;
        (self.counts.capacity().saturating_sub(before)) * size_of::<u64>()
    }

    /// Make two buckets one.
    fn halve(&mut self) {
        let offset = self.offset >> 1;
        let mut place = 0;
        for from in 0..self.counts.len() {
            place = usize::try_from(((self.offset + from as i64) >> 1) - offset).unwrap_or(0);
            let count = std::mem::take(&mut self.counts[from]);
            self.counts[place] += count;
        }
        self.counts.truncate(if self.counts.is_empty() { 0 } else { place + 1 });
        self.offset = offset;
        self.scale -= 1;
    }
}

/// The index of the bucket of a value above 0; bounds are within the bucket below them.
fn index(value: f64, scale: i32) -> i64 {
    let (is_power, exponent) = parted(value);
    if is_power {
        return if scale >= 0 { (exponent << scale) - 1 } else { (exponent - 1) >> -scale };
    }
    if scale <= 0 {
        return exponent >> -scale;
    }
    (value.log2() * f64::from(1_u32 << scale)).floor() as i64
}

/// Whether a value above 0 is a power of 2, and the greatest exponent whose power is not above it.
fn parted(value: f64) -> (bool, i64) {
    const FRACTION: u32 = f64::MANTISSA_DIGITS - 1;
    let bits = value.to_bits();
    let (fraction, exponent) = (bits & ((1 << FRACTION) - 1), bits >> FRACTION);
    // Below the least power that is written in full there are no durations: that is far less than a nanosecond.
    (fraction == 0, exponent as i64 - 1023)
}

//! How often durations were within each bucket.

use super::Record;
use super::exponential::Exponential;

/// One measured value, and the kept trace that it was measured in.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub seconds: f64,
    pub trace_id: [u8; 16],
    /// Unix time.
    pub ended_ns: u64,
}

#[derive(Clone, Debug)]
pub struct Distribution {
    /// Those up to each bound, and above all of them.
    pub counts: Box<[u64]>,
    /// Seconds.
    pub sum: f64,
    /// The last of a bucket, by its place.
    pub exemplars: Vec<(usize, Exemplar)>,
    pub exponential: Option<Box<Exponential>>,
}

impl Distribution {
    pub fn new(bounds: usize, exponential: bool) -> Self {
        Distribution {
            counts: vec![0; bounds + 1].into(),
            sum: 0.0,
            exemplars: Vec::new(),
            exponential: exponential.then(Box::default),
        }
    }

    /// Bytes that it takes while it is new.
    pub fn size(&self) -> usize {
        let exponential = if self.exponential.is_some() { size_of::<Exponential>() } else { 0 };
        size_of::<Self>() + size_of_val(&*self.counts) + exponential
    }

    /// Count a duration of this request; return how many bytes more it takes.
    pub fn add(&mut self, seconds: f64, bounds: &[f64], of: &Record, exemplars: bool) -> usize {
        let (place, mut more) = (bounds.partition_point(|bound| *bound < seconds), 0);
        self.counts[place] += 1;
        self.sum += seconds;
        if let Some(exponential) = &mut self.exponential {
            more += exponential.add(seconds);
        }
        if of.kept && exemplars {
            let exemplar = Exemplar { seconds, trace_id: of.trace_id, ended_ns: of.ended_ns };
            match self.exemplars.iter_mut().find(|(of, _)| *of == place) {
                Some((_, known)) => *known = exemplar,
                None => {
                    let before = self.exemplars.capacity();
                    self.exemplars.push((place, exemplar));
                    more += (self.exemplars.capacity() - before) * size_of::<(usize, Exemplar)>();
                }
            }
        }
        more
    }
}

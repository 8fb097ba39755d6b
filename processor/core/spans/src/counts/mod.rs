//! What is counted of all requests: durations in buckets, by series and by stage, and what there was since a slice of time began.
//!
//! What each number means is said in `milvus_otel_processor.requests.counts`, whose Python twin counts the same.

pub mod cell;
pub mod distribution;
pub mod exponential;

use cell::Cell;
use distribution::Distribution;

/// Stages that the time of a request is told apart by, those of `STAGES` in `milvus_otel_processor.requests.record`.
pub const STAGES: usize = 9;
/// The series of all requests that found no room for one of their own.
pub const OVERFLOW: u32 = 0;

const NANOSECONDS: f64 = 1e9;

/// One request, after the decision over its trace.
#[derive(Clone, Debug)]
pub struct Record {
    /// One that [`Counts::introduce`] returned, or [`OVERFLOW`].
    pub series: u32,
    /// From its start to its end in Milvus' own proxy.
    pub nanoseconds: u64,
    /// Nanoseconds by stage; 0 where no span tells.
    pub times: [u64; STAGES],
    pub kept: bool,
    pub trace_id: [u8; 16],
    /// Unix time.
    pub ended_ns: u64,
}

/// What is counted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Upper bounds of the buckets of requests, and of stages; seconds, rising.
    pub bounds: Vec<f64>,
    pub stage_bounds: Vec<f64>,
    /// Whether a bucket remembers the last kept trace.
    pub exemplars: bool,
    /// Whether requests are counted in exponential buckets as well.
    pub exponential: bool,
    /// Whether slices are counted.
    pub slices: bool,
}

type Stages = [Option<Box<Distribution>>; STAGES];

/// Counts all requests. As many series and groups are held as were introduced: who introduces them bounds them.
pub struct Counts {
    settings: Settings,
    /// By series, the group that its stages are counted under.
    groups: Vec<u32>,
    requests: Vec<Option<Box<Distribution>>>,
    stages: Vec<Stages>,
    open: Vec<Option<Box<Cell>>>,
    /// The series that have an open cell.
    opened: Vec<u32>,
    size: usize,
    /// For tests, which ask for single records.
    pub remembered: Option<Vec<Record>>,
}

impl Counts {
    /// Count nothing yet; the one series is [`OVERFLOW`], the first of its group.
    pub fn new(settings: Settings) -> Self {
        let mut made = Counts {
            settings,
            groups: Vec::new(),
            requests: Vec::new(),
            stages: Vec::new(),
            open: Vec::new(),
            opened: Vec::new(),
            size: 0,
            remembered: None,
        };
        made.introduce(0);
        made
    }

    /// Make room for another series, whose stages are counted under this group, and return its number.
    ///
    /// Groups are numbered from 0 too, without gaps.
    pub fn introduce(&mut self, group: u32) -> u32 {
        let number = u32::try_from(self.groups.len()).unwrap_or(OVERFLOW);
        self.groups.push(group);
        self.requests.push(None);
        self.open.push(None);
        while self.stages.len() <= group as usize {
            self.stages.push(Stages::default());
            self.size += size_of::<Stages>();
        }
        self.size += size_of::<u32>() + 2 * size_of::<usize>();
        number
    }

    pub fn knows(&self, series: u32) -> bool {
        (series as usize) < self.groups.len()
    }

    /// Count a request.
    pub fn add(&mut self, record: &Record) {
        // There is no such series but these.
        let series = if self.knows(record.series) { record.series } else { OVERFLOW } as usize;
        if let Some(remembered) = &mut self.remembered {
            remembered.push(record.clone());
        }
        let seconds = record.nanoseconds as f64 / NANOSECONDS;
        let of = self.settings.exponential;
        let found = self.requests[series]
            .get_or_insert_with(|| fresh(Distribution::new(self.settings.bounds.len(), of), &mut self.size));
        self.size += found.add(seconds, &self.settings.bounds, record, self.settings.exemplars);
        for (stage, nanoseconds) in record.times.iter().enumerate().filter(|(_, nanoseconds)| **nanoseconds > 0) {
            let found = self.stages[self.groups[series] as usize][stage].get_or_insert_with(|| {
                fresh(Distribution::new(self.settings.stage_bounds.len(), false), &mut self.size)
            });
            let seconds = *nanoseconds as f64 / NANOSECONDS;
            self.size += found.add(seconds, &self.settings.stage_bounds, record, self.settings.exemplars);
        }
        if self.settings.slices {
            self.add_to_slice(series, seconds, record);
        }
    }

    fn add_to_slice(&mut self, series: usize, seconds: f64, record: &Record) {
        if self.open[series].is_none() {
            self.opened.push(series as u32);
            self.size += size_of::<Cell>() + size_of::<u32>();
        }
        self.size += self.open[series].get_or_insert_default().add(seconds, record);
    }

    /// Count slices from now on, or no more.
    pub fn count_slices(&mut self, wanted: bool) {
        self.settings.slices = wanted;
    }

    /// Count in exponential buckets as well, from the next series on.
    pub fn count_exponentially(&mut self, wanted: bool) {
        self.settings.exponential = wanted;
    }

    /// The durations of requests by series.
    pub fn requests(&self) -> impl Iterator<Item = (u32, &Distribution)> {
        (0..).zip(&self.requests).filter_map(|(series, one)| one.as_deref().map(|one| (series, one)))
    }

    /// The durations of stages, by group and stage.
    pub fn stages(&self) -> impl Iterator<Item = (u32, usize, &Distribution)> {
        (0..).zip(&self.stages).flat_map(|(group, stages)| {
            stages.iter().enumerate().filter_map(move |(stage, one)| one.as_deref().map(|one| (group, stage, one)))
        })
    }

    /// What there was of each series since the slice began.
    pub fn slice(&self) -> impl Iterator<Item = (u32, &Cell)> {
        self.opened.iter().filter_map(|series| self.open[*series as usize].as_deref().map(|cell| (*series, cell)))
    }

    /// Likewise, and begin another slice.
    pub fn take_slice(&mut self) -> Vec<(u32, Box<Cell>)> {
        let mut taken = Vec::with_capacity(self.opened.len());
        for series in std::mem::take(&mut self.opened) {
            if let Some(cell) = self.open[series as usize].take() {
                self.size -= size_of::<Cell>() + size_of::<u32>() + cell.grown();
                taken.push((series, cell));
            }
        }
        taken
    }

    /// About how many bytes all of it takes.
    pub fn size(&self) -> usize {
        self.size
    }
}

fn fresh(made: Distribution, size: &mut usize) -> Box<Distribution> {
    *size += made.size();
    Box::new(made)
}

//! When traces are due.

use std::collections::VecDeque;

use crate::head::TraceId;

const TICKS_PER_WAIT: f64 = 50.0;
const SHORTEST_TICK: f64 = 0.02;
const LONGEST_TICK: f64 = 0.5;

/// How long traces wait; seconds.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// From the first span.
    pub whole: f64,
    /// From a root span; 0 where that makes no difference.
    pub after_root: f64,
    /// From the last span of a trace that is complete; 0 where that makes no difference.
    pub after_complete: f64,
}

/// Trace ids by the time at which their traces are due.
///
/// Traces that arrive in the same tick are due together, so a trace waits up to one tick longer. Ids of traces that were decided
/// early stay until their time: whoever takes one has to know whether it still waits.
pub struct Times {
    pub waits: Waits,
    pub tick: f64,
    ticks: VecDeque<(f64, VecDeque<TraceId>)>,
    /// Until when what arrives goes to the newest tick.
    newest_due: f64,
    hurried: VecDeque<(f64, TraceId)>,
    watched: VecDeque<Watched>,
}

/// A trace that may be complete: `arrived` of its spans were there when it was last looked at.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    pub due: f64,
    pub id: TraceId,
    pub arrived: u32,
}

impl Times {
    pub fn new(waits: Waits) -> Self {
        Times {
            waits,
            tick: tick(waits.whole),
            ticks: VecDeque::new(),
            newest_due: f64::NEG_INFINITY,
            hurried: VecDeque::new(),
            watched: VecDeque::new(),
        }
    }

    /// A new trace came.
    pub fn arrived(&mut self, id: TraceId, now: f64) {
        if now + self.waits.whole > self.newest_due || self.ticks.is_empty() {
            self.newest_due = now + self.waits.whole + self.tick;
            self.ticks.push_back((self.newest_due, VecDeque::new()));
        }
        if let Some((_, ids)) = self.ticks.back_mut() {
            ids.push_back(id);
        }
    }

    /// A root span came: its trace is due sooner, if that is so.
    pub fn hurry(&mut self, id: TraceId, now: f64) {
        if self.waits.after_root > 0.0 {
            self.hurried.push_back((now + self.waits.after_root, id));
        }
    }

    /// A trace may become complete; `arrived` of its spans are there now.
    pub fn watch(&mut self, id: TraceId, arrived: u32, now: f64) {
        if self.waits.after_complete > 0.0 {
            self.watched.push_back(Watched { due: now + self.waits.after_complete, id, arrived });
        }
    }

    /// Change the waits from now on; what waits does so no longer than the new wait from now.
    pub fn change(&mut self, waits: Waits, now: f64) {
        self.waits = waits;
        self.tick = tick(waits.whole);
        self.newest_due = f64::NEG_INFINITY;
        let latest = now + waits.whole;
        self.ticks.iter_mut().for_each(|(due, _)| *due = due.min(latest));
        self.hurried.iter_mut().for_each(|(due, _)| *due = due.min(latest));
    }

    /// Remove and return the next id that is due, the hurried ones first.
    pub fn next_due(&mut self, now: f64) -> Option<TraceId> {
        if self.hurried.front().is_some_and(|(due, _)| *due <= now) {
            return self.hurried.pop_front().map(|(_, id)| id);
        }
        while self.ticks.front().is_some_and(|(due, _)| *due <= now) {
            if let Some(id) = self.next_oldest_of_tick() {
                return Some(id);
            }
        }
        None
    }

    /// Remove and return the oldest id, due or not.
    pub fn next_oldest(&mut self) -> Option<TraceId> {
        while !self.ticks.is_empty() {
            if let Some(id) = self.next_oldest_of_tick() {
                return Some(id);
            }
        }
        None
    }

    /// Remove and return the next trace that was watched for long enough.
    pub fn next_watched(&mut self, now: f64) -> Option<Watched> {
        if self.watched.front()?.due > now {
            return None;
        }
        self.watched.pop_front()
    }

    fn next_oldest_of_tick(&mut self) -> Option<TraceId> {
        if self.ticks.len() == 1 {
            self.newest_due = f64::NEG_INFINITY; // what arrives from now on starts a tick of its own
        }
        let (_, ids) = self.ticks.front_mut()?;
        let id = ids.pop_front();
        if ids.is_empty() {
            self.ticks.pop_front();
        }
        id
    }
}

fn tick(wait: f64) -> f64 {
    (wait / TICKS_PER_WAIT).clamp(SHORTEST_TICK, LONGEST_TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(whole: f64, after_root: f64) -> Times {
        Times::new(Waits { whole, after_root, after_complete: 0.0 })
    }

    fn id(number: u8) -> TraceId {
        [number; 16]
    }

    #[test]
    fn a_trace_is_due_after_its_wait_and_not_more_than_a_tick_later() {
        let mut times = times(10.0, 0.0);
        times.arrived(id(1), 0.0);
        times.arrived(id(2), 5.0);
        assert_eq!(times.next_due(9.99), None);
        assert_eq!(times.next_due(10.0 + times.tick), Some(id(1)));
        assert_eq!(times.next_due(10.0 + times.tick), None);
        assert_eq!(times.next_due(15.0 + times.tick), Some(id(2)));
    }

    #[test]
    fn a_hurried_trace_is_due_sooner() {
        let mut times = times(10.0, 1.0);
        times.arrived(id(1), 0.0);
        times.arrived(id(2), 0.0);
        times.hurry(id(2), 0.0);
        assert_eq!(times.next_due(1.0), Some(id(2)));
        assert_eq!(times.next_due(1.0), None);
    }

    #[test]
    fn what_comes_after_its_tick_was_begun_to_be_taken_waits_its_whole_time() {
        let mut times = times(10.0, 0.0);
        times.arrived(id(1), 0.0);
        assert_eq!(times.next_oldest(), Some(id(1)));
        times.arrived(id(2), times.tick / 2.0);
        assert_eq!(times.next_due(10.0), None);
        assert_eq!(times.next_due(10.0 + 2.0 * times.tick), Some(id(2)));
    }

    #[test]
    fn a_shorter_wait_holds_for_what_waits_already() {
        let mut times = times(10.0, 0.0);
        times.arrived(id(1), 0.0);
        times.change(Waits { whole: 1.0, after_root: 0.0, after_complete: 0.0 }, 2.0);
        assert_eq!(times.next_due(2.99), None);
        assert_eq!(times.next_due(3.0), Some(id(1)));
    }
}

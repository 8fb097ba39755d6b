//! Remembers what was decided over traces that are gone, for the spans that come late.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::head::TraceId;

/// What was decided over a trace.
pub enum Decision<K> {
    NotSampled,
    /// With what the caller wants to know of it when a span comes late.
    Sampled(Arc<K>),
}

/// The newest trace ids that were sampled, and those that were not; the oldest are forgotten.
pub struct Decisions<K> {
    decisions: HashMap<TraceId, Decision<K>, RandomState>,
    sampled: Order,
    not_sampled: Order,
}

#[derive(Default)]
struct Order {
    ids: VecDeque<TraceId>,
    size: usize,
}

impl<K> Decisions<K> {
    pub fn new(sampled_size: usize, not_sampled_size: usize) -> Self {
        let mut made =
            Decisions { decisions: HashMap::default(), sampled: Order::default(), not_sampled: Order::default() };
        made.resize(sampled_size, not_sampled_size);
        made
    }

    pub fn get(&self, id: &TraceId) -> Option<&Decision<K>> {
        self.decisions.get(id)
    }

    /// Remember this many from now on; the oldest of those that are too many are forgotten at once.
    pub fn resize(&mut self, sampled_size: usize, not_sampled_size: usize) {
        for (order, size) in [(&mut self.sampled, sampled_size), (&mut self.not_sampled, not_sampled_size)] {
            order.size = size;
            while order.ids.len() > size {
                order.forget_oldest(&mut self.decisions);
            }
        }
    }

    /// Remember a decision; with a size of 0 nothing is remembered.
    pub fn put(&mut self, id: TraceId, decision: Decision<K>) {
        let order = match decision {
            Decision::NotSampled => &mut self.not_sampled,
            Decision::Sampled(_) => &mut self.sampled,
        };
        if order.size == 0 {
            return;
        }
        self.decisions.insert(id, decision);
        order.ids.push_back(id);
        if order.ids.len() > order.size {
            order.forget_oldest(&mut self.decisions);
        }
    }
}

impl Order {
    fn forget_oldest<K>(&mut self, decisions: &mut HashMap<TraceId, Decision<K>, RandomState>) {
        if let Some(id) = self.ids.pop_front() {
            decisions.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> TraceId {
        [number; 16]
    }

    #[test]
    fn the_oldest_of_its_kind_is_forgotten() {
        let mut decisions = Decisions::new(1, 2);
        decisions.put(id(1), Decision::NotSampled);
        decisions.put(id(2), Decision::Sampled(Arc::new("two")));
        decisions.put(id(3), Decision::Sampled(Arc::new("three")));
        assert!(matches!(decisions.get(&id(1)), Some(Decision::NotSampled)));
        assert!(decisions.get(&id(2)).is_none());
        assert!(matches!(decisions.get(&id(3)), Some(Decision::Sampled(kept)) if **kept == "three"));
    }

    #[test]
    fn a_size_of_zero_remembers_nothing_and_a_smaller_one_forgets() {
        let mut decisions: Decisions<()> = Decisions::new(0, 3);
        decisions.put(id(1), Decision::Sampled(Arc::new(())));
        (2..5).for_each(|number| decisions.put(id(number), Decision::NotSampled));
        assert!(decisions.get(&id(1)).is_none());
        decisions.resize(0, 1);
        assert!(decisions.get(&id(3)).is_none() && decisions.get(&id(4)).is_some());
        assert_eq!(decisions.decisions.len(), 1);
    }
}

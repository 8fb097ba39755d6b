//! What spans of one resource and one scope have in common, held once, and no longer than it is of use.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;

use crate::cut::Envelope;

/// A resource and a scope, and what the caller has made of them.
pub struct Group<G> {
    pub envelope: Envelope,
    pub made: G,
    /// Tells groups apart: each has a number of its own.
    pub number: u64,
    held: Arc<AtomicUsize>,
}

impl<G> Drop for Group<G> {
    fn drop(&mut self) {
        self.held.fetch_sub(self.envelope.size(), Ordering::Relaxed);
    }
}

/// Knows the groups that came last. One that it has forgotten lives on as long as spans of it do.
///
/// Bounded: a source that changes its resource with every request makes it begin anew now and then.
pub struct Groups<G> {
    known: HashMap<Envelope, Arc<Group<G>>, RandomState>,
    size: usize,
    next: u64,
    held: Arc<AtomicUsize>,
    count_limit: usize,
    size_limit: usize,
}

impl<G> Groups<G> {
    pub fn new(count_limit: usize, size_limit: usize) -> Self {
        Groups { known: HashMap::default(), size: 0, next: 0, held: Arc::default(), count_limit, size_limit }
    }

    pub fn get(&self, envelope: &Envelope) -> Option<Arc<Group<G>>> {
        self.known.get(envelope).cloned()
    }

    /// Make the group of an envelope known; tell whether others had to be forgotten for it.
    pub fn add(&mut self, envelope: Envelope, made: G) -> (Arc<Group<G>>, bool) {
        let size = envelope.size();
        let full = self.known.len() >= self.count_limit || self.size + size > self.size_limit;
        if full {
            self.known.clear();
            self.size = 0;
        }
        self.held.fetch_add(size, Ordering::Relaxed);
        self.next += 1;
        let group = Arc::new(Group { envelope: envelope.clone(), made, number: self.next, held: self.held.clone() });
        if size <= self.size_limit {
            self.known.insert(envelope, group.clone());
            self.size += size;
        }
        (group, full)
    }

    /// How many bytes of resources and scopes are held: of groups that are known, and of those that spans still have.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(number: u8, size: usize) -> Envelope {
        Envelope { resource: vec![number; size].into(), scope: Box::default() }
    }

    #[test]
    fn one_group_for_each_envelope() {
        let mut groups = Groups::new(10, 1000);
        let (first, _) = groups.add(envelope(1, 10), "a");
        assert!(groups.get(&envelope(1, 10)).is_some_and(|found| Arc::ptr_eq(&found, &first)));
        assert!(groups.get(&envelope(2, 10)).is_none());
    }

    #[test]
    fn neither_many_nor_large_ones_make_it_grow() {
        let mut groups = Groups::new(4, 1000);
        for number in 0..100 {
            groups.add(envelope(number, 10), ());
            assert!(groups.known.len() <= 4);
        }
        for number in 0..100 {
            groups.add(envelope(number, 400), ());
            assert!(groups.size <= 1000 && groups.held() <= 1000);
        }
        groups.add(envelope(1, 5000), ());
        assert_eq!(groups.held(), 0);
    }

    #[test]
    fn what_spans_still_have_is_counted() {
        let mut groups = Groups::new(1, 1000);
        let (kept, _) = groups.add(envelope(1, 10), ());
        groups.add(envelope(2, 20), ());
        assert_eq!(groups.held(), 30);
        drop(kept);
        assert_eq!(groups.held(), 20);
    }
}

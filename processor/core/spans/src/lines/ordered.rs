//! What waits, in the order of its time: nearly all of it comes at the end, and goes at the front.

use std::collections::VecDeque;

use super::likelihood::Time;

/// Numbers of lines, or of calls, by their time; those of one time in the order in which they were added.
#[derive(Default)]
pub struct Ordered(VecDeque<(Time, u64)>);

impl Ordered {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().map(|(_, number)| *number)
    }

    pub fn add(&mut self, time: Time, number: u64) {
        if self.0.back().is_none_or(|(last, _)| *last <= time) {
            self.0.push_back((time, number));
        } else {
            let place = self.0.partition_point(|(other, _)| *other <= time);
            self.0.insert(place, (time, number));
        }
    }

    /// Give up a number that was added with this time.
    pub fn remove(&mut self, time: Time, number: u64) {
        let first = self.0.partition_point(|(other, _)| *other < time);
        let same = self.0.range(first..).take_while(|(other, _)| *other == time);
        let place = same.enumerate().find(|(_, (_, other))| *other == number).map(|(place, _)| first + place);
        if let Some(place) = place {
            self.0.remove(place);
        }
    }

    /// The numbers of these times, both included, in their order.
    pub fn between(&self, earliest: Time, latest: Time) -> impl Iterator<Item = u64> + '_ {
        let first = self.0.partition_point(|(time, _)| *time < earliest);
        self.0.range(first..).take_while(move |(time, _)| *time <= latest).map(|(_, number)| *number)
    }

    /// How many numbers have these times, both included.
    pub fn count(&self, earliest: Time, latest: Time) -> usize {
        let first = self.0.partition_point(|(time, _)| *time < earliest);
        self.0.partition_point(|(time, _)| *time <= latest).saturating_sub(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_any_order_is_given_out_in_that_of_its_time() {
        let mut ordered = Ordered::default();
        for (time, number) in [(5, 1), (3, 2), (5, 3), (4, 4), (9, 5)] {
            ordered.add(time, number);
        }
        assert_eq!(ordered.iter().collect::<Vec<_>>(), [2, 4, 1, 3, 5]);
        assert_eq!(ordered.between(4, 5).collect::<Vec<_>>(), [4, 1, 3]);
        assert_eq!((ordered.count(4, 5), ordered.count(6, 8), ordered.count(9, 2)), (3, 0, 0));
        ordered.remove(5, 1);
        ordered.remove(5, 7);
        assert_eq!(ordered.iter().collect::<Vec<_>>(), [2, 4, 3, 5]);
    }
}

//! What calls were counted under that were described alike: asked once, remembered until what it depends on changes.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Bytes that answers take in each of two generations, with their keys.
const LARGEST: usize = 2 << 20;
/// What an answer takes beside its key.
const BYTES_PER_ANSWER: usize = 96;
/// A longer key is not remembered.
const LONGEST_KEY: usize = 1 << 16;

/// What a call is counted under: a series, or a kind of calls that are no requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Series(u32),
    Apart(usize),
}

type Known = HashMap<Box<[u8]>, Box<[Answer]>, RandomState>;

/// The answers about the calls of traces, by what describes those. Bounded in bytes: what was not asked for longest goes first.
#[derive(Default)]
pub struct Answers {
    now: Known,
    before: Known,
    size: usize,
    /// Counts how often all was forgotten.
    pub epoch: u64,
}

impl Answers {
    pub fn get(&mut self, key: &[u8]) -> Option<Box<[Answer]>> {
        if let Some(found) = self.now.get(key) {
            return Some(found.clone());
        }
        let found = self.before.remove(key)?;
        self.put(key, found.clone(), self.epoch);
        Some(found)
    }

    /// Remember an answer to a question that was put in this epoch.
    pub fn put(&mut self, key: &[u8], answers: Box<[Answer]>, epoch: u64) {
        if epoch != self.epoch || key.len() > LONGEST_KEY {
            return;
        }
        let size = key.len() + answers.len() * size_of::<Answer>() + BYTES_PER_ANSWER;
        if self.size + size > LARGEST {
            self.before = std::mem::take(&mut self.now);
            self.size = 0;
        }
        if self.now.insert(key.into(), answers).is_none() {
            self.size += size;
        }
    }

    /// Forget all, and what is still being asked.
    pub fn forget(&mut self) {
        *self = Answers { epoch: self.epoch + 1, ..Answers::default() };
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.now.len() + self.before.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(number: u32) -> Box<[Answer]> {
        [Answer::Series(number)].into()
    }

    #[test]
    fn an_answer_is_remembered_until_all_are_forgotten() {
        let mut answers = Answers::default();
        answers.put(b"a", answer(1), 0);
        assert_eq!((answers.get(b"a"), answers.get(b"b")), (Some(answer(1)), None));
        answers.forget();
        assert!(answers.is_empty() && answers.get(b"a").is_none());
    }

    #[test]
    fn what_was_asked_before_all_was_forgotten_is_not_remembered() {
        let mut answers = Answers::default();
        let epoch = answers.epoch;
        answers.forget();
        answers.put(b"a", answer(1), epoch);
        assert!(answers.is_empty());
    }

    #[test]
    fn neither_many_nor_long_keys_make_it_grow_and_what_is_asked_for_stays() {
        let mut answers = Answers::default();
        answers.put(b"asked for", answer(7), 0);
        for number in 0..100_000_u32 {
            answers.put(&number.to_le_bytes(), answer(number), 0);
            assert!(answers.get(b"asked for").is_some());
            assert!(answers.size <= LARGEST && answers.len() <= 2 * LARGEST / BYTES_PER_ANSWER);
        }
        assert!(answers.get(&0_u32.to_le_bytes()).is_none());
        answers.put(&[0; LONGEST_KEY + 1], answer(1), 0);
        assert!(answers.get(&[0; LONGEST_KEY + 1]).is_none());
    }
}

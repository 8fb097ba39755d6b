//! What is known of a trace by the name of its root span alone.

use std::collections::HashMap;

use foldhash::fast::RandomState;

const KNOWN: usize = 4096;
const KNOWN_SIZE: usize = 1 << 20;
const LONGEST: usize = 1024;

/// What rules say to the name of a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfRoot {
    /// None of those that look at such names can match.
    Nothing,
    /// They have to be asked when the trace is decided.
    Ask,
    /// The trace is dropped, whatever else arrives: the verdict with this number.
    Decides(u32),
}

/// The answers for the names that came last. Bounded: names that go on and on make it begin anew now and then.
#[derive(Default)]
pub struct Names {
    known: HashMap<Box<[u8]>, OfRoot, RandomState>,
    size: usize,
}

impl Names {
    pub fn get(&self, name: &[u8]) -> Option<OfRoot> {
        self.known.get(name).copied()
    }

    /// Remember an answer, unless the name is very long.
    pub fn put(&mut self, name: &[u8], answer: OfRoot) {
        if name.len() > LONGEST {
            return;
        }
        if self.known.len() >= KNOWN || self.size + name.len() > KNOWN_SIZE {
            self.known.clear();
            self.size = 0;
        }
        if self.known.insert(name.into(), answer).is_none() {
            self.size += name.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered() {
        let mut names = Names::default();
        names.put(b"name", OfRoot::Decides(3));
        assert_eq!((names.get(b"name"), names.get(b"other")), (Some(OfRoot::Decides(3)), None));
    }

    #[test]
    fn neither_many_nor_long_names_make_it_grow() {
        let mut names = Names::default();
        for number in 0..10_000u32 {
            names.put(format!("{number:1000}").as_bytes(), OfRoot::Nothing);
            assert!(names.known.len() <= KNOWN && names.size <= KNOWN_SIZE);
        }
        names.put(&[b'x'; LONGEST + 1], OfRoot::Ask);
        assert_eq!(names.get(&[b'x'; LONGEST + 1]), None);
    }
}

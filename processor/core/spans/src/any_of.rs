//! Tells whether one of several texts is in some bytes.

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use memchr::memmem::Finder;

/// Texts up to which it is as fast to look for one after the other.
const FEW: usize = 4;
/// Texts of one automaton: up to about so many it reads vectorised, 20 to 60 times as fast as with more.
const TOGETHER: usize = 48;
/// Bytes from which on a text does not keep an automaton from that.
const LONG: usize = 4;

pub struct AnyOf {
    finders: Vec<Finder<'static>>,
    automata: Vec<AhoCorasick>,
}

impl AnyOf {
    pub fn new<T: AsRef<[u8]>>(texts: &[T]) -> Result<AnyOf, BuildError> {
        let texts = || texts.iter().map(AsRef::as_ref);
        let mut long: Vec<&[u8]> = texts().filter(|text| text.len() >= LONG).collect();
        if long.len() <= FEW {
            long.clear();
        }
        // Which of the texts is found does not matter; leftmost ones are what can be looked for in the fast way.
        let automaton = |some: &[&[u8]]| AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(some);
        let automata = long.chunks(TOGETHER).map(automaton).collect::<Result<_, _>>()?;
        let alone = texts().filter(|text| long.is_empty() || text.len() < LONG);
        Ok(AnyOf { finders: alone.map(|text| Finder::new(text).into_owned()).collect(), automata })
    }

    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.finders.iter().any(|finder| finder.find(bytes).is_some())
            || self.automata.iter().any(|automaton| automaton.is_match(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_texts_are_found_alike() {
        for count in [0, 1, FEW, FEW + 1, TOGETHER + FEW, TOGETHER + FEW + 1, 3 * TOGETHER] {
            let texts: Vec<String> = (0..count).map(|number| format!("text {number}.")).collect();
            let any = AnyOf::new(&texts).unwrap();
            assert!(!any.is_in(b"nothing of it"));
            assert!(texts.iter().all(|text| any.is_in(format!("in {text} here").as_bytes())));
        }
    }

    #[test]
    fn texts_within_each_other_and_short_ones_are_found() {
        let texts = ["abcdef", "bcde", "cdefg", "abcdefgh", "xyzxyz", "q", "rs", ""];
        let some = AnyOf::new(&texts[..7]).unwrap();
        for text in &texts[..7] {
            assert!(some.is_in(format!("...{text}...").as_bytes()), "{text}");
        }
        assert!(!some.is_in(b"...abcd...") && !some.is_in(b""));
        assert!(AnyOf::new(&texts).unwrap().is_in(b"anything"));
    }
}

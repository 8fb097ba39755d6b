//! Tells whether one of several texts is in some bytes.

use aho_corasick::packed::Searcher;
use aho_corasick::{AhoCorasick, BuildError};
use memchr::memmem::Finder;

/// Texts up to which it is as fast to look for one after the other.
const FEW: usize = 3;
/// Texts of one searcher: up to about so many it reads vectorised, 20 to 60 times as fast as with more.
const TOGETHER: usize = 48;
/// Bytes from which on a text does not keep a searcher from that.
const LONG: usize = 4;

pub struct AnyOf {
    /// What is in all of the texts, where they are few: mostly it is not there, and neither is one of them.
    common: Option<Finder<'static>>,
    finders: Vec<Finder<'static>>,
    together: Vec<Together>,
}

/// Several texts that are looked for in one go.
enum Together {
    /// By vectors of their first bytes: always about three times as slow as one text. An automaton would choose for itself whether
    /// to look for rare bytes first, and is slow where they are not rare.
    Packed(Searcher),
    /// Where the processor has no such vectors.
    Automaton(AhoCorasick),
}

impl Together {
    fn new(texts: &[&[u8]]) -> Result<Together, BuildError> {
        match Searcher::new(texts) {
            Some(searcher) => Ok(Together::Packed(searcher)),
            None => AhoCorasick::new(texts).map(Together::Automaton),
        }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        match self {
            Together::Packed(searcher) => searcher.find(bytes).is_some(),
            Together::Automaton(automaton) => automaton.is_match(bytes),
        }
    }
}

impl AnyOf {
    pub fn new<T: AsRef<[u8]>>(texts: &[T]) -> Result<AnyOf, BuildError> {
        let common = if (2..=FEW).contains(&texts.len()) { common(texts) } else { None };
        let texts = || texts.iter().map(AsRef::as_ref);
        let mut long: Vec<&[u8]> = texts().filter(|text| text.len() >= LONG).collect();
        if long.len() <= FEW {
            long.clear();
        }
        let together = long.chunks(TOGETHER).map(Together::new).collect::<Result<_, _>>()?;
        let alone = texts().filter(|text| long.is_empty() || text.len() < LONG);
        Ok(AnyOf { common, finders: alone.map(|text| Finder::new(text).into_owned()).collect(), together })
    }

    pub fn is_in(&self, bytes: &[u8]) -> bool {
        if self.common.as_ref().is_some_and(|common| common.find(bytes).is_none()) {
            return false;
        }
        self.finders.iter().any(|finder| finder.find(bytes).is_some())
            || self.together.iter().any(|together| together.is_in(bytes))
    }
}

/// Return the longest part that all texts have; None where it is short.
fn common<T: AsRef<[u8]>>(texts: &[T]) -> Option<Finder<'static>> {
    let (first, others) = texts.split_first()?;
    let first = first.as_ref();
    let is_in_all = |part: &&[u8]| others.iter().all(|other| memchr::memmem::find(other.as_ref(), part).is_some());
    let found = (LONG..=first.len()).rev().find_map(|size| first.windows(size).find(is_in_all))?;
    Some(Finder::new(found).into_owned())
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
            assert!(texts.iter().all(|text| any.is_in(text.as_bytes())));
            assert!(!any.is_in(b"") && !any.is_in("text".repeat(100).as_bytes()));
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

    #[test]
    fn few_texts_are_found_by_what_they_have_in_common() {
        let texts = ["/vectordb/", "/v1/vector/"];
        let some = AnyOf::new(&texts).unwrap();
        assert_eq!(some.common.as_ref().map(|common| common.needle()), Some(&b"/vector"[..]));
        assert!(texts.iter().all(|text| some.is_in(format!("a {text} b").as_bytes())));
        assert!(!some.is_in(b"a /vector b") && !some.is_in(b"") && !some.is_in(b"/vecto"));
        let apart = AnyOf::new(&["abcd", "efgh"]).unwrap();
        assert!(apart.common.is_none() && apart.is_in(b"xefgh"));
    }
}

//! What somebody wants to see of traces about which there is nothing to decide.

use std::sync::Arc;

use memchr::memmem::Finder;

use crate::any_of::AnyOf;
use crate::cut::{Cut, Part};
use crate::groups::Group;
use crate::head::Head;
use crate::store::Store;
use crate::trace::Trace;

/// A trace, or a late span, is handed out where it has one of these.
pub struct Passes {
    /// Bytes that its spans hold.
    pub texts: AnyOf,
    /// How the name of a root begins.
    pub roots: Option<Finder<'static>>,
}

impl Passes {
    /// Tell whether a trace may be such a one, by bytes of its spans: false is a sure no.
    pub fn may_be(&self, bytes: &[u8]) -> bool {
        self.texts.is_in(bytes) || self.roots.as_ref().is_some_and(|roots| roots.find(bytes).is_some())
    }

    pub fn is_one<G>(&self, trace: &Trace<G>) -> bool {
        let is_root = |place: usize, begin: &[u8]| {
            let span = trace.span(place);
            Head::read(span).is_some_and(|head| head.is_root(span) && head.name.of(span).starts_with(begin))
        };
        self.texts.is_in(trace.framed())
            || (trace.facts.sound
                && self
                    .roots
                    .as_ref()
                    .is_some_and(|roots| trace.holders(roots).any(|place| is_root(place, roots.needle()))))
    }
}

impl<G, K> Store<G, K> {
    /// A trace as it is with the spans of a request, if somebody wants to see it.
    pub(crate) fn passed(
        &self,
        request: &[u8],
        cut: &Cut,
        part: &Part,
        groups: &[Arc<Group<G>>],
        now: f64,
    ) -> Option<Trace<G>> {
        let passes = self.passes.as_ref()?;
        let waits = self.entries.get(&part.id).is_some_and(|entry| passes.may_be(entry.framed()));
        if waits || cut.rows_of(part).any(|row| passes.may_be(cut.rows[row].span(request))) {
            return Some(self.with(request, cut, part, groups, now)).filter(|trace| passes.is_one(trace));
        }
        None
    }

    /// Those spans of a request that somebody wants to see, each as a trace.
    pub(crate) fn passed_late(
        &self,
        request: &[u8],
        cut: &Cut,
        part: &Part,
        groups: &[Arc<Group<G>>],
        now: f64,
    ) -> Vec<Trace<G>> {
        let Some(passes) = &self.passes else { return Vec::new() };
        let may_be = |row: &usize| passes.may_be(cut.rows[*row].span(request));
        let some = cut.rows_of(part).filter(may_be).map(|row| alone(request, cut, part, groups, row, now));
        some.filter(|trace| passes.is_one(trace)).collect()
    }
}

/// Make a trace of one row of a request.
pub fn alone<G>(request: &[u8], cut: &Cut, part: &Part, groups: &[Arc<Group<G>>], row: usize, now: f64) -> Trace<G> {
    let row = &cut.rows[row];
    let group = groups[row.envelope as usize].clone();
    Trace::of_span(part.id, row.span(request), row.head.as_ref(), group, now)
}

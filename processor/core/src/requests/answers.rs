//! What the calls of a trace are counted under, if that is known already.

use std::sync::atomic::Ordering;

use milvus_otel_spans::requests::answers::Answer;
use milvus_otel_spans::requests::{Description, Found};
use milvus_otel_spans::trace::Trace as Spanned;
use pyo3::prelude::*;

use super::{Known, Outcome, Requests};
use crate::hooks::Made;

impl Requests {
    /// Return what the calls of a trace are counted under by what the access log says.
    ///
    /// `by_times` is whether lines may be looked for by their times, which they are once. Their lines are claimed. An error is what is
    /// to be done where that is not plain.
    pub(super) fn answers_by_lines(
        &self,
        py: Python<'_>,
        trace: &Spanned<Made>,
        found: &Found,
        by_times: bool,
    ) -> Result<Vec<(Answer, bool)>, Outcome> {
        let asked = found.asked(trace);
        let mut lines = self.lines.as_ref().map(|lines| (lines.get().store(py), lines.get().asks(py)));
        let mut paired = vec![None; asked.len()];
        if let Some((store, is_waiting)) = &mut lines {
            let speaks = || self.speaks(trace);
            paired = store
                .pair(&trace.id, &asked, by_times.then_some(&speaks as &dyn Fn() -> bool), is_waiting)
                .ok_or(Outcome::Open(None))?;
        }
        let mut said = vec![None; asked.len()];
        if let Some((store, _)) = &lines {
            for (said, paired) in said.iter_mut().zip(&paired) {
                if let Some(paired) = paired {
                    *said = Some(store.said(paired.line).ok_or(Outcome::Open(None))?);
                }
            }
        }
        let described = Description::of(trace, found, &said, &self.keys).ok_or(Outcome::Open(None))?;
        let answers = self.answers(py, trace, found, described.bytes)?;
        if let Some((store, _)) = &mut lines {
            store.claim_all(&asked, &paired);
        }
        Ok(answers)
    }

    /// Return what calls that are so described are counted under, and whether each came before.
    pub(super) fn answers(
        &self,
        py: Python<'_>,
        trace: &Spanned<Made>,
        found: &Found,
        key: Vec<u8>,
    ) -> Result<Vec<(Answer, bool)>, Outcome> {
        let mut known = self.known(py);
        let Known { answers, repeated } = &mut *known;
        let epoch = answers.epoch;
        let Some(answers) = answers.get(&key).filter(|answers| answers.len() == found.served.len()) else {
            return Err(Outcome::Open(Some((key, epoch))));
        };
        let came = found.served.iter().map(|served| repeated.is_repeated(&trace.id, &served.id));
        Ok(answers.iter().copied().zip(came).collect())
    }

    /// Whether the spans of a trace may say more of whose a line is than their times do.
    fn speaks(&self, trace: &Spanned<Made>) -> bool {
        trace.may_hold(&self.keys.exception)
            || (self.knows_channels.load(Ordering::Relaxed) && trace.may_hold(&self.keys.channel))
    }
}

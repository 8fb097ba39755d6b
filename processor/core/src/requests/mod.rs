//! Counts the requests of traces without Python, where they are plain to see: see `milvus_otel_processor.requests.native_recorder`.

mod answers;
mod passed;
mod settings;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use milvus_otel_spans::counts::{OVERFLOW, Record, STAGES};
use milvus_otel_spans::requests::answers::{Answer, Answers};
use milvus_otel_spans::requests::repeated::Repeated;
use milvus_otel_spans::requests::told::{Attributes, Telling};
use milvus_otel_spans::requests::{Description, Found, Keys, Served, look};
use milvus_otel_spans::spent::STAGES as SPENT;
use milvus_otel_spans::trace::Trace as Spanned;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString};

use crate::counts::Counts;
use crate::faults::contained;
use crate::hooks::Made;
use crate::lines::Lines;
use crate::spent::Steps;
use crate::trace::Trace;
use crate::wanted::Marks;
use settings::{keys_of, telling_of};

/// Spans of a request up to which its stages are told.
const MOST_SPANS: usize = 4096;

/// What is known from requests that were counted.
#[derive(Default)]
struct Known {
    answers: Answers,
    repeated: Repeated,
}

/// What has become of a trace's requests.
enum Outcome {
    Counted,
    /// Python has to be asked; where its answer may be remembered, by which key, and when that was made.
    Open(Option<(Vec<u8>, u64)>),
}

/// Nanoseconds by stage.
type Times = [u64; STAGES];

/// What a look at a trace shows. A kept one is looked at once for both, what its spans are told and what is counted.
pub struct Looked {
    found: Found,
    /// Of each call that Milvus served.
    times: Vec<Times>,
}

/// What is asked about a trace.
#[derive(Clone, Copy)]
struct Asked<'a> {
    kept: bool,
    /// What was found to be known of its calls, if somebody has looked.
    known: Option<&'a Bound<'a, PyAny>>,
}

/// Counts requests. No function of Python's is called while it is locked.
#[pyclass(frozen, weakref, module = "milvus_otel_core")]
pub struct Requests {
    marks: Box<Marks>,
    steps: Steps,
    /// Where each of the stages that spans tell stands among all, then the caller's and what nothing explains.
    out: [usize; STAGES],
    keys: Box<Keys>,
    telling: Telling,
    /// Whether nothing is appended to traces before what is known of them is found.
    is_first: bool,
    kinds: Vec<Py<PyString>>,
    lines: Option<Py<Lines>>,
    counts: Py<Counts>,
    /// Counts the requests of a trace the long way, and tells what they were counted under.
    ask: Py<PyAny>,
    /// Writes down all of what was found to be known of calls that what they are counted under depends on.
    describe: Py<PyAny>,
    apart: Py<PyDict>,
    series: Py<PyAny>,
    known: Mutex<Known>,
    knows_channels: AtomicBool,
}

impl Requests {
    fn known<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, Known> {
        self.known.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    /// Count the requests of a trace, by Python where that is needed; return the trace where it has made an object of it.
    pub fn count(
        &self,
        py: Python<'_>,
        trace: Spanned<Made>,
        kept: bool,
        object: impl FnOnce(Spanned<Made>) -> PyResult<Py<Trace>>,
    ) -> PyResult<Result<Spanned<Made>, Py<Trace>>> {
        match self.try_to(py, &trace, None, Asked { kept, known: None }).unwrap_or(Outcome::Open(None)) {
            Outcome::Counted => Ok(Ok(trace)),
            Outcome::Open(key) => {
                let trace = object(trace)?;
                self.ask(py, &trace, kept, key);
                Ok(Err(trace))
            }
        }
    }

    /// Have Python count; what goes wrong there costs no span.
    fn ask(&self, py: Python<'_>, trace: &Py<Trace>, kept: bool, key: Option<(Vec<u8>, u64)>) {
        if let Err(error) = self.ask_and_remember(py, trace, kept, key) {
            error.write_unraisable(py, Some(self.ask.bind(py)));
        }
    }

    fn ask_and_remember(
        &self,
        py: Python<'_>,
        trace: &Py<Trace>,
        kept: bool,
        key: Option<(Vec<u8>, u64)>,
    ) -> PyResult<()> {
        let told = self.ask.bind(py).call1((trace, kept))?;
        let Some((key, epoch)) = key else { return Ok(()) };
        if told.is_none() {
            return Ok(());
        }
        let answers: Vec<Answer> =
            told.cast::<PyList>()?.iter().map(|one| self.answer(py, &one)).collect::<PyResult<_>>()?;
        self.known(py).answers.put(&key, answers.into(), epoch);
        Ok(())
    }

    fn answer(&self, py: Python<'_>, told: &Bound<'_, PyAny>) -> PyResult<Answer> {
        if told.is_instance_of::<PyInt>() {
            return Ok(Answer::Series(told.extract()?));
        }
        let place = self.kinds.iter().position(|kind| told.eq(kind.bind(py)).unwrap_or(false));
        place.map(Answer::Apart).ok_or_else(|| PyValueError::new_err("no kind of calls"))
    }

    /// Return what a look at a trace shows; None where that is not plain.
    fn look(&self, py: Python<'_>, trace: &Spanned<Made>) -> PyResult<Option<Looked>> {
        let own = self.marks.own(py, trace)?;
        let Some(found) = look(trace, &self.marks.marks, &own, self.is_first) else { return Ok(None) };
        let mut times = Vec::with_capacity(found.served.len());
        for served in &found.served {
            let Some(of_one) = self.times(py, trace, &found, served)? else { return Ok(None) };
            times.push(of_one);
        }
        Ok(Some(Looked { found, times }))
    }

    /// Count the requests of a trace, if that is plain.
    fn try_to(
        &self,
        py: Python<'_>,
        trace: &Spanned<Made>,
        looked: Option<Box<Looked>>,
        of: Asked<'_>,
    ) -> PyResult<Outcome> {
        let looked = looked.map_or_else(|| self.look(py, trace), |looked| Ok(Some(*looked)))?;
        let Some(looked) = looked else { return Ok(Outcome::Open(None)) };
        if looked.found.calls.is_empty() {
            return Ok(Outcome::Counted);
        }
        let mut answers = self.answers_by_lines(py, trace, &looked.found, of.known.is_none());
        if let (Err(Outcome::Open(None)), Some(known)) = (&answers, of.known) {
            let known: Vec<u8> = self.describe.bind(py).call1((known,))?.extract()?;
            let Description { bytes: key } = Description::of_known(trace, &looked.found, &known);
            answers = self.answers(py, trace, &looked.found, key);
        }
        match answers {
            Ok(answers) => {
                self.put(py, trace, &looked, &answers, of.kept)?;
                Ok(Outcome::Counted)
            }
            Err(open) => Ok(open),
        }
    }

    fn times(&self, py: Python<'_>, trace: &Spanned<Made>, found: &Found, served: &Served) -> PyResult<Option<Times>> {
        let (mut times, places) = ([0; STAGES], &found.calls[served.place].spans);
        if places.len() > MOST_SPANS || served.is_implausible() {
            return Ok(Some(times));
        }
        let Some(spent) = self.steps.spent(py, trace, Some(places), (served.begin, served.end))? else {
            return Ok(None);
        };
        for (place, nanoseconds) in self.out.iter().zip(spent) {
            times[*place] = nanoseconds;
        }
        times[self.out[SPENT]] = served.outside;
        times[self.out[SPENT + 1]] = served.end - served.begin - spent.iter().sum::<u64>();
        Ok(Some(times))
    }

    /// Return what the span of each request is to be told, by its place; None where that is not plain.
    fn told(&self, trace: &Spanned<Made>, looked: &Looked) -> Option<Vec<(usize, Attributes<'_>)>> {
        let Looked { found, times } = looked;
        let mut told = Vec::with_capacity(found.served.len());
        for (served, times) in found.served.iter().zip(times) {
            if served.is_implausible() {
                return None;
            }
            let attributes = self.telling.attributes(times, found.method(trace, served.place))?;
            let place = served.caller.or(found.calls[served.place].server);
            told.extend(place.map(|place| (place, attributes)));
        }
        Some(told)
    }

    /// Count all calls of a trace, of which it is known what they are counted under, and whether they came before.
    fn put(
        &self,
        py: Python<'_>,
        trace: &Spanned<Made>,
        Looked { found, times }: &Looked,
        answers: &[(Answer, bool)],
        kept: bool,
    ) -> PyResult<()> {
        for _ in 0..found.not_served {
            self.count_apart(py, KIND_NOT_SERVED)?;
        }
        for ((served, times), (answer, is_repeated)) in found.served.iter().zip(times).zip(answers) {
            let series = match *answer {
                _ if *is_repeated => Err(KIND_REPEATED),
                _ if served.is_implausible() => Err(KIND_IMPLAUSIBLE),
                Answer::Apart(kind) => Err(kind),
                Answer::Series(series) => Ok(series),
            };
            let series = match series {
                Ok(series) => series,
                Err(kind) => {
                    self.count_apart(py, kind)?;
                    continue;
                }
            };
            if series == OVERFLOW {
                let folded: u64 = self.series.getattr(py, "folded")?.extract(py)?;
                self.series.setattr(py, "folded", folded + 1)?;
            }
            let (nanoseconds, trace_id, ended_ns) = (served.end - served.begin, trace.id, served.end);
            self.counts.get().locked(py).add(&Record { series, nanoseconds, times: *times, kept, trace_id, ended_ns });
        }
        Ok(())
    }

    fn count_apart(&self, py: Python<'_>, kind: usize) -> PyResult<()> {
        let (apart, kind) = (self.apart.bind(py), self.kinds[kind].bind(py));
        let before: u64 = apart.get_item(kind)?.map_or(Ok(0), |count| count.extract())?;
        apart.set_item(kind, before + 1)
    }
}

/// The places of kinds that are told here, among those that it is given.
const KIND_NOT_SERVED: usize = 0;
const KIND_REPEATED: usize = 1;
const KIND_IMPLAUSIBLE: usize = 2;

#[pymethods]
impl Requests {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "they have names in Python")]
    #[pyo3(signature = (*, marks, steps, out, keys, telling, is_first, kinds, lines, counts, ask, describe, apart, series))]
    fn new(
        marks: &Bound<'_, PyAny>,
        steps: &Bound<'_, PyAny>,
        out: [usize; STAGES],
        keys: &Bound<'_, PyAny>,
        telling: &Bound<'_, PyAny>,
        is_first: bool,
        kinds: Vec<Py<PyString>>,
        lines: Option<Py<Lines>>,
        counts: Py<Counts>,
        ask: Py<PyAny>,
        describe: Py<PyAny>,
        apart: Py<PyDict>,
        series: Py<PyAny>,
    ) -> PyResult<Self> {
        if out.iter().any(|place| *place >= STAGES) || kinds.len() <= KIND_IMPLAUSIBLE {
            return Err(PyValueError::new_err("stages, or kinds, are missing"));
        }
        Ok(Requests {
            marks: Box::new(Marks::new(marks)?),
            steps: Steps::new(steps)?,
            out,
            keys: Box::new(keys_of(keys)?),
            telling: telling_of(telling)?,
            is_first,
            kinds,
            lines,
            counts,
            ask,
            describe,
            apart,
            series,
            known: Mutex::default(),
            knows_channels: AtomicBool::new(false),
        })
    }

    /// Forget all answers: what they depend on has changed. `knows_channels` is whether channels tell anything.
    fn forget(&self, py: Python<'_>, knows_channels: bool) {
        self.knows_channels.store(knows_channels, Ordering::Relaxed);
        self.known(py).answers.forget();
    }

    /// Tell whether this span of Milvus' came before; from now on it has.
    fn is_repeated(&self, py: Python<'_>, trace_id: [u8; 16], span_id: &[u8]) -> bool {
        self.known(py).repeated.is_repeated(&trace_id, span_id)
    }

    /// Know these as counted by an earlier process, instead of those of the last call, and note from now on which are counted.
    fn note(&self, py: Python<'_>, counted: &[u8]) {
        self.known(py).repeated.note(counted);
    }

    /// Return the keys of the spans that were counted since the last call.
    fn noted<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let noted = self.known(py).repeated.take_noted();
        PyBytes::new(py, &noted)
    }

    /// Count the requests of a trace.
    ///
    /// `known` is what was found to be known of them, if somebody has looked.
    #[pyo3(signature = (trace, kept, known))]
    fn see(&self, py: Python<'_>, trace: Py<Trace>, kept: bool, known: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        contained(|| {
            let looked = trace.borrow_mut(py).looked.take();
            let outcome = self.try_to(py, &trace.borrow(py).taken, looked, Asked { kept, known });
            match outcome.unwrap_or(Outcome::Open(None)) {
                Outcome::Counted => {}
                Outcome::Open(key) => self.ask(py, &trace, kept, key),
            }
            Ok(())
        })
    }

    /// Write on the span of each request of a trace where its time went; tell whether that was plain to see.
    fn write_times(&self, py: Python<'_>, trace: &Bound<'_, Trace>) -> PyResult<bool> {
        contained(|| {
            let Some(looked) = self.look(py, &trace.borrow().taken).unwrap_or(None) else { return Ok(false) };
            let Some(told) = self.told(&trace.borrow().taken, &looked) else { return Ok(false) };
            let mut trace = trace.borrow_mut();
            trace.looked = Some(Box::new(looked));
            for (place, attributes) in told {
                trace.append_attributes(place, &attributes)?;
            }
            Ok(true)
        })
    }

    /// How many answers are remembered.
    fn __len__(&self, py: Python<'_>) -> usize {
        self.known(py).answers.len()
    }
}

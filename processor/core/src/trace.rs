//! A trace, for Python.

use std::sync::Arc;

use milvus_otel_spans::Finder;
use milvus_otel_spans::attributes::attribute_value;
use milvus_otel_spans::calls::{Call, calls};
use milvus_otel_spans::head::Head as Read;
use milvus_otel_spans::join;
use milvus_otel_spans::trace::Trace as Taken;
use milvus_otel_spans::wire::fields;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyList, PyString};

use crate::faults::{contained, malformed};
use crate::head::{Head, Heads};
use crate::hooks::{Hooks, Made};
use crate::requests::Looked;
use crate::wanted::Wanted;

/// The tag of an event of a span: one that does not hold it has none.
const EVENT_TAG: u8 = 0x5a;

type PlainCall<'py> = (Bound<'py, PyBytes>, Option<usize>, Option<usize>, Vec<usize>, bool, Option<usize>);

/// All spans of one trace id that have arrived.
#[pyclass(module = "milvus_otel_core")]
pub struct Trace {
    pub taken: Taken<Made>,
    hooks: Arc<Hooks>,
    attributes: Vec<Option<Py<PyDict>>>,
    /// What was found for counting, until it is counted.
    pub looked: Option<Box<Looked>>,
    #[pyo3(get, set)]
    randomness: Option<u64>,
    #[pyo3(get, set)]
    incoming_threshold: i64,
    #[pyo3(get, set)]
    threshold: Option<i64>,
}

impl Trace {
    pub fn new(taken: Taken<Made>, hooks: Arc<Hooks>) -> Self {
        Trace {
            taken,
            hooks,
            attributes: Vec::new(),
            looked: None,
            randomness: None,
            incoming_threshold: 0,
            threshold: None,
        }
    }

    fn place(&self, index: usize) -> PyResult<usize> {
        let count = self.taken.len();
        if index < count {
            return Ok(index);
        }
        Err(PyIndexError::new_err(format!("span {index} of a trace of {count}")))
    }

    fn places(&self, places: &Bound<'_, PyAny>) -> PyResult<Vec<usize>> {
        places.try_iter()?.map(|place| self.place(place?.extract()?)).collect()
    }

    fn bytes_of<'py>(&self, py: Python<'py>, place: usize) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.taken.whole(place))
    }

    /// The head of the span at this place, which has to be one of its places.
    pub fn head_at(&self, place: usize) -> PyResult<Head> {
        let span = self.taken.span_of_head(place);
        Ok(Head::new(&Read::read(&span).ok_or_else(|| malformed("a span"))?, &span))
    }

    fn finder(&self, py: Python<'_>, text: &[u8]) -> Arc<Finder<'static>> {
        self.hooks.texts.finder(py, text)
    }

    /// Decode the value of one attribute: Python objects for all others would cost many times as much.
    fn value<'py>(slf: &Bound<'py, Self>, place: usize, key: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let (decode, encoded) = {
            let this = slf.borrow();
            let span = this.taken.whole(place);
            let value = attribute_value(&span, key).ok_or_else(|| malformed("a span"))?;
            (this.hooks.value.clone_ref(py), value.map(|value| PyBytes::new(py, &value)))
        };
        encoded.map(|encoded| decode.bind(py).call1((encoded,))).transpose()
    }

    /// Add to a span those of these attributes that it lacks: each as its key, and as the bytes that add it.
    pub fn append_attributes(&mut self, place: usize, attributes: &[(&[u8], Vec<u8>)]) -> PyResult<()> {
        let pairs: Vec<(&[u8], &[u8])> = attributes.iter().map(|(key, encoded)| (*key, &encoded[..])).collect();
        let all: Vec<u8> = attributes.iter().flat_map(|(_, encoded)| encoded.iter().copied()).collect();
        self.changed();
        self.taken.append_missing(&[place], &pairs, &all).map(|_| ()).ok_or_else(|| malformed("a span"))
    }

    fn changed(&mut self) {
        self.attributes.clear();
    }

    /// What heads say can only be read, or overwritten, where all of them are valid.
    fn with_sound_heads(&self) -> PyResult<()> {
        if self.taken.facts.sound { Ok(()) } else { Err(malformed("a span")) }
    }
}

#[pymethods]
impl Trace {
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.taken.id)
    }

    fn __len__(&self) -> usize {
        self.taken.len()
    }

    fn __bool__(&self) -> bool {
        true // as any object that is there; its length is no truth
    }

    #[getter]
    fn size(&self) -> usize {
        self.taken.size()
    }

    #[getter]
    fn arrived(&self) -> f64 {
        self.taken.facts.arrived
    }

    #[getter]
    fn asked(&self) -> bool {
        self.taken.facts.asked
    }

    fn span<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(self.bytes_of(py, self.place(index)?))
    }

    #[getter]
    fn spans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, (0..self.taken.len()).map(|place| self.bytes_of(py, place)))
    }

    #[getter]
    fn groups<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, (0..self.taken.len()).map(|place| self.taken.group(place).made.group.clone_ref(py)))
    }

    #[getter]
    fn distinct_groups<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        contained(|| self.hooks.set_of(py, &self.taken.distinct_groups()))
    }

    #[getter]
    fn heads(slf: &Bound<'_, Self>) -> PyResult<Heads> {
        slf.borrow().with_sound_heads()?;
        Ok(Heads::new(slf.clone().unbind()))
    }

    #[getter]
    fn root_indexes(&self) -> PyResult<Vec<usize>> {
        contained(|| self.taken.roots().ok_or_else(|| malformed("a span")))
    }

    #[getter]
    fn roots(&self) -> PyResult<Vec<Head>> {
        self.root_indexes()?.into_iter().map(|place| self.head_at(place)).collect()
    }

    #[getter]
    fn complete(&self) -> PyResult<bool> {
        contained(|| Ok(self.taken.is_complete() == Some(true)))
    }

    #[getter]
    fn duration_nanoseconds(&self) -> PyResult<i128> {
        self.taken.duration().ok_or_else(|| malformed("a span"))
    }

    fn has_status(&self, codes: &Bound<'_, PyFrozenSet>) -> PyResult<bool> {
        let codes: Vec<i64> = codes.iter().map(|code| code.extract()).collect::<PyResult<_>>()?;
        contained(|| self.taken.has_status(&codes).ok_or_else(|| malformed("a span")))
    }

    fn may_hold(&self, py: Python<'_>, text: &[u8]) -> PyResult<bool> {
        contained(|| Ok(self.taken.may_hold(&self.finder(py, text))))
    }

    fn holding(&self, py: Python<'_>, text: &[u8]) -> PyResult<Vec<usize>> {
        contained(|| Ok(self.taken.holding(&self.finder(py, text))))
    }

    fn present<'py>(&self, texts: &Bound<'py, PyFrozenSet>) -> PyResult<Bound<'py, PyFrozenSet>> {
        let several = self.hooks.texts.several(texts)?;
        contained(|| PyFrozenSet::new(texts.py(), several.present(|| Box::new(self.taken.texts()))))
    }

    #[pyo3(name = "places")]
    fn places_of(&self, groups: &Bound<'_, PyFrozenSet>) -> PyResult<Vec<usize>> {
        let py = groups.py();
        let mut found = Vec::new();
        let mut last: Option<(u64, bool)> = None;
        for place in 0..self.taken.len() {
            let group = self.taken.group(place);
            let is_one = match last {
                Some((number, is_one)) if number == group.number => is_one,
                _ => groups.contains(group.made.group.bind(py))?,
            };
            last = Some((group.number, is_one));
            if is_one {
                found.push(place);
            }
        }
        Ok(found)
    }

    fn attributes<'py>(slf: &Bound<'py, Self>, index: usize) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let (decode, span) = {
            let this = slf.borrow();
            if let Some(Some(known)) = this.attributes.get(this.place(index)?) {
                return Ok(known.bind(py).clone());
            }
            (this.hooks.attributes.clone_ref(py), this.bytes_of(py, index))
        };
        let found: Bound<'py, PyDict> = decode.bind(py).call1((span,))?.cast_into()?;
        let mut this = slf.borrow_mut();
        let count = this.taken.len();
        this.attributes.resize_with(count, || None);
        this.attributes[index] = Some(found.clone().unbind());
        Ok(found)
    }

    fn attribute<'py>(slf: &Bound<'py, Self>, index: usize, key: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let may_be_there = {
            let this = slf.borrow();
            let (place, finder) = (this.place(index)?, this.finder(py, key));
            [this.taken.span(place), this.taken.tail(place)].iter().any(|bytes| finder.find(bytes).is_some())
        };
        if !may_be_there {
            return Ok(None);
        }
        Self::value(slf, index, key)
    }

    fn events<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        let place = self.place(index)?;
        let span = self.taken.span(place);
        if !span.contains(&EVENT_TAG) && fields(span).all(|field| field.is_some()) {
            return Ok(PyList::empty(py).into_any());
        }
        self.hooks.events.bind(py).call1((self.bytes_of(py, place),))
    }

    fn span_values<'py>(slf: &Bound<'py, Self>, key: &[u8]) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let places = slf.borrow().holding(slf.py(), key)?;
        let mut found = Vec::new();
        for place in places {
            found.extend(Self::value(slf, place, key)?);
        }
        Ok(found)
    }

    fn encoded_values<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Bound<'py, PyFrozenSet>> {
        let finder = self.finder(py, key);
        contained(|| {
            let found = self.taken.encoded_values(&finder).ok_or_else(|| malformed("a span"))?;
            PyFrozenSet::new(py, found.iter().map(|value| PyBytes::new(py, value)))
        })
    }

    fn values_behind<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<Option<Bound<'py, PyFrozenSet>>> {
        let finder = self.finder(py, key);
        contained(|| {
            let found = self.taken.values_behind(&finder);
            found.map(|values| PyFrozenSet::new(py, values.iter().map(|value| PyBytes::new(py, value)))).transpose()
        })
    }

    /// The calls of a service, each as a name, places, and the place of the call above it; None where they are not plain.
    fn plain_calls<'py>(&self, marks: &Bound<'py, PyAny>) -> PyResult<Option<Vec<PlainCall<'py>>>> {
        let py = marks.py();
        let marks = self.hooks.marks(marks)?;
        let own = marks.own(py, &self.taken)?;
        contained(|| {
            let name = |call: &Call| -> PyResult<_> {
                if call.is_operation {
                    return Ok(PyBytes::new(py, b""));
                }
                let span = self.taken.span(call.named());
                Ok(PyBytes::new(py, Read::read(span).ok_or_else(|| malformed("a span"))?.name.of(span)))
            };
            let Some(calls) = calls(&self.taken, &marks.marks, &own) else { return Ok(None) };
            let told = |call: Call| Ok((name(&call)?, call.client, call.server, call.spans, call.is_alone, call.above));
            calls.into_iter().map(told).collect::<PyResult<_>>().map(Some)
        })
    }

    fn unwanted_calls(&self, wanted: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let py = wanted.py();
        let wanted = Wanted::of(wanted, &self.hooks.wanted)?;
        contained(|| wanted.unwanted_calls(py, &self.taken))
    }

    /// Where the time between `begin` and `end` went, by stage; None where it takes a closer look.
    #[pyo3(signature = (steps, places, begin, end))]
    fn time_spent(
        &self,
        steps: &Bound<'_, PyAny>,
        places: Option<Vec<usize>>,
        begin: u64,
        end: u64,
    ) -> PyResult<Option<Vec<u64>>> {
        let py = steps.py();
        if let Some(place) = places.iter().flatten().find(|place| **place >= self.taken.len()) {
            self.place(*place)?;
        }
        let steps = self.hooks.steps(steps)?;
        contained(|| Ok(steps.spent(py, &self.taken, places.as_deref(), (begin, end))?.map(|spent| spent.to_vec())))
    }

    fn append(&mut self, places: &Bound<'_, PyAny>, encoded: &[u8]) -> PyResult<()> {
        let places = self.places(places)?;
        self.changed();
        contained(|| {
            self.taken.append(places, encoded);
            Ok(())
        })
    }

    fn append_missing(
        &mut self,
        py: Python<'_>,
        places: &Bound<'_, PyAny>,
        attributes: &Bound<'_, PyAny>,
    ) -> PyResult<usize> {
        let places = self.places(places)?;
        let all: Bound<'_, PyBytes> = attributes.getattr("all")?.cast_into()?;
        let pairs: Vec<(Py<PyBytes>, Py<PyBytes>)> = attributes.getattr("attributes")?.extract()?;
        let pairs: Vec<(&[u8], &[u8])> =
            pairs.iter().map(|(key, encoded)| (key.as_bytes(py), encoded.as_bytes(py))).collect();
        self.changed();
        contained(|| self.taken.append_missing(&places, &pairs, all.as_bytes()).ok_or_else(|| malformed("a span")))
    }

    fn set_error(&mut self, index: usize, message: &Bound<'_, PyString>) -> PyResult<()> {
        let place = self.place(index)?;
        let message = message.to_string_lossy();
        self.with_sound_heads()?;
        self.changed();
        contained(|| {
            self.taken.set_error(place, message.as_bytes());
            Ok(())
        })
    }

    fn set_trace_state(&mut self, index: usize, trace_state: &[u8]) -> PyResult<()> {
        let place = self.place(index)?;
        self.with_sound_heads()?;
        self.changed();
        contained(|| {
            self.taken.set_trace_state(place, trace_state);
            Ok(())
        })
    }

    fn without_malformed<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let mut this = slf.borrow_mut();
        let kept = contained(|| Ok(this.taken.without_malformed()))?;
        let Some(kept) = kept else { return Ok(slf.clone()) };
        let (attributes, hooks) = (Vec::new(), this.hooks.clone());
        let (randomness, incoming_threshold, threshold) = (this.randomness, this.incoming_threshold, this.threshold);
        let looked = None;
        let kept = Trace { taken: kept, hooks, attributes, looked, randomness, incoming_threshold, threshold };
        Bound::new(slf.py(), kept)
    }

    fn release(&mut self) {
        (self.attributes, self.looked) = (Vec::new(), None);
        self.taken.forget_heads();
    }

    fn id_hash(&self, basis: u64) -> u64 {
        self.taken.id_hash(basis)
    }

    #[getter]
    fn request_size(&self) -> PyResult<usize> {
        contained(|| Ok(join::request_size(&self.taken)))
    }
}

//! Drives a store by bytes, and checks what has to be true whatever they are.

use std::sync::Arc;

use milvus_otel_spans::Finder;
use milvus_otel_spans::cut::{Cut, Envelope};
use milvus_otel_spans::decisions::Decision;
use milvus_otel_spans::groups::Group;
use milvus_otel_spans::join;
use milvus_otel_spans::names::OfRoot;
use milvus_otel_spans::store::{Settings, Store};
use milvus_otel_spans::times::Waits;
use milvus_otel_spans::trace::Trace;
use milvus_otel_spans::wire::{put_field, tag};

/// The operation that takes a request in: two bytes of length, the lower one first, and the request.
pub const INGEST: u8 = 0;
const OPERATIONS: u8 = 10;

/// How many spans came in, and how many of them were taken out with their trace.
#[derive(Default)]
pub struct Done {
    pub spans: usize,
    pub taken: usize,
    gone: usize,
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Up to so many bytes.
    fn some(&mut self, count: usize) -> &'a [u8] {
        let (some, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        some
    }

    fn request(&mut self) -> Option<&'a [u8]> {
        let size = u16::from_le_bytes([self.byte()?, self.byte()?]);
        Some(self.some(size.into()))
    }
}

fn settings(bits: u8) -> Settings {
    let either = |bit: u8, value: f64| if bits & 1 << bit > 0 { value } else { 0.0 };
    Settings {
        waits: Waits { whole: either(0, 10.0), after_root: either(1, 0.5), after_complete: either(2, 0.7) },
        sampled_cache_size: if bits & 8 > 0 { 3 } else { 100 },
        not_sampled_cache_size: if bits & 16 > 0 { 3 } else { 100 },
        asks_roots: bits & 32 > 0,
        tells_resources: bits & 64 > 0,
        tells_touched: true,
    }
}

struct Driven {
    store: Store<(), u8>,
    taken: Vec<Trace<()>>,
    done: Done,
    now: f64,
}

impl Driven {
    fn ingest(&mut self, request: &[u8]) {
        let Some(cut) = Cut::new(request) else { return };
        let groups: Vec<Arc<Group<()>>> = cut.envelopes.iter().map(|envelope| self.group(envelope)).collect();
        let of_root = |_: &_, name: &[u8]| match name.first() {
            Some(b'h') => OfRoot::Decides(0),
            Some(b'a') => OfRoot::Ask,
            _ => OfRoot::Nothing,
        };
        let arrived = self.store.ingest(request, &cut, &groups, of_root, self.now);
        assert_eq!(arrived.spans, cut.rows.len());
        self.done.spans += arrived.spans;
        let early: usize = arrived.early.iter().map(|(_, spans)| spans).sum();
        self.done.gone += arrived.refused + early + arrived.late.len() + arrived.late_not_sampled;
        arrived.late.iter().for_each(|(_, trace)| look_at(trace));
    }

    fn group(&mut self, envelope: &Envelope) -> Arc<Group<()>> {
        self.store.groups.get(envelope).unwrap_or_else(|| self.store.groups.add(envelope.clone(), ()).0)
    }

    fn take(&mut self, traces: Vec<Trace<()>>) {
        for trace in &traces {
            self.done.taken += trace.len();
            assert!(!trace.is_empty() && !self.store.contains(&trace.id));
            look_at(trace);
        }
        joined_is_read_again(&traces);
        self.taken = traces;
    }

    /// Do one thing; `number` says more.
    fn act(&mut self, operation: u8, number: u8, bytes: &mut Bytes<'_>) {
        match operation {
            1 => self.now += f64::from(number) / 10.0,
            2 | 3 => {
                let traces = self.store.take_due(self.now, number.into());
                self.take(traces);
            }
            4 => {
                let traces = self.store.take_oldest(number.into());
                self.take(traces);
            }
            5 => {
                let traces = self.store.take_larger_than(number.into());
                self.take(traces);
            }
            6 => {
                let traces = self.store.take(&[number % 8; 16]).into_iter().collect();
                self.take(traces);
            }
            7 => self.store.configure(settings(number), self.now),
            8 => {
                for id in self.store.touched() {
                    look_at(&self.store.view(&id).expect("it waits"));
                }
            }
            _ => self.change(number, bytes.some((number / 16).into())),
        }
    }

    /// Change what was taken last, and remember it as decided.
    fn change(&mut self, number: u8, text: &[u8]) {
        self.taken.retain(|trace| !trace.is_empty()); // nothing was left of one whose spans are all malformed
        for trace in &mut self.taken {
            let places: Vec<usize> = (0..trace.len()).filter(|place| place % 2 == usize::from(number & 1)).collect();
            trace.append(places.iter().copied(), &attribute(b"added", text));
            let missing = attribute(b"key", text);
            trace.append_missing(&places, &[(b"key", &missing)], &missing);
            if number & 2 > 0 {
                trace.set_error(0, text);
            }
            if number & 4 > 0 {
                trace.set_trace_state(0, text);
            }
            if let Some(rest) = trace.without_malformed() {
                assert!(rest.len() < trace.len());
                *trace = rest;
            }
            look_at(trace);
            if !self.store.contains(&trace.id) {
                let decision = if number & 8 > 0 { Decision::NotSampled } else { Decision::Sampled(Arc::new(number)) };
                self.store.remember(trace.id, decision);
            }
        }
        joined_is_read_again(&self.taken);
    }

    fn counts_are_right(&self) {
        let Done { spans, taken, gone } = self.done;
        assert_eq!(spans, gone + taken + self.store.spans());
        assert_eq!(self.store.is_empty(), self.store.spans() == 0);
        assert!(self.store.len() <= self.store.spans());
        assert!(!self.store.is_empty() || self.store.size() == 0);
    }
}

fn attribute(key: &[u8], text: &[u8]) -> Vec<u8> {
    let (mut value, mut pair, mut attribute) = (Vec::new(), Vec::new(), Vec::new());
    put_field(&mut value, tag::KEY, text); // the field of an AnyValue that is a string has the same number
    put_field(&mut pair, tag::KEY, key);
    put_field(&mut pair, tag::VALUE, &value);
    put_field(&mut attribute, tag::ATTRIBUTE, &pair);
    attribute
}

/// Ask a trace all that can be asked; where the bytes tell the answer as well, it is the same.
fn look_at(trace: &Trace<()>) {
    let wholes: Vec<Vec<u8>> = (0..trace.len()).map(|place| trace.whole(place).into_owned()).collect();
    assert_eq!(trace.size(), wholes.iter().map(Vec::len).sum::<usize>());
    for text in [&b"key"[..], b"products", b"\n"] {
        let holding: Vec<usize> =
            (0..trace.len()).filter(|at| Finder::new(text).find(&wholes[*at]).is_some()).collect();
        assert_eq!(trace.holding(&Finder::new(text)), holding);
        assert!(trace.may_hold(&Finder::new(text)) || holding.is_empty());
        trace.values_behind(&Finder::new(text));
    }
    let sound = trace.roots().is_some();
    assert_eq!((trace.duration().is_some(), trace.has_status(&[2]).is_some()), (sound, sound));
    assert!(sound || trace.is_complete() != Some(true));
    assert!(trace.distinct_groups().len() <= trace.len());
    trace.id_hash(1);
}

/// What traces are joined to is a request with their spans.
fn joined_is_read_again(traces: &[Trace<()>]) {
    let request = join::request(traces);
    let mut spans: Vec<Vec<u8>> =
        traces.iter().flat_map(|trace| (0..trace.len()).map(|place| trace.whole(place).into_owned())).collect();
    let cut = Cut::new(&request).expect("a request of ours is valid");
    let mut found: Vec<Vec<u8>> = cut.rows.iter().map(|row| row.span(&request).to_vec()).collect();
    spans.sort();
    found.sort();
    assert_eq!(found, spans);
    for trace in traces {
        assert_eq!(join::request_size(trace), join::request([trace]).len());
    }
}

/// Do with a store what these bytes say: how it is set, then one operation after the other.
pub fn drive(data: &[u8]) -> Done {
    let mut bytes = Bytes(data);
    let store = Store::new(settings(bytes.byte().unwrap_or(0)));
    let mut driven = Driven { store, taken: Vec::new(), done: Done::default(), now: 0.0 };
    while let Some(operation) = bytes.byte() {
        if operation % OPERATIONS == INGEST {
            let Some(request) = bytes.request() else { break };
            driven.ingest(request);
        } else {
            let number = bytes.byte().unwrap_or(0);
            driven.act(operation % OPERATIONS, number, &mut bytes);
        }
        driven.counts_are_right();
    }
    let rest = driven.store.take_oldest(usize::MAX);
    driven.take(rest);
    driven.counts_are_right();
    driven.done
}

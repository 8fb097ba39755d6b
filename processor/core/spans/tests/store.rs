//! A store from the outside: requests in, traces out, with a clock that is turned by hand.

use std::sync::Arc;

use milvus_otel_spans::Finder;
use milvus_otel_spans::cut::{Cut, Envelope};
use milvus_otel_spans::decisions::Decision;
use milvus_otel_spans::groups::Group;
use milvus_otel_spans::head::Head;
use milvus_otel_spans::join;
use milvus_otel_spans::names::OfRoot;
use milvus_otel_spans::store::{Arrived, Settings, Store};
use milvus_otel_spans::times::Waits;
use milvus_otel_spans::trace::Trace;
use milvus_otel_spans::wire::{put_field, tag};

const WAIT: f64 = 10.0;
const TICK: f64 = 0.2;

fn span(trace: u16, id: u8, parent: u8, name: &str) -> Vec<u8> {
    let mut span = Vec::new();
    put_field(&mut span, tag::TRACE_ID, &[trace.to_be_bytes(); 8].concat());
    put_field(&mut span, tag::SPAN_ID, &[id; 8]);
    if parent > 0 {
        put_field(&mut span, tag::PARENT_SPAN_ID, &[parent; 8]);
    }
    put_field(&mut span, tag::NAME, name.as_bytes());
    span.extend_from_slice(b"\x39\x05\0\0\0\0\0\0\0\x41\x09\0\0\0\0\0\0\0");
    span
}

fn request(resource: &[u8], spans: &[Vec<u8>]) -> Vec<u8> {
    let (mut scope, mut resource_spans, mut request) = (Vec::new(), Vec::new(), Vec::new());
    spans.iter().for_each(|span| put_field(&mut scope, tag::SCOPE_SPANS_SPAN, span));
    put_field(&mut resource_spans, 0x0a, resource);
    put_field(&mut resource_spans, tag::RESOURCE_SPANS_SCOPE_SPANS, &scope);
    put_field(&mut request, tag::REQUEST_RESOURCE_SPANS, &resource_spans);
    request
}

struct Running {
    store: Store<(), &'static str>,
}

impl Running {
    fn new(change: impl FnOnce(&mut Settings)) -> Self {
        let waits = Waits { whole: WAIT, after_root: 0.0, after_complete: 0.0 };
        let mut settings = Settings {
            waits,
            sampled_cache_size: 100,
            not_sampled_cache_size: 100,
            asks_roots: true,
            tells_resources: false,
            tells_touched: true,
        };
        change(&mut settings);
        Running { store: Store::new(settings) }
    }

    fn ingest(&mut self, request: &[u8], now: f64) -> Arrived<(), &'static str> {
        let cut = Cut::new(request).unwrap();
        let groups: Vec<Arc<Group<()>>> = cut.envelopes.iter().map(|envelope| self.group(envelope)).collect();
        let of_root = |_: &_, name: &[u8]| match name {
            b"heartbeat" => OfRoot::Decides(0),
            b"asked" => OfRoot::Ask,
            _ => OfRoot::Nothing,
        };
        self.store.ingest(request, &cut, &groups, of_root, now)
    }

    fn put(&mut self, spans: &[Vec<u8>], now: f64) -> Arrived<(), &'static str> {
        self.ingest(&request(b"resource", spans), now)
    }

    fn group(&mut self, envelope: &Envelope) -> Arc<Group<()>> {
        self.store.groups.get(envelope).unwrap_or_else(|| self.store.groups.add(envelope.clone(), ()).0)
    }

    fn due(&mut self, now: f64) -> Vec<Trace<()>> {
        self.store.take_due(now, 1000)
    }
}

fn spans_of(trace: &Trace<()>) -> Vec<&[u8]> {
    (0..trace.len()).map(|place| trace.span(place)).collect()
}

fn number(trace: &Trace<()>) -> u16 {
    u16::from_be_bytes([trace.id[0], trace.id[1]])
}

#[test]
fn spans_of_one_trace_come_out_together_when_it_is_due() {
    let mut running = Running::new(|_| ());
    let spans = [span(1, 1, 2, "a"), span(2, 1, 0, "b"), span(1, 2, 0, "c")];
    running.put(&spans[..2], 0.0);
    running.put(&spans[2..], 5.0);
    assert_eq!((running.store.len(), running.store.spans()), (2, 3));
    assert!(running.due(WAIT - 0.01).is_empty());
    let due = running.due(WAIT + TICK);
    assert_eq!(due.iter().map(number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(spans_of(&due[0]), [&spans[0][..], &spans[2]]);
    assert_eq!((running.store.len(), running.store.spans(), running.store.size()), (0, 0, 0));
}

#[test]
fn a_root_that_settles_drops_what_waits_and_what_comes_late() {
    let mut running = Running::new(|_| ());
    running.put(&[span(1, 1, 9, "a"), span(1, 2, 9, "b")], 0.0);
    let arrived = running.put(&[span(1, 3, 9, "c"), span(1, 9, 0, "heartbeat"), span(1, 4, 9, "d")], 1.0);
    assert_eq!((arrived.early, arrived.late_not_sampled), (vec![(1, 4)], 1));
    assert!(running.store.is_empty() && running.store.size() == 0);
    assert_eq!(running.put(&[span(1, 5, 9, "e")], 2.0).late_not_sampled, 1);
    assert!(running.due(100.0).is_empty());
}

#[test]
fn a_root_that_rules_have_to_be_asked_about_is_told() {
    let mut running = Running::new(|_| ());
    running.put(&[span(1, 1, 0, "asked"), span(2, 1, 0, "other"), span(3, 1, 1, "asked")], 0.0);
    let asked: Vec<bool> = running.due(100.0).iter().map(|trace| trace.facts.asked).collect();
    assert_eq!(asked, [true, false, false]);
}

#[test]
fn a_late_span_comes_with_what_was_decided() {
    let mut running = Running::new(|_| ());
    running.store.remember([0, 1].repeat(8).try_into().unwrap(), Decision::Sampled(Arc::new("kept")));
    let late = running.put(&[span(1, 1, 0, "late")], 0.0).late;
    assert_eq!((late.len(), *late[0].0, spans_of(&late[0].1)), (1, "kept", vec![&span(1, 1, 0, "late")[..]]));
    assert!(running.store.is_empty());
}

#[test]
fn a_complete_trace_that_is_quiet_is_finished_before_its_time() {
    let mut running = Running::new(|settings| settings.waits.after_complete = 1.0);
    running.put(&[span(1, 1, 2, "child"), span(2, 1, 2, "child without its root")], 0.0);
    running.put(&[span(1, 2, 0, "root")], 0.5);
    assert_eq!(running.due(1.4).iter().map(number).collect::<Vec<_>>(), [2]); // it has but one orphan
    assert_eq!(running.due(2.5).iter().map(number).collect::<Vec<_>>(), [1]);
    running.put(&[span(3, 1, 2, "orphan"), span(3, 3, 4, "orphan")], 3.0);
    assert!(running.due(5.0).is_empty());
    assert_eq!(running.due(3.0 + WAIT + TICK).len(), 1);
}

#[test]
fn the_traces_that_a_request_adds_to_are_known() {
    let mut running = Running::new(|_| ());
    running.put(&[span(1, 1, 0, "a")], 0.0);
    running.put(&[span(2, 1, 0, "b"), span(2, 2, 0, "a name that makes it larger"), span(3, 1, 0, "heartbeat")], 0.0);
    let ids = running.store.touched();
    assert_eq!(ids.len(), 1);
    assert_eq!(running.store.view(&ids[0]).map(|trace| trace.len()), Some(2));
    assert_eq!(running.store.take_larger_than(100).iter().map(number).collect::<Vec<_>>(), [2]);
    assert_eq!(running.store.len(), 1);
}

#[test]
fn after_a_change_of_settings_what_waits_has_to_be_asked_about_and_is_due_by_the_new_wait() {
    let mut running = Running::new(|_| ());
    running.put(&[span(1, 1, 0, "a")], 0.0);
    let mut settings = None;
    drop(Running::new(|found| settings = Some(*found)));
    let mut settings = settings.unwrap();
    settings.waits.whole = 1.0;
    running.store.configure(settings, 2.0);
    let due = running.due(3.0);
    assert!(due.len() == 1 && due[0].facts.asked);
}

#[test]
fn the_ids_of_traces_that_were_dropped_at_once_are_forgotten() {
    let mut running = Running::new(|_| ());
    for number in 0..60_000u16 {
        running.put(&[span(number, 1, 2, "child")], 0.0);
        running.put(&[span(number, 2, 0, "heartbeat")], 0.0);
    }
    assert_eq!((running.store.len(), running.store.size()), (0, 0));
}

#[test]
fn requests_put_together_again_hold_the_spans_with_what_was_appended() {
    let mut running = Running::new(|_| ());
    let spans = [span(1, 1, 0, "a"), span(1, 2, 1, "b")];
    running.ingest(&request(b"one", &spans[..1]), 0.0);
    running.ingest(&request(b"two", &spans[1..]), 0.0);
    let mut due = running.due(100.0);
    let mut attribute = Vec::new();
    put_field(&mut attribute, tag::ATTRIBUTE, b"\x0a\x01k\x12\x03\x0a\x01v");
    due[0].append([0, 1], &attribute);
    let wanted = [
        request(b"one", &[[&spans[0][..], &attribute].concat()]),
        request(b"two", &[[&spans[1][..], &attribute].concat()]),
    ];
    assert_eq!(join::request(&due), wanted.concat());
    assert_eq!(join::request_size(&due[0]), wanted.concat().len());
    let unchanged = due[0].append_missing(&[0, 1], &[(b"k", &attribute)], &attribute);
    assert_eq!((unchanged, due[0].tail(0)), (Some(2), &attribute[..]));
    assert_eq!(due[0].values_behind(&Finder::new(b"k")), Some(vec![&b"\x0a\x01v"[..]]));
}

#[test]
fn malformed_spans_are_left_out_and_the_others_stay_what_they_are() {
    let mut running = Running::new(|_| ());
    let good = [span(1, 1, 0, "a"), span(1, 2, 1, "b")];
    let bad = [&span(1, 3, 1, "c")[..], b"\x4a\x05\x0a"].concat();
    running.ingest(&request(b"one", std::slice::from_ref(&bad)), 0.0);
    running.ingest(&request(b"two", &good), 0.0);
    let mut due = running.due(100.0);
    let trace = &mut due[0];
    assert_eq!((trace.duration(), trace.roots(), trace.has_status(&[0])), (None, None, None));
    trace.append([0, 2], b"\x4a\x02\x0a\x00");
    let trace = &mut trace.without_malformed().unwrap();
    assert!(trace.without_malformed().is_none());
    assert_eq!(spans_of(trace), [&good[0][..], &good[1]]);
    assert_eq!((trace.tail(0), trace.tail(1)), (&b""[..], &b"\x4a\x02\x0a\x00"[..]));
    assert_eq!((trace.duration(), trace.roots(), trace.distinct_groups().len()), (Some(4), Some(vec![0]), 1));
}

#[test]
fn a_span_that_is_made_an_error_has_that_status_alone() {
    let mut running = Running::new(|_| ());
    running.put(&[span(1, 1, 0, "a")], 0.0);
    let mut due = running.due(100.0);
    assert_eq!((due[0].has_status(&[2]), due[0].has_status(&[0])), (Some(false), Some(true)));
    due[0].set_error(0, b"why");
    assert_eq!((due[0].has_status(&[2]), due[0].has_status(&[0])), (Some(true), Some(false)));
    due[0].set_trace_state(0, b"state");
    let span = due[0].span_of_head(0);
    let head = Head::read(&span).unwrap();
    assert_eq!(
        (head.status, head.status_message.of(&span), head.trace_state.of(&span)),
        (2, &b"why"[..], &b"state"[..])
    );
}

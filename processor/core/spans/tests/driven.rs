//! A store driven by bytes, whatever they are: it does not panic, and no span is gone without a word.
//!
//! `cargo fuzz` looks for such bytes (fuzz/README.md); here they are a few thousand random ones, which any Rust can run.

mod drive;

use drive::drive;
use milvus_otel_spans::wire::{put_field, tag};

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

fn span(random: &mut Random) -> Vec<u8> {
    let mut span = Vec::new();
    put_field(&mut span, tag::TRACE_ID, &[random.below(5) as u8; 16]);
    put_field(&mut span, tag::SPAN_ID, &[random.below(4) as u8; 8]);
    if random.below(2) == 0 {
        put_field(&mut span, tag::PARENT_SPAN_ID, &[random.below(4) as u8; 8]);
    }
    put_field(&mut span, tag::NAME, [&b"heartbeat"[..], b"asked", b"request"][random.below(3)]);
    let (mut text, mut pair) = (Vec::new(), Vec::new());
    put_field(&mut text, 0x0a, b"products");
    put_field(&mut pair, tag::KEY, b"key");
    put_field(&mut pair, tag::VALUE, &text);
    put_field(&mut span, tag::ATTRIBUTE, &pair);
    span
}

fn request(random: &mut Random) -> Vec<u8> {
    let (mut scope, mut resource_spans, mut request) = (Vec::new(), Vec::new(), Vec::new());
    (0..random.below(5)).for_each(|_| put_field(&mut scope, tag::SCOPE_SPANS_SPAN, &span(random)));
    put_field(&mut resource_spans, 0x0a, &[]);
    put_field(&mut resource_spans, tag::RESOURCE_SPANS_SCOPE_SPANS, &scope);
    put_field(&mut request, tag::REQUEST_RESOURCE_SPANS, &resource_spans);
    request
}

/// Bytes for `drive`: requests, most of them valid, between other operations.
fn bytes(random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![random.byte()];
    for _ in 0..random.below(40) {
        if random.below(2) == 0 {
            let request = request(random);
            bytes.push(drive::INGEST);
            bytes.extend_from_slice(&(request.len() as u16).to_le_bytes());
            bytes.extend_from_slice(&request);
        } else {
            bytes.extend([random.byte(), random.byte(), random.byte()]);
        }
    }
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len());
        bytes[at] = random.byte();
    }
    bytes
}

#[test]
fn whatever_it_is_given_it_does_not_panic_and_loses_no_span() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut spans, mut taken) = (0, 0);
    for _ in 0..5000 {
        let done = drive(&bytes(&mut random));
        spans += done.spans;
        taken += done.taken;
    }
    assert!(
        spans > 10_000 && taken > 1000,
        "{spans} spans came in, {taken} of them were taken: too few to tell anything"
    );
}

#[test]
fn requests_as_large_as_their_length_can_say_and_no_bytes_at_all_are_fine() {
    assert_eq!(drive(&[]).spans, 0);
    assert_eq!(drive(&[0, drive::INGEST, 0xff, 0xff]).spans, 0);
}

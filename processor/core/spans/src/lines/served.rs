//! Milvus' own spans of the calls of its clients, found in a request.

use memchr::memmem::Finder;

use super::likelihood::Time;
use crate::head::{Head, TraceId};
use crate::wire::{Field, field, fields, tag, varint};

const SERVICE: &[u8] = b"milvus.proto.milvus.MilvusService/";
const SERVER: i32 = 2;
const STATUS: &[u8] = b"rpc.grpc.status_code";
const ADDRESS: [&[u8]; 3] = [b"net.sock.peer.addr", b"network.peer.address", b"client.address"];
const PORT: [&[u8]; 3] = [b"net.sock.peer.port", b"network.peer.port", b"client.port"];
const STRING_VALUE: u32 = 0x0a;
const INT_VALUE: u32 = 0x18;

pub type SpanId = [u8; 8];

/// A call as Milvus' own span shows it; `peer` is what the access log calls it, if the span says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub start: Time,
    pub end: Time,
    pub method: String,
    pub peer: Option<String>,
    pub failed: bool,
}

/// Return the calls whose spans are in a serialized ExportTraceServiceRequest; a span that is not valid is left out.
pub fn served(request: &[u8]) -> Vec<Served> {
    let service = Finder::new(SERVICE);
    let mut calls = Vec::new();
    let mut next = service.find(request);
    each(request, tag::REQUEST_RESOURCE_SPANS, 0, request.len(), &mut |resource_spans| {
        each(request, tag::RESOURCE_SPANS_SCOPE_SPANS, resource_spans.begin, resource_spans.end, &mut |scope_spans| {
            each(request, tag::SCOPE_SPANS_SPAN, scope_spans.begin, scope_spans.end, &mut |span| {
                if next.is_some_and(|at| at < span.begin) {
                    next = service.find(&request[span.begin..]).map(|at| span.begin + at);
                }
                if next.is_some_and(|at| at < span.end) {
                    calls.extend(call_of(&request[span.begin..span.end]));
                }
            });
        });
    });
    calls
}

/// Call `act` with each field that has this tag, between two places of a request.
fn each(request: &[u8], tag: u32, begin: usize, end: usize, act: &mut dyn FnMut(Field)) {
    let mut at = begin;
    while let Some(found) = (at < end).then(|| field(&request[..end], at)).flatten() {
        if found.tag == tag {
            act(found);
        }
        at = found.end;
    }
}

/// Return the call that a span is Milvus' own of.
fn call_of(span: &[u8]) -> Option<Served> {
    let head = Head::read(span)?;
    let method = head.name.of(span).strip_prefix(SERVICE)?;
    if head.kind != SERVER {
        return None;
    }
    let (mut status, mut addresses, mut ports) = (None, [None; 3], [None; 3]);
    for pair in fields(span) {
        let pair = pair?;
        if pair.tag != tag::ATTRIBUTE {
            continue;
        }
        let (key, value) = key_and_value(&span[pair.begin..pair.end])?;
        if key == STATUS {
            status = status.or(Some(value));
        }
        for (keys, values) in [(ADDRESS, &mut addresses), (PORT, &mut ports)] {
            if let Some(place) = keys.iter().position(|known| *known == key) {
                values[place] = Some(value);
            }
        }
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let peer = match (addresses.into_iter().flatten().next(), ports.into_iter().flatten().next()) {
        (Some(address), Some(port)) => Some(peer(&text(string(address)), int(port), &text(string(port)))),
        _ => None,
    };
    Some(Served {
        trace_id: head.trace_id.of(span).try_into().ok()?,
        span_id: head.span_id.of(span).try_into().ok()?,
        start: head.start.into(),
        end: head.end.into(),
        method: text(method),
        peer,
        failed: status.is_some_and(|value| int(value) != 0),
    })
}

fn peer(address: &str, port: i64, port_text: &str) -> String {
    let port = if port == 0 { port_text.to_string() } else { port.to_string() };
    if address.contains(':') { format!("tcp-[{address}]:{port}") } else { format!("tcp-{address}:{port}") }
}

fn key_and_value(pair: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut key, mut value) = (&[][..], &[][..]);
    for inner in fields(pair) {
        let inner = inner?;
        match inner.tag {
            tag::KEY => key = &pair[inner.begin..inner.end],
            tag::VALUE => value = &pair[inner.begin..inner.end],
            _ => {}
        }
    }
    Some((key, value))
}

fn string(value: &[u8]) -> &[u8] {
    let texts = fields(value).flatten().filter(|field| field.tag == STRING_VALUE);
    texts.last().map_or(&[], |field| &value[field.begin..field.end])
}

fn int(value: &[u8]) -> i64 {
    let numbers = fields(value).flatten().filter(|field| field.tag == INT_VALUE);
    numbers.last().and_then(|field| varint(value, &mut { field.begin })).unwrap_or(0) as i64
}

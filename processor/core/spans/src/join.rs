//! Puts requests together from the spans of traces.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::trace::Trace;
use crate::wire::{field_size, put_varint, tag};

/// Spans of one scope, each with what was appended to it, and how many bytes their fields take: they are copied once.
struct Scope<'a> {
    scope: &'a [u8],
    spans: Vec<(&'a [u8], &'a [u8])>,
    size: usize,
}

/// Serialize an ExportTraceServiceRequest that holds the spans of these traces, each under its own resource and scope.
///
/// Resources, and the scopes in each, come in the order of their first span.
pub fn request<'a, G: 'a>(traces: impl IntoIterator<Item = &'a Trace<G>>) -> Vec<u8> {
    let mut resources: Vec<(&[u8], Vec<Scope<'_>>)> = Vec::new();
    let mut resource_of: HashMap<&[u8], usize, RandomState> = HashMap::default();
    let mut scope_of: HashMap<(usize, &[u8]), usize, RandomState> = HashMap::default();
    // A group is one resource and one scope, but not the only one: what was forgotten in between comes again as another.
    let mut of_group: HashMap<u64, (usize, usize), RandomState> = HashMap::default();
    for trace in traces {
        for place in 0..trace.len() {
            let group = trace.group(place);
            let (resource, scope) = *of_group.entry(group.number).or_insert_with(|| {
                let envelope = &group.envelope;
                let resource = *resource_of.entry(&envelope.resource).or_insert_with(|| {
                    resources.push((&envelope.resource, Vec::new()));
                    resources.len() - 1
                });
                let scopes = &mut resources[resource].1;
                let scope = *scope_of.entry((resource, &envelope.scope)).or_insert_with(|| {
                    scopes.push(Scope { scope: &envelope.scope, spans: Vec::new(), size: 0 });
                    scopes.len() - 1
                });
                (resource, scope)
            });
            let (span, tail) = (trace.span(place), trace.tail(place));
            let scope = &mut resources[resource].1[scope];
            scope.size += field_size(span.len() + tail.len());
            scope.spans.push((span, tail));
        }
    }
    joined(&resources)
}

fn put_span(out: &mut Vec<u8>, span: &[u8], tail: &[u8]) {
    out.push(tag::SCOPE_SPANS_SPAN as u8);
    put_varint(out, (span.len() + tail.len()) as u64);
    out.extend_from_slice(span);
    out.extend_from_slice(tail);
}

fn joined(resources: &[(&[u8], Vec<Scope<'_>>)]) -> Vec<u8> {
    let size = |scope: &Scope<'_>| scope.scope.len() + scope.size;
    let sizes: Vec<usize> = resources
        .iter()
        .map(|(resource, scopes)| resource.len() + scopes.iter().map(|scope| field_size(size(scope))).sum::<usize>())
        .collect();
    let mut out = Vec::with_capacity(sizes.iter().map(|size| field_size(*size)).sum());
    for ((resource, scopes), size_of_resource) in resources.iter().zip(&sizes) {
        out.push(tag::REQUEST_RESOURCE_SPANS as u8);
        put_varint(&mut out, *size_of_resource as u64);
        out.extend_from_slice(resource);
        for scope in scopes {
            out.push(tag::RESOURCE_SPANS_SCOPE_SPANS as u8);
            put_varint(&mut out, size(scope) as u64);
            out.extend_from_slice(scope.scope);
            scope.spans.iter().for_each(|(span, tail)| put_span(&mut out, span, tail));
        }
    }
    out
}

/// Return how many bytes `request` makes of this trace, without making them.
pub fn request_size<G>(trace: &Trace<G>) -> usize {
    let mut scopes: HashMap<(&[u8], &[u8]), usize, RandomState> = HashMap::default();
    for place in 0..trace.len() {
        let envelope = &trace.group(place).envelope;
        let size = field_size(trace.span(place).len() + trace.tail(place).len());
        *scopes.entry((&envelope.resource, &envelope.scope)).or_insert(envelope.scope.len()) += size;
    }
    let mut resources: HashMap<&[u8], usize, RandomState> = HashMap::default();
    for ((resource, _), size) in scopes {
        *resources.entry(resource).or_insert(resource.len()) += field_size(size);
    }
    resources.into_values().map(field_size).sum()
}

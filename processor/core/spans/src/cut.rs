//! Cuts a request into its spans and puts those of one trace together, without a look at what waits already.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;

use crate::head::{Head, TraceId, trace_id};
use crate::wire::{field, fields, tag};

const NO_ROW: u32 = u32::MAX;
/// About how many bytes a span takes: only how much room is made beforehand depends on it.
const USUAL_SPAN: usize = 256;

/// A resource and a scope as they are around some spans: serialized, less those.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Envelope {
    pub resource: Box<[u8]>,
    pub scope: Box<[u8]>,
}

impl Envelope {
    pub fn size(&self) -> usize {
        self.resource.len() + self.scope.len()
    }
}

/// A span of a request. `head` is None where it is not valid.
pub struct Row {
    begin: u32,
    end: u32,
    /// The place of its resource and scope among the request's envelopes.
    pub envelope: u32,
    next: u32,
    pub head: Option<Head>,
}

impl Row {
    pub fn span<'a>(&self, request: &'a [u8]) -> &'a [u8] {
        &request[self.begin as usize..self.end as usize]
    }
}

/// The spans of one trace in a request.
pub struct Part {
    pub id: TraceId,
    first: u32,
    last: u32,
}

/// A request, cut up. Rows are in their order, parts in the order of their first row.
pub struct Cut {
    pub rows: Vec<Row>,
    pub envelopes: Vec<Envelope>,
    pub parts: Vec<Part>,
    /// How many spans have no valid trace id.
    pub refused: usize,
}

impl Cut {
    /// Cut a serialized ExportTraceServiceRequest up; None where it is not valid. Spans are not looked into for that.
    pub fn new(request: &[u8]) -> Option<Cut> {
        u32::try_from(request.len()).ok()?;
        let rows = Vec::with_capacity(request.len() / USUAL_SPAN);
        let mut cut = Cut { rows, envelopes: Vec::new(), parts: Vec::new(), refused: 0 };
        for field in fields(request) {
            let field = field?;
            if field.tag == tag::REQUEST_RESOURCE_SPANS {
                cut.resource_spans(request, field.begin..field.end)?;
            }
        }
        cut.gather(request);
        Some(cut)
    }

    /// Iterate over the places of the rows of a part, in their order.
    pub fn rows_of(&self, part: &Part) -> impl Iterator<Item = usize> + '_ {
        let mut at = part.first;
        std::iter::from_fn(move || {
            let row = (at != NO_ROW).then_some(at as usize)?;
            at = self.rows[row].next;
            Some(row)
        })
    }

    fn resource_spans(&mut self, request: &[u8], within: Range<usize>) -> Option<()> {
        let (mut resource, first) = (Vec::new(), self.envelopes.len());
        let mut at = within.start;
        while at < within.end {
            let field = field(&request[..within.end], at)?;
            at = field.end;
            if field.tag == tag::RESOURCE_SPANS_SCOPE_SPANS {
                self.scope_spans(request, field.begin..field.end)?;
            } else {
                resource.extend_from_slice(&request[field.at..field.end]);
            }
        }
        // It may come behind its scopes.
        let resource = resource.into_boxed_slice();
        self.envelopes[first..].iter_mut().for_each(|envelope| envelope.resource = resource.clone());
        Some(())
    }

    fn scope_spans(&mut self, request: &[u8], within: Range<usize>) -> Option<()> {
        let (mut scope, envelope) = (Vec::new(), self.envelopes.len() as u32);
        let mut at = within.start;
        while at < within.end {
            let field = field(&request[..within.end], at)?;
            at = field.end;
            if field.tag == tag::SCOPE_SPANS_SPAN {
                let (begin, end) = (field.begin as u32, field.end as u32);
                let head = Head::read(&request[field.begin..field.end]);
                self.rows.push(Row { begin, end, envelope, next: NO_ROW, head });
            } else {
                scope.extend_from_slice(&request[field.at..field.end]);
            }
        }
        self.envelopes.push(Envelope { resource: Box::default(), scope: scope.into_boxed_slice() });
        Some(())
    }

    fn gather(&mut self, request: &[u8]) {
        let mut part_of: HashMap<TraceId, u32, RandomState> = HashMap::default();
        let mut last: Option<(TraceId, u32)> = None;
        for number in 0..self.rows.len() {
            let row = &self.rows[number];
            let Some(id) = trace_id(row.span(request), row.head.as_ref()) else {
                self.refused += 1;
                continue;
            };
            let new = self.parts.len() as u32;
            let part = match last {
                Some((before, part)) if before == id => part,
                _ => *part_of.entry(id).or_insert(new),
            };
            last = Some((id, part));
            let number = number as u32;
            if part == new {
                self.parts.push(Part { id, first: number, last: number });
            } else {
                let part = &mut self.parts[part as usize];
                self.rows[part.last as usize].next = number;
                part.last = number;
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::wire::put_field;

    /// A span of a trace, as encoders write it.
    pub fn span(trace: u8, id: u8, parent: u8, name: &str) -> Vec<u8> {
        let mut span = Vec::new();
        put_field(&mut span, tag::TRACE_ID, &[trace; 16]);
        put_field(&mut span, tag::SPAN_ID, &[id; 8]);
        if parent > 0 {
            put_field(&mut span, tag::PARENT_SPAN_ID, &[parent; 8]);
        }
        put_field(&mut span, tag::NAME, name.as_bytes());
        span
    }

    /// A request with one resource and one scope around these spans.
    pub fn request(spans: &[Vec<u8>]) -> Vec<u8> {
        let (mut scope, mut resource, mut request) = (Vec::new(), Vec::new(), Vec::new());
        put_field(&mut scope, 0x0a, b"\x0a\x05scope");
        spans.iter().for_each(|span| put_field(&mut scope, tag::SCOPE_SPANS_SPAN, span));
        put_field(&mut resource, tag::RESOURCE_SPANS_SCOPE_SPANS, &scope);
        put_field(&mut resource, 0x0a, b"resource"); // behind its scope
        put_field(&mut request, tag::REQUEST_RESOURCE_SPANS, &resource);
        request
    }

    #[test]
    fn spans_are_put_to_their_traces_in_the_order_of_their_coming() {
        let spans = [span(1, 1, 0, "a"), span(2, 2, 0, "b"), span(1, 3, 1, "c"), span(0, 4, 0, "refused")];
        let request = request(&spans);
        let cut = Cut::new(&request).unwrap();
        let rows = |part: usize| cut.rows_of(&cut.parts[part]).collect::<Vec<_>>();
        assert_eq!((cut.rows.len(), cut.refused, cut.parts.len()), (4, 1, 2));
        assert_eq!((rows(0), rows(1)), (vec![0, 2], vec![1]));
        assert_eq!(cut.rows[2].span(&request), &spans[2][..]);
    }

    #[test]
    fn an_envelope_is_all_but_the_spans() {
        let cut = Cut::new(&request(&[span(1, 1, 0, "a")])).unwrap();
        assert_eq!(&cut.envelopes[0].resource[..], b"\x0a\x08resource");
        assert_eq!(&cut.envelopes[0].scope[..], b"\x0a\x07\x0a\x05scope");
    }

    #[test]
    fn a_request_that_is_cut_short_is_not_valid() {
        let whole = request(&[span(1, 1, 0, "a")]);
        assert!(Cut::new(&whole[..whole.len() - 1]).is_none());
        assert!(Cut::new(b"").is_some_and(|cut| cut.rows.is_empty()));
    }
}

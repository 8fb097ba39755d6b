//! The head of a span: what nearly every trace is decided by.

use std::ops::Range;

use crate::wire::{field, fields, tag, varint};

pub type TraceId = [u8; 16];

const FNV_PRIME: u64 = 0x100_0000_01b3;

/// The 64-bit FNV-1a hash of a trace id, going on from `basis`.
pub fn id_hash(id: &TraceId, basis: u64) -> u64 {
    id.iter().fold(basis, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// A part of a span's bytes, from where to where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    begin: u32,
    end: u32,
}

impl Part {
    pub fn of<'a>(&self, span: &'a [u8]) -> &'a [u8] {
        &span[self.begin as usize..self.end as usize]
    }

    /// Where it is in what holds the span from `begin` on.
    pub fn within(&self, begin: usize) -> Range<usize> {
        begin + self.begin as usize..begin + self.end as usize
    }
}

/// What one look at the top level of a span tells. Of a field that comes twice the last counts, as in every decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub trace_id: Part,
    pub span_id: Part,
    pub parent_span_id: Part,
    pub name: Part,
    pub trace_state: Part,
    pub status_message: Part,
    pub start: u64,
    pub end: u64,
    pub kind: i32,
    pub status: i32,
    pub flags: u32,
}

const NO_PARENT: &[u8] = &[0; 8];

impl Head {
    /// Read the head of a serialized span; None where its top level, or its status, is not valid.
    pub fn read(span: &[u8]) -> Option<Head> {
        let (mut head, mut at) = (Head::default(), 0);
        while at < span.len() {
            let field = field(span, at)?;
            at = field.end;
            let part = || Part { begin: field.begin as u32, end: field.end as u32 };
            match field.tag {
                tag::TRACE_ID => head.trace_id = part(),
                tag::SPAN_ID => head.span_id = part(),
                tag::PARENT_SPAN_ID => head.parent_span_id = part(),
                tag::TRACE_STATE => head.trace_state = part(),
                tag::NAME => head.name = part(),
                tag::KIND => head.kind = varint(span, &mut { field.begin })? as i32,
                tag::START => head.start = u64::from_le_bytes(span[field.begin..field.end].try_into().ok()?),
                tag::END => head.end = u64::from_le_bytes(span[field.begin..field.end].try_into().ok()?),
                tag::FLAGS => head.flags = u32::from_le_bytes(span[field.begin..field.end].try_into().ok()?),
                tag::STATUS => head.read_status(span, field.begin, field.end)?,
                _ => {}
            }
        }
        Some(head)
    }

    fn read_status(&mut self, span: &[u8], begin: usize, end: usize) -> Option<()> {
        let status = &span[begin..end];
        for field in fields(status) {
            let field = field?;
            match field.tag {
                tag::STATUS_CODE => self.status = varint(status, &mut { field.begin })? as i32,
                tag::STATUS_MESSAGE => {
                    self.status_message = Part { begin: (begin + field.begin) as u32, end: (begin + field.end) as u32 };
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Return a copy of the parts of the span that the head names, less the trace id, one behind the other, and the head of that.
    pub fn extracted(&self, span: &[u8]) -> (Head, Vec<u8>) {
        let (mut head, mut bytes) = (Head { trace_id: Part::default(), ..*self }, Vec::new());
        let Head { span_id, parent_span_id, name, trace_state, status_message, .. } = &mut head;
        for part in [span_id, parent_span_id, name, trace_state, status_message] {
            let begin = bytes.len() as u32;
            bytes.extend_from_slice(part.of(span));
            *part = Part { begin, end: bytes.len() as u32 };
        }
        (head, bytes)
    }

    /// Tell whether the span has no parent: none, or one of zeros, which the Collector reads as none.
    pub fn is_root(&self, span: &[u8]) -> bool {
        is_no_parent(self.parent_span_id.of(span))
    }
}

/// Tell whether this is what the parent of a root span is.
pub fn is_no_parent(span_id: &[u8]) -> bool {
    span_id.is_empty() || span_id == NO_PARENT
}

/// Return the trace id of a span; None where it is not one. `head` is what was read of the span.
///
/// Of a span that is not valid it is taken from where every encoder puts it, in front.
pub fn trace_id(span: &[u8], head: Option<&Head>) -> Option<TraceId> {
    let id = match head {
        Some(head) => head.trace_id.of(span),
        None => span.strip_prefix(b"\x0a\x10").and_then(|rest| rest.get(..16))?,
    };
    id.try_into().ok().filter(|id| *id != TraceId::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: &[u8] = b"\x0a\x100123456789abcdef\x12\x08ABCDEFGH\x22\x08abcdefgh\x2a\x04name\x30\x02\
        \x39\x01\0\0\0\0\0\0\0\x41\x02\0\0\0\0\0\0\0\x7a\x05\x12\x01m\x18\x02\x85\x01\x03\0\0\0";

    #[test]
    fn all_of_a_head_is_read() {
        let head = Head::read(SPAN).unwrap();
        assert_eq!(trace_id(SPAN, Some(&head)), Some(*b"0123456789abcdef"));
        assert_eq!((head.span_id.of(SPAN), head.name.of(SPAN)), (&b"ABCDEFGH"[..], &b"name"[..]));
        assert_eq!((head.kind, head.start, head.end, head.status), (2, 1, 2, 2));
        assert!(!head.is_root(SPAN));
        let (copied, bytes) = head.extracted(SPAN);
        assert_eq!((copied.name.of(&bytes), copied.status_message.of(&bytes)), (&b"name"[..], &b"m"[..]));
        assert_eq!(bytes.len(), 8 + 8 + 4 + 1);
    }

    #[test]
    fn flags_are_field_sixteen() {
        assert_eq!(Head::read(SPAN).unwrap().flags, 3);
    }

    #[test]
    fn a_parent_of_zeros_is_none() {
        let span = b"\x22\x08\0\0\0\0\0\0\0\0";
        assert!(Head::read(span).unwrap().is_root(span));
        let span = b"\x22\x04\0\0\0\0";
        assert!(!Head::read(span).unwrap().is_root(span));
    }

    #[test]
    fn of_two_trace_ids_the_last_counts() {
        let span = b"\x0a\x100123456789abcdef\x0a\x10fedcba9876543210";
        assert_eq!(trace_id(span, Head::read(span).as_ref()), Some(*b"fedcba9876543210"));
    }

    #[test]
    fn a_span_that_is_not_valid_has_the_id_in_front() {
        let span = b"\x0a\x100123456789abcdef\x12\x80";
        assert_eq!(Head::read(span), None);
        assert_eq!(trace_id(span, None), Some(*b"0123456789abcdef"));
        assert_eq!(trace_id(b"\x0a\x10short", None), None);
        assert_eq!(trace_id(b"\x0a\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff", None), None);
    }
}

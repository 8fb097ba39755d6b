//! Protobuf's wire format: fields, one after the other, and whether a span is valid to the bottom.
//!
//! What is accepted is what Google's decoders accept (<https://protobuf.dev/programming-guides/encoding/>).

/// How deep messages may lie in each other, as in Google's decoders.
const DEPTH_LIMIT: u32 = 100;
/// A byte of a number from here on says that there are more.
const LONG: u8 = 0x80;

/// Field numbers and wire types of OTLP's `trace.proto` and `common.proto`, as they stand in front of a field.
pub mod tag {
    pub const REQUEST_RESOURCE_SPANS: u32 = 0x0a;
    pub const RESOURCE_SPANS_SCOPE_SPANS: u32 = 0x12;
    pub const SCOPE_SPANS_SPAN: u32 = 0x12;
    pub const TRACE_ID: u32 = 0x0a;
    pub const SPAN_ID: u32 = 0x12;
    pub const TRACE_STATE: u32 = 0x1a;
    pub const PARENT_SPAN_ID: u32 = 0x22;
    pub const NAME: u32 = 0x2a;
    pub const KIND: u32 = 0x30;
    pub const START: u32 = 0x39;
    pub const END: u32 = 0x41;
    pub const ATTRIBUTE: u32 = 0x4a;
    pub const EVENT: u32 = 0x5a;
    pub const LINK: u32 = 0x6a;
    pub const STATUS: u32 = 0x7a;
    pub const FLAGS: u32 = 0x85;
    pub const STATUS_MESSAGE: u32 = 0x12;
    pub const STATUS_CODE: u32 = 0x18;
    pub const KEY: u32 = 0x0a;
    pub const VALUE: u32 = 0x12;
    pub const VALUE_STRING: u32 = 0x0a;
    pub const VALUE_BOOL: u32 = 0x10;
    pub const VALUE_INT: u32 = 0x18;
    pub const VALUE_DOUBLE: u32 = 0x21;
    pub const VALUE_BYTES: u32 = 0x3a;
    pub const VALUE_ARRAY: u32 = 0x2a;
    pub const VALUE_KEY_VALUES: u32 = 0x32;
    pub const ARRAY_VALUE: u32 = 0x0a;
    pub const KEY_VALUES_PAIR: u32 = 0x0a;
    pub const EVENT_ATTRIBUTE: u32 = 0x1a;
    pub const LINK_TRACE_ID: u32 = 0x0a;
    pub const LINK_SPAN_ID: u32 = 0x12;
    pub const LINK_ATTRIBUTE: u32 = 0x22;
}

/// One field: its tag, where it begins (tag included), where its payload begins, and where both end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    pub tag: u32,
    pub at: usize,
    pub begin: usize,
    pub end: usize,
}

/// Read the number at `at` and go behind it; None where it is not valid.
#[inline]
pub fn varint(data: &[u8], at: &mut usize) -> Option<u64> {
    let byte = *data.get(*at)?;
    *at += 1;
    if byte < LONG { Some(byte.into()) } else { long_varint(data, at, byte) }
}

/// Read what is behind the first byte of a number that has several: most have one.
#[inline(never)]
fn long_varint(data: &[u8], at: &mut usize, first: u8) -> Option<u64> {
    let mut value = u64::from(first & 0x7f);
    for shift in (7..64).step_by(7) {
        let byte = *data.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < LONG {
            return Some(value);
        }
    }
    None
}

/// Return the field at `at`; None where it is not valid.
#[inline(always)]
pub fn field(data: &[u8], at: usize) -> Option<Field> {
    let mut begin = at;
    let tag = u32::try_from(varint(data, &mut begin)?).ok()?;
    if tag < 8 {
        return None; // there is no field 0
    }
    let (begin, end) = payload(data, begin, tag, 0)?;
    Some(Field { tag, at, begin, end })
}

/// Return where the payload behind a tag begins and ends; None where that is not within the data.
#[inline(always)]
fn payload(data: &[u8], mut begin: usize, tag: u32, depth: u32) -> Option<(usize, usize)> {
    let end = match tag & 7 {
        0 => {
            let mut end = begin;
            varint(data, &mut end)?;
            end
        }
        1 => begin + 8,
        2 => {
            let size = usize::try_from(varint(data, &mut begin)?).ok()?;
            begin.checked_add(size)?
        }
        3 => group_end(data, begin, tag, depth)?,
        5 => begin + 4,
        _ => return None,
    };
    (end <= data.len()).then_some((begin, end))
}

#[inline(never)]
fn group_end(data: &[u8], mut at: usize, start: u32, depth: u32) -> Option<usize> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    loop {
        let tag = u32::try_from(varint(data, &mut at)?).ok()?;
        if tag == start + 1 {
            return Some(at);
        }
        // Within a group that they do not know, decoders do not mind a field 0.
        at = payload(data, at, tag, depth + 1)?.1;
    }
}

/// Iterate over the fields of a message; None stands in the place of one that is not valid, and ends it.
pub fn fields(data: &[u8]) -> impl Iterator<Item = Option<Field>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= data.len() {
            return None;
        }
        let found = field(data, at);
        at = found.map_or(data.len(), |field| field.end);
        Some(found)
    })
}

/// The messages whose insides are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Message {
    Span,
    /// A span of which the attributes alone are looked into.
    Attributes,
    KeyValue,
    AnyValue,
    Array,
    KeyValues,
    Event,
    Link,
    Status,
}

/// Tell whether these bytes are a valid message down to the last attribute, with ids that have their lengths.
///
/// The Collector's pdata, and with it Jaeger, refuses a whole request for one span that is not.
pub fn is_valid(data: &[u8], message: Message) -> bool {
    is_valid_at(data, message, 0)
}

pub(crate) fn is_valid_at(data: &[u8], message: Message, depth: u32) -> bool {
    if depth > DEPTH_LIMIT {
        return false;
    }
    let mut at = 0;
    while at < data.len() {
        let Some(field) = field(data, at) else { return false };
        at = field.end;
        let payload = &data[field.begin..field.end];
        let is_valid = match inside(message, field.tag) {
            Inside::Message(inner) => is_valid_at(payload, inner, depth + 1),
            Inside::Id(size) => payload.is_empty() || payload.len() == size,
            Inside::Opaque => true,
        };
        if !is_valid {
            return false;
        }
    }
    true
}

enum Inside {
    Message(Message),
    Id(usize),
    Opaque,
}

fn inside(message: Message, tag: u32) -> Inside {
    use Message::*;
    Inside::Message(match (message, tag) {
        (Span | Attributes, tag::ATTRIBUTE) => KeyValue,
        (Span, tag::EVENT) => Event,
        (Span, tag::LINK) => Link,
        (Span, tag::STATUS) => Status,
        (Event, tag::EVENT_ATTRIBUTE) | (Link, tag::LINK_ATTRIBUTE) | (KeyValues, tag::KEY_VALUES_PAIR) => KeyValue,
        (KeyValue, tag::VALUE) | (Array, tag::ARRAY_VALUE) => AnyValue,
        (AnyValue, tag::VALUE_ARRAY) => Array,
        (AnyValue, tag::VALUE_KEY_VALUES) => KeyValues,
        (Span, tag::SPAN_ID | tag::PARENT_SPAN_ID) | (Link, tag::LINK_SPAN_ID) => return Inside::Id(8),
        (Span, tag::TRACE_ID) | (Link, tag::LINK_TRACE_ID) => return Inside::Id(16),
        _ => return Inside::Opaque,
    })
}

pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Append a field with a length in front of it; the tag takes one byte.
pub fn put_field(out: &mut Vec<u8>, tag: u32, payload: &[u8]) {
    debug_assert!(tag < 0x80);
    out.push(tag as u8);
    put_varint(out, payload.len() as u64);
    out.extend_from_slice(payload);
}

/// Return how many bytes a field with a payload of `size` bytes takes; its tag is one of them.
pub fn field_size(size: usize) -> usize {
    let bits = usize::BITS - size.leading_zeros();
    1 + (bits.div_ceil(7).max(1) as usize) + size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_eleven_bytes_is_not_valid() {
        assert_eq!(varint(&[0xff; 11], &mut 0), None);
        assert_eq!(varint(&[0x96, 0x01], &mut 0), Some(150));
    }

    #[test]
    fn a_field_that_ends_behind_its_message_is_not_valid() {
        assert_eq!(field(b"\x0a\x05abcd", 0), None);
        assert_eq!(field(b"\x0a\x04abcd", 0), Some(Field { tag: 0x0a, at: 0, begin: 2, end: 6 }));
    }

    #[test]
    fn groups_end_with_their_own_tag() {
        assert_eq!(field(b"\x0b\x10\x01\x0c", 0).map(|field| field.end), Some(4));
        assert_eq!(field(b"\x0b\x10\x01\x14", 0), None);
        assert_eq!(field(&[0x0b; 300], 0), None);
        assert_eq!(field(b"\x0b\x00\x7b\x0c", 0).map(|field| field.end), Some(4));
    }

    #[test]
    fn field_zero_and_unknown_wire_types_are_not_valid() {
        for data in [&b"\x00\x01"[..], b"\x02\x00", b"\x0e\x00", b"\x0f\x00", b"\x0c"] {
            assert_eq!(field(data, 0), None, "{data:?}");
        }
    }

    #[test]
    fn sizes_of_fields_are_what_is_written() {
        for size in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut out = Vec::new();
            put_field(&mut out, 0x12, &vec![0; size]);
            assert_eq!(out.len(), field_size(size));
        }
    }

    #[test]
    fn values_deep_in_each_other_are_valid_up_to_a_limit() {
        let nested = |depth: usize| {
            let mut value = Vec::new();
            for _ in 0..depth {
                let mut array = Vec::new();
                put_field(&mut array, tag::ARRAY_VALUE, &value);
                value.clear();
                put_field(&mut value, tag::VALUE_ARRAY, &array);
            }
            value
        };
        assert!(is_valid(&nested(49), Message::AnyValue));
        assert!(!is_valid(&nested(60), Message::AnyValue));
    }

    #[test]
    fn a_span_with_an_id_of_another_length_is_not_valid() {
        assert!(is_valid(b"\x12\x08abcdefgh", Message::Span));
        assert!(is_valid(b"\x12\x00", Message::Span));
        assert!(!is_valid(b"\x12\x07abcdefg", Message::Span));
        assert!(!is_valid(b"\x12\x07abcdefg\x12\x08abcdefgh", Message::Span));
        assert!(!is_valid(b"\x0a\x01a", Message::Span));
    }
}

//! The attributes of a span.

use std::borrow::Cow;

use crate::wire::{Message, field, fields, is_valid_at, tag};

/// How deep the value of an attribute lies in its span.
const DEPTH: u32 = 2;

/// An attribute: a valid KeyValue.
struct Attribute<'a> {
    whole: &'a [u8],
    /// Of a key that comes twice the last counts, as for every field that is not repeated.
    key: &'a [u8],
    /// Its value, if there is one part of it: every decoder merges parts, one behind the other.
    value: Option<&'a [u8]>,
    is_in_parts: bool,
}

impl<'a> Attribute<'a> {
    /// Read a serialized KeyValue; None where it is not valid.
    fn read(whole: &'a [u8]) -> Option<Self> {
        let mut read = Attribute { whole, key: &[], value: None, is_in_parts: false };
        let mut at = 0;
        while at < whole.len() {
            let field = field(whole, at)?;
            at = field.end;
            let payload = &whole[field.begin..field.end];
            match field.tag {
                tag::KEY => read.key = payload,
                tag::VALUE if is_valid_at(payload, Message::AnyValue, DEPTH) => {
                    read.is_in_parts |= read.value.is_some();
                    read.value = Some(payload);
                }
                tag::VALUE => return None,
                _ => {}
            }
        }
        Some(read)
    }

    fn whole_value(&self) -> Cow<'a, [u8]> {
        if !self.is_in_parts {
            return self.value.unwrap_or_default().into();
        }
        let parts = fields(self.whole).flatten().filter(|inner| inner.tag == tag::VALUE);
        parts.map(|inner| &self.whole[inner.begin..inner.end]).collect::<Vec<_>>().concat().into()
    }
}

/// Iterate over the attributes of a span; None stands in the place of one that is not valid.
fn attributes(span: &[u8]) -> impl Iterator<Item = Option<Attribute<'_>>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < span.len() {
            let Some(field) = field(span, at) else {
                at = span.len();
                return Some(None);
            };
            at = field.end;
            if field.tag == tag::ATTRIBUTE {
                return Some(Attribute::read(&span[field.begin..field.end]));
            }
        }
        None
    })
}

/// Iterate over the attributes of a span, each as its key and its serialized KeyValue; None stands in the place of one that is not
/// valid.
pub fn attribute_pairs(span: &[u8]) -> impl Iterator<Item = Option<(&[u8], &[u8])>> + '_ {
    attributes(span).map(|one| one.map(|one| (one.key, one.whole)))
}

/// Return the keys of the attributes of a span, in their order; None where an attribute is not valid.
pub fn attribute_keys(span: &[u8]) -> Option<Vec<&[u8]>> {
    attributes(span).map(|one| one.map(|one| one.key)).collect()
}

/// Return the serialized value of the first attribute with this key, None within where there is none; None where any attribute of
/// the span is not valid.
pub fn attribute_value<'a>(span: &'a [u8], key: &[u8]) -> Option<Option<Cow<'a, [u8]>>> {
    let mut found = None;
    for one in attributes(span) {
        let one = one?;
        if found.is_none() && one.key == key {
            found = Some(one.whole_value());
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_attributes_are_found() {
        let span = b"\x2a\x01n\x4a\x05\x0a\x01k\x12\x00\x4a\x02\x12\x00";
        assert_eq!(attribute_keys(span), Some(vec![&b"k"[..], b""]));
        assert_eq!(attribute_keys(b"\x4a\x03\x0a\x05k"), None);
    }

    #[test]
    fn the_value_of_the_first_attribute_with_a_key_is_found() {
        let span = b"\x4a\x05\x0a\x01k\x12\x00\x4a\x07\x0a\x01l\x12\x02\x18\x01\x4a\x07\x0a\x01l\x12\x02\x18\x02\x4a\x03\x0a\x01m";
        let value = |key: &[u8]| attribute_value(span, key).unwrap().map(Cow::into_owned);
        assert_eq!(value(b"k"), Some(vec![]));
        assert_eq!(value(b"l"), Some(b"\x18\x01".to_vec()));
        assert_eq!(value(b"m"), Some(vec![]));
        assert_eq!(value(b"n"), None);
    }

    #[test]
    fn parts_of_a_value_are_put_together() {
        let span = b"\x4a\x0b\x12\x02\x18\x01\x0a\x01k\x12\x02\x18\x02";
        assert_eq!(attribute_value(span, b"k"), Some(Some(b"\x18\x01\x18\x02"[..].into())));
    }

    #[test]
    fn a_value_is_not_found_where_any_attribute_is_not_valid() {
        assert_eq!(attribute_value(b"\x4a\x05\x0a\x01k\x12\x00\x4a\x03\x0a\x05k", b"k"), None);
    }
}

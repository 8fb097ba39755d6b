//! The bodies of the records in a serialized ExportLogsServiceRequest.

use crate::wire::{Field, fields};

const RESOURCE_LOGS: u32 = 0x0a;
const SCOPE_LOGS: u32 = 0x12;
const LOG_RECORD: u32 = 0x12;
const BODY: u32 = 0x2a;
const STRING_VALUE: u32 = 0x0a;

/// Return the texts of the bodies, in their order; None where a request is not valid, or a body not plain to see.
pub fn bodies(request: &[u8]) -> Option<Vec<&[u8]>> {
    let mut bodies = Vec::new();
    for resource_logs in inner(request, RESOURCE_LOGS) {
        for scope_logs in inner(resource_logs?, SCOPE_LOGS) {
            for record in inner(scope_logs?, LOG_RECORD) {
                let mut found = inner(record?, BODY);
                let Some(body) = found.next() else { continue };
                let body = body?;
                if found.next().is_some() {
                    return None;
                }
                let mut values = fields(body);
                let Some(value) = values.next() else { continue };
                let Field { tag, begin, end, .. } = value?;
                if values.next().is_some() || tag != STRING_VALUE {
                    return None;
                }
                bodies.push(&body[begin..end]);
            }
        }
    }
    Some(bodies)
}

/// Iterate over the payloads of the fields with this tag; None stands in the place of what is not valid.
fn inner(message: &[u8], tag: u32) -> impl Iterator<Item = Option<&[u8]>> {
    let is_one = move |field: &Option<Field>| field.is_none_or(|field| field.tag == tag);
    fields(message).filter(is_one).map(|field| field.map(|field| &message[field.begin..field.end]))
}

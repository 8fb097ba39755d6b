//! The one call of a service that a trace is about, where that is plain to see: most traces of a server are about one.

use memchr::memmem::{Finder, find};

use crate::any_of::AnyOf;
use crate::head::Head;
use crate::trace::Trace;

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;

/// How the calls of a service are told from other spans, and in which traces that is not plain.
pub struct Marks {
    /// The service's full name, which the bytes of each span of a call hold.
    pub service: Finder<'static>,
    /// What the names of spans of other services hold.
    pub parts: Vec<u8>,
    /// What the bytes of a trace hold in which other spans may be calls as well.
    pub others: AnyOf,
    /// How the names of root spans begin that may be such.
    pub roots: Finder<'static>,
}

/// A call: the places of the caller's span, if it is there, and of the service's own.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    pub client: Option<usize>,
    pub server: usize,
    /// The places of spans of others, which are not below the call. All that are not named here are.
    pub beside: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Calls {
    None,
    One(Call),
    /// It takes a closer look to tell.
    Unclear,
}

/// Return the method in a name such as `package.Service/Method`, where something that ends in a slash or a dot may be in front.
fn method<'a>(name: &'a [u8], service: &[u8]) -> Option<&'a [u8]> {
    let slash = name.iter().rposition(|byte| *byte == b'/')?;
    let before = name[..slash].strip_suffix(service)?;
    let method = &name[slash + 1..];
    (!method.is_empty() && before.last().is_none_or(|last| b"/.".contains(last))).then_some(method)
}

struct Found<'a> {
    place: usize,
    head: Head,
    span: &'a [u8],
    method: &'a [u8],
}

impl Found<'_> {
    fn is_called_by(&self, caller: &Found<'_>) -> bool {
        self.method == caller.method
            && self.head.kind == SERVER
            && caller.head.kind != SERVER
            && self.head.parent_span_id.of(self.span) == caller.head.span_id.of(caller.span)
    }
}

/// Look for the call of a trace to which nothing was appended; `own` tells of each of its groups whether it is the service's.
pub fn calls<G>(trace: &Trace<G>, marks: &Marks, own: &[bool]) -> Calls {
    look(trace, marks, own).unwrap_or(Calls::Unclear)
}

fn look<G>(trace: &Trace<G>, marks: &Marks, own: &[bool]) -> Option<Calls> {
    let is_other_root = |place: usize| {
        let span = trace.span(place);
        let head = Head::read(span);
        head.is_none_or(|head| head.is_root(span) && head.name.of(span).starts_with(marks.roots.needle()))
    };
    if !trace.is_as_it_came() || marks.others.is_in(trace.framed()) || trace.holders(&marks.roots).any(is_other_root) {
        return None;
    }
    let mut found: Vec<Found<'_>> = Vec::new();
    for place in trace.holders(&marks.service) {
        let span = trace.span(place);
        let head = Head::read(span)?;
        if head.kind == INTERNAL {
            continue;
        }
        let name = head.name.of(span);
        match method(name, marks.service.needle()) {
            Some(method) => found.push(Found { place, head, span, method }),
            // Its attributes may say which method it is.
            None if head.kind >= SERVER && find(name, &marks.parts).is_none() => return None,
            None => {}
        }
    }
    let (client, server) = match &found[..] {
        [] => return Some(Calls::None),
        [one] if one.head.kind == SERVER => (None, one.place),
        [one, other] if other.is_called_by(one) => (Some(one.place), other.place),
        [other, one] if other.is_called_by(one) => (Some(one.place), other.place),
        _ => return None,
    };
    let mut beside = Vec::new();
    for place in (0..trace.len()).filter(|place| !own[trace.group_place(*place)]) {
        let span = trace.span(place);
        if Some(place) != client && !Head::read(span)?.is_root(span) {
            return None;
        }
        if place != client.unwrap_or(server) {
            beside.push(place);
        }
    }
    Some(Calls::One(Call { client, server, beside }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_behind_the_service() {
        let service = b"a.Service";
        assert_eq!(method(b"a.Service/Search", service), Some(&b"Search"[..]));
        assert_eq!(method(b"/a.Service/Search", service), Some(&b"Search"[..]));
        assert_eq!(method(b"grpc.a.Service/Search", service), Some(&b"Search"[..]));
        for name in [&b"a.Service/"[..], b"a.Service", b"ba.Service/Search", b"a.Service/x/Search", b"/Search"] {
            assert_eq!(method(name, service), None, "{name:?}");
        }
    }
}

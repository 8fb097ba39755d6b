//! The calls of a service that a trace is about, where they are plain to see: most traces of a server are about one.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use memchr::memmem::{Finder, find};

use crate::any_of::AnyOf;
use crate::attributes::attribute_value;
use crate::head::{Head, is_no_parent};
use crate::trace::Trace;

const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
/// Of an attribute's value: the tag of a text.
const STRING_VALUE: u8 = 0x0a;
/// A length from here on takes more than one byte.
const LONG: u8 = 0x80;

/// How the calls of a service are told from other spans, and in which traces that is not plain.
pub struct Marks {
    /// The service's full name, which the bytes of each span of a call hold.
    pub service: Finder<'static>,
    /// What the names of spans of other services hold.
    pub parts: Vec<u8>,
    /// What the bytes of a trace hold in which other spans may be calls as well.
    pub others: AnyOf,
    /// How the names of root spans begin that may be such.
    pub roots: Vec<u8>,
    pub operations: Operations,
    /// All of them: a trace that holds none is about no call.
    pub any: AnyOf,
}

/// How the operations of a client are told, which it makes calls for: spans that are not the service's own.
pub struct Operations {
    /// What is in all keys.
    pub mark: Finder<'static>,
    /// Attributes, of which the first that is there tells.
    pub keys: Vec<Vec<u8>>,
    /// Its value.
    pub value: Vec<u8>,
}

/// A call, or an operation: the places of the caller's span and of the service's own, as far as they are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    pub client: Option<usize>,
    pub server: Option<usize>,
    /// The places of the spans whose nearest call it is, its own included.
    pub spans: Vec<usize>,
    /// Whether all of them but its own are known to be the service's.
    pub is_alone: bool,
    /// The place among the calls of the one that it was made for.
    pub above: Option<usize>,
    /// Whether it is an operation, which has no method.
    pub is_operation: bool,
}

impl Call {
    /// The place of a span that is named by its method.
    pub fn named(&self) -> usize {
        self.client.or(self.server).unwrap_or_default()
    }
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
    head: &'a Head,
    span: &'a [u8],
    /// None for an operation.
    method: Option<&'a [u8]>,
}

impl Found<'_> {
    fn is_server(&self) -> bool {
        self.head.kind == SERVER && self.method.is_some()
    }

    fn call(&self) -> Call {
        let is_server = self.is_server();
        let (client, server) = ((!is_server).then_some(self.place), is_server.then_some(self.place));
        Call { client, server, is_operation: self.method.is_none(), ..Call::default() }
    }

    fn is_called_by(&self, caller: &Found<'_>) -> bool {
        self.method == caller.method
            && self.is_server()
            && !caller.is_server()
            && self.head.parent_span_id.of(self.span) == caller.head.span_id.of(caller.span)
    }
}

/// Return the calls of a trace to which nothing was appended, in the order of their first spans; None where it takes a closer look
/// to tell. `own` tells of each of its groups whether it is the service's.
pub fn calls<G>(trace: &Trace<G>, marks: &Marks, own: &[bool]) -> Option<Vec<Call>> {
    if trace.is_as_it_came() { calls_as_they_came(trace, marks, own) } else { None }
}

/// Return the calls of a trace as it was before anything was appended to it.
pub fn calls_as_they_came<G>(trace: &Trace<G>, marks: &Marks, own: &[bool]) -> Option<Vec<Call>> {
    if !trace.facts.sound {
        return None;
    }
    if !marks.any.is_in(trace.framed()) {
        return Some(Vec::new());
    }
    let heads = trace.heads_as_they_came()?;
    if may_be_others(trace, marks, heads) {
        return None;
    }
    let mut found = found(trace, marks, heads)?;
    add_operations(trace, &marks.operations, own, heads, &mut found)?;
    if found.is_empty() {
        return Some(Vec::new());
    }
    let alone = single(&found).and_then(|(client, server)| alone(trace, own, heads, client, server));
    Some(alone.map_or_else(|| connected(trace, heads, &found), |call| vec![call]))
}

/// Tell whether spans may be calls that are told by nothing that is looked for here.
fn may_be_others<G>(trace: &Trace<G>, marks: &Marks, heads: &[Head]) -> bool {
    let is_other_root = |(place, head): (usize, &Head)| {
        let span = trace.span(place);
        head.is_root(span) && head.name.of(span).starts_with(&marks.roots)
    };
    heads.iter().enumerate().any(is_other_root) || marks.others.is_in(trace.framed())
}

/// Return the spans of calls; None where it takes a closer look to tell.
fn found<'a, G>(trace: &'a Trace<G>, marks: &Marks, heads: &'a [Head]) -> Option<Vec<Found<'a>>> {
    let mut found: Vec<Found<'_>> = Vec::new();
    for (place, head) in heads.iter().enumerate().filter(|(_, head)| head.kind != INTERNAL) {
        let span = trace.span(place);
        let name = head.name.of(span);
        match method(name, marks.service.needle()) {
            Some(method) => {
                std::str::from_utf8(method).ok()?; // else what is not the same may read the same
                found.push(Found { place, head, span, method: Some(method) });
            }
            // Its attributes may say which method it is.
            None if head.kind < SERVER || find(name, &marks.parts).is_some() => {}
            None if marks.service.find(span).is_some() => return None,
            None => {}
        }
    }
    Some(found)
}

/// Add the operations of clients, in their places; None where it takes a closer look to tell.
fn add_operations<'a, G>(
    trace: &'a Trace<G>,
    operations: &Operations,
    own: &[bool],
    heads: &'a [Head],
    found: &mut Vec<Found<'a>>,
) -> Option<()> {
    let calls = found.len();
    for place in 0..trace.len() {
        let span = trace.span(place);
        let is_call = || found[..calls].iter().any(|one| one.place == place);
        if own[trace.group_place(place)] || operations.mark.find(span).is_none() || is_call() {
            continue;
        }
        for key in &operations.keys {
            let Some(value) = attribute_value(span, key)? else { continue };
            let [STRING_VALUE, length, text @ ..] = &value[..] else { return None };
            if usize::from(*length) != text.len() || *length >= LONG {
                return None;
            }
            if text == operations.value {
                found.push(Found { place, head: &heads[place], span, method: None });
            }
            break;
        }
    }
    found[..].sort_by_key(|one| one.place);
    Some(())
}

/// Return the spans of the caller, if it is there, and of the service, where all that was found is one call.
fn single(found: &[Found<'_>]) -> Option<(Option<usize>, usize)> {
    match found {
        [one] if one.is_server() => Some((None, one.place)),
        [one, other] if other.is_called_by(one) => Some((Some(one.place), other.place)),
        [other, one] if other.is_called_by(one) => Some((Some(one.place), other.place)),
        _ => None,
    }
}

/// Return the one call of a trace, of which all spans of the service are; None where others have spans below it, too.
fn alone<G>(trace: &Trace<G>, own: &[bool], heads: &[Head], client: Option<usize>, server: usize) -> Option<Call> {
    let mut spans = Vec::with_capacity(trace.len());
    for (place, head) in heads.iter().enumerate() {
        let is_own = own[trace.group_place(place)];
        if !is_own && Some(place) != client && !head.is_root(trace.span(place)) {
            return None;
        }
        if is_own || place == client.unwrap_or(server) {
            spans.push(place);
        }
    }
    Some(Call { client, server: Some(server), spans, is_alone: true, ..Call::default() })
}

/// Give each span to its nearest call, join the two spans of one call, and find what each call was made for.
fn connected<G>(trace: &Trace<G>, heads: &[Head], found: &[Found<'_>]) -> Vec<Call> {
    let mut parents = Vec::with_capacity(trace.len());
    let mut place_of: HashMap<&[u8], usize, RandomState> = HashMap::default();
    for (place, head) in heads.iter().enumerate() {
        let span = trace.span(place);
        parents.push(head.parent_span_id.of(span));
        let id = head.span_id.of(span);
        if !is_no_parent(id) {
            place_of.insert(id, place); // else a span that lacks its id would be the parent of every root
        }
    }
    let above: Vec<Option<usize>> = parents.iter().map(|parent| place_of.get(parent).copied()).collect();
    let owners = owners(&above, found);
    let mut calls: Vec<Call> = found.iter().map(Found::call).collect();
    let mut joined: Vec<Option<usize>> = vec![None; found.len()];
    for (number, one) in found.iter().enumerate() {
        let Some(parent) = above[one.place].and_then(|above| owners[above]).filter(|parent| *parent != number) else {
            continue;
        };
        let is_its_own = calls[parent].client.is_some() && calls[parent].server.is_none();
        if one.is_server() && is_its_own && found[parent].method == one.method {
            calls[parent].server = Some(one.place);
            joined[number] = Some(parent);
        } else {
            calls[number].above = Some(parent);
        }
    }
    let whole = |number: usize| joined[number].unwrap_or(number);
    for (place, owner) in owners.iter().enumerate() {
        if let Some(owner) = owner {
            calls[whole(*owner)].spans.push(place);
        }
    }
    let mut numbers = Vec::with_capacity(joined.len()); // of those that are left
    let mut left = 0;
    for joined in &joined {
        numbers.push(left);
        left += usize::from(joined.is_none());
    }
    for (number, call) in calls.iter_mut().enumerate() {
        let above = call.above.map(whole).filter(|above| *above != number); // in a circle it may be itself
        call.above = above.map(|above| numbers[above]);
    }
    let calls = calls.into_iter().zip(&joined).filter(|(_, joined)| joined.is_none());
    calls.map(|(call, _)| call).collect()
}

/// Return for each span the nearest call at or above it; None where the way up ends, or runs in a circle, without one.
fn owners(above: &[Option<usize>], found: &[Found<'_>]) -> Vec<Option<usize>> {
    let mut owners = vec![None; above.len()];
    let mut is_known = vec![false; above.len()];
    for (number, one) in found.iter().enumerate() {
        (owners[one.place], is_known[one.place]) = (Some(number), true);
    }
    let mut path = Vec::new();
    for place in 0..above.len() {
        let mut at = Some(place);
        while let Some(here) = at.filter(|here| !is_known[*here]) {
            is_known[here] = true; // as having none, until the way up has an answer: a circle ends here
            path.push(here);
            at = above[here];
        }
        let owner = at.and_then(|at| owners[at]);
        path.drain(..).for_each(|place| owners[place] = owner);
    }
    owners
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

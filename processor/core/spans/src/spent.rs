//! Where the time of a request went, by the names of the spans below it: each moment counts once.

use crate::head::Head;
use crate::trace::Trace;
use crate::wire::{fields, tag};

/// Stages that a moment can count for.
pub const STAGES: usize = 7;

const EVENT_TIME: u32 = 0x09;
const EVENT_NAME: u32 = 0x12;

/// What a span's name says of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    None,
    /// The place of a stage; where a moment is within several, the first of them counts.
    Stage(u8),
    /// The request is taken up: until its task begins, it is in the queue.
    Proxy,
    Task,
    /// A task whose steps are events.
    Stepped,
}

/// What the steps of a task are called that are events, and the stages of the queue and of the C++ core.
pub struct Steps {
    pub events: Vec<(Vec<u8>, u8)>,
    pub queue: u8,
    pub core: u8,
}

#[derive(Default)]
struct Intervals {
    changes: Vec<(u64, u8, i8)>,
    begin: u64,
    end: u64,
}

impl Intervals {
    fn add(&mut self, start: u64, stop: u64, stage: u8) {
        let (first, last) = (start.max(self.begin), stop.min(self.end));
        if first < last {
            self.changes.extend([(first, stage, 1), (last, stage, -1)]);
        }
    }

    /// Nanoseconds by stage.
    fn spent(mut self) -> [u64; STAGES] {
        self.changes.sort_unstable();
        let (mut spent, mut within, mut before) = ([0; STAGES], [0_i32; STAGES], self.begin);
        for (now, stage, change) in self.changes {
            if now > before {
                if let Some(current) = within.iter().position(|count| *count > 0) {
                    spent[current] += now - before;
                }
                before = now;
            }
            within[usize::from(stage)] += i32::from(change);
        }
        spent
    }
}

/// Return the nanoseconds between `begin` and `end` by stage, from the spans at these places; None where one is not valid.
///
/// `core` tells of each of the trace's groups whether its spans are of the C++ core, `step_of` what a name says.
pub fn spent<G, E>(
    trace: &Trace<G>,
    places: impl Iterator<Item = usize>,
    (begin, end): (u64, u64),
    steps: &Steps,
    core: &[bool],
    mut step_of: impl FnMut(&[u8]) -> Result<Step, E>,
) -> Result<Option<[u64; STAGES]>, E> {
    let Some(heads) = trace.heads_as_they_came() else { return Ok(None) };
    let mut intervals = Intervals { changes: Vec::with_capacity(2 * places.size_hint().0), begin, end };
    let (mut proxy, mut task) = (None::<u64>, None::<u64>);
    let earliest = |known: Option<u64>, start: u64| Some(known.map_or(start, |known| known.min(start)));
    for place in places {
        let (span, head) = (trace.span(place), &heads[place]);
        match step_of(head.name.of(span))? {
            Step::None if core[trace.group_place(place)] => intervals.add(head.start, head.end, steps.core),
            Step::None => {}
            Step::Stage(stage) => intervals.add(head.start, head.end, stage),
            Step::Proxy => proxy = earliest(proxy, head.start),
            Step::Task => task = earliest(task, head.start),
            Step::Stepped => {
                task = earliest(task, head.start);
                if add_events(&mut intervals, span, head, steps).is_none() {
                    return Ok(None);
                }
            }
        }
    }
    if let (Some(proxy), Some(task)) = (proxy, task) {
        intervals.add(proxy, task, steps.queue);
    }
    Ok(Some(intervals.spent()))
}

/// Add the steps of a task, each from its event to the next; None where the span is not valid.
fn add_events(intervals: &mut Intervals, span: &[u8], head: &Head, steps: &Steps) -> Option<()> {
    let (mut began, mut stage, mut any) = (head.start, steps.queue, false);
    for field in fields(span) {
        let field = field?;
        if field.tag != tag::EVENT {
            continue;
        }
        let event = &span[field.begin..field.end];
        let (mut time, mut name) = (0, &[][..]);
        for field in fields(event) {
            let field = field?;
            match field.tag {
                EVENT_TIME => time = u64::from_le_bytes(event[field.begin..field.end].try_into().ok()?),
                EVENT_NAME => name = &event[field.begin..field.end],
                _ => {}
            }
        }
        if let Some((_, next)) = steps.events.iter().find(|(known, _)| known == name) {
            intervals.add(began, time, stage);
            (began, stage, any) = (time, *next, any || *next != steps.queue);
        }
    }
    if any && stage != steps.queue {
        intervals.add(began, head.end, stage);
    }
    Some(())
}

//! What can be said about the lines and calls of one connection.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::alignment::{MOST, probabilities};
use super::likelihood::{LONGEST_SURPLUS, LONGEST_WITHIN, MILLISECOND, Time, fit, swap};
use super::pool::{Candidate, Lines, Pool, Timed};

const LOST: f64 = 0.02;
const COSTS: f64 = 3e6;
const HALF_SECOND: Time = 500 * MILLISECOND;
const UNLIKELY: f64 = 1e-3;
const NEGLIGIBLE: f64 = 1e-4;
/// Of a line: what a second pass needs at the least.
const LEFT: f64 = 0.5;

/// A line, or a call, by its number.
#[derive(Clone, Copy)]
enum Asked {
    Line(u64),
    Call(u64),
}

type Ratios = HashMap<(u64, u64), f64, RandomState>;

impl Pool {
    pub fn candidates_at(&mut self, call: u64, lines: &impl Lines) -> Vec<Candidate> {
        let (of, end) = (self.call(call).of, self.call(call).served.end);
        if let Some(found) = self.at(of).solved.get(&call) {
            return found.clone();
        }
        let chance = self.chance(of, end);
        let found = self.lines_of(of, call, chance, lines);
        match found[..] {
            [] => Vec::new(),
            [(line, ratio)] if self.calls_of_line(of, lines.timed(line), chance, lines).len() == 1 => {
                vec![(line, ratio / (1.0 + ratio))]
            }
            _ => self.solve(of, Asked::Call(call), chance, lines).0,
        }
    }

    pub fn may_have_failed_at(&self, of: usize, start: Time, end: Time, lines: &impl Lines) -> bool {
        let failed = &self.at(of).failed;
        if failed.is_empty() {
            return false;
        }
        self.near(failed, start, end).into_iter().any(|number| {
            let line = lines.timed(number);
            fit(start, end, line.end, line.cost, self.within) > 0.0 && lines.share(number) > 0.0
        })
    }

    /// How much of a line there is to give away in this connection; where it is that of all peers, what its own has left.
    fn share(&mut self, of: usize, line: Timed, lines: &impl Lines) -> f64 {
        if self.at(of).is_of_peer() {
            return lines.share(line.number);
        }
        let left = self.share_left(line.of, line, lines);
        if left >= LEFT { left } else { 0.0 }
    }

    /// The probability that a line is that of none of the calls of its connection.
    fn share_left(&mut self, of: usize, line: Timed, lines: &impl Lines) -> f64 {
        let known = self.at(of).given.get(&line.number).copied();
        let given = known.unwrap_or_else(|| {
            let chance = self.chance(of, line.end);
            if self.calls_of_line(of, line, chance, lines).is_empty() {
                return 0.0;
            }
            self.solve(of, Asked::Line(line.number), chance, lines).1
        });
        (lines.share(line.number) - given).max(0.0)
    }

    /// How likely a call meets a line of another at this time, that is, both have lost their own.
    fn chance(&self, of: usize, at: Time) -> f64 {
        let connection = self.at(of);
        let (lines, calls) = (connection.lines.len() as f64, connection.calls.len() as f64);
        let missing = if calls > 0.0 { 1.0 - lines / calls } else { 0.0 };
        let lost_lines = LOST.max(self.lost).max(missing);
        let all_calls = lines > 0.0 && connection.is_of_peer();
        let lost_calls = if all_calls { LOST.max(1.0 - (1.0 - lost_lines) * calls / lines) } else { LOST };
        let per_second = connection.lines.count(at - HALF_SECOND, at + HALF_SECOND);
        let per_millisecond = per_second.max(1) as f64 / 1000.0;
        lost_lines * lost_calls * per_millisecond / COSTS
    }

    fn lines_of(&mut self, of: usize, call: u64, chance: f64, lines: &impl Lines) -> Vec<(u64, f64)> {
        let (start, end) = (self.call(call).served.start, self.call(call).served.end);
        let mut found = Vec::new();
        for number in self.near(&self.at(of).lines, start, end) {
            let line = lines.timed(number);
            let fits = fit(start, end, line.end, line.cost, self.within);
            if fits > chance * UNLIKELY {
                let share = self.share(of, line, lines);
                if share > 0.0 {
                    found.push((number, fits * share / chance));
                }
            }
        }
        found
    }

    fn calls_of_line(&self, of: usize, line: Timed, chance: f64, lines: &impl Lines) -> Vec<u64> {
        let Timed { end, cost, .. } = line;
        let slack = if self.within { LONGEST_WITHIN } else { 0 };
        let latest_start = end + MILLISECOND - cost + slack;
        let latest = end + MILLISECOND + if self.within { 0 } else { LONGEST_SURPLUS };
        let fits = |number: &u64| {
            let call = self.call(*number);
            let (start, call_end) = (call.served.start, call.served.end);
            start <= latest_start
                && fit(start, call_end, end, cost, self.within) > chance * UNLIKELY
                && !lines.is_settled(call)
        };
        self.at(of).calls.between(end - slack, latest).filter(fits).collect()
    }

    /// Align all that hangs together with this line, or call; return the call's candidates, and what of the line is given.
    fn solve(&mut self, of: usize, asked: Asked, chance: f64, lines: &impl Lines) -> (Vec<Candidate>, f64) {
        let (ratios, numbers, calls) = self.gather(of, asked, chance, lines);
        let ratio = |line: u64, call: u64| ratios.get(&(line, call)).copied().unwrap_or(0.0);
        let timed: Vec<Timed> = numbers.iter().map(|number| lines.timed(*number)).collect();
        let ends: Vec<Time> = calls.iter().map(|call| self.call(*call).served.end).collect();
        let fits = numbers.iter().map(|line| calls.iter().map(|call| ratio(*line, *call)).collect()).collect();
        let swaps: Vec<f64> = ends.windows(2).map(|pair| swap(pair[0], pair[1])).collect();
        let is_unordered = |pair: &[Timed]| pair[0].end == pair[1].end && pair[0].request != pair[1].request;
        let unordered: Vec<bool> = timed.windows(2).map(is_unordered).collect();
        let table = probabilities(&fits, &swaps, &unordered);
        let of_call = |place: usize| -> Vec<Candidate> {
            let column = numbers.iter().zip(&table).map(|(line, row)| (*line, row[place]));
            column.filter(|(_, probability)| *probability > NEGLIGIBLE).collect()
        };
        let answers: Vec<(u64, Vec<Candidate>)> =
            calls.iter().enumerate().map(|(place, call)| (*call, of_call(place))).collect();
        let given: Vec<(u64, f64)> = numbers.iter().zip(&table).map(|(line, row)| (*line, row.iter().sum())).collect();
        let answer = match asked {
            Asked::Call(call) => {
                let found = answers.iter().find(|(other, _)| *other == call);
                (found.map(|(_, candidates)| candidates.clone()).unwrap_or_default(), 0.0)
            }
            Asked::Line(line) => {
                (Vec::new(), given.iter().find(|(other, _)| *other == line).map_or(0.0, |(_, sum)| *sum))
            }
        };
        if numbers.len().max(calls.len()) < MOST {
            // Else what is at its edges would look different from there.
            let connection = self.at_mut(of);
            connection.solved.extend(answers);
            connection.given.extend(given);
            connection.solved_until = connection.solved_until.max(ends[ends.len() - 1]);
        }
        answer
    }

    /// Return the ratios of all pairs that hang together with this one, their lines and their calls, both in order.
    fn gather(&mut self, of: usize, asked: Asked, chance: f64, lines: &impl Lines) -> (Ratios, Vec<u64>, Vec<u64>) {
        let mut ratios = Ratios::default();
        let (mut found_lines, mut found_calls) = (Vec::new(), Vec::new());
        match asked {
            Asked::Line(line) => found_lines.push(line),
            Asked::Call(call) => found_calls.push(call),
        }
        let (mut seen_lines, mut seen_calls) = (0, 0);
        while seen_lines < found_lines.len() || seen_calls < found_calls.len() {
            for call in found_calls.split_off(seen_calls) {
                found_calls.push(call);
                for (line, ratio) in self.lines_of(of, call, chance, lines) {
                    ratios.insert((line, call), ratio);
                    if found_lines.len() < MOST && !found_lines.contains(&line) {
                        found_lines.push(line);
                    }
                }
            }
            seen_calls = found_calls.len();
            for line in &found_lines[seen_lines..] {
                for call in self.calls_of_line(of, lines.timed(*line), chance, lines) {
                    if found_calls.len() < MOST && !found_calls.contains(&call) {
                        found_calls.push(call);
                    }
                }
            }
            seen_lines = found_lines.len();
        }
        found_calls.sort_by_key(|call| self.call(*call).served.end);
        let ordered = self.in_order(found_lines, &found_calls, &ratios, lines);
        (ratios, ordered, found_calls)
    }

    /// Return lines in the order in which they were written, as far as that is known.
    ///
    /// Those of one millisecond that came in several requests are put in the order of the calls that fit them best.
    fn in_order(&self, numbers: Vec<u64>, calls: &[u64], ratios: &Ratios, lines: &impl Lines) -> Vec<u64> {
        let mut timed: Vec<Timed> = numbers.into_iter().map(|number| lines.timed(number)).collect();
        timed.sort_by_key(|line| (line.end, line.number));
        let ratio = |line: u64, call: u64| ratios.get(&(line, call)).copied().unwrap_or(0.0);
        let best_end = |line: &Timed| {
            let best = calls.iter().fold(None, |best: Option<(u64, f64)>, call| {
                let fits = ratio(line.number, *call);
                if best.is_some_and(|(_, most)| most >= fits) { best } else { Some((*call, fits)) }
            });
            best.map_or(0, |(call, _)| self.call(call).served.end)
        };
        for same in timed.chunk_by_mut(|one, other| one.end == other.end) {
            if same.iter().any(|line| line.request != same[0].request) {
                same.sort_by_cached_key(best_end);
            }
        }
        timed.iter().map(|line| line.number).collect()
    }
}

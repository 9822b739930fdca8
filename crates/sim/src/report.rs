//! What many runs came to, as a text that goes from a child to its parent and as one for a person.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use steadfast_proto::time::Duration;

use crate::histogram::Histogram;
use crate::oracle::Promise;
use crate::run::Outcome;

/// With so many seeds every kind of fault has to have bitten.
const SEEDS_FOR_ALL_KINDS: u64 = 50;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Report {
    seeds: u64,
    accepted: u64,
    kinds: BTreeMap<String, (u64, u64)>,
    effects: BTreeMap<String, u64>,
    broken: BTreeMap<String, u64>,
    noticed: Histogram,
    let_go: Histogram,
    returned: Histogram,
}

impl Report {
    /// One run more.
    pub fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.accepted += outcome.accepted;
        for (kind, tried, bit) in outcome.bites.kinds() {
            self.add_kind(kind, tried, bit);
        }
        for (effect, times) in outcome.bites.effects() {
            *self.effects.entry(effect.to_owned()).or_default() += times;
        }
        if let Some((_, broken)) = &outcome.broken {
            *self.broken.entry(broken.promise.name().to_owned()).or_default() += 1;
        }
        self.noticed.merge(&outcome.noticed);
        self.let_go.merge(&outcome.let_go);
        self.returned.merge(&outcome.returned);
    }

    fn add_kind(&mut self, kind: &str, tried: u64, bit: u64) {
        let entry = self.kinds.entry(kind.to_owned()).or_default();
        *entry = (entry.0 + tried, entry.1 + bit);
    }

    /// Whether no promise broke, and everything was tried that could break one.
    pub fn is_good(&self) -> bool {
        self.broken.is_empty() && self.inert().is_empty()
    }

    /// Kinds of fault that never bit, and what else was never seen, where it should have been.
    pub fn inert(&self) -> Vec<&str> {
        if self.seeds < SEEDS_FOR_ALL_KINDS {
            return Vec::new();
        }
        let kinds = self.kinds.iter().filter(|(_, (_, bit))| *bit == 0).map(|(kind, _)| kind.as_str());
        kinds.chain(self.effects.iter().filter(|(_, times)| **times == 0).map(|(effect, _)| effect.as_str())).collect()
    }

    /// For [`Report::merge`].
    pub fn lines(&self) -> String {
        let mut text = format!("seeds {}\naccepted {}\n", self.seeds, self.accepted);
        for (kind, (tried, bit)) in &self.kinds {
            writeln!(text, "kind {tried} {bit} {kind}").expect("a text grows");
        }
        for (effect, times) in &self.effects {
            writeln!(text, "effect {times} {effect}").expect("a text grows");
        }
        for (promise, times) in &self.broken {
            writeln!(text, "broke {times} {promise}").expect("a text grows");
        }
        let histograms = [("noticed", &self.noticed), ("let_go", &self.let_go), ("returned", &self.returned)];
        for (name, histogram) in histograms {
            let millis: Vec<String> = histogram.millis().map(|ms| ms.to_string()).collect();
            writeln!(text, "{name} {}", millis.join(" ")).expect("a text grows");
        }
        text
    }

    /// Takes one line of another one's; `false` if it is none.
    pub fn merge(&mut self, line: &str) -> bool {
        self.parse(line).is_some()
    }

    fn parse(&mut self, line: &str) -> Option<()> {
        let (name, rest) = line.split_once(' ')?;
        match name {
            "seeds" => self.seeds += rest.parse::<u64>().ok()?,
            "accepted" => self.accepted += rest.parse::<u64>().ok()?,
            "kind" => {
                let mut parts = rest.splitn(3, ' ');
                let (tried, bit) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
                self.add_kind(parts.next()?, tried, bit);
            }
            "effect" => {
                let (times, effect) = rest.split_once(' ')?;
                *self.effects.entry(effect.to_owned()).or_default() += times.parse::<u64>().ok()?;
            }
            "broke" => {
                let (times, promise) = rest.split_once(' ')?;
                *self.broken.entry(promise.to_owned()).or_default() += times.parse::<u64>().ok()?;
            }
            "noticed" | "let_go" | "returned" => {
                let histogram = match name {
                    "noticed" => &mut self.noticed,
                    "let_go" => &mut self.let_go,
                    _ => &mut self.returned,
                };
                for ms in rest.split_whitespace() {
                    histogram.add(Duration::from_millis(ms.parse().ok()?));
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// For a person; the last line is for scripts, too.
    pub fn table(&self) -> String {
        let mut text = format!("{:<24} {:>9} {:>9}\n", "fault", "injected", "bitten");
        for (kind, (tried, bit)) in &self.kinds {
            writeln!(text, "{kind:<24} {tried:>9} {bit:>9}").expect("a text grows");
        }
        for (effect, times) in &self.effects {
            writeln!(text, "{effect}: {times}").expect("a text grows");
        }
        let times = [
            ("a dead line is noticed", &self.noticed),
            ("the server lets it go", &self.let_go),
            ("online again with all", &self.returned),
        ];
        for (what, histogram) in times {
            let of = |permille| histogram.permille(permille).unwrap_or_default();
            writeln!(
                text,
                "{what:<24} p50 {:?}, p99 {:?}, at most {:?} ({} times, in the world's time)",
                of(500),
                of(990),
                of(1_000),
                histogram.len()
            )
            .expect("a text grows");
        }
        for kind in self.inert() {
            writeln!(text, "never seen: {kind}").expect("a text grows");
        }
        for (promise, times) in &self.broken {
            writeln!(text, "broke {times} times: {promise}").expect("a text grows");
        }
        text + &self.last_line()
    }

    fn last_line(&self) -> String {
        let count = |promise: Promise| self.broken.get(promise.name()).copied().unwrap_or(0);
        format!(
            "seeds={} faults={} accepted={} lost={} doubled={} reordered={} silent={}",
            self.seeds,
            self.kinds.values().map(|&(_, bit)| bit).sum::<u64>(),
            self.accepted,
            count(Promise::Lost),
            count(Promise::Doubled),
            count(Promise::Reordered),
            count(Promise::Silent)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draw;
    use crate::run::run;

    #[test]
    fn what_a_child_says_comes_to_the_same_with_its_parent() {
        let (mut child, mut parent) = (Report::default(), Report::default());
        child.add(&run(&draw(3)));
        *child.broken.entry("lost".to_owned()).or_default() += 2;
        assert!(child.lines().lines().all(|line| parent.merge(line)));
        assert_eq!(parent.table(), child.table());
        assert!(child.last_line().starts_with("seeds=1 faults=") && child.last_line().contains("lost=2 doubled=0"));
        assert!(!parent.is_good());
        assert!(!parent.merge("no line of a report"));
    }
}

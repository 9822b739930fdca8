//! What the audit found, for people and for programs.

use serde::Serialize;

use super::line::Cuts;
use super::oracle::Verdict;

/// What the audit found. The names are those that scripts rely on.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    accepted: u64,
    lost: u64,
    doubled: u64,
    reordered: u64,
    phantom: u64,
    refused: u64,
    /// Neither known to be accepted nor refused.
    unsettled: u64,
    /// Accepted, and not known to be with everybody.
    unproved: u64,
    /// How often a client heard that the server went back to an earlier state.
    rewinds: u64,
    cuts: u64,
    clients: usize,
    delay_ms: Delays,
    #[serde(skip)]
    findings: Vec<String>,
    #[serde(skip)]
    cut_words: String,
}

/// From `send` to each client's program, in milliseconds.
#[derive(Debug, Default, Serialize)]
struct Delays {
    p50: u32,
    p99: u32,
    max: u32,
}

impl Delays {
    /// Of ascending ones; by the nearest rank: so many percent took no longer.
    fn of(ascending: &[u32]) -> Self {
        let at = |percent: usize| {
            let rank = (ascending.len() * percent).div_ceil(100).max(1);
            ascending.get(rank - 1).copied().unwrap_or(0)
        };
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

impl Report {
    pub(super) fn new(verdict: &Verdict, delays_ms: &[u32], clients: usize, cuts: &Cuts) -> Self {
        Self {
            accepted: verdict.accepted,
            lost: verdict.lost,
            doubled: verdict.doubled,
            reordered: verdict.reordered,
            phantom: verdict.phantom,
            refused: verdict.refused,
            unsettled: verdict.unsettled,
            unproved: verdict.unproved,
            rewinds: verdict.rewinds,
            cuts: cuts.all(),
            clients,
            delay_ms: Delays::of(delays_ms),
            findings: verdict.findings.clone(),
            cut_words: cuts.words(),
        }
    }

    /// The same in plain words.
    pub(super) fn lines(&self) -> Vec<String> {
        let Delays { p50, p99, max } = self.delay_ms;
        let mut lines = vec![
            self.cut_words.clone(),
            format!("from send to each client's program: p50 {p50} ms, p99 {p99} ms, max {max} ms"),
        ];
        lines.extend(self.findings.iter().cloned());
        let mut wrong = Vec::new();
        for (count, what) in [
            (self.lost, "lost"),
            (self.doubled, "doubled"),
            (self.reordered, "out of order"),
            (self.phantom, "that nobody said so"),
            (self.refused, "refused"),
        ] {
            if count > 0 {
                wrong.push(format!("{count} {what}"));
            }
        }
        if !wrong.is_empty() {
            lines.push(format!("of {} accepted messages: {}", self.accepted, wrong.join(", ")));
        }
        if self.rewinds > 0 {
            let words = "the server went back to an earlier state while it was audited (restored from a copy?); what \
                         it had accepted and has no longer counts as lost";
            lines.push(words.to_owned());
        }
        if self.unsettled + self.unproved > 0 {
            lines.push(format!(
                "not settled, neither lost nor proved: {} messages of which the server has not said that it has them, \
                 {} that not every client is known to have",
                self.unsettled, self.unproved
            ));
        }
        lines.push(self.verdict());
        lines
    }

    fn verdict(&self) -> String {
        let broken = self.lost + self.doubled + self.reordered + self.phantom + self.rewinds > 0;
        let (accepted, clients) = (self.accepted, self.clients);
        if broken {
            return "a promise broke".to_owned();
        }
        if self.refused > 0 {
            return "what was not refused arrived, but nothing should have been refused".to_owned();
        }
        if self.unsettled + self.unproved > 0 {
            return "no promise is known to be broken, but not everything is settled".to_owned();
        }
        format!(
            "{accepted} messages accepted; each is on the disk of each of the {clients} clients exactly once, all of \
             them in one order"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: &Verdict) -> Report {
        Report::new(verdict, &[1, 2, 3, 400], 4, &Cuts::default())
    }

    #[test]
    fn the_json_has_the_names_that_scripts_rely_on() {
        let json = serde_json::to_value(report(&Verdict { accepted: 9, lost: 1, ..Verdict::default() })).expect("JSON");
        for (name, value) in [("accepted", 9), ("lost", 1), ("doubled", 0), ("reordered", 0)] {
            assert_eq!(json[name], value, "{name}");
        }
        assert_eq!(json["delay_ms"], serde_json::json!({"p50": 2, "p99": 400, "max": 400}));
    }

    #[test]
    fn nothing_but_all_well_is_called_so() {
        let last = |verdict: Verdict| report(&verdict).lines().pop().unwrap_or_default();
        let well = Verdict { accepted: 9, ..Verdict::default() };
        assert!(last(well).starts_with("9 messages accepted; each is on the disk"));
        for broken in [
            Verdict { lost: 1, ..Verdict::default() },
            Verdict { doubled: 1, ..Verdict::default() },
            Verdict { reordered: 1, ..Verdict::default() },
            Verdict { phantom: 1, ..Verdict::default() },
            Verdict { rewinds: 1, ..Verdict::default() },
        ] {
            assert_eq!(last(broken), "a promise broke");
        }
        assert!(last(Verdict { refused: 1, ..Verdict::default() }).contains("refused"));
        for open in [Verdict { unsettled: 1, ..Verdict::default() }, Verdict { unproved: 1, ..Verdict::default() }] {
            assert!(last(open).ends_with("not everything is settled"));
        }
    }

    #[test]
    fn delays_of_nothing_are_zero() {
        let json = serde_json::to_value(Delays::of(&[])).expect("JSON");
        assert_eq!(json, serde_json::json!({"p50": 0, "p99": 0, "max": 0}));
    }
}

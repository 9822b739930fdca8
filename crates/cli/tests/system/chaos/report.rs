//! What a run came to, for a person; the last line is for scripts, too.

use std::collections::BTreeMap;
use std::time::Duration;

use super::oracle::Verdict;
use super::schedule::{KINDS, Kind};
use super::watch::Seen;

/// In so long every kind of fault has to have bitten.
const ALL_BITE_IN: Duration = Duration::from_secs(30 * 60);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) length: Duration,
    /// By kind: how many were tried, and how many bit.
    pub(super) kinds: BTreeMap<Kind, (usize, usize)>,
    pub(super) verdict: Verdict,
    pub(super) seen: Seen,
    /// What never ended, or never came back.
    pub(super) endless: Vec<String>,
    /// What no fault explains.
    pub(super) surprises: Vec<String>,
}

impl Report {
    pub(super) fn is_good(&self) -> bool {
        let quiet = self.seen.silent.is_empty() && self.endless.is_empty() && self.surprises.is_empty();
        self.verdict.is_good() && quiet && self.inert().is_empty()
    }

    /// Kinds that never bit, where each should have.
    fn inert(&self) -> Vec<&'static str> {
        let bit = |kind: &Kind| self.kinds.get(kind).is_some_and(|&(_, bit)| bit > 0);
        let inert = KINDS.into_iter().filter(|kind| self.length >= ALL_BITE_IN && !bit(kind));
        inert.map(Kind::name).collect()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{:<24} {:>7} {:>7}", "fault", "tried", "bitten")];
        for kind in KINDS {
            let (tried, bit) = self.kinds.get(&kind).copied().unwrap_or_default();
            lines.push(format!("{:<24} {tried:>7} {bit:>7}", kind.name()));
        }
        let times = [
            ("a dead line is noticed", &self.seen.noticed, "after the cut"),
            ("online again", &self.seen.recovered, "after the last fault"),
        ];
        for (what, times, since) in times {
            let [p50, p99, max] = percentiles(times);
            lines.push(format!("{what:<24} p50 {p50:?}, p99 {p99:?}, at most {max:?} {since} ({} times)", times.len()));
        }
        let again = self.verdict.printed_again;
        lines.push(format!("{} looks at a status; {again} lines printed again around a SIGKILL", self.seen.looks));
        lines.extend(self.inert().into_iter().map(|kind| format!("never bit: {kind}")));
        let words = [&self.verdict.words, &self.seen.silent, &self.endless, &self.surprises];
        lines.extend(words.into_iter().flatten().map(|words| format!("broken: {words}")));
        if self.verdict.phantom > 0 {
            lines.push(format!("phantom={}", self.verdict.phantom));
        }
        lines.push(self.last_line());
        lines
    }

    fn last_line(&self) -> String {
        let Verdict { accepted, lost, doubled, reordered, .. } = self.verdict;
        let faults: usize = self.kinds.values().map(|&(_, bit)| bit).sum();
        let silent = self.seen.silent.len() + self.endless.len();
        let numbers = format!("lost={lost} doubled={doubled} reordered={reordered} silent={silent}");
        format!("seeds=1 faults={faults} accepted={accepted} {numbers}")
    }
}

/// The half's, the hundredth's and the longest.
fn percentiles(times: &[Duration]) -> [Duration; 3] {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let of = |permille: usize| sorted.get((sorted.len() * permille / 1_000).min(sorted.len().saturating_sub(1)));
    [500, 990, 1_000].map(|permille| of(permille).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seconds: u64) -> Report {
        let kinds = KINDS.into_iter().map(|kind| (kind, (2, 1))).collect();
        let verdict = Verdict { accepted: 9, ..Verdict::default() };
        let length = Duration::from_secs(seconds);
        Report { length, kinds, verdict, seen: Seen::default(), endless: Vec::new(), surprises: Vec::new() }
    }

    #[test]
    fn the_last_line_of_chaos_counts_what_bit_and_what_broke() {
        let mut report = report(60);
        let last = |report: &Report| report.lines().pop().expect("there is one");
        assert_eq!(last(&report), "seeds=1 faults=18 accepted=9 lost=0 doubled=0 reordered=0 silent=0");
        assert!(report.is_good());
        report.verdict.lost = 2;
        report.endless.push("a send never ends".to_owned());
        assert_eq!(last(&report), "seeds=1 faults=18 accepted=9 lost=2 doubled=0 reordered=0 silent=1");
        assert!(!report.is_good());
    }

    #[test]
    fn a_long_run_of_chaos_in_which_a_kind_of_fault_never_bit_is_no_proof() {
        let (mut short, mut long) = (report(60), report(3_600));
        for report in [&mut short, &mut long] {
            report.kinds.insert(Kind::Loss, (3, 0));
        }
        assert!(short.is_good() && !long.is_good());
        assert!(long.lines().contains(&"never bit: random loss".to_owned()));
    }

    #[test]
    fn the_times_of_a_report_are_the_middle_one_and_the_longest() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentiles(&times), [51, 100, 100].map(Duration::from_millis));
        assert_eq!(percentiles(&[]), [Duration::ZERO; 3]);
    }
}

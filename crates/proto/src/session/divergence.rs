//! Where two histories part.

use crate::ids::Term;
use crate::wire::TermStart;

/// The highest position that is surely shared: never too high, perhaps too low.
///
/// `told` are the terms under which this device was told positions, oldest first, each with the highest such
/// position; `server` the terms of the server's history in order of position, which ends at `head`. A term is drawn
/// at random by one opening of one history, so two histories that hold the same term are one up to where either
/// leaves it (compare the leader epochs of Kafka's KIP-101).
pub fn common_position(told: &[(Term, u64)], server: &[TermStart], head: u64) -> u64 {
    let end_of = |index: usize| server.get(index + 1).map_or(head, |next| next.first_position.saturating_sub(1));
    told.iter()
        .rev()
        // A term that has told nothing yet, as the one that the present link's Welcome brought, says nothing.
        .filter(|&&(_, highest)| highest > 0)
        .find_map(|&(term, highest)| {
            let index = server.iter().position(|start| start.term == term.0)?;
            Some(highest.min(end_of(index)))
        })
        .unwrap_or(0)
}

/// Whether a history with these terms, ending at `head`, holds a position that was told under a term.
pub fn holds(server: &[(Term, u64)], head: u64, place: crate::ids::Place) -> bool {
    let Some(index) = server.iter().position(|&(term, _)| term == place.term) else { return false };
    let end = server.get(index + 1).map_or(head, |&(_, next_first)| next_first.saturating_sub(1));
    place.position <= end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Place;

    fn starts(terms: &[(u64, u64)]) -> Vec<TermStart> {
        terms.iter().map(|&(term, first_position)| TermStart { term, first_position }).collect()
    }

    #[test]
    fn a_backup_restored_under_a_new_term_parts_where_the_backup_ended() {
        // The backup held term 1 up to 50; after the restore term 9 opened at 51.
        let told = [(Term(1), 80)];
        assert_eq!(common_position(&told, &starts(&[(1, 1), (9, 51)]), 60), 50);
    }

    #[test]
    fn the_term_that_the_present_link_brought_says_nothing_yet() {
        let told = [(Term(1), 80), (Term(9), 0)];
        assert_eq!(common_position(&told, &starts(&[(1, 1), (9, 51)]), 60), 50);
    }

    #[test]
    fn what_was_told_under_a_lost_term_goes_back_to_the_last_shared_one() {
        let told = [(Term(1), 40), (Term(2), 90)];
        assert_eq!(common_position(&told, &starts(&[(1, 1), (9, 70)]), 75), 40);
    }

    #[test]
    fn without_a_shared_term_nothing_is_shared() {
        assert_eq!(common_position(&[(Term(1), 40)], &starts(&[(9, 1)]), 75), 0);
    }

    #[test]
    fn a_position_is_held_only_under_its_own_term() {
        let server = [(Term(1), 1), (Term(2), 51)];
        let held = |term, position| holds(&server, 70, Place { position, term: Term(term) });
        assert!(held(1, 50) && held(2, 51) && held(2, 10) && held(2, 70));
        assert!(!held(1, 51), "told by the history that went on where ours was restored");
        assert!(!held(2, 71) && !held(3, 1));
    }
}

//! Membership as intervals of positions: who sees an entry is settled by where it stands, not by who is a member now.

/// One stay in a room; both ends, one's own join and one's own removal, belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The position of the join.
    pub from_position: u64,
    /// Its room sequence.
    pub from_sequence: u64,
    /// Position and room sequence of the leaving; `None` while it lasts.
    pub to: Option<(u64, u64)>,
}

/// All stays of one account in one room, in order; never deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    stays: Vec<Stay>,
}

impl Membership {
    /// As stored.
    pub fn from_stays(stays: Vec<Stay>) -> Self {
        Self { stays }
    }

    /// All stays, in order.
    pub fn stays(&self) -> &[Stay] {
        &self.stays
    }

    /// Whether the account is a member now.
    pub fn is_open(&self) -> bool {
        self.stays.last().is_some_and(|stay| stay.to.is_none())
    }

    /// Whether the position is within a stay.
    pub fn holds(&self, position: u64) -> bool {
        let after = self.stays.partition_point(|stay| stay.from_position <= position);
        after > 0 && self.stays[after - 1].to.is_none_or(|(to, _)| position <= to)
    }

    /// The last position of a room with this head that the account sees.
    pub fn last_seen(&self, head_position: u64) -> u64 {
        self.stays.last().map_or(0, |stay| stay.to.map_or(head_position, |(to, _)| to.min(head_position)))
    }

    /// The last room sequence, likewise.
    pub fn last_seen_sequence(&self, head_sequence: u64) -> u64 {
        self.stays.last().map_or(0, |stay| stay.to.map_or(head_sequence, |(_, to)| to.min(head_sequence)))
    }

    pub(super) fn join(&mut self, position: u64, sequence: u64) {
        self.stays.push(Stay { from_position: position, from_sequence: sequence, to: None });
    }

    pub(super) fn leave(&mut self, position: u64, sequence: u64) {
        if let Some(stay) = self.stays.last_mut() {
            stay.to.get_or_insert((position, sequence));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn join_and_removal_belong_to_the_stay_and_what_is_between_two_stays_does_not() {
        let mut membership = Membership::default();
        membership.join(10, 1);
        membership.leave(20, 5);
        membership.join(30, 9);
        let seen: Vec<u64> = (5..35).filter(|&p| membership.holds(p)).collect();
        let expected: Vec<u64> = (10..=20).chain(30..35).collect();
        assert_eq!(seen, expected);
        assert!(membership.is_open());
    }

    proptest! {
        #[test]
        fn holds_agrees_with_a_walk_over_the_history(steps in proptest::collection::vec(1_u64..5, 1..20)) {
            let (mut membership, mut position, mut inside, mut walked) = (Membership::default(), 0, false, Vec::new());
            for step in steps {
                for between in position + 1..position + step {
                    walked.push((between, inside));
                }
                position += step;
                walked.push((position, true));
                if inside { membership.leave(position, 0) } else { membership.join(position, 0) }
                inside = !inside;
            }
            for (at, sees) in walked {
                prop_assert_eq!(membership.holds(at), sees, "at {}", at);
            }
        }
    }
}

//! The oracle: what was said and accepted, against what each client has stored and was given. It knows nothing of how
//! any of that came about, and waits for nothing.

use std::collections::{BTreeMap, BTreeSet};

/// Findings told in words, of all that there are.
const TOLD_MAX: usize = 10;

/// A message of the audit, by the operation that made it.
pub(super) type Id = u64;

/// What became of a message, as its sender was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing yet.
    Open,
    /// On the server's disk, at this position of its log.
    Stored {
        position: u64,
    },
    Refused,
}

/// A message that was given to `send`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) id: Id,
    /// Stands for the text.
    pub(super) fingerprint: u64,
    pub(super) fate: Fate,
}

/// A message of the room as a client has it on its disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) id: Id,
    /// Which client it says it is from; `None`: none of them.
    pub(super) author: Option<usize>,
    pub(super) fingerprint: u64,
    pub(super) room_sequence: u64,
    pub(super) position: u64,
}

/// What is known of one client.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// In the order in which it said it.
    pub(super) said: Vec<Said>,
    /// In the order of its store.
    pub(super) held: Vec<Held>,
    /// What the library gave to the program, in order: operation and position.
    pub(super) given: Vec<(Id, u64)>,
    /// All that the server has up to this position is there.
    pub(super) complete_through: u64,
    /// All that is stored was given, too.
    pub(super) all_given: bool,
}

/// What is known of the audit.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) clients: Vec<Account>,
    /// How often a client was told that the server went back to an earlier state. Positions from before mean nothing
    /// then.
    pub(super) rewinds: u64,
}

/// What the oracle says. Messages are counted once, however many clients are concerned.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Given to `send`.
    pub(super) sent: u64,
    /// On the server's disk: its sender was told so, or somebody has it.
    pub(super) accepted: u64,
    pub(super) refused: u64,
    /// Neither: what became of them is not known.
    pub(super) unsettled: u64,
    /// Accepted, but not known to be with everybody: some client has not heard of all yet.
    pub(super) unproved: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) reordered: u64,
    /// Entries that nobody said, or not so.
    pub(super) phantom: u64,
    pub(super) rewinds: u64,
    /// The first findings, in words.
    pub(super) findings: Vec<String>,
}

impl Verdict {
    /// Whether something is there that must not be.
    pub(super) fn is_broken(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.phantom + self.rewinds > 0
    }

    /// Whether everything that was given to `send` is known to have arrived.
    pub(super) fn is_all_well(&self) -> bool {
        !self.is_broken() && self.refused + self.unsettled + self.unproved == 0
    }
}

/// Judges.
pub(super) fn judge(evidence: &Evidence) -> Verdict {
    let mut judge = Judge::new(evidence);
    for client in 0..evidence.clients.len() {
        judge.look_at_store(client);
        judge.look_at_given(client);
    }
    for client in 0..evidence.clients.len() {
        judge.look_for_missing(client);
    }
    judge.verdict()
}

/// A message and who said it.
#[derive(Clone, Copy, Debug)]
struct Known {
    client: usize,
    /// Among those of its client.
    number: usize,
    said: Said,
}

struct Judge<'e> {
    evidence: &'e Evidence,
    known: BTreeMap<Id, Known>,
    /// Where the first client that has a message found it: room sequence and position.
    places: BTreeMap<Id, (u64, u64)>,
    lost: BTreeSet<Id>,
    doubled: BTreeSet<Id>,
    reordered: BTreeSet<Id>,
    phantom: BTreeSet<Id>,
    unproved: BTreeSet<Id>,
    findings: Vec<String>,
}

impl<'e> Judge<'e> {
    fn new(evidence: &'e Evidence) -> Self {
        let mut known = BTreeMap::new();
        for (client, account) in evidence.clients.iter().enumerate() {
            for (number, &said) in account.said.iter().enumerate() {
                known.insert(said.id, Known { client, number, said });
            }
        }
        Self {
            evidence,
            known,
            places: BTreeMap::new(),
            lost: BTreeSet::new(),
            doubled: BTreeSet::new(),
            reordered: BTreeSet::new(),
            phantom: BTreeSet::new(),
            unproved: BTreeSet::new(),
            findings: Vec::new(),
        }
    }

    fn look_at_store(&mut self, client: usize) {
        let mut seen = BTreeSet::new();
        let (mut last, mut last_of_sender) = ((0, 0), BTreeMap::new());
        for held in &self.evidence.clients[client].held {
            let Some(known) = self.recognise(client, held) else { continue };
            if !seen.insert(held.id) {
                self.find(Fault::Doubled, held.id, client, "is stored twice");
                continue;
            }
            let place = (held.room_sequence, held.position);
            if place.0 <= last.0 || place.1 <= last.1 {
                self.find(Fault::Reordered, held.id, client, "is stored behind one that comes later");
            }
            last = place;
            if *self.places.entry(held.id).or_insert(place) != place {
                self.find(Fault::Reordered, held.id, client, "stands elsewhere than with another client");
            }
            let told_elsewhere = matches!(known.said.fate, Fate::Stored { position } if position != held.position);
            if told_elsewhere && self.evidence.rewinds == 0 {
                self.find(Fault::Reordered, held.id, client, "stands elsewhere than its sender was told");
            }
            let before = last_of_sender.insert(known.client, known.number);
            if before.is_some_and(|before| before >= known.number) {
                self.find(Fault::Reordered, held.id, client, "is not in its sender's order");
            }
        }
    }

    /// Whose message this is, if somebody said it so.
    fn recognise(&mut self, client: usize, held: &Held) -> Option<Known> {
        let known = self.known.get(&held.id).copied();
        match known {
            None => self.find(Fault::Phantom, held.id, client, "was said by nobody"),
            Some(known) if held.author != Some(known.client) || held.fingerprint != known.said.fingerprint => {
                self.find(Fault::Phantom, held.id, client, "has another text or sender than it was said with");
                return None;
            }
            Some(known) if known.said.fate == Fate::Refused => {
                self.find(Fault::Phantom, held.id, client, "was refused, and is there all the same");
            }
            Some(_) => {}
        }
        known
    }

    fn look_at_given(&mut self, client: usize) {
        let (mut seen, mut last) = (BTreeSet::new(), 0);
        for &(id, position) in &self.evidence.clients[client].given {
            if !self.known.contains_key(&id) {
                self.find(Fault::Phantom, id, client, "was said by nobody");
            } else if !seen.insert(id) {
                self.find(Fault::Doubled, id, client, "was given to the program twice");
            } else if position <= last {
                self.find(Fault::Reordered, id, client, "was given to the program behind one that comes later");
            }
            last = last.max(position);
        }
    }

    fn look_for_missing(&mut self, client: usize) {
        let account = &self.evidence.clients[client];
        let held: BTreeSet<Id> = account.held.iter().map(|held| held.id).collect();
        let given: BTreeSet<Id> = account.given.iter().map(|&(id, _)| id).collect();
        let mut accepted: Vec<(Id, u64)> = self.accepted().collect();
        // The first ones are told.
        accepted.sort_by_key(|(id, _)| self.known.get(id).map(|known| (known.number, known.client)));
        for (id, position) in accepted {
            if held.contains(&id) {
                if account.all_given && !given.contains(&id) {
                    self.find(Fault::Lost, id, client, "is stored, and was not given to the program");
                }
            } else if position <= account.complete_through {
                self.find(Fault::Lost, id, client, "is missing");
            } else {
                self.unproved.insert(id);
            }
        }
    }

    /// Messages that are on the server's disk, with their positions.
    fn accepted(&self) -> impl Iterator<Item = (Id, u64)> {
        self.known.iter().filter_map(|(id, known)| match (known.said.fate, self.places.get(id)) {
            (_, Some(&(_, position))) => Some((*id, position)),
            // Whoever is complete is so after the server went back, too: there the message is missing.
            (Fate::Stored { .. }, None) if self.evidence.rewinds > 0 => Some((*id, 1)),
            (Fate::Stored { position }, None) => Some((*id, position)),
            (Fate::Open | Fate::Refused, None) => None,
        })
    }

    fn find(&mut self, fault: Fault, id: Id, client: usize, what: &str) {
        let found = match fault {
            Fault::Lost => &mut self.lost,
            Fault::Doubled => &mut self.doubled,
            Fault::Reordered => &mut self.reordered,
            Fault::Phantom => &mut self.phantom,
        };
        if found.insert(id) && self.findings.len() < TOLD_MAX {
            let which = match self.known.get(&id) {
                Some(known) => format!("message {} of client {}", known.number + 1, known.client + 1),
                None => format!("operation {id:016x}"),
            };
            self.findings.push(format!("{which} {what} (at client {})", client + 1));
        }
    }

    fn verdict(self) -> Verdict {
        let count = |set: &BTreeSet<Id>| set.len() as u64;
        let (sent, accepted) = (self.known.len() as u64, self.accepted().count() as u64);
        let unseen = |fate| {
            let is_unseen = |(id, known): &(&Id, &Known)| known.said.fate == fate && !self.places.contains_key(id);
            self.known.iter().filter(is_unseen).count() as u64
        };
        Verdict {
            sent,
            accepted,
            refused: unseen(Fate::Refused),
            unsettled: unseen(Fate::Open),
            unproved: self.unproved.difference(&self.lost).count() as u64,
            lost: count(&self.lost),
            doubled: count(&self.doubled),
            reordered: count(&self.reordered),
            phantom: count(&self.phantom),
            rewinds: self.evidence.rewinds,
            findings: self.findings,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Lost,
    Doubled,
    Reordered,
    Phantom,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clients with three messages each, taken in turn: everything is as it should be.
    fn good() -> Evidence {
        let id = |client: usize, number: usize| (client * 100 + number) as Id;
        let position = |client: usize, number: usize| (10 + number * 2 + client) as u64;
        let mut held = Vec::new();
        for number in 0..3 {
            for client in 0..2 {
                held.push(Held {
                    id: id(client, number),
                    author: Some(client),
                    fingerprint: id(client, number) * 7,
                    room_sequence: position(client, number) - 7,
                    position: position(client, number),
                });
            }
        }
        let given: Vec<(Id, u64)> = held.iter().map(|held| (held.id, held.position)).collect();
        let account = |client| Account {
            said: (0..3)
                .map(|number| Said {
                    id: id(client, number),
                    fingerprint: id(client, number) * 7,
                    fate: Fate::Stored { position: position(client, number) },
                })
                .collect(),
            held: held.clone(),
            given: given.clone(),
            complete_through: u64::MAX,
            all_given: true,
        };
        Evidence { clients: vec![account(0), account(1)], rewinds: 0 }
    }

    fn counts(evidence: &Evidence) -> [u64; 7] {
        let Verdict { accepted, unsettled, unproved, lost, doubled, reordered, phantom, .. } = judge(evidence);
        [accepted, unsettled, unproved, lost, doubled, reordered, phantom]
    }

    fn forget(account: &mut Account, index: usize) {
        account.held.remove(index);
        account.given.remove(index);
    }

    #[test]
    fn what_reached_everybody_once_in_one_order_is_all_well() {
        let verdict = judge(&good());
        let nothing = Verdict { sent: 6, accepted: 6, ..Verdict::default() };
        assert_eq!(verdict, nothing);
        assert!(verdict.is_all_well() && !verdict.is_broken());
        assert!(judge(&Evidence::default()).is_all_well(), "nothing was said, and nothing is there");
    }

    #[test]
    fn an_accepted_message_that_one_client_does_not_have_is_lost() {
        let mut evidence = good();
        forget(&mut evidence.clients[1], 2);
        assert_eq!(counts(&evidence), [6, 0, 0, 1, 0, 0, 0]);
        assert_eq!(judge(&evidence).findings, ["message 2 of client 1 is missing (at client 2)"]);
        assert!(judge(&evidence).is_broken());

        // Nobody has it: that its sender was told is enough.
        forget(&mut evidence.clients[0], 2);
        assert_eq!(counts(&evidence), [6, 0, 0, 1, 0, 0, 0]);

        // Its sender does not know, but somebody has it: it was on the server's disk.
        let mut evidence = good();
        evidence.clients[0].said[1].fate = Fate::Open;
        forget(&mut evidence.clients[1], 2);
        assert_eq!(counts(&evidence), [6, 0, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn what_is_stored_and_was_not_given_to_the_program_is_lost_once_all_was_given() {
        let mut evidence = good();
        evidence.clients[0].given.remove(5);
        assert_eq!(counts(&evidence), [6, 0, 0, 1, 0, 0, 0]);
        evidence.clients[0].all_given = false;
        assert_eq!(counts(&evidence), [6, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_nobody_knows_the_end_of_is_neither_lost_nor_proved() {
        let mut evidence = good();
        evidence.clients[1].complete_through = 13;
        forget(&mut evidence.clients[1], 5);
        assert_eq!(
            counts(&evidence),
            [6, 0, 1, 0, 0, 0, 0],
            "one that comes behind what is complete may be on its way"
        );
        assert!(!judge(&evidence).is_all_well() && !judge(&evidence).is_broken());
        forget(&mut evidence.clients[1], 3);
        assert_eq!(counts(&evidence), [6, 0, 1, 1, 0, 0, 0], "one that comes before is lost");

        let mut evidence = good();
        evidence.clients[1].said[2].fate = Fate::Open;
        evidence.clients.iter_mut().for_each(|account| forget(account, 5));
        assert_eq!(counts(&evidence), [5, 1, 0, 0, 0, 0, 0]);
        assert!(!judge(&evidence).is_all_well() && !judge(&evidence).is_broken());
        evidence.clients[1].said[2].fate = Fate::Refused;
        assert_eq!((counts(&evidence)[1], judge(&evidence).refused), (0, 1));
        assert!(!judge(&evidence).is_all_well());
    }

    #[test]
    fn a_message_that_is_there_twice_is_doubled() {
        let mut evidence = good();
        let again = Held { room_sequence: 20, position: 30, ..evidence.clients[0].held[1] };
        evidence.clients[0].held.push(again);
        assert_eq!(counts(&evidence), [6, 0, 0, 0, 1, 0, 0]);
        let mut evidence = good();
        let again = evidence.clients[1].given[0];
        evidence.clients[1].given.push(again);
        assert_eq!(counts(&evidence), [6, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_message_out_of_its_order_is_reordered() {
        // Out of the sender's order: the third before the second, with everybody, as its sender was told.
        let mut evidence = good();
        for account in &mut evidence.clients {
            let (second, third) = (account.held[2], account.held[4]);
            account.held[2] = Held { id: third.id, fingerprint: third.fingerprint, ..second };
            account.held[4] = Held { id: second.id, fingerprint: second.fingerprint, ..third };
            account.given = account.held.iter().map(|held| (held.id, held.position)).collect();
        }
        let said = &mut evidence.clients[0].said;
        (said[1].fate, said[2].fate) = (said[2].fate, said[1].fate);
        assert_eq!(counts(&evidence), [6, 0, 0, 0, 0, 1, 0]);

        // Two clients have two orders.
        let mut evidence = good();
        let [first, second] = [evidence.clients[1].held[0], evidence.clients[1].held[1]];
        evidence.clients[1].held[0] = Held { room_sequence: first.room_sequence, position: first.position, ..second };
        evidence.clients[1].held[1] = Held { room_sequence: second.room_sequence, position: second.position, ..first };
        assert_eq!(counts(&evidence)[5], 2);

        // It stands elsewhere than its sender was told.
        let mut evidence = good();
        evidence.clients[0].said[0].fate = Fate::Stored { position: 9 };
        assert_eq!(counts(&evidence), [6, 0, 0, 0, 0, 1, 0]);

        // The program was given them in another order than the store has.
        let mut evidence = good();
        evidence.clients[0].given.swap(3, 4);
        assert_eq!(counts(&evidence), [6, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn what_nobody_said_or_not_so_is_a_phantom() {
        let stranger = Held { id: 999, author: None, fingerprint: 1, room_sequence: 50, position: 50 };
        let mut evidence = good();
        evidence.clients[0].held.push(stranger);
        assert_eq!(counts(&evidence), [6, 0, 0, 0, 0, 0, 1]);
        let mut evidence = good();
        evidence.clients[0].given.push((999, 50));
        assert_eq!(counts(&evidence), [6, 0, 0, 0, 0, 0, 1]);

        // Another text, another sender, and one that was refused.
        let mut evidence = good();
        evidence.clients[0].held[0].fingerprint += 1;
        assert_eq!(counts(&evidence)[6], 1);
        let mut evidence = good();
        evidence.clients[0].held[0].author = Some(1);
        assert_eq!(counts(&evidence)[6], 1);
        let mut evidence = good();
        evidence.clients[0].said[0].fate = Fate::Refused;
        assert_eq!(counts(&evidence)[6], 1);
    }

    #[test]
    fn a_server_that_went_back_is_told_and_what_it_forgot_is_lost() {
        let mut evidence = good();
        evidence.rewinds = 2;
        assert!(judge(&evidence).is_broken(), "even where nothing is missing");
        // Its position means nothing any more, and nobody has it.
        evidence.clients[0].said[2].fate = Fate::Stored { position: 1_000 };
        evidence.clients.iter_mut().for_each(|account| {
            account.complete_through = 500;
            forget(account, 4);
        });
        assert_eq!(counts(&evidence), [6, 0, 0, 1, 0, 0, 0]);
    }
}

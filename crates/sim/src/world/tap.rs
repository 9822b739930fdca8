//! What goes over the lines, read at the ends that send it: what a side has said it can't take back.

use steadfast_proto::codec::Decoder;
use steadfast_proto::wire::frame::Kind;

/// Something that one side said to the other, as far as promises hang on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The server: who the device is, and under which term it speaks.
    Welcome {
        /// The term.
        term: u64,
        /// The device's account.
        account: u64,
    },
    /// The server: up to this position something is in its log.
    Position(u64),
    /// The server: this entry, which is in its log, in the stream.
    Entry {
        /// Where it stands.
        position: u64,
    },
    /// The server: this entry, in a page of history.
    InPage {
        /// Where it stands.
        position: u64,
    },
    /// The device: all that came up to this position is in its profile.
    Acknowledged(u64),
    /// The device: the outcomes up to this sequence are in its profile.
    Confirmed(u64),
}

/// One end of a line.
#[derive(Debug, Default)]
pub(super) struct Tap(Decoder);

impl Tap {
    /// Takes what the end sends.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Said> {
        self.0.push(bytes);
        let mut said = Vec::new();
        while let Some(received) = self.0.next_frame().expect("what our own side sends can be decoded") {
            note(&received.kind, &mut said);
        }
        said
    }
}

fn note(kind: &Kind, said: &mut Vec<Said>) {
    match kind {
        Kind::Welcome(welcome) => said.push(Said::Welcome { term: welcome.term, account: welcome.account }),
        Kind::Entry(entry) => said.push(Said::Entry { position: entry.position }),
        Kind::Through(through) => said.push(Said::Position(through.position)),
        Kind::Heads(heads) => said.push(Said::Position(heads.as_of)),
        Kind::Outcomes(outcomes) => {
            said.extend(outcomes.outcomes.iter().map(|outcome| Said::Position(outcome.position)));
        }
        Kind::HistoryPage(page) => {
            said.push(Said::Position(page.as_of));
            said.extend(page.entries.iter().map(|entry| Said::InPage { position: entry.position }));
        }
        Kind::Ack(ack) => said.push(Said::Acknowledged(ack.position)),
        Kind::Op(op) => said.push(Said::Confirmed(op.confirmed_through)),
        Kind::Continue(onwards) => said.push(Said::Confirmed(onwards.confirmed_through)),
        Kind::Hello(_)
        | Kind::Diverged(_)
        | Kind::Bye(_)
        | Kind::Ping(_)
        | Kind::Pong(_)
        | Kind::Gap(_)
        | Kind::Hold(_)
        | Kind::Settled(_)
        | Kind::History(_)
        | Kind::Failed(_)
        | Kind::Cancel(_)
        | Kind::Sync(_)
        | Kind::Members(_)
        | Kind::MembersPage(_)
        | Kind::Rooms(_)
        | Kind::RoomsPage(_)
        | Kind::Watch(_)
        | Kind::Signal(_) => {}
    }
}

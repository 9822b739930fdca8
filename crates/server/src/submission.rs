//! What a connection hands to the sequencer.

use std::sync::Arc;

use steadfast_proto::hub::{Origin, SignUp};
use steadfast_proto::wire::Op;

use crate::mailbox::Mailbox;

/// One operation, or the sign-up that makes them possible.
#[derive(Debug)]
pub(crate) struct Submission {
    /// Where the answer goes.
    pub(crate) from: Arc<Mailbox>,
    /// What it is.
    pub(crate) what: Submitted,
}

#[derive(Debug)]
pub(crate) enum Submitted {
    SignUp(SignUp),
    Op(Origin, Box<Op>),
}

impl Submission {
    /// What it holds in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 256;
        match &self.what {
            Submitted::SignUp(_) => OVERHEAD_BYTES,
            Submitted::Op(_, op) => OVERHEAD_BYTES + prost::Message::encoded_len(op.as_ref()),
        }
    }
}

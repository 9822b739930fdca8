//! The outbox: operations that this device made and whose outcome it does not know yet. Here is what goes in; `append`
//! puts it in, `settle` takes it out.

use bytes::Bytes;
use prost::Message as _;
use steadfast_proto::hub::BODY_BYTES_MAX;
use steadfast_proto::ids::{OperationId, RoomId};
use steadfast_proto::wire;

use super::error::ProfileError;
use super::row::OutboxRow;
use super::settle::SettledOutcome;

/// Operations that wait at most.
pub const OUTBOX_ROWS_MAX: u64 = 100_000;
/// Bytes of them at most.
pub const OUTBOX_BYTES_MAX: u64 = 256 * 1_024 * 1_024;
/// One operation at most: the longest body that a server takes, and what goes with it.
pub const OP_BYTES_MAX: u64 = BODY_BYTES_MAX as u64 + 1_024;

/// An operation to queue. The ids are drawn at random by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOp {
    /// Its id for life.
    pub id: OperationId,
    /// The id of the `Enter` that is queued before it, should it address a public room that has yet to be entered.
    pub enter_id: OperationId,
    /// The device's clock, Unix milliseconds.
    pub composed_at_ms: u64,
    /// What it does.
    pub body: NewBody,
    /// Which line of which input it is, if the same input may come again.
    pub key: Option<LineKey>,
}

/// A line of an input that is stored once, however often it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineKey {
    /// The input's name.
    pub key: String,
    /// Which line of it.
    pub line: u64,
    /// A hash of what the line says and where it goes.
    pub hash: [u8; 8],
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the wire's operations")]
pub enum NewBody {
    /// Join the public room of this name, or make it.
    Enter { name: String },
    /// Say something in a room.
    Send { to: Target, body: Bytes, content_type: String },
    /// Be a member no longer.
    Leave { room: Target },
    /// Open the conversation with the account of this name, or make it.
    Direct { name: String },
    /// Make a private room.
    CreatePrivate { name: String },
    /// Make the account of this name a member.
    Add { room: Target, name: String },
    /// Make it a member no longer.
    Remove { room: Target, name: String },
}

/// A room that an operation addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A known room.
    Room(RoomId),
    /// The public room of this name; it is entered first if this device is not in it and not on the way into it.
    Public(String),
    /// The conversation with the account of this name; it is opened first if it is not, and not on its way.
    Direct(String),
    /// The room that an earlier operation of this device enters or makes.
    By(OperationId),
}

/// What became of an operation that was to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its sequence. A history that parts gives another one to what still waits.
    pub sequence: u64,
    /// Its id; for a line that was there already the id that it has had since.
    pub id: OperationId,
    /// For a line that was there already: its outcome, if it has one.
    pub already: Option<SettledOutcome>,
}

/// As many of the rows as fit `bytes_max` as operations, but at least one if there is any.
pub(super) fn within_bytes(
    rows: impl IntoIterator<Item = Result<OutboxRow, ProfileError>>,
    bytes_max: usize,
) -> Result<Vec<wire::Op>, ProfileError> {
    let mut ops = Vec::new();
    let mut bytes = 0_usize;
    for row in rows {
        let op = row?.into_op()?;
        bytes = bytes.saturating_add(op.encoded_len());
        if bytes > bytes_max && !ops.is_empty() {
            break;
        }
        ops.push(op);
    }
    Ok(ops)
}

/// The number of rows and bytes that a row adds to the outbox, and its removal takes away again.
pub(super) fn row_bytes(body: usize, name: usize, content_type: usize) -> u64 {
    /// What a row without text takes, about.
    const HEADER_BYTES: u64 = 64;
    HEADER_BYTES + (body + name + content_type) as u64
}

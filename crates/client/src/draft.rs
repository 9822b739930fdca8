//! What is to be sent.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use steadfast_store::profile::LineKey;

/// A message to be sent. A string is one, too: `room.send("hello")`.
///
/// ```
/// use steadfast::Draft;
///
/// let picture = Draft::bytes(vec![0x89, 0x50], "image/png");
/// // However often this is sent, it is stored once.
/// let row = Draft::text("row 17").key("import of monday", 17);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a draft does nothing before it is sent"]
pub struct Draft {
    pub(crate) body: Bytes,
    pub(crate) content_type: String,
    key: Option<(String, u64)>,
}

impl Draft {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { body: text.into().into(), content_type: String::new(), key: None }
    }

    /// Bytes of another kind, which is named as in HTTP's `Content-Type`: `image/png`.
    pub fn bytes(body: impl Into<Bytes>, content_type: impl Into<String>) -> Self {
        Self { body: body.into(), content_type: content_type.into(), key: None }
    }

    /// Sent again with the same key and number, to the same room, it is not stored twice: the second
    /// [`Sent`](crate::Sent) tells what became of the first. For inputs that a program may have to send again after a
    /// crash, without knowing how far it came.
    ///
    /// The profile remembers each number of each key for ever. Something else under the same key and number is
    /// [`SendError::KeyMismatch`](crate::SendError::KeyMismatch).
    pub fn key(mut self, key: impl Into<String>, number: u64) -> Self {
        self.key = Some((key.into(), number));
        self
    }

    /// The key as the store knows it, of a message to the room that is named so.
    pub(crate) fn line_key(&self, room: &str) -> Option<LineKey> {
        let (key, line) = self.key.clone()?;
        Some(LineKey { key, line, hash: hash(room, &self.body) })
    }
}

impl From<&str> for Draft {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Draft {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&String> for Draft {
    fn from(text: &String) -> Self {
        Self::text(text.as_str())
    }
}

/// Tells lines of a keyed input apart, over versions of this library.
fn hash(room: &str, body: &[u8]) -> [u8; 8] {
    let digest = Sha256::new().chain_update(room).chain_update([0]).chain_update(body).finalize();
    let mut hash = [0; 8];
    hash.copy_from_slice(&digest[..8]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_rooms_and_texts_apart_and_stays_what_it_was() {
        let hash = |room: &str, text: &str| Draft::text(text).key("k", 1).line_key(room).expect("a key").hash;
        assert_eq!(hash("lobby", "hello"), [242, 191, 254, 195, 92, 239, 124, 169]);
        assert_ne!(hash("lobby", "hello"), hash("hall", "hello"));
        assert_ne!(hash("lobby", "hello"), hash("lobby", "hallo"));
        assert_eq!(Draft::text("hello").line_key("lobby"), None);
    }
}

//! The identity that a profile goes on with when it was put back from a copy.
//!
//! It comes from the one before and from nothing else, so that all copies of a profile that are put back go on as one
//! and the same device: what waits in several of them is known to the server by sequence and id, as ever, and is taken
//! once. Copies that differ find that out by the same rules, and part.

use sha2::{Digest as _, Sha256};
use steadfast_proto::ids::DeviceId;
use steadfast_proto::session::Identity;

/// The device id and the secret that follow on these. Who does not know the secret can't tell what they will be.
pub fn renewed(identity: &Identity) -> (DeviceId, [u8; 32]) {
    let derive = |what: &[u8]| -> [u8; 32] {
        let hash = Sha256::new().chain_update(what).chain_update(identity.device_id.0).chain_update(identity.secret);
        hash.finalize().into()
    };
    let (id, secret) = (derive(b"steadfast device id after"), derive(b"steadfast secret after"));
    let mut device_id = [0; 16];
    device_id.copy_from_slice(&id[..16]);
    (DeviceId(device_id), secret)
}

#[cfg(test)]
mod tests {
    use steadfast_proto::ids::AccountId;

    use super::*;

    fn identity(device: u8, secret: u8) -> Identity {
        let (device_id, secret) = (DeviceId([device; 16]), [secret; 32]);
        Identity { name: "ann".to_owned(), device_id, secret, account: AccountId(1) }
    }

    #[test]
    fn copies_go_on_as_one_and_others_as_others() {
        let (id, secret) = renewed(&identity(1, 2));
        assert_eq!((id, secret), renewed(&identity(1, 2)));
        assert_ne!((id.0, secret), ([1; 16], [2; 32]));
        for other in [identity(1, 3), identity(2, 2), Identity { device_id: id, secret, ..identity(1, 2) }] {
            let (next, next_secret) = renewed(&other);
            assert!(next != id && next_secret != secret);
        }
        assert_ne!(id.0[..], secret[..16], "the id, which others see, tells nothing of the secret");
    }
}

//! A client that says exactly what a test wants, and hears everything.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use steadfast_proto::codec::{self, Decoder};
use steadfast_proto::wire::{self, Bye, frame::Kind};

use super::Stopwatch;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
    decoder: Decoder,
}

impl Raw {
    /// Connected, and silent.
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        Self { stream, decoder: Decoder::default() }
    }

    /// Connected as a device of this name that was never there before.
    pub(crate) fn greet(address: &str, name: &str, device: u8) -> Self {
        let mut raw = Self::connect(address);
        raw.send(Kind::Hello(wire::Hello {
            version_min: 1,
            version_max: 1,
            idle_bound_ms: 3_600_000,
            window_bytes: 65_536,
            credentials: Some(wire::Credentials {
                name: name.to_owned(),
                device_id: vec![device; 16].into(),
                secret: vec![1; 32].into(),
                account: u64::from(device),
            }),
            incarnation: Some(wire::Incarnation { process_start_ms: 1, process: 1, link: 1 }),
            ..wire::Hello::default()
        }));
        raw
    }

    pub(crate) fn send(&mut self, kind: Kind) {
        let mut bytes = Vec::new();
        codec::encode_kind(kind, &mut bytes);
        self.stream.write_all(&bytes).expect("the server reads");
    }

    /// The first frame of a kind, or nothing if the server closes before.
    pub(crate) fn wait_for<T>(&mut self, bound: Duration, mut wanted: impl FnMut(Kind) -> Option<T>) -> Option<T> {
        let started = Stopwatch::start();
        let mut buffer = [0; 4_096];
        loop {
            while let Some(received) = self.decoder.next_frame().expect("the server's frames are good") {
                if let Some(found) = wanted(received.kind) {
                    return Some(found);
                }
            }
            let left = bound.saturating_sub(started.elapsed());
            assert!(!left.is_zero(), "the server neither said it nor closed in {bound:?}");
            self.stream.set_read_timeout(Some(left)).expect("it is not zero");
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(read) => self.decoder.push(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
        }
    }

    /// Waits until it is admitted.
    #[track_caller]
    pub(crate) fn wait_for_welcome(&mut self, bound: Duration) {
        let mut heard = Vec::new();
        let welcomed = self.wait_for(bound, |kind| match kind {
            Kind::Welcome(_) => Some(()),
            other => {
                heard.push(other);
                None
            }
        });
        assert!(welcomed.is_some(), "closed without a Welcome: {heard:?}");
    }

    /// Waits for the server's goodbye, and that it closes behind it.
    #[track_caller]
    pub(crate) fn wait_for_bye(&mut self, bound: Duration) -> Bye {
        let bye = self.wait_for(bound, |kind| match kind {
            Kind::Bye(bye) => Some(bye),
            _ => None,
        });
        let bye = bye.expect("the server said goodbye before it closed");
        assert_eq!(self.wait_for(bound, Some), None, "Bye is the last word");
        bye
    }
}

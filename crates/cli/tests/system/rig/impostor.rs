//! A listener that is no server of ours.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::pause;

const LOOK: Duration = Duration::from_millis(5);

/// What an impostor does with a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Takes it, reads, and says nothing.
    Silent,
    /// Says this at once.
    Says(&'static [u8]),
    /// Says one byte after another, with this pause: the first bytes of a long frame, which never ends.
    Dribbles(Duration),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Impostor {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        listener.set_nonblocking(true).expect("it is a socket");
        let stopped = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || serve(&listener, manner, &theirs));
        Self { address, stopped, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the impostor does not panic");
        }
    }
}

/// One connection after another: a client has one at a time.
fn serve(listener: &TcpListener, manner: Manner, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => treat(stream, manner, stopped),
            Err(_) => pause(LOOK),
        }
    }
}

fn treat(mut stream: TcpStream, manner: Manner, stopped: &AtomicBool) {
    /// A part of 16,384 bytes begins (PROTOCOL.md, "Frames"): length, header, and then a body of zeros.
    const LONG_PART: [u8; 4] = [0x85, 0x80, 0x01, 0x00];
    stream.set_nonblocking(true).expect("it is a socket");
    if let Manner::Says(bytes) = manner {
        // A client that is gone already hears nothing.
        stream.write_all(bytes).ok();
    }
    let mut said = 0;
    while !stopped.load(Ordering::Relaxed) {
        match stream.read(&mut [0; 4_096]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => match manner {
                Manner::Dribbles(every) => {
                    let byte = LONG_PART.get(said).copied().unwrap_or(0);
                    stream.write_all(&[byte]).ok();
                    said += 1;
                    pause(every);
                }
                Manner::Silent | Manner::Says(_) => pause(LOOK),
            },
            Err(_) => return,
        }
    }
}

//! One connection: its driver, its core, its mailbox.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sha2::{Digest as _, Sha256};
use steadfast_net::clock::{BootClock, wall_ms};
use steadfast_net::driver::{Core, Driver};
use steadfast_proto::hub::connection::{Admission, Event, check_hello};
use steadfast_proto::hub::{Answer, Connection, ReaderId, SignUp};
use steadfast_proto::ids::AccountId;
use steadfast_proto::session::Cause;
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{ByeReason, Hello, Hold, HoldCause, Refusal};
use tokio::net::TcpStream;

use crate::mailbox::{Letter, Mailbox};
use crate::reading::Read;
use crate::shared::{Shared, SignUpPolicy};
use crate::submission::{Submission, Submitted};

/// How long a client should wait when the sequencer has too much.
const OVERLOADED_RETRY_MS: u32 = 100;
/// When a client of a server that stops should come back, and how far the clients are spread.
const DRAINING_RETRY_MS: u32 = 500;
/// How long a farewell may take to leave.
const FAREWELL: Duration = Duration::from_millis(500);

/// Runs a connection until it ends.
pub(crate) async fn run(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let now = BootClock::now();
    let core = Connection::new(shared.config.active_bound, shared.config.idle_bound, now);
    let mut link = LinkCore {
        core,
        shared: Arc::clone(&shared),
        mailbox: Arc::default(),
        registered: None,
        closing: None,
        transmit: Vec::new(),
    };
    let mut driver = Driver::new(stream);
    let cause = drive(&mut driver, &mut link).await;
    let (account, _) = link.core.device();
    match &cause {
        Some(cause) => tracing::info!(%peer, %account, cause = cause.name(), "connection lost: {cause}"),
        None => tracing::info!(%peer, %account, reason = ?link.closing, "connection closed"),
    }
    link.leave();
    shared.connections.fetch_sub(1, Ordering::Relaxed);
}

/// Gives why the connection was lost, or nothing if this side closed it.
async fn drive(driver: &mut Driver, link: &mut LinkCore) -> Option<Cause> {
    let mut timer = link.shared.timers.register();
    let mut draining = link.shared.draining.clone();
    let mailbox = Arc::clone(&link.mailbox);
    loop {
        timer.set(Some(link.core.poll_timeout().0));
        let moved = tokio::select! {
            ready = driver.ready() => match ready {
                Ok(()) => driver.on_ready(link),
                Err(error) => Err(steadfast_net::cause::of_io(&error)),
            },
            () = mailbox.notified() => {
                link.read_mail();
                driver.on_writable(link)
            }
            _ = timer.expired() => driver.on_deadline(link),
            _ = draining.wait_for(|draining| *draining), if link.closing.is_none() => {
                link.say_draining();
                driver.on_writable(link)
            }
        };
        if let Err(cause) = moved {
            return if link.closing.is_some() { None } else { Some(cause) };
        }
        if link.closing.is_some() {
            return farewell(driver, link).await;
        }
    }
}

/// Lets what was said last leave, for a moment.
async fn farewell(driver: &mut Driver, link: &mut LinkCore) -> Option<Cause> {
    let mut timer = link.shared.timers.register();
    timer.set(Some(BootClock::now() + FAREWELL));
    loop {
        if driver.on_writable(link).is_err() || driver.pending() == 0 && driver.finish() {
            return None;
        }
        tokio::select! {
            ready = driver.ready() => if ready.is_err() { return None },
            _ = timer.expired() => return None,
        }
    }
}

/// The core of a connection, with what it needs around it.
struct LinkCore {
    core: Connection,
    shared: Arc<Shared>,
    mailbox: Arc<Mailbox>,
    registered: Option<ReaderId>,
    closing: Option<ByeReason>,
    /// What was said outside of a pull: Welcome.
    transmit: Vec<u8>,
}

impl Core for LinkCore {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.core.handle_bytes(now, bytes, &mut self.shared.hub());
        self.serve_events();
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.core.handle_timeout(now, &mut self.shared.hub());
        self.serve_events();
    }

    fn handle_line(&mut self, queued_bytes: u64, bytes_per_second: Option<u64>) {
        self.core.handle_line(queued_bytes, bytes_per_second);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) {
        out.append(&mut self.transmit);
        self.core.poll_transmit(now, &mut self.shared.hub(), out);
        self.serve_events();
    }
}

impl LinkCore {
    fn read_mail(&mut self) {
        for letter in self.mailbox.take() {
            match letter {
                Letter::SignedUp(Ok(account)) => self.admit(account),
                Letter::SignedUp(Err(refusal)) => self.refuse_sign_up(refusal),
                Letter::SignUpHeld => self.refuse(ByeReason::Overloaded, "no room for a new device now", 1_000),
                Letter::Answers(answers) => self.core.handle_answers(answers),
                Letter::Chunks(Some((chunks, covered_through))) => {
                    self.core.handle_chunks(&chunks, covered_through, &mut self.shared.hub());
                }
                Letter::Chunks(None) => self.refuse(ByeReason::Overloaded, "the log can't be read now", 5_000),
                Letter::Page(asked, Some(chunks)) => self.core.handle_history(&asked, &chunks, &self.shared.hub()),
                Letter::Page(asked, None) => self.core.handle_history_failed(asked.number),
            }
        }
        self.core.handle_woken(&mut self.shared.hub());
        self.serve_events();
    }

    fn serve_events(&mut self) {
        while let Some(event) = self.core.poll_event() {
            match event {
                Event::Greeted(hello) => self.greet(&hello),
                Event::Submit(op) => {
                    let from_sequence = op.sequence;
                    let what = Submitted::Op(self.core.origin(), op);
                    let submission = Submission { from: Arc::clone(&self.mailbox), what };
                    if self.shared.submit(submission).is_err() {
                        let cause = HoldCause::Overloaded.into();
                        let hold = Hold { from_sequence, cause, retry_after_ms: OVERLOADED_RETRY_MS };
                        self.core.handle_answers(vec![Answer::Hold(hold)]);
                    }
                }
                Event::ReadChunks { rooms, after } => {
                    self.shared.reads.ask(&self.mailbox, Read::Chunks { rooms, after });
                }
                Event::ReadHistory(asked) => self.shared.reads.ask(&self.mailbox, Read::Page(asked)),
                Event::Evict(older) => self.shared.wake(&[older]),
                Event::Close(reason) => self.closing = Some(reason),
            }
        }
        if let Some(reader) = self.core.reader()
            && self.registered.is_none()
        {
            self.registered = Some(reader);
            self.shared.register(reader, &self.mailbox);
            // Something may have been committed between the attaching and this.
            self.mailbox.wake();
        }
    }

    fn greet(&mut self, hello: &Hello) {
        let greeting = match check_hello(hello) {
            Ok(greeting) => greeting,
            Err((reason, text)) => return self.refuse(reason, text, 0),
        };
        let secret_hash: [u8; 32] = Sha256::digest(greeting.secret).into();
        let sign_up = SignUp {
            name: greeting.name.clone(),
            device_id: greeting.device_id,
            secret_hash,
            account: greeting.account,
        };
        self.core.handle_greeting(hello, greeting, self.shared.config.active_bound);
        let known = self.shared.hub().state().device(sign_up.device_id).map(|d| (d.account, d.secret_hash));
        match known {
            Some((account, hash)) if hash == secret_hash => self.admit(account),
            Some(_) => self.refuse(ByeReason::CredentialsRefused, "this device has another secret", 0),
            None if self.shared.config.sign_up != SignUpPolicy::Open => {
                self.refuse(ByeReason::SignupClosed, "this server takes new devices by invitation only", 0);
            }
            None => {
                let submission = Submission { from: Arc::clone(&self.mailbox), what: Submitted::SignUp(sign_up) };
                if self.shared.submit(submission).is_err() {
                    self.refuse(ByeReason::Overloaded, "the server has too much to do", 1_000);
                }
            }
        }
    }

    fn admit(&mut self, account: AccountId) {
        let return_spread_ms = self.shared.return_spread_ms();
        let admission = Admission { account, return_spread_ms, now_ms: wall_ms() };
        let mut hub = self.shared.hub();
        self.core.handle_admitted(BootClock::now(), &admission, &mut hub, &mut self.transmit);
        drop(hub);
        let (account, device) = self.core.device();
        tracing::info!(%account, %device, "admitted");
        self.serve_events();
    }

    fn refuse_sign_up(&mut self, refusal: Refusal) {
        let (reason, text) = match refusal {
            Refusal::NameInvalid => (ByeReason::NameInvalid, "that is no name an account can have"),
            _ => (ByeReason::CredentialsRefused, "the sign-up was refused"),
        };
        self.refuse(reason, text, 0);
    }

    fn refuse(&mut self, reason: ByeReason, text: &str, retry_after_ms: u32) {
        self.core.refuse(reason, text, retry_after_ms, &mut self.shared.hub());
        while let Some(event) = self.core.poll_event() {
            if let Event::Close(reason) = event {
                self.closing = Some(reason);
            }
        }
    }

    fn say_draining(&mut self) {
        // Clients that all hear it in one moment should not all come back in one.
        let spread = u32::from(self.core.device().1.0[0]) * 4;
        self.refuse(ByeReason::Draining, "the server stops", DRAINING_RETRY_MS + spread);
    }

    fn leave(&mut self) {
        if let Some(reader) = self.core.reader() {
            self.shared.hub().detach(reader);
        }
        if let Some(reader) = self.registered {
            self.shared.unregister(reader, &self.mailbox);
        }
    }
}

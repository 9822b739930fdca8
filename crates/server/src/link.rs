//! One connection: its driver, its core, its mailbox.

use std::net::SocketAddr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use steadfast_net::clock::{BootClock, Timers, wall_ms};
use steadfast_net::driver::{Core, Driver};
use steadfast_net::tcp::Applied;
use steadfast_proto::hub::connection::{Admission, Ending, Event, check_hello};
use steadfast_proto::hub::{Answer, Connection, ReaderId, SignUp};
use steadfast_proto::ids::AccountId;
use steadfast_proto::link::LinkError;
use steadfast_proto::names;
use steadfast_proto::session::Cause;
use steadfast_proto::time::{Duration, Instant};
use steadfast_proto::wire::{ByeReason, Hello, History, Hold, HoldCause, Refusal};
use tokio::net::TcpStream;

use crate::config::{Config, SignUpPolicy};
use crate::door::Pass;
use crate::flight::{End, Flight, Stream, Traffic, Who};
use crate::mailbox::{Address, Letter, Mailbox};
use crate::reading::{Busy, Read};
use crate::shared::{Overloaded, Shared};
use crate::turn::{NOT_STORED_RETRY_MS, Submission, Submitted, Told};

/// How long a client should wait when the sequencer has too much.
const OVERLOADED_RETRY_MS: u32 = 100;
/// How long a stranger should wait who made way for others.
const MAKE_WAY_RETRY_MS: u32 = 2_000;
/// How soon a store is asked again that had too many reads waiting.
const READ_AGAIN: Duration = Duration::from_millis(500);
/// When a client of a server that stops should come back, and how far the clients are spread.
const DRAINING_RETRY_MS: u32 = 500;
/// How long a farewell may take to leave.
const FAREWELL: Duration = Duration::from_millis(500);

/// A connection as it was accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) peer: SocketAddr,
    pub(crate) at: Instant,
    /// What the kernel applied, if it was asked.
    pub(crate) kernel: Option<Arc<Applied>>,
    pub(crate) mailbox: Arc<Mailbox>,
    /// Its place, which is given back with it.
    pub(crate) pass: Pass,
}

/// Runs a connection until it ends. Not an `async fn`, which would keep room for what it was given beside what it made
/// of it, for each connection.
pub(crate) fn run(stream: TcpStream, accepted: Accepted, shared: Arc<Shared>) -> impl Future<Output = ()> {
    let mut link = LinkCore::new(accepted, shared);
    let mut driver = Driver::new(stream);
    async move {
        let broke = drive(&mut driver, &mut link).await;
        link.record(broke.as_ref());
        if link.has_died() {
            driver.abandon();
        }
    }
}

/// Gives why the connection was lost, or nothing if this side closed it.
async fn drive(driver: &mut Driver, link: &mut LinkCore) -> Option<Cause> {
    let mut timer = link.shared.services.timers.register();
    let mut draining = link.shared.services.draining.clone();
    let mailbox = Arc::clone(&link.accepted.mailbox);
    loop {
        timer.set(Some(link.next_deadline()));
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
            _ = draining.wait_for(|draining| *draining), if link.ending.is_none() => {
                link.say_draining();
                driver.on_writable(link)
            }
        };
        if let Err(cause) = moved {
            return if link.ending.is_some() { None } else { Some(cause) };
        }
        if link.ending.is_some() {
            // Before the last words leave, which take their time: what counts is when it was known.
            link.record(None);
            let timers = link.shared.services.timers.clone();
            farewell(driver, link, &timers).await;
            return None;
        }
    }
}

/// Lets what was said last leave, for a moment. What still comes is thrown away: left where it is, it would make each
/// wait end at once.
pub(crate) async fn farewell(driver: &mut Driver, core: &mut impl Core, timers: &Timers) {
    let mut timer = timers.register();
    timer.set(Some(BootClock::now() + FAREWELL));
    let mut core = Deaf(core);
    loop {
        if driver.on_ready(&mut core).is_err() || driver.pending() == 0 && driver.finish() {
            return;
        }
        tokio::select! {
            ready = driver.ready() => if ready.is_err() { return },
            _ = timer.expired() => return,
        }
    }
}

/// A core that hears nothing any more.
struct Deaf<'core, C>(&'core mut C);

impl<C: Core> Core for Deaf<'_, C> {
    fn handle_bytes(&mut self, _: Instant, _: &[u8]) {}

    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }

    fn handle_line(&mut self, queued_bytes: u64, bytes_per_second: Option<u64>) {
        self.0.handle_line(queued_bytes, bytes_per_second);
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut Vec<u8>) {
        self.0.poll_transmit(now, out);
    }
}

/// The core of a connection, with what it needs around it.
struct LinkCore {
    core: Connection,
    shared: Arc<Shared>,
    accepted: Accepted,
    registered: Option<ReaderId>,
    /// When it was admitted.
    admitted_at: Option<Instant>,
    /// How long its device had no link before.
    away_ms: Option<u64>,
    /// The place that it named; and once it reads, the one after which it went on.
    resumed_from: Option<u64>,
    /// When to ask the store again that had too many reads waiting, and for which pages (a catch-up asks by itself).
    read_again_at: Option<Instant>,
    pages_waiting: Vec<History>,
    ending: Option<Ending>,
    recorded: bool,
    /// What was said outside of a pull: Welcome.
    transmit: Vec<u8>,
}

impl Core for LinkCore {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.core.receive(now, bytes);
        // The hub is left between two handfuls: others wait for it.
        while let Some(taken) = self.core.take(now) {
            self.core.handle_taken(now, taken, &mut self.shared.hub());
        }
        self.serve_events();
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.read_again_at.is_some_and(|at| at <= now) {
            self.read_again_at = None;
            std::mem::take(&mut self.pages_waiting).into_iter().for_each(|asked| self.read(Read::Page(asked)));
        }
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
    fn new(accepted: Accepted, shared: Arc<Shared>) -> Self {
        let Config { active_bound, idle_bound, limits, .. } = &shared.services.config;
        let mut core = Connection::new(*active_bound, *idle_bound, accepted.at);
        core.set_limits(limits.frame_bytes_max, accepted.at + limits.handshake_timeout);
        Self {
            core,
            shared,
            accepted,
            registered: None,
            admitted_at: None,
            away_ms: None,
            resumed_from: None,
            read_again_at: None,
            pages_waiting: Vec::new(),
            ending: None,
            recorded: false,
            transmit: Vec::new(),
        }
    }

    fn next_deadline(&self) -> Instant {
        let next = self.core.poll_timeout().0;
        self.read_again_at.map_or(next, |at| at.min(next))
    }

    fn read_mail(&mut self) {
        for letter in self.accepted.mailbox.take() {
            match letter {
                Letter::MakeWay if self.accepted.pass.is_silent() => {
                    self.refuse(ByeReason::Overloaded, "others wait, and you said nothing", MAKE_WAY_RETRY_MS);
                }
                Letter::MakeWay => {}
                Letter::Told(Told::SignedUp(Ok(account))) => self.admit(account),
                Letter::Told(Told::SignedUp(Err(refusal))) => self.refuse_sign_up(refusal),
                Letter::Told(Told::SignUpHeld) => {
                    self.refuse(ByeReason::Overloaded, "no room for a new device now", NOT_STORED_RETRY_MS);
                }
                Letter::Told(Told::Answers(answers)) => self.core.handle_answers(answers),
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
                    let submission = Submission { from: Address(Arc::clone(&self.accepted.mailbox)), what };
                    if self.shared.submit(submission).is_err() {
                        let cause = HoldCause::Overloaded.into();
                        let hold = Hold { from_sequence, cause, retry_after_ms: OVERLOADED_RETRY_MS };
                        self.core.handle_answers(vec![Answer::Hold(hold)]);
                    }
                }
                Event::ReadChunks { rooms, after } => self.read(Read::Chunks { rooms, after }),
                Event::ReadHistory(asked) => self.read(Read::Page(asked)),
                Event::Evict(older) => {
                    self.away_ms = None;
                    self.shared.wake(&[older]);
                }
                Event::Watching => self.shared.begin_watching(),
                Event::Close(ending) => self.ending = Some(ending),
            }
        }
        if let Some(reader) = self.core.reader()
            && self.registered.is_none()
        {
            self.registered = Some(reader);
            self.resumed_from = self.resumed_from.map(|_| self.shared.hub().place(reader));
            self.shared.register(reader, &self.accepted.mailbox);
            // Something may have been committed between the attaching and this.
            self.accepted.mailbox.wake();
        }
    }

    fn read(&mut self, read: Read) {
        match self.shared.services.reads.ask(&self.accepted.mailbox, read) {
            Ok(()) => return,
            // As many as may be open, and they count as open.
            Err(Busy(Read::Page(asked))) => self.pages_waiting.push(asked),
            Err(Busy(Read::Chunks { .. })) => self.core.handle_chunks_busy(),
        }
        // Not put off by what is asked meanwhile.
        self.read_again_at.get_or_insert(BootClock::now() + READ_AGAIN);
    }

    fn greet(&mut self, hello: &Hello) {
        self.accepted.pass.greeted();
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
        self.resumed_from = hello.place.as_ref().map(|place| place.position);
        self.core.handle_greeting(hello, greeting, self.shared.services.config.active_bound);
        let known = self.shared.hub().state().device(sign_up.device_id).map(|d| (d.account, d.secret_hash));
        match known {
            Some((account, hash)) if hash == secret_hash => self.admit(account),
            Some(_) => self.refuse(ByeReason::CredentialsRefused, "this device has another secret", 0),
            None if self.shared.services.config.sign_up != SignUpPolicy::Open => {
                self.refuse(ByeReason::SignupClosed, "this server takes new devices by invitation only", 0);
            }
            None => self.sign_up(sign_up),
        }
    }

    fn sign_up(&mut self, sign_up: SignUp) {
        if let Err(words) = self.check_name(&sign_up.name) {
            return self.refuse(ByeReason::NameInvalid, &words, 0);
        }
        let submission =
            Submission { from: Address(Arc::clone(&self.accepted.mailbox)), what: Submitted::SignUp(sign_up) };
        match self.shared.submit(submission) {
            Ok(()) => self.accepted.pass.settled(),
            Err(Overloaded) => self.refuse(ByeReason::Overloaded, "the server has too much to do", 1_000),
        }
    }

    /// Whether the name can be an account's here. One that is has been let in by another limit.
    fn check_name(&self, name: &str) -> Result<(), String> {
        let spelled = names::spelled(name).map_err(|error| error.to_string())?;
        let folded = names::folded(name).map_err(|error| error.to_string())?;
        let bytes_max = self.shared.services.config.limits.name_bytes_max;
        if spelled.len() > bytes_max as usize && self.shared.hub().state().account_named(&folded).is_none() {
            return Err(format!("this server takes names of at most {bytes_max} bytes of UTF-8"));
        }
        Ok(())
    }

    fn admit(&mut self, account: AccountId) {
        self.accepted.pass.settled();
        let (return_spread_ms, now_ms) = (self.shared.return_spread_ms(), wall_ms());
        let admission = Admission { account, return_spread_ms, now_ms };
        let mut hub = self.shared.hub();
        self.core.handle_admitted(BootClock::now(), &admission, &mut hub, &mut self.transmit);
        drop(hub);
        let (account, device) = self.core.device();
        self.admitted_at = Some(BootClock::now());
        let left_at_ms = self.shared.services.recorder.left_at_ms(&device.to_string());
        self.away_ms = left_at_ms.map(|left_at_ms| now_ms.saturating_sub(left_at_ms));
        self.serve_events();
        tracing::info!(peer = %self.accepted.peer, %account, %device, away_ms = self.away_ms, "admitted");
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
            if let Event::Close(ending) = event {
                self.ending = Some(ending);
            }
        }
    }

    fn say_draining(&mut self) {
        // Clients that all hear it in one moment should not all come back in one.
        let spread = u32::from(self.core.device().1.0[0]) * 4;
        self.refuse(ByeReason::Draining, "the server stops", DRAINING_RETRY_MS + spread);
    }

    /// Whether it ended because nothing came any more.
    fn has_died(&self) -> bool {
        matches!(self.ending, Some(Ending::Found(LinkError::Silent { .. } | LinkError::WokeFromSleep)))
    }

    /// Tells the recorder and the log how it ended: as one side said, or as the line broke.
    fn record(&mut self, broke: Option<&Cause>) {
        if std::mem::replace(&mut self.recorded, true) {
            return;
        }
        let end = match (&self.ending, broke) {
            (Some(ending), _) => End::said(ending),
            (None, Some(cause)) => End::broke(cause),
            (None, None) => End::cut_short(),
        };
        let flight = self.flight(end);
        flight.log();
        self.shared.services.recorder.record(flight);
    }

    fn flight(&self, end: End) -> Flight {
        let (now, now_ms) = (BootClock::now(), wall_ms());
        let ms_of = |at: Instant| {
            let ago_ms = u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX);
            now_ms.saturating_sub(ago_ms)
        };
        let (line, (account, device)) = (self.core.link(), self.core.device());
        let who = Who { account: account.to_string(), device: device.to_string() };
        let stream = Stream { resumed_from: self.resumed_from, entries_out: self.core.entries_sent() };
        Flight {
            peer: self.accepted.peer,
            who: self.admitted_at.map(|_| who),
            opened_at_ms: ms_of(self.accepted.at),
            admitted_at_ms: self.admitted_at.map(ms_of),
            away_ms: self.away_ms,
            last_in_at_ms: ms_of(line.liveness().last_inbound()),
            suspected_at_ms: line.liveness().suspected_since().map(ms_of),
            ended_at_ms: now_ms,
            end,
            stream: self.registered.map(|_| stream),
            traffic: Traffic::of(line),
            kernel: self.accepted.kernel.as_ref().map_or_else(String::new, ToString::to_string),
        }
    }
}

/// Also of a task that panicked or was stopped: what the connection held is given back.
impl Drop for LinkCore {
    fn drop(&mut self) {
        self.record(None);
        if let Some(reader) = self.core.reader() {
            self.shared.hub().detach(reader);
        }
        if let Some(reader) = self.registered {
            self.shared.unregister(reader, &self.accepted.mailbox);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    /// The connection, what it waits for, and what its flight is written from.
    const TASK_BYTES_MAX: usize = 1_536;

    /// All that there is to say.
    struct LastWords(Vec<u8>);

    impl Core for LastWords {
        fn handle_bytes(&mut self, _: Instant, _: &[u8]) {}
        fn handle_timeout(&mut self, _: Instant) {}
        fn handle_line(&mut self, _: u64, _: Option<u64>) {}
        fn poll_transmit(&mut self, _: Instant, out: &mut Vec<u8>) {
            out.append(&mut self.0);
        }
    }

    #[tokio::test]
    async fn a_farewell_to_one_who_writes_and_does_not_read_waits_without_turning() {
        const BUFFER_BYTES: u32 = 4_096;
        let (listening, connecting) = (TcpSocket::new_v4().expect("a socket"), TcpSocket::new_v4().expect("a socket"));
        listening.set_send_buffer_size(BUFFER_BYTES).expect("it is a socket");
        connecting.set_recv_buffer_size(BUFFER_BYTES).expect("it is a socket");
        listening.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let listener = listening.listen(1).expect("it is bound");
        let address = listener.local_addr().expect("it is bound");
        let peer = connecting.connect(address).await.expect("it listens");
        let (stream, _) = listener.accept().await.expect("the peer is there");
        peer.writable().await.expect("it is connected");
        peer.try_write(b"never read by a core").expect("there is room");

        let (timers, timers_task) = Timers::spawn().expect("a timer");
        let (mut driver, mut words) = (Driver::new(stream), LastWords(vec![b'x'; 1 << 20]));
        let (began, mut turns) = (BootClock::now(), 0);
        {
            let mut leaving = std::pin::pin!(farewell(&mut driver, &mut words, &timers));
            std::future::poll_fn(|context| {
                turns += 1;
                leaving.as_mut().poll(context)
            })
            .await;
        }
        assert!(driver.pending() > 0 && BootClock::now().since(began) >= FAREWELL, "the peer took it all");
        // One turn that lasts to the end would be a worker that does nothing else.
        assert!((2..20).contains(&turns), "it had {turns} turns");
        timers_task.stop().await.expect("the timers run");
    }

    #[test]
    fn the_task_of_a_connection_stays_small() {
        fn size_of_future<R>(_: fn(TcpStream, Accepted, Arc<Shared>) -> R) -> usize {
            size_of::<R>()
        }
        let (task, core) = (size_of_future(run), size_of::<LinkCore>());
        println!("task {task} B, of it the connection with what it needs {core} B");
        assert!(task <= TASK_BYTES_MAX, "a connection's task has grown to {task} bytes");
    }
}

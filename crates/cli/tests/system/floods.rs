//! Floods of hostile connections from other addresses: the server goes on serving those who were there, and what each
//! hostile one costs is bounded.
//!
//! A larger run, by hand: `STEADFAST_FLOOD_SCALE=4 cargo nextest run --release -p steadfast-cli -E 'test(floods)'
//! --success-output immediate`.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use steadfast_proto::wire::{self, frame::Kind};

use crate::rig::{
    Attack, Cost, Counted, Direction, Flood, KNOWN, Member, MemoryPeak, Process, Raw, SOON, Server, Stopwatch,
    TwoHosts, World, assert_stored, hello, is_root, line_of, lines_of, pause, wait_until,
};

/// A line of the honest sender comes so often.
const PACE: Duration = Duration::from_millis(10);
/// How long a flood lasts in the gate.
const FLOOD: Duration = Duration::from_secs(2);
/// What 99 of 100 messages of the honest take at most, from the line given to `send` until `tail` has printed it.
const P99_MAX: Duration = Duration::from_millis(1_500);
/// What the server's memory may grow by, whoever comes.
const GROWTH_BYTES_MAX: u64 = 16 * 1_024 * 1_024;
const KIB: u64 = 1_024;

/// How much larger than in the gate.
fn scale() -> u32 {
    std::env::var("STEADFAST_FLOOD_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

/// Where the server is.
enum Place {
    Loopback { world: World, server: Server },
    Hosts(TwoHosts),
}

/// A server, somebody who sends all the time, and somebody who reads it.
struct Scene {
    send: Process,
    tail: Process,
    ann: Member,
    bob: Member,
    written: Arc<Mutex<Vec<Stopwatch>>>,
    stopped: Arc<AtomicBool>,
    feeder: JoinHandle<()>,
    place: Place,
}

/// What was measured during a flood.
struct Measured {
    what: String,
    /// Of the honest messages, ascending.
    delays: Vec<Duration>,
    over: Duration,
    before: Cost,
    peak_bytes: u64,
    during: Cost,
    flood: Counted,
}

impl Place {
    fn server(&self) -> &Server {
        match self {
            Self::Loopback { server, .. } => server,
            Self::Hosts(hosts) => &hosts.server,
        }
    }

    /// Somebody whom nothing on the way of the hostile concerns.
    fn member(&self, name: &str) -> Member {
        match self {
            Self::Loopback { world, server } => world.member(name, server),
            Self::Hosts(hosts) => hosts.neighbour(name),
        }
    }
}

impl Scene {
    fn on_loopback(flags: &[&str]) -> Self {
        let world = World::new();
        let server = Server::start(world.program(), &world.path("server"), "127.0.0.1:0", flags);
        Self::set(Place::Loopback { world, server })
    }

    fn set(place: Place) -> Self {
        let (ann, bob) = (place.member("ann"), place.member("bob"));
        let tail = bob.start_tail(&["--follow"]);
        let mut send = ann.start_send(&[]);
        let (written, stopped) = (Arc::<Mutex<Vec<Stopwatch>>>::default(), Arc::new(AtomicBool::new(false)));
        let (mut input, theirs, stop) = (send.input(), Arc::clone(&written), Arc::clone(&stopped));
        let feeder = std::thread::spawn(move || {
            for number in 0.. {
                // One that was killed takes no more.
                if stop.load(Ordering::Relaxed) || writeln!(input, "{}", line_of("ann", number)).is_err() {
                    return;
                }
                theirs.lock().expect("nobody panicked").push(Stopwatch::start());
                pause(PACE);
            }
        });
        let scene = Self { send, tail, ann, bob, written, stopped, feeder, place };
        scene.tail.wait_to_print(50, SOON);
        scene
    }

    fn process(&self) -> u32 {
        self.place.server().process().id()
    }

    fn said(&self) -> usize {
        self.written.lock().expect("nobody panicked").len()
    }

    /// Lets something go on and measures the honest and the server meanwhile.
    fn measure(&self, what: &str, flood: impl FnOnce() -> Counted) -> Measured {
        let (before, first, started) = (Cost::of(self.process()), self.said(), Stopwatch::start());
        let peak = MemoryPeak::watch(self.process());
        let flood = flood();
        let (during, last, over) = (Cost::of(self.process()), self.said(), started.elapsed());
        self.tail.wait_to_print(last, SOON);
        let written = self.written.lock().expect("nobody panicked").clone();
        let printed = self.tail.out.moments();
        let mut delays: Vec<Duration> = (first..last).map(|line| written[line].until(printed[line])).collect();
        delays.sort_unstable();
        let peak_bytes = peak.stop();
        let measured = Measured { what: what.to_owned(), delays, over, before, peak_bytes, during, flood };
        measured.tell();
        measured
    }

    /// What is normal here.
    fn calm(&self) {
        self.measure("nobody", || {
            pause(FLOOD / 2);
            Counted::default()
        });
    }

    /// So many hostile clients at a time, in the gate. Afterwards the server has let all of them go.
    fn flood(&self, attack: Attack, clients: u64) -> Measured {
        let (clients, time) = (clients * u64::from(scale()), FLOOD * scale());
        let measured = self.measure(&format!("{clients} × {attack:?}"), || {
            let flood = Flood::start(self.place.server().address(), attack, clients);
            pause(time);
            flood.counted()
        });
        self.wait_until_gone(measured.before);
        let (p99, what) = (measured.delay(99), &measured.what);
        assert!(p99 < P99_MAX, "{what}: 1 of 100 honest messages takes more than {p99:?}");
        assert!(measured.flood.connected > 0, "{what}: nobody came");
        measured
    }

    fn wait_until_gone(&self, before: Cost) {
        let left = Stopwatch::start();
        wait_until("all are let go", SOON, || {
            (Cost::of(self.process()).descriptors <= before.descriptors + 2).then_some(())
        });
        let memory = Cost::of(self.process()).anonymous_bytes / KIB;
        eprintln!("    all were let go {:?} later, and the server had {memory} KiB", left.elapsed());
    }

    /// The device whose secret is to be guessed, and the room whose pages are asked for.
    fn prepare(&self) -> u64 {
        let mut known = Raw::connect(self.place.server().address());
        known.send(hello("known", KNOWN, 1, 15_000));
        known.wait_for_welcome(SOON);
        known.send(Kind::Rooms(wire::Rooms { number: 1, ..wire::Rooms::default() }));
        let first = |kind| match kind {
            Kind::RoomsPage(page) => page.rooms.first().map(|room| room.room),
            _ => None,
        };
        known.wait_for(SOON, first).expect("there is the room")
    }

    /// Every honest line is there, once and in its order, and no line of the network was lost.
    fn end(self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.feeder.join().expect("the feeder does not panic");
        let lines = lines_of("ann", 0, self.written.lock().expect("nobody panicked").len());
        self.send.wait(SOON).expect_code(0);
        self.tail.wait_to_print(lines.len(), SOON);
        for member in [&self.ann, &self.bob] {
            assert_eq!(member.status().drops(), [], "{} lost a line", member.name);
        }
        drop(self.tail);
        let panics = self.place.server().process().err.so_far().into_iter().filter(|line| line.contains("panicked"));
        assert_eq!(panics.collect::<Vec<_>>(), [""; 0]);
        assert_stored(&self.place.member("witness"), &[self.ann, self.bob], &[("ann", lines)]);
    }
}

impl Measured {
    fn delay(&self, percent: usize) -> Duration {
        let rank = (self.delays.len() * percent).div_ceil(100).max(1);
        self.delays.get(rank - 1).copied().unwrap_or_default()
    }

    fn tell(&self) {
        let (p50, p99, max) = (self.delay(50), self.delay(99), self.delay(100));
        let kib = |bytes: u64| bytes / KIB;
        eprintln!("{}: {} honest messages, p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}", self.what, self.delays.len());
        eprintln!(
            "    the server: {:.0} % of a CPU; {} KiB, then {}, at most {}; {} descriptors, then {}",
            100.0 * self.cpu().as_secs_f64() / self.over.as_secs_f64(),
            kib(self.before.anonymous_bytes),
            kib(self.during.anonymous_bytes),
            kib(self.peak_bytes),
            self.before.descriptors,
            self.during.descriptors
        );
        let Counted { connected, ended, admitted, sent } = self.flood;
        if connected > 0 {
            let cpu = self.cpu().as_secs_f64() * 1e3 / connected as f64;
            eprintln!(
                "    {connected} connections ({ended} ended, {admitted} admitted, {sent} frames): {cpu:.2} ms of CPU \
                 and {} B each",
                self.grown() / connected
            );
        }
    }

    fn cpu(&self) -> Duration {
        self.during.cpu - self.before.cpu
    }

    fn grown(&self) -> u64 {
        self.peak_bytes.saturating_sub(self.before.anonymous_bytes)
    }

    /// However many came, the server's memory grew by no more than this for each that it held at a time.
    fn assert_memory(&self, held: u64, bytes_each_max: u64) {
        let (grown, what) = (self.grown(), &self.what);
        let bound = held * u64::from(scale()) * bytes_each_max + GROWTH_BYTES_MAX;
        assert!(grown <= bound, "{what}: the server grew by {grown} bytes, {bound} at most");
    }

    /// Each connection cost this much of a CPU at most, the honest one's share included.
    fn assert_cpu(&self, each_max: Duration) {
        let each = self.cpu().as_secs_f64() / self.flood.connected as f64;
        assert!(each < each_max.as_secs_f64(), "{}: {each} s of CPU for each connection", self.what);
    }
}

#[test]
fn thousands_of_strangers_who_say_nothing_or_a_byte_a_second_hold_up_nobody_and_cost_little_memory() {
    let scene = Scene::on_loopback(&["--handshake-timeout", "2s"]);
    scene.calm();
    // More than may be there at a time: the others wait in the kernel's queue, or are sent away.
    scene.flood(Attack::Silent, 3_000).assert_memory(1_024, 8 * KIB);
    scene.flood(Attack::Dripping, 1_000).assert_memory(1_000, 8 * KIB);
    scene.flood(Attack::Announcing, 1_000).assert_memory(1_000, 48 * KIB);
    scene.end();
}

#[test]
fn strangers_who_come_back_at_once_with_bad_frames_wrong_secrets_or_nothing_hold_up_nobody() {
    let scene = Scene::on_loopback(&[]);
    scene.prepare();
    for attack in [Attack::Malformed, Attack::WrongSecret, Attack::Passing] {
        let measured = scene.flood(attack, 50);
        measured.assert_memory(50, 0);
        measured.assert_cpu(Duration::from_millis(10));
    }
    scene.end();
}

#[test]
fn sign_ups_without_end_hold_up_nobody_and_cost_what_an_account_costs() {
    let scene = Scene::on_loopback(&[]);
    let measured = scene.flood(Attack::SigningUp, 50);
    assert!(measured.flood.admitted > 0, "nobody was signed up");
    let each = measured.grown() / measured.flood.admitted;
    eprintln!("    an account with its device and its room takes {each} B of memory");
    assert!(measured.grown() <= measured.flood.admitted * 8 * KIB + GROWTH_BYTES_MAX, "{each} bytes an account");
    scene.end();
}

#[test]
fn clients_that_ask_without_reading_ping_without_pause_or_never_end_a_frame_hold_up_nobody() {
    let scene = Scene::on_loopback(&["--handshake-timeout", "2s"]);
    let room = scene.prepare();
    // What a client may have half sent is 128 KiB, in a buffer that doubles.
    scene.flood(Attack::HalfAFrame, 200).assert_memory(200, 288 * KIB);
    scene.flood(Attack::Pages(room), 50).assert_memory(50, 512 * KIB);
    for attack in [Attack::Pings, Attack::PingsUnread, Attack::Acks] {
        scene.flood(attack, 4).assert_memory(4, 256 * KIB);
    }
    scene.end();
}

#[test]
fn connections_whose_peer_has_vanished_hold_up_nobody_and_are_let_go_within_their_bounds() {
    const HANDSHAKE: Duration = Duration::from_secs(2);
    const IDLE: Duration = Duration::from_secs(3);
    if !is_root() {
        return;
    }
    let each = 400 * u64::from(scale());
    let scene = Scene::set(Place::Hosts(TwoHosts::new(&["--handshake-timeout", "2s"])));
    let Place::Hosts(hosts) = &scene.place else { unreachable!("it was set so") };
    let address = hosts.server.address();
    let before = Cost::of(scene.process());
    let idle_ms = u32::try_from(IDLE.as_millis()).expect("it fits");
    let admitted = hosts.network.in_client(|| {
        let mut all: Vec<Raw> = (1..=each).map(|_| Raw::connect(address)).collect();
        for (raw, number) in all.iter_mut().zip(1..) {
            raw.send(hello(&format!("vanishing{number}"), number, 1, idle_ms));
        }
        all.iter_mut().for_each(|raw| raw.wait_for_welcome(SOON));
        all
    });
    let silent: Vec<Raw> = hosts.network.in_client(|| (0..each).map(|_| Raw::connect(address)).collect());
    let measured = scene.measure(&format!("{each} admitted and {each} strangers that vanish"), || {
        hosts.network.cut(Direction::Both);
        let (cut, all) = (Stopwatch::start(), 2 * each as usize);
        let held = Cost::of(scene.process()).descriptors - before.descriptors;
        assert!(held > all / 2, "{held} of {all} were there");
        wait_until("all are let go", 3 * IDLE.max(HANDSHAKE) + SOON, || {
            (Cost::of(scene.process()).descriptors <= before.descriptors + 2).then_some(())
        });
        eprintln!("{held} connections were let go within {:?} after their peers had vanished", cut.elapsed());
        Counted { connected: 2 * each, ..Counted::default() }
    });
    measured.assert_memory(2 * each, 8 * KIB);
    assert!(measured.delay(99) < P99_MAX, "1 of 100 honest messages takes more than {:?}", measured.delay(99));
    drop((admitted, silent));
    scene.end();
}

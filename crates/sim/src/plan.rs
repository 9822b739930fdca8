//! What happens in a run: who is there, in which weather, and what is done and what goes wrong when.
//!
//! A plan is drawn from a seed before anything runs, so that a failing one can be made shorter step by step and told in
//! words. What a step means is the world's business; whether it changed anything is told by the world, too.

mod draw;
mod simpler;

pub use draw::draw;
use steadfast_proto::time::Duration;

/// Everything that a run depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Seeds what the plan leaves open: each line's latency, each disk's tearing, ids.
    pub seed: u64,
    /// The devices; at least one.
    pub devices: Vec<DevicePlan>,
    /// How lines and disks are when nothing in particular is wrong.
    pub weather: WeatherPlan,
    /// In order of time.
    pub steps: Vec<Step>,
}

/// A device of an account. Several devices may name one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePlan {
    /// The account's number.
    pub account: usize,
    /// How its protocol relates to the server's.
    pub version: VersionPlan,
}

/// Which version of the protocol one side speaks beside the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionPlan {
    /// This one.
    Ours,
    /// One that knows of no optional feature.
    Older,
    /// One with a higher version, frames and fields that nobody knows yet.
    Newer,
}

/// See [`Plan::weather`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeatherPlan {
    /// The latency of a line, from and to, drawn for each piece.
    pub latency: (Duration, Duration),
    /// What a line carries each way; `None`: as much as comes.
    pub bytes_per_second: Option<u64>,
    /// What a socket holds.
    pub socket_bytes: usize,
    /// Bytes arrive in pieces of at most so many.
    pub piece_bytes_max: usize,
    /// How long a device's disk takes for a sync, at most.
    pub device_sync_max: Duration,
    /// How long the server's disk takes for a sync, at most.
    pub server_sync_max: Duration,
    /// The window that a client asks for.
    pub window_bytes: u32,
    /// The server's budget for rings.
    pub ring_bytes_max: usize,
    /// How the server's version relates to the devices'.
    pub server_version: VersionPlan,
}

impl WeatherPlan {
    /// A good line and quick disks.
    pub const FAIR: WeatherPlan = WeatherPlan {
        latency: (Duration::from_millis(1), Duration::from_millis(5)),
        bytes_per_second: None,
        socket_bytes: 64 * 1024,
        piece_bytes_max: usize::MAX,
        device_sync_max: Duration::from_millis(2),
        server_sync_max: Duration::from_millis(2),
        window_bytes: 64 * 1024,
        ring_bytes_max: 1024 * 1024,
        server_version: VersionPlan::Ours,
    };
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When, counted from the beginning.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// See [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody does something.
    Act {
        /// The device.
        device: usize,
        /// What it does.
        act: Act,
    },
    /// Something goes wrong.
    Fail(Fault),
}

/// What a person or a program does. Rooms are numbers of names that a world makes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Enters a public room, or makes it.
    Enter {
        /// The room.
        room: usize,
    },
    /// Leaves a room, if it is in one of this number.
    Leave {
        /// The room.
        room: usize,
    },
    /// Sends messages into a room that it entered, made, or was added to.
    Send {
        /// The room.
        room: usize,
        /// How many.
        count: usize,
        /// How long each is.
        bytes: usize,
    },
    /// Says something in each of many public rooms at once, and enters those that it is not in.
    SendEverywhere {
        /// How many.
        rooms: usize,
    },
    /// Opens a conversation with an account and says something.
    Direct {
        /// The other account.
        account: usize,
    },
    /// Makes a private room.
    CreatePrivate {
        /// The room.
        room: usize,
    },
    /// Adds an account to a private room that it is in.
    Add {
        /// The room.
        room: usize,
        /// The account.
        account: usize,
    },
    /// Removes an account from a private room that it is in.
    Remove {
        /// The room.
        room: usize,
        /// The account.
        account: usize,
    },
    /// Asks for older messages of a room, also of one that it may not read.
    History {
        /// The room.
        room: usize,
    },
    /// Sends something that must be refused.
    SendTooMuch {
        /// The room.
        room: usize,
    },
    /// Watches the people of a room and types in it.
    Type {
        /// The room.
        room: usize,
    },
    /// The user takes the line down.
    Stop,
    /// The user wants the line again.
    Resume,
    /// The user wants a try now.
    TryNow,
    /// A second process of the profile queues a message, while the first one drives.
    SendFromSecondProcess {
        /// The room.
        room: usize,
    },
}

/// What goes wrong. What has a duration is over after it; what is broken by then has to mend itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The line of a device carries nothing any more, one way or both, and nobody is told.
    Silence {
        /// The device.
        device: usize,
        /// Which ways.
        ways: Ways,
    },
    /// The same, but both sides are told.
    Reset {
        /// The device.
        device: usize,
    },
    /// The server's side goes away, and only the device is not told.
    HalfOpen {
        /// The device.
        device: usize,
    },
    /// The line carries nothing for a while; then all of it arrives.
    Stall {
        /// The device.
        device: usize,
        /// Which ways.
        ways: Ways,
        /// How long.
        lasts: Duration,
    },
    /// Every line that the device makes is slow for a while.
    Slow {
        /// The device.
        device: usize,
        /// What it carries each way.
        bytes_per_second: u64,
        /// How long.
        lasts: Duration,
    },
    /// Latency is high and swings for a while.
    Jitter {
        /// The device.
        device: usize,
        /// At most.
        latency_max: Duration,
        /// How long.
        lasts: Duration,
    },
    /// A bit flips in what is under way next.
    FlipBit {
        /// The device.
        device: usize,
        /// On its way to the server.
        up: bool,
    },
    /// Some bytes of what is under way next are missing.
    Hole {
        /// The device.
        device: usize,
        /// On its way to the server.
        up: bool,
        /// How many.
        bytes: usize,
    },
    /// A box between forgets lines of this device that were quiet for so long: their bytes vanish.
    NatForgets {
        /// The device.
        device: usize,
        /// How long is long.
        quiet: Duration,
    },
    /// The device gets another address: its old lines are dead, and it is told of a change.
    AddressChange {
        /// The device.
        device: usize,
    },
    /// Every line that the device makes for a while is reset soon after: a bad antenna, a box that finds it out.
    Flap {
        /// The device.
        device: usize,
        /// How soon.
        after: Duration,
        /// How long.
        lasts: Duration,
    },
    /// There is no network for a while: lines are dead and none can be made.
    NoNetwork {
        /// The device.
        device: usize,
        /// How long.
        lasts: Duration,
    },
    /// A process is killed, and started again later. What it wrote stays.
    Kill {
        /// Whose.
        whose: Machine,
        /// Until it is started again.
        back: Duration,
        /// In the midst of so many writing calls from now, at once if `None`.
        in_calls: Option<u32>,
    },
    /// The power goes: what was not synced is gone, torn or there.
    PowerLoss {
        /// Whose.
        whose: Machine,
        /// Until it is started again.
        back: Duration,
        /// In the midst of so many writing calls from now, at once if `None`.
        in_calls: Option<u32>,
    },
    /// The disk has no room for a while.
    DiskFull {
        /// Whose.
        whose: Machine,
        /// How long.
        lasts: Duration,
    },
    /// Every sync takes so long for a while.
    DiskSlow {
        /// Whose.
        whose: Machine,
        /// Each.
        sync: Duration,
        /// How long.
        lasts: Duration,
    },
    /// The next sync fails.
    SyncFails {
        /// Whose.
        whose: Machine,
    },
    /// The next writes fail.
    WritesFail {
        /// Whose.
        whose: Machine,
        /// How many.
        count: u32,
    },
    /// The next reads fail.
    ReadsFail {
        /// Whose.
        whose: Machine,
        /// How many.
        count: u32,
    },
    /// The machine sleeps: its process stands still and its clock goes on.
    Sleep {
        /// Whose.
        whose: Machine,
        /// How long.
        lasts: Duration,
    },
    /// Its timers fire late for a while.
    LateTimers {
        /// Whose.
        whose: Machine,
        /// By how much, at most.
        by: Duration,
        /// How long.
        lasts: Duration,
    },
    /// The wall clock is set.
    WallClock {
        /// Whose.
        whose: Machine,
        /// Forward, or back if negative, in milliseconds.
        by_ms: i64,
    },
    /// The clock goes fast or slow from now on, in parts of a million.
    Drift {
        /// Whose.
        whose: Machine,
        /// By so many.
        ppm: i32,
    },
    /// A second process of the profile takes the line over while the first ends.
    HandOver {
        /// The device.
        device: usize,
    },
    /// The profile is put back from a copy that was made so long ago.
    ProfileRestored {
        /// The device.
        device: usize,
        /// How long ago, about.
        age: Duration,
    },
    /// A copy of the profile is started on another machine.
    ProfileCopied {
        /// The device.
        device: usize,
    },
    /// The server is stopped, put back from a copy that was made so long ago, and started.
    ServerRestored {
        /// How long ago, about.
        age: Duration,
    },
    /// The server is told to stop, and started again: its clients are told.
    Drain {
        /// Until it is started again.
        back: Duration,
    },
}

/// Which ways of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ways {
    /// From the device to the server.
    Up,
    /// From the server to the device.
    Down,
    /// Both.
    Both,
}

/// A machine with a disk, a clock and processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Machine {
    /// The server's.
    Server,
    /// A device's.
    Device(usize),
}

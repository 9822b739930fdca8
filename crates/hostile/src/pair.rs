//! Operations on a pair of cores, and what goes wrong between them: the simulated world of `crates/sim`, with the plan
//! that an input spells. At the end everything is delivered once and in order, as the world's oracle judges.

use steadfast_proto::time::Duration;
use steadfast_sim::plan::{Act, DevicePlan, Fault, Machine, Plan, Step, VersionPlan, Ways, WeatherPlan, What};
use steadfast_sim::run;

use crate::script::Script;

/// Steps of a plan, at most: each costs a run some time.
const STEPS_MAX: usize = 40;
/// Rooms of a plan; the last one is private.
const ROOMS: usize = 3;

/// Plays an input.
pub fn run(input: &[u8]) {
    let plan = plan(&mut Script::new(input));
    let outcome = run::run(&plan);
    assert!(outcome.broken.is_none(), "{:?}\n{plan:#?}", outcome.broken);
}

fn plan(script: &mut Script<'_>) -> Plan {
    let seed = script.byte().into();
    let accounts = 1 + script.below(2);
    let devices = (0..2).map(|device| DevicePlan { account: device % accounts, version: version(script) });
    let devices: Vec<DevicePlan> = devices.collect();
    let weather = weather(script);
    let mut at = Duration::from_millis(500);
    let mut steps = Vec::new();
    while !script.is_over() && steps.len() < STEPS_MAX {
        at += Duration::from_millis(script.one_of(&[0, 1, 3, 20, 150, 700, 2_500, 12_000]));
        let what = if script.once_in(3) {
            What::Fail(fault(script))
        } else {
            What::Act { device: script.below(2), act: act(script) }
        };
        steps.push(Step { at, what });
    }
    Plan { seed, devices, weather, steps }
}

fn version(script: &mut Script<'_>) -> VersionPlan {
    match script.below(8) {
        0 => VersionPlan::Older,
        1 => VersionPlan::Newer,
        _ => VersionPlan::Ours,
    }
}

/// Like the weather that a seed of the simulator draws.
fn weather(script: &mut Script<'_>) -> WeatherPlan {
    let ms = Duration::from_millis;
    WeatherPlan {
        latency: (ms(1), ms(script.one_of(&[2, 30, 350]))),
        bytes_per_second: None,
        socket_bytes: script.one_of(&[64 * 1_024, 4 * 1_024]),
        piece_bytes_max: script.one_of(&[usize::MAX, 10_000, 1_000, 60]),
        device_sync_max: ms(script.one_of(&[1, 20, 400])),
        server_sync_max: ms(script.one_of(&[1, 20, 400])),
        window_bytes: script.one_of(&[64 * 1_024, 16 * 1_024, 256 * 1_024]),
        ring_bytes_max: script.one_of(&[1 << 20, 20_000, 1_000, 0]),
        server_version: version(script),
    }
}

fn act(script: &mut Script<'_>) -> Act {
    let (room, account, private) = (script.below(ROOMS), script.below(2), ROOMS - 1);
    match script.below(20) {
        0 | 1 => Act::Enter { room: room.min(private - 1) },
        2 => Act::Leave { room },
        3 => Act::Direct { account },
        4 => Act::CreatePrivate { room: private },
        5 => Act::Add { room: private, account },
        6 => Act::Remove { room: private, account },
        7 => Act::History { room },
        8 => Act::SendTooMuch { room },
        9 => Act::Type { room },
        10 => Act::Stop,
        11 => Act::Resume,
        12 => Act::TryNow,
        13 => Act::SendFromSecondProcess { room },
        _ => Act::Send { room, count: 1 + script.below(9), bytes: script.one_of(&[10, 300, 3_000, 30_000]) },
    }
}

fn fault(script: &mut Script<'_>) -> Fault {
    let (device, up) = (script.below(2), script.once_in(2));
    let whose = if script.once_in(3) { Machine::Server } else { Machine::Device(device) };
    let ways = script.one_of(&[Ways::Both, Ways::Up, Ways::Down]);
    let lasts = Duration::from_millis(script.one_of(&[300, 2_000, 8_000, 25_000]));
    let back = Duration::from_millis(script.one_of(&[0, 500, 4_000]));
    let in_calls = script.once_in(2).then(|| u32::from(script.byte()) % 40);
    match script.below(24) {
        0 => Fault::Silence { device, ways },
        1 => Fault::Reset { device },
        2 => Fault::HalfOpen { device },
        3 => Fault::Stall { device, ways, lasts },
        4 => Fault::Slow { device, bytes_per_second: 4_000 + 200 * u64::from(script.byte()), lasts },
        5 => Fault::Jitter { device, latency_max: lasts.min(Duration::from_secs(2)), lasts },
        6 => Fault::FlipBit { device, up },
        7 => Fault::Hole { device, up, bytes: 1 + script.below(200) },
        8 => Fault::AddressChange { device },
        9 => Fault::NoNetwork { device, lasts },
        10 | 11 => Fault::Kill { whose, back, in_calls },
        12 | 13 => Fault::PowerLoss { whose, back, in_calls },
        14 => Fault::DiskFull { whose, lasts },
        15 => Fault::DiskSlow { whose, sync: back, lasts },
        16 => Fault::SyncFails { whose },
        17 => Fault::WritesFail { whose, count: 1 + u32::from(up) },
        18 => Fault::Sleep { whose, lasts },
        19 => Fault::WallClock { whose, by_ms: script.one_of(&[-100_000_000, -5_000, 5_000, 100_000_000]) },
        20 => Fault::HandOver { device },
        21 => Fault::Drain { back },
        22 if up => Fault::ServerRestored { age: lasts + back },
        22 => Fault::LateTimers { whose, by: back, lasts },
        _ if up => Fault::ProfileRestored { device, age: lasts + back },
        _ => Fault::NatForgets { device, quiet: lasts },
    }
}

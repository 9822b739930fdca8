//! What the simulator found, each as a plan of its own, so that it stays found when plans are drawn in another way.

use steadfast_proto::time::Duration;
use steadfast_sim::plan::{Act, DevicePlan, Fault, Machine, Plan, Step, VersionPlan, WeatherPlan, What};
use steadfast_sim::run::run;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn act(at: u64, device: usize, act: Act) -> Step {
    Step { at: ms(at), what: What::Act { device, act } }
}

fn fail(at: u64, fault: Fault) -> Step {
    Step { at: ms(at), what: What::Fail(fault) }
}

fn send(count: usize) -> Act {
    Act::Send { room: 0, count, bytes: 20 }
}

/// Runs a plan with any chance in what it leaves open.
fn keeps_all_promises(accounts: &[usize], steps: &[Step]) {
    for seed in 0..20 {
        let devices = accounts.iter().map(|&account| DevicePlan { account, version: VersionPlan::Ours });
        let plan = Plan { seed, devices: devices.collect(), weather: WeatherPlan::FAIR, steps: steps.to_vec() };
        let outcome = run(&plan);
        assert_eq!(outcome.broken, None, "seed {seed}");
        assert!(outcome.accepted > 0, "nothing was accepted");
    }
}

/// A sequence is used twice: before the profile is put back, and after it. Then a copy is made, and one after the other
/// learns of it while the server takes no new device, so that neither can see what the other one sends.
#[test]
fn copies_that_find_that_they_were_put_back_send_what_waits_in_both_once() {
    let steps = [
        act(1_000, 0, Act::Enter { room: 0 }),
        act(25_000, 0, send(1)),
        fail(30_000, Fault::NoNetwork { device: 0, lasts: ms(30_000) }),
        fail(31_000, Fault::ProfileRestored { device: 0, age: ms(10_000) }),
        act(33_000, 0, send(3)),
        fail(34_000, Fault::ProfileCopied { device: 0 }),
        fail(34_000, Fault::NoNetwork { device: 1, lasts: ms(26_700) }),
        fail(59_000, Fault::DiskFull { whose: Machine::Server, lasts: ms(8_000) }),
        act(80_000, 0, send(1)),
        act(90_000, 1, send(1)),
    ];
    keeps_all_promises(&[0], &steps);
}

/// The server goes back while the device is without a line, and the profile goes back to before it learnt of that: it
/// numbers anew what was taken since.
#[test]
fn a_profile_and_a_server_that_were_both_put_back_double_nothing() {
    let steps = [
        act(1_000, 0, Act::Enter { room: 0 }),
        act(21_000, 0, send(8)),
        act(30_000, 0, Act::Stop),
        fail(31_000, Fault::ServerRestored { age: ms(5_000) }),
        act(33_000, 0, send(6)),
        act(45_000, 0, Act::Resume),
        fail(50_000, Fault::ProfileRestored { device: 0, age: ms(8_000) }),
        act(60_000, 0, send(2)),
    ];
    keeps_all_promises(&[0], &steps);
}

//! What `steadfast bench` prints can be read by a script, and can be true.

use crate::rig::{Process, SOON, World};

#[test]
fn detect_tells_how_soon_both_sides_noticed_a_silent_death_busy_and_idle() {
    let (active_ms, idle_ms) = (1_000, 2_000);
    let world = World::new();
    let mut command = world.program().command(&["bench", "detect", "--clients", "6", "--json"]);
    let ended = Process::start(command.args(["--active-bound", "1s", "--idle-bound", "2s"])).wait(SOON).expect_code(0);
    let report: serde_json::Value = serde_json::from_str(&ended.out.concat()).expect("one JSON object");
    eprintln!("{report}");
    assert_eq!((&report["clients"], &report["active_bound_ms"]), (&6.into(), &active_ms.into()));
    assert_eq!(report["idle_bound_ms"], idle_ms);
    for (what, bound_ms) in [("active_ms", active_ms), ("idle_ms", idle_ms)] {
        for side in ["client", "server"] {
            let at = |share: &str| report[what][side][share].as_u64().expect("milliseconds");
            let (p50, p99, max) = (at("p50"), at("p99"), at("max"));
            assert!(p50 <= p99 && p99 <= max && max < 3 * bound_ms, "{what} {side}: {p50}, {p99}, {max}");
            // Nobody can know at once, and nobody may guess while an answer is due.
            let least = if what == "active_ms" { active_ms - 100 } else { 100 };
            assert!(p50 >= least, "{what} {side}: {p50} ms is too soon");
        }
    }
}

//! How fast a store is on a simulated disk. `cargo test --release -p steadfast-sim --lib -- --ignored --nocapture
//! commits_per_second`

use super::*;

#[test]
#[ignore = "a measurement, which is of use in a release build only"]
#[expect(clippy::disallowed_methods, reason = "measures the code itself, in real time")]
fn commits_per_second() {
    const COMMITS: u64 = 20_000;
    let machine = Machine::new(1);
    let mut kept = machine.open(Kind::Server).expect("a store");
    let Kept::Server(store) = &mut kept else { unreachable!("a server") };
    let begun = std::time::Instant::now();
    for number in 1..=COMMITS {
        let mut commit = commit(number);
        commit.puts.clear();
        commit.chunks[0].frames = Bytes::from_static(&[7; 130]);
        machine.run(|| store.commit(&commit)).expect("a commit");
        if number % 1_000 == 0 {
            machine.run(|| store.fold(usize::MAX)).expect("it is folded");
        }
    }
    eprintln!("{:.0} commits of one entry of 130 bytes a second", COMMITS as f64 / begun.elapsed().as_secs_f64());
}

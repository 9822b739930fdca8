//! Scenarios over many seeds.

/// Runs a scenario over many seeds; the seed of one that fails is printed.
pub(crate) fn for_each_seed(seeds: std::ops::Range<u64>, scenario: impl Fn(u64)) {
    struct Printer(u64);
    impl Drop for Printer {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("failing seed: {}", self.0);
            }
        }
    }
    // Other seeds than the gate's: STEADFAST_WORLD_FROM=1000 begins there.
    let from = std::env::var("STEADFAST_WORLD_FROM").ok().and_then(|from| from.parse().ok()).unwrap_or(0);
    for seed in seeds.start + from..seeds.end + from {
        let printer = Printer(seed);
        scenario(seed);
        drop(printer);
    }
}

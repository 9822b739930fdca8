//! How lines and disks are in a scenario.

use steadfast_proto::time::Duration;
use steadfast_sim::plan::{VersionPlan, WeatherPlan};
use steadfast_sim::random::Random;

/// A good line and quick disks.
pub(crate) const FAIR: WeatherPlan = WeatherPlan {
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

/// Any: slow lines and disks, small windows and rings.
pub(crate) fn any_weather(random: &mut Random) -> WeatherPlan {
    let ms = Duration::from_millis;
    WeatherPlan {
        latency: (ms(1), ms([2, 30, 350][random.below(3)])),
        socket_bytes: [4 * 1024, 64 * 1024][random.below(2)],
        piece_bytes_max: [60, 1_000, 10_000, usize::MAX][random.below(4)],
        device_sync_max: ms([1, 20, 400][random.below(3)]),
        server_sync_max: ms([1, 20, 400][random.below(3)]),
        window_bytes: [16 * 1024, 64 * 1024][random.below(2)],
        ring_bytes_max: [0, 1_000, 20_000, 1024 * 1024][random.below(4)],
        ..FAIR
    }
}

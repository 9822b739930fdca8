//! How lines and disks are in a scenario.

use steadfast_proto::time::Duration;
use steadfast_sim::plan::WeatherPlan;
use steadfast_sim::random::Random;

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
        ..WeatherPlan::FAIR
    }
}

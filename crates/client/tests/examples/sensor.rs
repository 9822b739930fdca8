use crate::rig::{Process, World};

/// What a sensor said that it kept.
fn kept(sensor: &Process) -> Vec<String> {
    sensor.so_far().iter().filter_map(|line| line.strip_prefix("kept ")).map(|text| format!("sensor: {text}")).collect()
}

#[test]
fn what_a_sensor_kept_without_a_line_arrives_once_and_what_it_left_out_is_said() {
    const WAITING_MAX: usize = 40;
    let mut world = World::with_server();
    world.kill_server();
    // Every reading is another.
    let start = |world: &World| {
        let waiting_max = WAITING_MAX.to_string();
        world.example("sensor", &["sensor", "/proc/sys/kernel/random/uuid", "30", &waiting_max])
    };
    let mut printed = Vec::new();
    for kill in 1..=4 {
        let mut sensor = start(&world);
        sensor.wait_for_count(5);
        sensor.kill();
        printed.extend(kept(&sensor));
        eprintln!("killed {kill} times, {} readings kept", printed.len());
    }
    let mut sensor = start(&world);
    sensor.wait_for("full: ");
    let full_at = sensor.so_far().len();
    let mut status = world.steadfast("sensor", &["status", "--json"]);
    status.wait_to_end();
    let waits = format!("\"outbox\":{WAITING_MAX}");
    assert!(status.so_far()[0].contains(&waits), "{:?}", status.so_far());
    world.start_server();
    let listener = world.listener("readings");
    sensor.wait_for_after("before it were left out)", full_at);
    sensor.kill();
    printed.extend(kept(&sensor));
    // What it kept last was not sent yet: whoever opens the profile next sends it.
    let _next = start(&world);
    let heard = listener.heard(printed.len());
    let mut rest = heard.iter();
    for reading in &printed {
        assert!(rest.any(|line| line == reading), "{reading:?} is missing, or out of order: {heard:#?}");
    }
    let twice: Vec<&String> =
        heard.iter().filter(|line| heard.iter().filter(|other| other == line).count() > 1).collect();
    assert_eq!(twice, [""; 0], "something is there twice: {heard:#?}");
}

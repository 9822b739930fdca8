use rusqlite::Connection;

use crate::rig::World;

#[test]
fn orders_are_booked_once_though_the_program_is_killed_between_effect_and_commit() {
    const KILLS: usize = 20;
    const ORDERS_A_KILL: usize = 3;
    let mut world = World::with_server();
    let database = world.path("books.sqlite3").display().to_string();
    // A long pause to be killed in, and none for whoever does the rest.
    let start = |world: &World, pause_ms: &str| world.example("consumer", &[&database, pause_ms]);
    let mut first = start(&world, "0");
    first.wait_for("in the room");
    // A number, and no order.
    world.whisper("eve", "books", "5");
    world.say("ann", "orders", &["1".to_owned()]);
    first.wait_for("booked 1, not committed");
    first.kill();

    let mut amounts = vec![1_i64];
    for kill in 0..KILLS {
        let next: Vec<i64> = (0..ORDERS_A_KILL).map(|_| 1 << (amounts.len() % 40)).collect();
        world.say("ann", "orders", &next.iter().map(ToString::to_string).collect::<Vec<_>>());
        amounts.extend(next);
        if kill % 5 == 4 {
            world.kill_server();
            world.start_server();
        }
        // The effect is written, the place is not: it stands in the pause.
        let mut consumer = start(&world, "60000");
        consumer.wait_for("not committed");
        consumer.kill();
        // As many as there are orders get through, so that the next kill meets another one.
        let mut consumer = start(&world, "0");
        consumer.wait_for_count(1 + ORDERS_A_KILL);
        consumer.kill();
    }
    let mut last = start(&world, "0");
    world.say("ann", "orders", &["1000003".to_owned()]);
    amounts.push(1_000_003);
    last.wait_for("booked 1000003");
    let books = Connection::open(&database).expect("the books");
    let total = || books.query_row("SELECT amount FROM total", [], |row| row.get::<_, i64>(0)).expect("the total");
    world.wait_until("the last order is committed", || total() >= amounts.iter().sum());
    last.kill();

    let mut bookings = books.prepare("SELECT amount FROM bookings ORDER BY rowid").expect("the bookings");
    let booked = bookings.query_map([], |row| row.get::<_, i64>(0)).expect("the bookings");
    assert_eq!(booked.map(|amount| amount.expect("an amount")).collect::<Vec<_>>(), amounts);
    assert_eq!(total(), amounts.iter().sum::<i64>());
    eprintln!("{KILLS} kills between effect and commit, {} orders booked once each", amounts.len());
}

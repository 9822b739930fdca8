use crate::rig::World;

#[test]
fn the_client_of_the_post_counts_its_tries_and_asks_for_what_it_missed() {
    let mut world = World::with_server();
    let listener = world.listener("post2012");
    let mut client = world.example("post2012", &["li"]);
    client.wait_for("the line is up; keepalive of the kernel: ");
    client.type_line("hello");
    client.wait_for("li: hello");

    world.kill_server();
    client.wait_for("no line (");
    client.wait_for("calling the server, try 2 of 6");
    client.type_line("typed without a line");
    client.wait_for("kept: typed without a line");
    let seen = client.so_far().len();
    world.start_server();
    client.wait_for_after("the line is up", seen);
    client.wait_for("li: typed without a line");

    // He is away, and asks for what he missed.
    client.kill();
    let missed: Vec<String> = (1..=50).map(|line| format!("missed {line}")).collect();
    world.say("wang", "post2012", &missed);
    let mut client = world.example("post2012", &["li"]);
    client.wait_for("wang: missed 50");
    let shown: Vec<String> = client.so_far().into_iter().filter(|line| line.starts_with("wang: ")).collect();
    assert_eq!(shown, missed.iter().map(|line| format!("wang: {line}")).collect::<Vec<_>>());

    // His switch.
    client.type_line("/reconnect off");
    world.kill_server();
    client.wait_for("and nobody calls");
    let seen = client.so_far().len();
    world.start_server();
    client.type_line("/reconnect on");
    client.wait_for_after("the line is up", seen);
    client.type_line("/quit");
    client.wait_to_end();
    assert_eq!(listener.heard(52).len(), 52);
}

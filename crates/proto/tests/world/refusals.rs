//! A refusal whose answer is lost stays a refusal.

use steadfast_proto::ids::RoomId;
use steadfast_proto::time::Duration;
use steadfast_proto::wire::{self, Refusal, RoomRef, op::Body, room_ref::By};

use crate::oracle::{check_operations, check_streams, come_to_rest, positions_of};
use crate::profile::Fate;
use crate::random::for_each_seed;
use crate::sim::World;

#[test]
fn a_refusal_whose_answer_is_lost_stays_one_though_it_would_be_accepted_by_now() {
    for_each_seed(0..200, |seed| {
        let mut world = World::any(seed);
        let (ann, bob) = (world.add_client("ann"), world.add_client("bob"));
        let made = world.append(ann, Body::CreatePrivate(wire::CreatePrivate { name: "club".to_owned() }));
        come_to_rest(&mut world);
        let club = RoomRef { by: Some(By::Room(made.0)) };
        // The answer is lost, with or without the link's end being heard.
        let too_early = world.send(bob, club, 10);
        let behind_it = world.enter(bob, "lobby");
        let before_the_answer = world.weather.latency.from_ms;
        world.run_for(Duration::from_millis(before_the_answer));
        let loud = world.random.percent(50);
        world.cut(bob, false, true, loud);
        let decided = world.run_until(Duration::from_secs(60), |world| !positions_of(world, too_early).is_empty());
        assert!(decided, "the operation arrives");
        if world.random.percent(30) {
            world.crash_client(bob);
        }
        if world.random.percent(30) {
            world.crash_server();
            world.start_server();
        }
        let add = wire::Add { room: Some(club), name: "BOB".to_owned() };
        world.append(ann, Body::Add(add));
        come_to_rest(&mut world);
        let in_time = world.send(bob, club, 10);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
        let fates = &world.clients[bob].profile.fates;
        let position = positions_of(&world, too_early)[0];
        assert_eq!(fates[&too_early], Fate::Refused { position, refusal: Refusal::NoSuchRoom.into() });
        assert!(matches!(fates[&behind_it], Fate::Accepted { .. }));
        assert!(matches!(fates[&in_time], Fate::Accepted { .. }));
        let said = world.clients[ann].profile.messages.range((RoomId(made.0), 0)..=(RoomId(made.0), u64::MAX));
        assert_eq!(said.count(), 3, "made, added, and what was said in time");
    });
}

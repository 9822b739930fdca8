//! A refusal whose answer is lost stays a refusal.

use steadfast_proto::ids::RoomId;
use steadfast_proto::time::Duration;
use steadfast_proto::wire::Refusal;
use steadfast_store::profile::{NewBody, Target};

use crate::oracle::{check_operations, check_streams, come_to_rest, positions_of};
use crate::scene::World;
use crate::seeds::for_each_seed;

#[test]
fn a_refusal_whose_answer_is_lost_stays_one_though_it_would_be_accepted_by_now() {
    for_each_seed(0..80, |seed| {
        let mut world = World::any(seed);
        let (ann, bob) = (world.add_client("ann"), world.add_client("bob"));
        let made = world.append(ann, NewBody::CreatePrivate { name: "club".to_owned() });
        come_to_rest(&mut world);
        let club = RoomId(made.0);
        // The answer is lost, with or without the link's end being heard.
        let too_early = world.send(bob, club, 10);
        let behind_it = world.enter(bob, "lobby");
        let before_the_answer = world.sim.weather.latency.0;
        world.run_for(before_the_answer);
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
        world.append(ann, NewBody::Add { room: Target::Room(club), name: "BOB".to_owned() });
        come_to_rest(&mut world);
        let in_time = world.send(bob, club, 10);
        come_to_rest(&mut world);
        check_operations(&world);
        check_streams(&world);
        let position = positions_of(&world, too_early)[0];
        let outcomes = world.outcomes(bob, &[too_early, behind_it, in_time]);
        let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("each has one")).collect();
        assert_eq!((outcomes[0].position, outcomes[0].refusal), (position, Some(Refusal::NoSuchRoom.into())));
        assert_eq!([outcomes[1].refusal, outcomes[2].refusal], [None; 2]);
        let held = world.messages(ann);
        let said = held.iter().filter(|held| held.room == club);
        assert_eq!(said.count(), 3, "made, added, and what was said in time");
    });
}

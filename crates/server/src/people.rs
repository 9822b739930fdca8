//! The beat at which those who watch others are woken. It runs while somebody watches and stands still otherwise.

use std::sync::Arc;

use steadfast_net::clock::BootClock;
use steadfast_proto::hub::PEOPLE_TICK;

use crate::shared::Shared;

/// Runs until the server stops.
pub(crate) async fn beat(shared: Arc<Shared>) {
    let mut draining = shared.services.draining.clone();
    let beating = async {
        let mut timer = shared.services.timers.register();
        loop {
            shared.watched().await;
            loop {
                timer.set(Some(BootClock::now() + PEOPLE_TICK));
                // The timers end with the server alone.
                if timer.expired().await.is_err() {
                    return;
                }
                let tick = shared.hub().tick_people();
                shared.wake(&tick.woken);
                if !tick.watched {
                    break;
                }
            }
        }
    };
    tokio::select! {
        () = beating => {}
        // An error says that the server is gone already.
        _ = draining.wait_for(|draining| *draining) => {}
    }
}

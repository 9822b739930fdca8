//! The door: how many connections there may be, over all and from one address, and how many of them may be strangers.
//!
//! A place is given back when its [`Pass`] is dropped, however the connection's task ended. A *stranger* is a
//! connection that is not admitted yet; it holds a [`Slot`], and where none is free the next newcomer waits in the
//! kernel's backlog. So a flood of handshakes is a bounded amount of work between two turns of an established link.
//! Where strangers hold all slots without a word, they have a second each instead of the handshake's whole time. One
//! whose sign-up waits for the disk holds none: the sequencer bounds those, and the disk may stall for long.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steadfast_proto::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::mailbox::{Letter, Mailbox};

/// What a stranger has for its Hello when others wait for its slot.
const HURRIED: Duration = Duration::from_secs(1);

/// Why a newcomer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("this server has {0} connections, which is all that it takes")]
    Full(u32),
    #[error("this server has {0} connections from your address, which is all that it takes")]
    AddressFull(u32),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Door {
    connections_max: u32,
    connections_per_address: u32,
    connections: AtomicU32,
    by_address: Mutex<BTreeMap<IpAddr, u32>>,
    slots: Arc<Semaphore>,
    /// Those who have not said Hello: since when they are here, and how to tell them to go.
    silent: Mutex<Silent>,
}

#[derive(Debug, Default)]
struct Silent {
    strangers: BTreeMap<u64, (Instant, Arc<Mailbox>)>,
    next: u64,
}

/// Leave for one stranger more.
#[derive(Debug)]
pub(crate) struct Slot(#[expect(dead_code, reason = "it is given back when it is dropped")] OwnedSemaphorePermit);

/// A connection's place.
#[derive(Debug)]
pub(crate) struct Pass {
    door: Arc<Door>,
    address: IpAddr,
    slot: Option<Slot>,
    silent: Option<u64>,
}

impl Door {
    /// The door of so many listeners. Each takes a slot before it accepts, and keeps it while nobody comes: with one
    /// for each of the others on top, a listener gets one however few there are.
    pub(crate) fn new(limits: &Limits, connections_max: u32, listeners: usize) -> Arc<Self> {
        let slots = limits.handshakes_max as usize + listeners.saturating_sub(1);
        Arc::new(Self {
            connections_max,
            connections_per_address: limits.connections_per_address,
            connections: AtomicU32::new(0),
            by_address: Mutex::default(),
            slots: Arc::new(Semaphore::new(slots)),
            silent: Mutex::default(),
        })
    }

    /// Connections that there are.
    pub(crate) fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Waits until one stranger more may come in. Cancel-safe.
    pub(crate) async fn slot(&self) -> Slot {
        let permit = Arc::clone(&self.slots).acquire_owned().await;
        Slot(permit.expect("the semaphore is never closed"))
    }

    /// Lets a stranger in, if there is room.
    pub(crate) fn enter(
        self: &Arc<Self>,
        slot: Slot,
        peer: IpAddr,
        mailbox: &Arc<Mailbox>,
        now: Instant,
    ) -> Result<Pass, Refused> {
        let address = counted_as(peer);
        let mut by_address = self.by_address();
        if self.connections() >= self.connections_max {
            return Err(Refused::Full(self.connections_max));
        }
        let count = by_address.entry(address).or_default();
        if *count >= self.connections_per_address {
            return Err(Refused::AddressFull(self.connections_per_address));
        }
        *count += 1;
        self.connections.fetch_add(1, Ordering::Relaxed);
        drop(by_address);
        let mut silent = self.silent();
        let number = silent.next;
        silent.next += 1;
        silent.strangers.insert(number, (now, Arc::clone(mailbox)));
        drop(silent);
        Ok(Pass { door: Arc::clone(self), address, slot: Some(slot), silent: Some(number) })
    }

    /// Newcomers wait: strangers who have said nothing for a second make way.
    pub(crate) fn hurry(&self, now: Instant) {
        let mut silent = self.silent();
        while let Some(oldest) = silent.strangers.first_entry()
            && now.since(oldest.get().0) >= HURRIED
        {
            let (_, mailbox) = oldest.remove();
            mailbox.put(Letter::MakeWay);
        }
    }

    fn by_address(&self) -> MutexGuard<'_, BTreeMap<IpAddr, u32>> {
        self.by_address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silent(&self) -> MutexGuard<'_, Silent> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// It has said Hello: from here on the server's own work counts.
    pub(crate) fn greeted(&mut self) {
        if let Some(number) = self.silent.take() {
            self.door.silent().strangers.remove(&number);
        }
    }

    /// Whether it has said nothing yet.
    pub(crate) fn is_silent(&self) -> bool {
        self.silent.is_some()
    }

    /// It is admitted, or its sign-up is with the sequencer: the next stranger may come.
    pub(crate) fn settled(&mut self) {
        self.greeted();
        self.slot = None;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.greeted();
        let mut by_address = self.door.by_address();
        self.door.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// One subscriber of IPv6 has 2^64 addresses: they count as one. An IPv4 address counts the same in either form.
fn counted_as(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_nanos(1);

    fn door(connections_max: u32, connections_per_address: u32, handshakes_max: u32) -> Arc<Door> {
        let limits = Limits { connections_max, connections_per_address, handshakes_max, ..Limits::default() };
        Door::new(&limits, connections_max, 1)
    }

    async fn enter(door: &Arc<Door>, address: &str) -> Result<Pass, Refused> {
        let peer = address.parse().expect("an address");
        door.enter(door.slot().await, peer, &Arc::default(), START)
    }

    #[tokio::test]
    async fn a_full_server_and_a_full_address_turn_newcomers_away_until_somebody_goes() {
        let door = door(3, 2, 9);
        let first = enter(&door, "10.0.0.1").await.expect("there is room");
        let second = enter(&door, "::ffff:10.0.0.1").await.expect("there is room");
        assert_eq!(enter(&door, "10.0.0.1").await.unwrap_err(), Refused::AddressFull(2));
        let _third = enter(&door, "10.0.0.2").await.expect("another address has room");
        assert_eq!(enter(&door, "10.0.0.3").await.unwrap_err(), Refused::Full(3));
        assert_eq!(door.connections(), 3);
        drop((first, second));
        assert_eq!(door.connections(), 1);
        enter(&door, "10.0.0.1").await.expect("there is room again");
    }

    #[tokio::test]
    async fn a_network_of_one_subscriber_counts_as_one_address() {
        let door = door(9, 1, 9);
        let _first = enter(&door, "2001:db8::1").await.expect("there is room");
        assert_eq!(enter(&door, "2001:db8::2").await.unwrap_err(), Refused::AddressFull(1));
        let _other = enter(&door, "2001:db8:0:1::1").await.expect("another network has room");
    }

    #[tokio::test]
    async fn a_place_is_given_back_when_the_task_that_has_it_panics() {
        let door = door(1, 1, 1);
        let pass = enter(&door, "10.0.0.1").await.expect("there is room");
        let task = tokio::spawn(async move {
            let _pass = pass;
            panic!("as a bug would");
        });
        assert!(task.await.expect_err("it panicked").is_panic());
        assert_eq!(door.connections(), 0);
        assert!(door.by_address().is_empty() && door.silent().strangers.is_empty());
        enter(&door, "10.0.0.1").await.expect("there is room again, and a slot");
    }

    #[tokio::test]
    async fn a_slot_is_free_again_once_its_stranger_is_settled() {
        let door = door(9, 9, 1);
        let mut pass = enter(&door, "10.0.0.1").await.expect("there is room");
        assert_eq!(door.slots.available_permits(), 0, "the next one waits");
        pass.greeted();
        assert_eq!(door.slots.available_permits(), 0, "Hello alone admits nobody");
        pass.settled();
        enter(&door, "10.0.0.1").await.expect("a slot is free");
    }

    #[tokio::test]
    async fn each_listener_gets_a_slot_however_few_there_are_and_whoever_keeps_one() {
        let limits = Limits { handshakes_max: 1, ..Limits::default() };
        let door = Door::new(&limits, 9, 3);
        assert_eq!(door.slots.available_permits(), 3, "one for each");
        let _idle = [door.slot().await, door.slot().await];
        let pass = enter(&door, "10.0.0.1").await.expect("there is room");
        assert_eq!(door.slots.available_permits(), 0, "one stranger is all that was asked for");
        drop(pass);
        enter(&door, "10.0.0.1").await.expect("the listener has its slot back");
    }

    #[tokio::test]
    async fn strangers_who_say_nothing_make_way_after_a_second_and_those_who_spoke_stay() {
        let door = door(9, 9, 9);
        let (silent, spoke, late) = (Arc::default(), Arc::default(), Arc::default());
        let peer = IpAddr::from([10, 0, 0, 1]);
        let enter = async |mailbox, now| door.enter(door.slot().await, peer, mailbox, now).expect("there is room");
        let _first = enter(&silent, START).await;
        let mut second = enter(&spoke, START).await;
        let _third = enter(&late, START + Duration::from_millis(1)).await;
        second.greeted();
        door.hurry(START + HURRIED);
        let told = |mailbox: &Arc<Mailbox>| matches!(mailbox.take()[..], [Letter::MakeWay]);
        assert_eq!([&silent, &spoke, &late].map(told), [true, false, false]);
    }
}

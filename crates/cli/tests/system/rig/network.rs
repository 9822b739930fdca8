//! Two network namespaces joined by a line that can be cut without a word.

use std::os::fd::AsFd as _;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::namespace::Namespace;
use super::root::{command, output};

/// Which way nothing gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Both,
    ToServer,
    ToClient,
}

/// What the server's host does with packets of the other one, instead of taking them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It resets the connection.
    Reset,
    /// ICMP: the host can't be reached (RFC 792, code 1).
    HostUnreachable,
    /// ICMP: the sender is cut off from the network (RFC 1122, section 3.2.2.1, code 8).
    HostIsolated,
}

/// See the module's documentation. It goes with its namespaces.
#[derive(Debug)]
pub(crate) struct Network {
    server: Namespace,
    client: Namespace,
    net: String,
    server_address: String,
}

impl Network {
    pub(crate) fn new() -> Self {
        let id = std::process::id();
        let net = format!("10.{}.{}", 64 + id / 250 % 128, 1 + id % 250);
        let (server, client) = (Namespace::new(format!("sfs{id}")), Namespace::new(format!("sfc{id}")));
        server.join(&format!("sfa{id}"), &client, &format!("sfb{id}"));
        for (namespace, link, address) in [(&server, "sfa", "1"), (&client, "sfb", "2")] {
            namespace.ip(&["address", "add", &format!("{net}.{address}/24"), "dev", &format!("{link}{id}")]);
            namespace.ip(&["link", "set", &format!("{link}{id}"), "up"]);
        }
        Self { server, client, server_address: format!("{net}.1"), net }
    }

    pub(crate) fn server(&self) -> &str {
        self.server.name()
    }

    pub(crate) fn client(&self) -> &str {
        self.client.name()
    }

    pub(crate) fn server_address(&self) -> &str {
        &self.server_address
    }

    /// Runs something as a program of the client's host would: the sockets that it makes are there.
    pub(crate) fn in_client<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.client());
        let namespace = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let moved = || {
            // This thread alone, which ends with the work.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
            work()
        };
        std::thread::scope(|scope| scope.spawn(moved).join().expect("the work does not panic"))
    }

    /// What arrives is dropped, where it arrives: neither end hears of it.
    pub(crate) fn cut(&self, direction: Direction) {
        let ends: &[&Namespace] = match direction {
            Direction::Both => &[&self.server, &self.client],
            Direction::ToServer => &[&self.server],
            Direction::ToClient => &[&self.client],
        };
        for end in ends {
            let rules = "add table ip cut; add chain ip cut arriving { type filter hook input priority 0; }; \
                 add rule ip cut arriving iifname != lo drop";
            end.nft(rules);
        }
    }

    /// From now on the server's host answers every TCP packet of the other host like this.
    pub(crate) fn answer_with(&self, answer: Answer) {
        let reject = match answer {
            Answer::Reset => "tcp reset",
            Answer::HostUnreachable | Answer::HostIsolated => "icmp type host-unreachable",
        };
        self.server.nft(&format!(
            "add table ip cut; add chain ip cut arriving {{ type filter hook input priority 0; }}; \
             add rule ip cut arriving ip saddr {}.2 meta l4proto tcp reject with {reject}",
            self.net
        ));
        if answer == Answer::HostIsolated {
            // nft has no name for this code, but can put it in where the message arrives.
            let rules = "add table ip cut; add chain ip cut before { type filter hook prerouting priority -300; }; \
                         add rule ip cut before icmp type destination-unreachable icmp code set 8";
            self.client.nft(rules);
        }
    }

    /// The client's end of the line, unplugged or plugged in.
    pub(crate) fn set_link(&self, up: bool) {
        let link = format!("sfb{}", std::process::id());
        self.client.ip(&["link", "set", &link, if up { "up" } else { "down" }]);
    }

    /// From now on the line carries this much each way, as `tc` spells it.
    pub(crate) fn slow_down(&self, rate: &str) {
        for (namespace, link) in [(&self.server, "sfa"), (&self.client, "sfb")] {
            let link = format!("{link}{}", std::process::id());
            namespace.slow_down(&link, rate);
        }
    }

    /// The established connections that end in this namespace and the other one, as `ss` shows them with their timers.
    pub(crate) fn connections(&self, namespace: &str) -> Vec<String> {
        self.sockets(namespace, &["state", "established"])
    }

    /// What a program of this namespace has closed, and its system still tries to end in good order.
    pub(crate) fn closing(&self, namespace: &str) -> Vec<String> {
        self.sockets(namespace, &["state", "fin-wait-1", "state", "closing", "state", "last-ack"])
    }

    fn sockets(&self, namespace: &str, states: &[&str]) -> Vec<String> {
        let other = if namespace == self.server.name() { 2 } else { 1 };
        let there = format!("{}.{other}", self.net);
        let asked = [&["netns", "exec", namespace, "ss", "-tnoH"], states, &["dst", &there]].concat();
        output("ip", &asked).lines().map(str::to_owned).collect()
    }

    /// The system of this namespace throws its connections with the other one away (tcp(7), `SOCK_DESTROY`).
    pub(crate) fn abort(&self, namespace: &str) {
        let other = if namespace == self.server.name() { 2 } else { 1 };
        command("ip", &["netns", "exec", namespace, "ss", "-tnK", "dst", &format!("{}.{other}", self.net)]);
    }

    pub(crate) fn mend(&self) {
        for end in [&self.server, &self.client] {
            end.nft("flush ruleset");
        }
    }
}

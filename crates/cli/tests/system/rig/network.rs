//! Two network namespaces joined by a line that can be cut without a word.

use std::process::Command;

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

/// See the module's documentation. It goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Network {
    server: String,
    client: String,
    net: String,
    server_address: String,
}

impl Network {
    pub(crate) fn new() -> Self {
        let id = std::process::id();
        let net = format!("10.{}.{}", 64 + id / 250 % 128, 1 + id % 250);
        let network =
            Self { server: format!("sfs{id}"), client: format!("sfc{id}"), server_address: format!("{net}.1"), net };
        let net = &network.net;
        let (server, client) = (network.server.as_str(), network.client.as_str());
        command("ip", &["netns", "add", server]);
        command("ip", &["netns", "add", client]);
        let (left, right) = (format!("sfa{id}"), format!("sfb{id}"));
        let pair = ["link", "add", &left, "netns", server, "type", "veth", "peer", "name", &right, "netns", client];
        command("ip", &pair);
        for (namespace, link, address) in [(server, &left, "1"), (client, &right, "2")] {
            // Addresses of its own accord come seconds later, and would be taken for a change of the network.
            let switch = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
            let off = format!("[ ! -e {switch} ] || echo 1 > {switch}");
            command("ip", &["netns", "exec", namespace, "sh", "-c", &off]);
            command("ip", &["-n", namespace, "address", "add", &format!("{net}.{address}/24"), "dev", link]);
            command("ip", &["-n", namespace, "link", "set", link, "up"]);
            command("ip", &["-n", namespace, "link", "set", "lo", "up"]);
        }
        network
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn client(&self) -> &str {
        &self.client
    }

    pub(crate) fn server_address(&self) -> &str {
        &self.server_address
    }

    /// What arrives is dropped, where it arrives: neither end hears of it.
    pub(crate) fn cut(&self, direction: Direction) {
        let ends: &[&str] = match direction {
            Direction::Both => &[&self.server, &self.client],
            Direction::ToServer => &[&self.server],
            Direction::ToClient => &[&self.client],
        };
        for end in ends {
            let rules = "add table ip cut; add chain ip cut arriving { type filter hook input priority 0; }; \
                 add rule ip cut arriving iifname != lo drop";
            self.nft(end, rules);
        }
    }

    /// From now on the server's host answers every TCP packet of the other host like this.
    pub(crate) fn answer_with(&self, answer: Answer) {
        let reject = match answer {
            Answer::Reset => "tcp reset",
            Answer::HostUnreachable | Answer::HostIsolated => "icmp type host-unreachable",
        };
        self.nft(
            &self.server,
            &format!(
                "add table ip cut; add chain ip cut arriving {{ type filter hook input priority 0; }}; \
                 add rule ip cut arriving ip saddr {}.2 meta l4proto tcp reject with {reject}",
                self.net
            ),
        );
        if answer == Answer::HostIsolated {
            // nft has no name for this code, but can put it in where the message arrives.
            let rules = "add table ip cut; add chain ip cut before { type filter hook prerouting priority -300; }; \
                         add rule ip cut before icmp type destination-unreachable icmp code set 8";
            self.nft(&self.client, rules);
        }
    }

    /// The client's end of the line, unplugged or plugged in.
    pub(crate) fn set_link(&self, up: bool) {
        let link = format!("sfb{}", std::process::id());
        command("ip", &["-n", &self.client, "link", "set", &link, if up { "up" } else { "down" }]);
    }

    /// From now on the line carries this much each way, as `tc` spells it.
    pub(crate) fn slow_down(&self, rate: &str) {
        for (namespace, link) in [(&self.server, "sfa"), (&self.client, "sfb")] {
            let link = format!("{link}{}", std::process::id());
            let shape = ["qdisc", "add", "dev", &link, "root", "tbf", "rate", rate, "burst", "4kb", "limit", "2000000"];
            command("ip", &[&["netns", "exec", namespace, "tc"], &shape[..]].concat());
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
        let other = if namespace == self.server { 2 } else { 1 };
        let there = format!("{}.{other}", self.net);
        let asked = [&["netns", "exec", namespace, "ss", "-tnoH"], states, &["dst", &there]].concat();
        output("ip", &asked).lines().map(str::to_owned).collect()
    }

    /// The system of this namespace throws its connections with the other one away (tcp(7), `SOCK_DESTROY`).
    pub(crate) fn abort(&self, namespace: &str) {
        let other = if namespace == self.server { 2 } else { 1 };
        command("ip", &["netns", "exec", namespace, "ss", "-tnK", "dst", &format!("{}.{other}", self.net)]);
    }

    fn nft(&self, namespace: &str, rules: &str) {
        command("ip", &["netns", "exec", namespace, "nft", rules]);
    }

    pub(crate) fn mend(&self) {
        for end in [&self.server, &self.client] {
            self.nft(end, "flush ruleset");
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The links and rules go with their namespaces.
        for namespace in [&self.server, &self.client] {
            Command::new("ip").args(["netns", "delete", namespace]).status().ok();
        }
    }
}

//! Two network namespaces joined by a line that can be cut without a word.

use std::process::Command;

use super::root::command;

/// Which way nothing gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Both,
    ToServer,
    ToClient,
}

/// See the module's documentation. It goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Network {
    server: String,
    client: String,
    server_address: String,
}

impl Network {
    pub(crate) fn new() -> Self {
        let id = std::process::id();
        let net = format!("10.{}.{}", 64 + id / 250 % 128, 1 + id % 250);
        let network =
            Self { server: format!("sfs{id}"), client: format!("sfc{id}"), server_address: format!("{net}.1") };
        let (server, client) = (network.server.as_str(), network.client.as_str());
        command("ip", &["netns", "add", server]);
        command("ip", &["netns", "add", client]);
        let (left, right) = (format!("sfa{id}"), format!("sfb{id}"));
        let pair = ["link", "add", &left, "netns", server, "type", "veth", "peer", "name", &right, "netns", client];
        command("ip", &pair);
        for (namespace, link, address) in [(server, &left, "1"), (client, &right, "2")] {
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
            let rules =
                "add table ip cut; add chain ip cut arriving { type filter hook input priority 0; policy drop; }";
            command("ip", &["netns", "exec", end, "nft", rules]);
        }
    }

    /// From now on the server's way to the client carries this much, as `tc` spells it.
    pub(crate) fn slow_to_client(&self, rate: &str) {
        let link = format!("sfa{}", std::process::id());
        let shape = ["qdisc", "add", "dev", &link, "root", "tbf", "rate", rate, "burst", "4kb", "limit", "2000000"];
        command("ip", &[&["netns", "exec", &self.server, "tc"], &shape[..]].concat());
    }

    pub(crate) fn mend(&self) {
        for end in [&self.server, &self.client] {
            command("ip", &["netns", "exec", end, "nft", "flush ruleset"]);
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

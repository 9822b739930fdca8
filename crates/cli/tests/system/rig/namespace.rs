//! A network namespace: a host of its own, as far as the network goes.

use std::process::Command;

use super::root::{command, output};

/// See the module's documentation. It goes when it is dropped, with its links and rules.
#[derive(Debug)]
pub(crate) struct Namespace(String);

impl Namespace {
    pub(crate) fn new(name: String) -> Self {
        command("ip", &["netns", "add", &name]);
        let namespace = Self(name);
        // Addresses of its own accord come seconds later, and would be taken for a change of the network.
        let switch = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
        namespace.run("sh", &["-c", &format!("[ ! -e {switch} ] || echo 1 > {switch}")]);
        namespace.ip(&["link", "set", "lo", "up"]);
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Lays a cable to another one: a link of this name here, and one of that name there.
    pub(crate) fn join(&self, link: &str, other: &Namespace, other_link: &str) {
        let pair = ["type", "veth", "peer", "name", other_link, "netns", other.name()];
        command("ip", &[&["link", "add", link, "netns", &self.0], &pair[..]].concat());
    }

    pub(crate) fn ip(&self, arguments: &[&str]) {
        command("ip", &[&["-n", &self.0], arguments].concat());
    }

    pub(crate) fn nft(&self, rules: &str) {
        self.run("nft", &[rules]);
    }

    /// From now on the link gives out this much, as `tc` spells it.
    pub(crate) fn slow_down(&self, link: &str, rate: &str) {
        let shape = ["root", "tbf", "rate", rate, "burst", "4kb", "limit", "2000000"];
        self.run("tc", &[&["qdisc", "add", "dev", link], &shape[..]].concat());
    }

    /// What a program prints in here that has to work.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        output("ip", &[&["netns", "exec", &self.0, program], arguments].concat())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        Command::new("ip").args(["netns", "delete", &self.0]).status().ok();
    }
}

//! A host with the server, and around it one host for each account, each on a line of its own.

use std::cell::Cell;

use crate::rig::Namespace;

/// See the module's documentation. It goes with its namespaces.
#[derive(Debug)]
pub(super) struct Star {
    server: Namespace,
    points: Vec<Point>,
    net: String,
}

/// One host, with its line.
#[derive(Debug)]
struct Point {
    host: Namespace,
    /// The server's end of the line, and the host's.
    near: String,
    far: String,
    /// Of the addresses that it may have, the one that it has.
    address: Cell<usize>,
}

/// Addresses of a line: the server's end, then those that the host may have in turn.
const LINE_ADDRESSES: usize = 16;
const HOST_ADDRESSES: usize = LINE_ADDRESSES - 3;

impl Star {
    pub(super) fn new(hosts: usize) -> Self {
        let id = std::process::id();
        let net = format!("10.{}.{}", 64 + id / 250 % 128, 1 + id % 250);
        let server = Namespace::new(format!("sfs{id}"));
        server.ip(&["address", "add", &format!("{net}.1/32"), "dev", "lo"]);
        let mut star = Self { server, points: Vec::new(), net };
        for number in 0..hosts {
            let host = Namespace::new(format!("sfc{id}h{number}"));
            let (near, far) = (format!("sfa{id}h{number}"), format!("sfb{id}h{number}"));
            star.server.join(&near, &host, &far);
            let here = format!("{}.{}/28", star.net, LINE_ADDRESSES * (number + 1) + 1);
            star.server.ip(&["address", "add", &here, "dev", &near]);
            star.server.ip(&["link", "set", &near, "up"]);
            host.ip(&["link", "set", &far, "up"]);
            star.points.push(Point { host, near, far, address: Cell::new(0) });
            star.take_address(number);
        }
        star
    }

    pub(super) fn server(&self) -> &Namespace {
        &self.server
    }

    pub(super) fn host(&self, number: usize) -> &Namespace {
        &self.points[number].host
    }

    /// Where the server listens.
    pub(super) fn server_address(&self) -> String {
        format!("{}.1:7400", self.net)
    }

    /// The links of a line: the server's, and the host's.
    pub(super) fn links(&self, number: usize) -> [(&Namespace, &str); 2] {
        let point = &self.points[number];
        [(&self.server, &point.near), (&point.host, &point.far)]
    }

    /// The next address instead of the one that it has: nothing that comes to the old one is taken any more.
    pub(super) fn change_address(&self, number: usize) {
        let point = &self.points[number];
        point.host.ip(&["address", "flush", "dev", &point.far]);
        point.address.set((point.address.get() + 1) % HOST_ADDRESSES);
        self.take_address(number);
    }

    fn take_address(&self, number: usize) {
        let point = &self.points[number];
        let (via, here) = (format!("{}.{}", self.net, LINE_ADDRESSES * (number + 1) + 1), self.host_address(number));
        point.host.ip(&["address", "add", &format!("{here}/28"), "dev", &point.far]);
        point.host.ip(&["route", "add", &format!("{}.1/32", self.net), "via", &via]);
    }

    pub(super) fn host_address(&self, number: usize) -> String {
        let address = self.points[number].address.get();
        format!("{}.{}", self.net, LINE_ADDRESSES * (number + 1) + 2 + address)
    }

    /// The connections between a host and the server, as the system of either sees them.
    pub(super) fn connections(&self, number: usize) -> usize {
        let asked = ["-tnH", "state", "established", "dst", &self.host_address(number)];
        self.server.run("ss", &asked).lines().count()
    }

    /// The system of the host, or of the server, throws the connections between the two away (tcp(7), `SOCK_DESTROY`).
    /// How many.
    pub(super) fn abort(&self, number: usize, at_the_server: bool) -> usize {
        let (namespace, other) = match at_the_server {
            true => (&self.server, self.host_address(number)),
            false => (self.host(number), format!("{}.1", self.net)),
        };
        namespace.run("ss", &["-tnHK", "state", "established", "dst", &other]).lines().count()
    }
}

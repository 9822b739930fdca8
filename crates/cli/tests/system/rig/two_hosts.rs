//! A server in one network namespace, and its members in another: two hosts with a line between them.

use super::{Member, Network, Server, World};

/// See the module's documentation. What is dropped first stands first.
#[derive(Debug)]
pub(crate) struct TwoHosts {
    pub(crate) server: Server,
    pub(crate) network: Network,
    pub(crate) world: World,
}

impl TwoHosts {
    /// With these flags for `serve`. Only root can have it.
    pub(crate) fn new(flags: &[&str]) -> Self {
        let (world, network) = (World::new(), Network::new());
        let program = world.program().inside(network.server());
        let listen = format!("{}:0", network.server_address());
        let flags = [&["--signup", "open"], flags].concat();
        let server = Server::start(program, &world.path("server"), &listen, &flags);
        Self { server, network, world }
    }

    /// Somebody on the other host.
    pub(crate) fn member(&self, name: &str) -> Member {
        self.world.member(name, &self.server).inside(self.network.client())
    }

    /// Somebody on the server's host: nothing that happens to the line concerns her.
    pub(crate) fn neighbour(&self, name: &str) -> Member {
        self.world.member(name, &self.server).inside(self.network.server())
    }
}

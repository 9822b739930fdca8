//! The stages of the gate, in the order in which they run.

use crate::process::{Failure, Workspace};
use crate::{api, chaos, msrv, mutants, named_tests, outside, pictures, purity, sim, suite, tidy};

/// One check.
pub(crate) struct Stage {
    /// Its name on the command line and in the table.
    pub(crate) name: &'static str,
    /// What it checks, in a line.
    pub(crate) about: &'static str,
    /// Runs it; lines pushed to the second argument are shown again at the end, whether it succeeds or not.
    pub(crate) run: fn(&Workspace, &mut Vec<String>) -> Result<(), Failure>,
}

/// What `cargo xtask ci` runs.
pub(crate) const STAGES: [Stage; 15] = [
    Stage { name: "fmt", about: "the code is formatted", run: fmt },
    Stage { name: "clippy", about: "no warning from the compiler or clippy", run: clippy },
    Stage { name: "docs", about: "the documentation builds without a warning", run: docs },
    Stage { name: "purity", about: "crates/proto has no I/O, clock, randomness or hash order", run: purity::stage },
    Stage { name: "tidy", about: "sizes, left-overs and unexplained allowances in the sources", run: tidy::stage },
    Stage { name: "names", about: "the tests that documents name exist", run: named_tests::stage },
    Stage {
        name: "anchors",
        about: "every mutation that the simulator has to catch can be made",
        run: mutants::anchors,
    },
    Stage { name: "msrv", about: "the oldest compiler is stated, and the one in use", run: msrv::stage },
    Stage { name: "build", about: "every crate and the binary build", run: build },
    Stage { name: "api", about: "the library's public surface is what docs/api says (--write)", run: api::stage },
    Stage {
        name: "outside",
        about: "programs outside of the workspace build on the library and run",
        run: outside::stage,
    },
    Stage { name: "test", about: "every test, and none that steps aside where it must not", run: suite::all },
    Stage { name: "sim", about: "a simulated world keeps the promises, whatever fails in it", run: sim::stage },
    Stage { name: "chaos", about: "a minute of the real programs under fire", run: chaos::stage },
    Stage { name: "deny", about: "licences, banned crates and sources of the dependencies", run: deny },
];

/// The system tests alone.
pub(crate) const E2E: Stage = Stage { name: "e2e", about: "the system tests alone", run: suite::system };

/// Takes the pictures of the README anew.
pub(crate) const PICTURES: Stage =
    Stage { name: "pictures", about: "takes the pictures of the README anew, into docs/pictures", run: pictures::take };

/// Takes the library's public surface over into `docs/api`.
pub(crate) const WRITE_API: Stage =
    Stage { name: "api", about: "the library's public surface is written to docs/api", run: api::write };

fn fmt(workspace: &Workspace, _: &mut Vec<String>) -> Result<(), Failure> {
    workspace.require_cargo("fmt", "`rustup component add rustfmt`")?;
    workspace.run(&mut workspace.cargo(&["fmt", "--all", "--check"]), "`cargo fmt --all` formats the code")
}

fn clippy(workspace: &Workspace, _: &mut Vec<String>) -> Result<(), Failure> {
    workspace.require_cargo("clippy", "`rustup component add clippy`")?;
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    workspace.run(&mut workspace.cargo(&arguments), "")
}

fn docs(workspace: &Workspace, _: &mut Vec<String>) -> Result<(), Failure> {
    let mut command = workspace.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    workspace.run(command.env("RUSTDOCFLAGS", "-D warnings"), "")
}

fn build(workspace: &Workspace, _: &mut Vec<String>) -> Result<(), Failure> {
    workspace.run(&mut workspace.cargo(&["build", "--workspace", "--locked"]), "")
}

fn deny(workspace: &Workspace, _: &mut Vec<String>) -> Result<(), Failure> {
    workspace.require_cargo("deny", "`cargo install --locked cargo-deny`, or `bash .ci/run`, which installs it")?;
    for manifest in ["Cargo.toml", outside::MANIFEST] {
        let mut deny = workspace.cargo(&["deny", "--locked", "--manifest-path", manifest, "check"]);
        deny.args(["--hide-inclusion-graph", "licenses", "bans", "sources"]);
        workspace.run(&mut deny, "see deny.toml")?;
    }
    Ok(())
}

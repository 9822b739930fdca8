//! Compiles the protobuf files without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    println!("cargo::rerun-if-changed={root}");
    let files = ["steadfast/v1/wire.proto", "steadfast/store/v1/state.proto"];
    let descriptors = protox::compile(files, [root])?;
    prost_build::Config::new().bytes([".steadfast.v1"]).compile_fds(descriptors)?;
    Ok(())
}

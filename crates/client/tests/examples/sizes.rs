//! An example that nobody can read in one go teaches nobody.

/// Lines of an example that says how short this can be.
fn lines(example: &str) -> usize {
    let path = format!("{}/examples/{example}.rs", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")).lines().count()
}

#[test]
fn echo_has_at_most_40_lines_and_the_client_of_the_post_150() {
    assert!(lines("echo") <= 40, "{}", lines("echo"));
    assert!(lines("post2012") <= 150, "{}", lines("post2012"));
}

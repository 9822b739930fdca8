//! Where worlds keep their disks, and what is left there by processes that were killed.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

const PREFIX: &str = "steadfast-sim-";

/// A directory for a world; in memory, where the system has a place for that.
pub fn directory() -> TempDir {
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let made = places().into_iter().find_map(|place| tempfile::Builder::new().prefix(&prefix).tempdir_in(place).ok());
    made.expect("a directory for a world")
}

/// Removes what worlds of processes that are gone have left.
pub fn sweep() {
    for place in places() {
        let Ok(files) = std::fs::read_dir(place) else { continue };
        for left in files.filter_map(|file| Some(file.ok()?.path())).filter(|path| is_left(path)) {
            // Another process may be at it, or it is another user's.
            std::fs::remove_dir_all(left).ok();
        }
    }
}

fn places() -> [PathBuf; 2] {
    [PathBuf::from("/dev/shm"), std::env::temp_dir()]
}

fn is_left(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let owner = name.and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')?.0.parse::<u32>().ok());
    owner.is_some_and(|owner| Path::new("/proc").exists() && !Path::new(&format!("/proc/{owner}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_that_is_gone_left_is_removed_and_nothing_else() {
        let mut gone = std::process::Command::new("true").spawn().expect("a process");
        gone.wait().expect("it ends");
        let ours = directory();
        let place = ours.path().parent().expect("it is in some place");
        let others = place.join(format!("{PREFIX}not-a-number"));
        let left = place.join(format!("{PREFIX}{}-x", gone.id()));
        for path in [&others, &left] {
            std::fs::create_dir_all(path.join("disk")).expect("a directory");
        }
        sweep();
        assert_eq!([ours.path(), &others, &left].map(Path::exists), [true, true, false]);
        std::fs::remove_dir_all(others).expect("a directory of this test");
    }
}

//! A wall clock of its own for a process, which the test moves while the process runs. What counts from boot stays as
//! it is.

use std::path::{Path, PathBuf};

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct WallClock {
    library: PathBuf,
    file: PathBuf,
}

impl WallClock {
    /// A clock that goes right until it is moved; its file is in this directory.
    pub(crate) fn new(directory: &Path, name: &str) -> Self {
        let clock = Self { library: library(), file: directory.join(format!("{name}.clock")) };
        clock.move_to("+0");
        clock
    }

    /// Moves it, as libfaketime spells it: `+10y` is ten years ahead of the true time.
    pub(crate) fn move_to(&self, offset: &str) {
        // Put there at once, since the process reads the file whenever it looks at the clock.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{offset}\n")).expect("the file can be written");
        std::fs::rename(&new, &self.file).expect("the file can be replaced");
    }

    /// What a process needs in its environment.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD", text(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", text(&self.file)),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

/// libfaketime for programs with threads, wherever this architecture keeps its libraries.
fn library() -> PathBuf {
    const NAME: &str = "faketime/libfaketimeMT.so.1";
    let mut places = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64")];
    // As in /usr/lib/aarch64-linux-gnu.
    let inside = std::fs::read_dir("/usr/lib").expect("every Linux has it");
    places.extend(inside.filter_map(|entry| Some(entry.ok()?.path())));
    let found = places.into_iter().map(|place| place.join(NAME)).find(|library| library.is_file());
    found.unwrap_or_else(|| panic!("there is no {NAME}: `apt-get install faketime`"))
}

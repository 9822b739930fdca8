//! Exit codes, and the one line that says why.

use std::fmt::Display;
use std::process::ExitCode;

use crate::output;

pub(crate) const HELP: &str = "Every flag can be set as STEADFAST_<FLAG> and in the config file.\n\
Exit codes: 0 done; 1 refused or failed; 2 timed out, what is left is safe in the outbox; 64 usage; 130 Ctrl-C";

/// Why the command ends with something else than success.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    words: Option<String>,
}

impl Exit {
    /// Refused or failed.
    pub(crate) fn failed(why: impl Display) -> Self {
        Self { code: 1, words: Some(why.to_string()) }
    }

    /// Failed; what was wrong has been said line by line.
    pub(crate) fn told() -> Self {
        Self { code: 1, words: None }
    }

    /// The time is over.
    pub(crate) fn timed_out(why: impl Display) -> Self {
        Self { code: 2, words: Some(why.to_string()) }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(why: impl Display) -> Self {
        Self { code: 64, words: Some(why.to_string()) }
    }

    /// Ctrl-C.
    pub(crate) fn interrupted() -> Self {
        Self { code: 130, words: None }
    }

    /// Help or version was asked for, or clap has said what is wrong.
    pub(crate) fn said(code: u8) -> Self {
        Self { code, words: None }
    }

    /// Says why and gives the code.
    pub(crate) fn report(self) -> ExitCode {
        if let Some(words) = &self.words {
            output::tell_last(words);
        }
        self.code()
    }

    /// The code alone.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

//! I/O errors as causes, by the table of the system that this was compiled for.

use std::io;

use steadfast_proto::session::cause::{Cause, System};

const SYSTEM: System = if cfg!(windows) {
    System::Windows
} else if cfg!(target_vendor = "apple") {
    System::MacOs
} else {
    System::Linux
};

/// The cause that an error of a socket stands for: by its number, or by its kind if it has none. A connection that
/// could not be made in time is [`Cause::TimedOut`] here, since the error does not say which of the two it was.
pub fn of_io(error: &io::Error) -> Cause {
    match error.raw_os_error() {
        Some(code) => Cause::from_os_code(SYSTEM, code).unwrap_or(Cause::Other { os_code: Some(code) }),
        None => of_kind(error.kind()),
    }
}

fn of_kind(kind: io::ErrorKind) -> Cause {
    use io::ErrorKind as Kind;
    match kind {
        Kind::ConnectionRefused => Cause::Refused,
        Kind::ConnectionReset | Kind::NotConnected => Cause::Reset,
        Kind::ConnectionAborted => Cause::Aborted,
        Kind::HostUnreachable | Kind::NetworkUnreachable => Cause::Unreachable,
        Kind::NetworkDown => Cause::NetworkDown,
        Kind::TimedOut => Cause::TimedOut,
        Kind::UnexpectedEof | Kind::BrokenPipe | Kind::WriteZero => Cause::ClosedByPeer,
        Kind::AddrInUse | Kind::AddrNotAvailable | Kind::OutOfMemory | Kind::PermissionDenied => Cause::LocalFault,
        _ => Cause::Other { os_code: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_numbers_of_this_system_give_the_causes_of_the_table() {
        let rows = [
            (libc::ECONNREFUSED, Cause::Refused),
            (libc::ECONNRESET, Cause::Reset),
            (libc::ECONNABORTED, Cause::Aborted),
            (libc::ETIMEDOUT, Cause::TimedOut),
            (libc::EHOSTUNREACH, Cause::Unreachable),
            (libc::EHOSTDOWN, Cause::Unreachable),
            (libc::ENETUNREACH, Cause::Unreachable),
            (libc::EAFNOSUPPORT, Cause::Unreachable),
            (libc::ENETDOWN, Cause::NetworkDown),
            (libc::ENETRESET, Cause::Reset),
            (libc::ENOTCONN, Cause::Reset),
            (libc::ESHUTDOWN, Cause::Aborted),
            (libc::EPIPE, Cause::ClosedByPeer),
            (libc::EMFILE, Cause::LocalFault),
            (libc::ENFILE, Cause::LocalFault),
            (libc::ENOBUFS, Cause::LocalFault),
            (libc::ENOMEM, Cause::LocalFault),
            (libc::EADDRINUSE, Cause::LocalFault),
            (libc::EADDRNOTAVAIL, Cause::LocalFault),
            (libc::EACCES, Cause::LocalFault),
            (libc::EPERM, Cause::LocalFault),
        ];
        for (code, cause) in rows {
            assert_eq!(of_io(&io::Error::from_raw_os_error(code)), cause, "{code}");
        }
    }

    #[test]
    fn an_error_without_a_number_is_told_by_its_kind() {
        assert_eq!(of_io(&io::ErrorKind::UnexpectedEof.into()), Cause::ClosedByPeer);
        assert_eq!(of_io(&io::ErrorKind::TimedOut.into()), Cause::TimedOut);
    }

    #[test]
    fn an_error_that_the_table_does_not_name_keeps_its_number() {
        assert_eq!(of_io(&io::Error::from_raw_os_error(4_711)), Cause::Other { os_code: Some(4_711) });
        assert_eq!(of_io(&io::Error::other("?")), Cause::Other { os_code: None });
    }
}

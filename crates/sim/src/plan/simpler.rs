//! Making a step smaller, so that what it breaks is told in fewer words.

use steadfast_proto::time::Duration;

use super::{Act, Fault, Machine, What};

/// What is shorter is left as it is.
const LEAST: Duration = Duration::from_millis(100);

impl What {
    /// The device that it is about, if there is one.
    pub fn device(&self) -> Option<usize> {
        match self {
            What::Act { device, .. } => Some(*device),
            What::Fail(fault) => fault.device(),
        }
    }

    /// Makes it smaller; `false`: it can't be.
    pub fn simplify(&mut self) -> bool {
        match self {
            What::Act { act: Act::Send { count, bytes, .. }, .. } if *count > 1 || *bytes > 10 => {
                (*count, *bytes) = (1, 10);
                true
            }
            What::Act { act: Act::SendEverywhere { rooms }, .. } if *rooms > 1 => {
                *rooms /= 2;
                true
            }
            What::Act { .. } => false,
            What::Fail(fault) => match fault.lasts_mut() {
                Some(lasts) if *lasts >= LEAST * 2 => {
                    *lasts = Duration::from_millis(lasts.as_millis() as u64 / 2);
                    true
                }
                Some(_) | None => false,
            },
        }
    }
}

impl Fault {
    /// The device that it meets, if it is one.
    pub fn device(&self) -> Option<usize> {
        match *self {
            Fault::Silence { device, .. }
            | Fault::Reset { device }
            | Fault::HalfOpen { device }
            | Fault::Stall { device, .. }
            | Fault::Slow { device, .. }
            | Fault::Jitter { device, .. }
            | Fault::FlipBit { device, .. }
            | Fault::Hole { device, .. }
            | Fault::NatForgets { device, .. }
            | Fault::AddressChange { device }
            | Fault::Flap { device, .. }
            | Fault::NoNetwork { device, .. }
            | Fault::HandOver { device }
            | Fault::ProfileRestored { device, .. }
            | Fault::ProfileCopied { device } => Some(device),
            Fault::Kill { whose, .. }
            | Fault::PowerLoss { whose, .. }
            | Fault::DiskFull { whose, .. }
            | Fault::DiskSlow { whose, .. }
            | Fault::SyncFails { whose }
            | Fault::WritesFail { whose, .. }
            | Fault::ReadsFail { whose, .. }
            | Fault::Sleep { whose, .. }
            | Fault::LateTimers { whose, .. }
            | Fault::WallClock { whose, .. }
            | Fault::Drift { whose, .. } => match whose {
                Machine::Device(device) => Some(device),
                Machine::Server => None,
            },
            Fault::ServerRestored { .. } | Fault::Drain { .. } => None,
        }
    }

    /// How long it lasts, where that is said.
    fn lasts_mut(&mut self) -> Option<&mut Duration> {
        match self {
            Fault::Stall { lasts, .. }
            | Fault::Slow { lasts, .. }
            | Fault::Jitter { lasts, .. }
            | Fault::Flap { lasts, .. }
            | Fault::NoNetwork { lasts, .. }
            | Fault::DiskFull { lasts, .. }
            | Fault::DiskSlow { lasts, .. }
            | Fault::Sleep { lasts, .. }
            | Fault::LateTimers { lasts, .. } => Some(lasts),
            Fault::Kill { back, .. } | Fault::PowerLoss { back, .. } | Fault::Drain { back } => Some(back),
            Fault::Silence { .. }
            | Fault::Reset { .. }
            | Fault::HalfOpen { .. }
            | Fault::FlipBit { .. }
            | Fault::Hole { .. }
            | Fault::NatForgets { .. }
            | Fault::AddressChange { .. }
            | Fault::SyncFails { .. }
            | Fault::WritesFail { .. }
            | Fault::ReadsFail { .. }
            | Fault::WallClock { .. }
            | Fault::Drift { .. }
            | Fault::HandOver { .. }
            | Fault::ProfileRestored { .. }
            | Fault::ProfileCopied { .. }
            | Fault::ServerRestored { .. } => None,
        }
    }
}

//! A plan in plain words.

use std::collections::VecDeque;
use std::fmt::Write as _;

use steadfast_proto::time::Duration;

use crate::plan::{Act, Fault, Machine, Plan, Step, Ways, What};
use crate::world::observed::Observed;
use crate::world::tap::Said;

/// So much of what was seen is told.
const LAST_MAX: usize = 40;

/// What happens in a plan, a line a step.
pub fn tell(plan: &Plan) -> String {
    let mut text = String::new();
    let accounts: Vec<String> = plan.devices.iter().map(|device| device.account.to_string()).collect();
    let weather = &plan.weather;
    line(&mut text, format_args!("{} devices, of the accounts {}", plan.devices.len(), accounts.join(", ")));
    line(
        &mut text,
        format_args!(
            "lines take {:?} to {:?}; syncs take up to {:?} at a device and {:?} at the server",
            weather.latency.0, weather.latency.1, weather.device_sync_max, weather.server_sync_max
        ),
    );
    for Step { at, what } in &plan.steps {
        line(&mut text, format_args!("{} {}", clock(*at), words(what)));
    }
    text
}

/// A moment of a run, as `1:23.456`.
pub fn clock(at: Duration) -> String {
    format!("{}:{:02}.{:03}", at.as_secs() / 60, at.as_secs() % 60, at.subsec_millis())
}

/// The last of what was seen of a world.
#[derive(Debug, Default)]
pub struct Last(VecDeque<(Duration, String)>);

impl Last {
    /// Something was seen.
    pub fn saw(&mut self, at: Duration, observed: &Observed) {
        if let Some(text) = seen_words(observed) {
            if self.0.len() == LAST_MAX {
                self.0.pop_front();
            }
            self.0.push_back((at, text));
        }
    }

    /// In words, a line each.
    pub fn tell(&self) -> String {
        let mut text = String::from("  the last that was seen:\n");
        for (at, seen) in &self.0 {
            line(&mut text, format_args!("{} {seen}", clock(*at)));
        }
        text
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(text, "  {words}").expect("a text grows");
}

fn words(what: &What) -> String {
    match what {
        What::Act { device, act } => format!("device {device} {}", act_words(act)),
        What::Fail(fault) => fault_words(fault),
    }
}

fn act_words(act: &Act) -> String {
    match act {
        Act::Enter { room } => format!("enters room {room}"),
        Act::Leave { room } => format!("leaves room {room}"),
        Act::Send { room, count, bytes } => format!("sends {count} messages of {bytes} bytes to room {room}"),
        Act::SendEverywhere { rooms } => format!("says something in each of {rooms} more rooms"),
        Act::Direct { account } => format!("writes to account {account}"),
        Act::CreatePrivate { room } => format!("makes the private room {room}"),
        Act::Add { room, account } => format!("adds account {account} to room {room}"),
        Act::Remove { room, account } => format!("removes account {account} from room {room}"),
        Act::History { room } => format!("asks for the history of room {room}"),
        Act::SendTooMuch { room } => format!("sends what must be refused to room {room}"),
        Act::Type { room } => format!("watches room {room} and types"),
        Act::Stop => "takes its line down".to_owned(),
        Act::Resume => "wants its line again".to_owned(),
        Act::TryNow => "wants a try now".to_owned(),
        Act::SendFromSecondProcess { room } => format!("sends to room {room} from a second process"),
    }
}

fn fault_words(fault: &Fault) -> String {
    match fault {
        Fault::Silence { device, ways } => format!("device {device}'s line carries nothing any more, {}", way(*ways)),
        Fault::Reset { device } => format!("device {device}'s line is reset"),
        Fault::HalfOpen { device } => format!("the server's side of device {device}'s line goes without a word"),
        Fault::Stall { device, ways, lasts } => format!("device {device}'s line stalls {} for {lasts:?}", way(*ways)),
        Fault::Slow { device, bytes_per_second, lasts } => {
            format!("device {device}'s lines carry {bytes_per_second} bytes a second for {lasts:?}")
        }
        Fault::Jitter { device, latency_max, lasts } => {
            format!("device {device}'s lines take up to {latency_max:?} for {lasts:?}")
        }
        Fault::FlipBit { device, up } => format!("a bit flips {} device {device}", end(*up)),
        Fault::Hole { device, up, bytes } => format!("{bytes} bytes vanish {} device {device}", end(*up)),
        Fault::NatForgets { device, quiet } => {
            format!("device {device}'s line is forgotten by a box between if it was quiet for {quiet:?}")
        }
        Fault::AddressChange { device } => format!("device {device} gets another address"),
        Fault::Flap { device, after, lasts } => {
            format!("device {device}'s lines are reset when they are {after:?} old, for {lasts:?}")
        }
        Fault::NoNetwork { device, lasts } => format!("device {device} has no network for {lasts:?}"),
        Fault::Kill { whose, back, in_calls } => {
            format!("{} is killed{}; back after {back:?}", machine(*whose), calls(*in_calls))
        }
        Fault::PowerLoss { whose, back, in_calls } => {
            format!("the power of {} goes{}; back after {back:?}", machine(*whose), calls(*in_calls))
        }
        Fault::DiskFull { whose, lasts } => format!("the disk of {} is full for {lasts:?}", machine(*whose)),
        Fault::DiskSlow { whose, sync, lasts } => {
            format!("each sync of {} takes {sync:?}, for {lasts:?}", machine(*whose))
        }
        Fault::SyncFails { whose } => format!("the next sync of {} fails", machine(*whose)),
        Fault::WritesFail { whose, count } => format!("the next {count} writes of {} fail", machine(*whose)),
        Fault::ReadsFail { whose, count } => format!("the next {count} reads of {} fail", machine(*whose)),
        Fault::Sleep { whose, lasts } => format!("{} sleeps for {lasts:?}", machine(*whose)),
        Fault::LateTimers { whose, by, lasts } => {
            format!("timers of {} fire up to {by:?} late for {lasts:?}", machine(*whose))
        }
        Fault::WallClock { whose, by_ms } => format!("the wall clock of {} is set by {by_ms} ms", machine(*whose)),
        Fault::Drift { whose, ppm } => format!("the clock of {} is off by {ppm} millionths from now", machine(*whose)),
        Fault::HandOver { device } => format!("device {device}'s program ends and another one takes over"),
        Fault::ProfileRestored { device, age } => {
            format!("device {device}'s profile is put back to what it was {age:?} ago")
        }
        Fault::ProfileCopied { device } => format!("a copy of device {device}'s profile is started elsewhere"),
        Fault::ServerRestored { age } => format!("the server is put back to what it was {age:?} ago"),
        Fault::Drain { back } => format!("the server is told to stop; back after {back:?}"),
    }
}

/// `None`: it says too little.
fn seen_words(observed: &Observed) -> Option<String> {
    Some(match observed {
        Observed::Accepted { device, id, .. } => format!("device {device} has accepted {id}"),
        Observed::Tried { device, id, .. } => format!("device {device} may have {id}, and did not say so"),
        Observed::Applied { device, changes } => format!("device {device} has stored {} changes", changes.len()),
        Observed::AppliedPerhaps { device, changes } => {
            format!("device {device} died over storing {} changes", changes.len())
        }
        Observed::OnWire { device, said, .. } => match said {
            Said::Welcome { term, .. } => format!("the server welcomes device {device}, under the term {term:016x}"),
            Said::Entry { position } => format!("the server sends device {device} the entry {position}"),
            Said::Position(position) => format!("the server tells device {device} of position {position}"),
            Said::Acknowledged(position) => format!("device {device} acknowledges {position}"),
            Said::InPage { .. } | Said::Confirmed(_) => return None,
        },
        Observed::DeviceStarted { device } => format!("device {device} runs"),
        Observed::ServerStarted => "the server runs".to_owned(),
        Observed::ServerRestored => "the server was put back".to_owned(),
        Observed::ProfileRestored { device } => format!("device {device}'s profile was put back"),
        Observed::Lost { device, cause, .. } => format!("device {device} lost its line: {cause:?}"),
        Observed::LetGo { device, .. } => format!("the server let device {device}'s line go"),
        Observed::Online { device } => format!("device {device} is online and has all"),
        Observed::Contradiction { whose, text } => format!("{whose}: {text}"),
    })
}

fn way(ways: Ways) -> &'static str {
    match ways {
        Ways::Up => "to the server",
        Ways::Down => "from the server",
        Ways::Both => "both ways",
    }
}

fn end(up: bool) -> &'static str {
    if up { "on the way from" } else { "on the way to" }
}

fn machine(whose: Machine) -> String {
    match whose {
        Machine::Server => "the server".to_owned(),
        Machine::Device(device) => format!("device {device}"),
    }
}

fn calls(in_calls: Option<u32>) -> String {
    in_calls.map_or_else(String::new, |calls| format!(" in the midst of its writing call number {}", calls + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draw;

    #[test]
    fn every_step_is_told_on_a_line_of_its_own_with_its_time() {
        let plan = draw(7);
        let text = tell(&plan);
        assert_eq!(text.lines().count(), plan.steps.len() + 2);
        let first = text.lines().nth(2).expect("a plan has steps");
        assert!(first.trim_start().starts_with("0:0") && first.contains("device"), "{first}");
    }
}

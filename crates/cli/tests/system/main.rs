//! The promises, over real processes: killed, cut off, stopped, filled up, rolled back.

mod rig;

mod backpressure;
mod bench;
mod causes;
mod clients_killed;
mod clocks;
mod crowd_returns;
mod detection;
mod disk_failing;
mod disk_full;
mod disk_slow;
mod disk_unusable;
mod flights;
mod holder;
mod in_memory;
mod limits;
mod line_cut;
mod line_cut_often;
mod network_change;
mod people;
mod reading;
mod reconnecting;
mod restart_under_load;
mod restored_server;
mod rolled_back;
mod sending;
mod server_killed;
mod serving;
mod slow_line;
mod stalled_log;
mod stalled_sync;
mod strangers;
mod switches;
mod usage;
mod why;

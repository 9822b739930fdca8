//! The examples, each as a process that people and lines are cruel to, against a real server.

mod consumer;
mod desktop;
mod echo;
mod post2012;
mod rig;
mod sensor;
mod sizes;

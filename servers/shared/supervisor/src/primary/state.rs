//! The primary, as what it has.

use std::{
    collections::{HashMap, VecDeque},
    os::fd::OwnedFd,
    time::Duration,
};

use kit::{cluster::Cluster, signals::Hangups, start::Error};

use super::{bell::Bell, desk::Desk, giving::Giving, upkeep::Upkeep};
use crate::{
    clock::Clock,
    machine::{
        Machine,
        words::{Event, Life},
    },
    process::Process,
    program::{Image, Program},
};

/// What a primary has.
pub(super) struct Primary<Hand, AllReady> {
    pub(super) name: &'static str,
    pub(super) heartbeat: Duration,
    pub(super) machine: Machine,
    pub(super) clock: Clock,
    /// Until the stop begins.
    pub(super) hand: Option<Hand>,
    pub(super) upkeep: Upkeep,
    pub(super) desk: Desk,
    pub(super) giving: Giving,
    pub(super) program: Program,
    /// What each place's last worker that was ready ran.
    pub(super) images: Vec<Option<Image>>,
    pub(super) processes: HashMap<Life, Process>,
    pub(super) cluster: Cluster,
    pub(super) memory: Option<OwnedFd>,
    pub(super) bell: Bell,
    pub(super) hangups: Hangups,
    /// What has happened and was not dealt with yet.
    pub(super) events: VecDeque<Event>,
    pub(super) all_ready: Option<AllReady>,
    /// Why it is stopping, if that is not by the machine's decision.
    pub(super) failure: Option<Error>,
    pub(super) outcome: Option<Result<(), Error>>,
}

impl<Hand, AllReady> Primary<Hand, AllReady> {
    /// How many places there are to be.
    pub(super) fn places(&self) -> usize {
        self.machine.places().iter().filter(|place| place.wanted).count()
    }
}

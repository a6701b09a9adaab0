//! Experiments: scenarios in which one row is alive, alone, and things happen to it while it is loaded.
//!
//! Nothing is frozen, and no round is interleaved with another: a crash takes its server's own time. Which events a row has follows from
//! the scenario and from what the registry says of the row, so that a report can tell from the plan alone what was asked of whom.

use std::{fmt, ops::RangeInclusive, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    registry::{Reload, Row},
    schema,
};

/// What happens to a row, how often, and how far apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// What kind of event.
    pub kind: ExperimentKind,
    /// How many reloads; of each fault that says nothing else, how many times it strikes.
    pub events: usize,
    /// From one event to the next at least, and from the window's opening to the first.
    #[serde(with = "duration")]
    #[schemars(with = "schema::Time")]
    pub every: Duration,
    /// How long an event is waited for: a server that has not done by then what it was to do has not done it.
    #[serde(with = "duration", default = "default_deadline")]
    #[schemars(with = "schema::Time")]
    pub deadline: Duration,
    /// The faults of a crash, in the order in which they strike. A row meets those that it can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Faults>,
    /// How many passes each row has, each with a server of its own.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub starts: u32,
}

/// What an experiment does to its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentKind {
    /// Something of the server fails.
    Crash,
    /// The server replaces its workers because it was told to.
    Reload,
}

/// A fault of a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Which.
    pub kind: EventKind,
    /// How many times; as often as the experiment says where this says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<usize>,
}

/// What happened in one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// SIGKILL of one worker process, the workers in turn.
    Kill,
    /// A panic in a request's handler, by `POST /fault?kind=panic`.
    Panic,
    /// `abort(3)` in a request's handler, likewise.
    Abort,
    /// A stack overflow in a request's handler, likewise.
    Overflow,
    /// The server was told to replace its workers.
    Reload,
}

/// Fewer events say nothing, and more take longer than anybody waits.
const EVENTS: RangeInclusive<usize> = 1..=1_000;
/// Closer together than this, one event's stretch would hold nothing but the next's beginning.
const EVERY: RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(3600);

/// From the end of a reload to the next event at least.
pub const AFTER_A_RELOAD: Duration = Duration::from_millis(300);
/// So long before its event the slices of a record begin: what was usual is seen beside what was not.
pub const BEFORE_AN_EVENT: Duration = Duration::from_millis(500);
/// Shorter than this, nobody has replaced anything.
const DEADLINES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

fn one() -> u32 {
    1
}

fn default_deadline() -> Duration {
    Duration::from_secs(30)
}

fn is_one(starts: &u32) -> bool {
    *starts == 1
}

impl Experiment {
    /// What is wrong with it, where something is.
    pub(super) fn check(&self) -> Result<(), String> {
        let counts = self.faults.iter().filter_map(|faults| faults.events);
        for events in counts.chain([self.events]) {
            if !EVENTS.contains(&events) {
                let (least, most) = (EVENTS.start(), EVENTS.end());
                return Err(format!("an experiment has {least} to {most} events of a kind, not {events}"));
            }
        }
        if !EVERY.contains(&self.every) {
            let (least, most) = (EVERY.start(), EVERY.end());
            return Err(format!("an event every {:?} is not one every {least:?} to {most:?}", self.every));
        }
        if !DEADLINES.contains(&self.deadline) {
            let (least, most) = (DEADLINES.start(), DEADLINES.end());
            return Err(format!("a deadline of {:?} is not one from {least:?} to {most:?}", self.deadline));
        }
        if self.starts == 0 {
            return Err("an experiment has one pass of each row at least, not 0".to_owned());
        }
        let is_fault = |faults: &Faults| faults.kind != EventKind::Reload;
        match self.kind {
            ExperimentKind::Crash if self.faults.is_empty() => {
                Err("a crash has `faults`, as in faults = [{ kind = \"kill\" }]".to_owned())
            }
            ExperimentKind::Crash if !self.faults.iter().all(is_fault) => {
                Err("a reload is no fault of a crash: it has an experiment of its own".to_owned())
            }
            ExperimentKind::Reload if !self.faults.is_empty() => {
                Err("a reload has no `faults`: they are a crash's".to_owned())
            }
            ExperimentKind::Crash | ExperimentKind::Reload => Ok(()),
        }
    }

    /// The events of `row`, in their order.
    ///
    /// # Errors
    /// Why it has none.
    pub fn events_of(&self, row: &Row) -> Result<Vec<EventKind>, String> {
        match self.kind {
            ExperimentKind::Reload => match (&row.reload, &row.workers) {
                (Some(Reload::None(reason)), _) => Err(reason.clone()),
                (None, _) => Err("the registry does not say how it is reloaded".to_owned()),
                (Some(Reload::Signal(_)), None) => {
                    Err("the registry does not say which processes are its workers".to_owned())
                }
                (Some(Reload::Signal(_)), Some(_)) => Ok(vec![EventKind::Reload; self.events]),
            },
            ExperimentKind::Crash => {
                let met = self.faults.iter().filter(|faults| faults.kind.meets(row));
                let events: Vec<EventKind> = met
                    .flat_map(|faults| std::iter::repeat_n(faults.kind, faults.events.unwrap_or(self.events)))
                    .collect();
                if events.is_empty() {
                    return Err("it has no worker process to kill, and cannot be told to fail".to_owned());
                }
                Ok(events)
            }
        }
    }

    /// How long a pass of so many events lasts, if each is over before the next is due.
    pub fn expected_length(&self, events: usize) -> Duration {
        self.every * u32::try_from(events + 1).unwrap_or(u32::MAX)
    }

    /// How long it lasts at most.
    pub fn longest(&self, events: usize) -> Duration {
        (self.every + self.deadline) * u32::try_from(events + 1).unwrap_or(u32::MAX)
    }

    /// Has so many events instead, of each kind that has more.
    pub fn at_most(&mut self, events: usize) {
        self.events = self.events.min(events);
        for faults in &mut self.faults {
            faults.events = faults.events.map(|own| own.min(events));
        }
    }
}

impl EventKind {
    /// Whether it can happen to `row`.
    fn meets(self, row: &Row) -> bool {
        match self {
            Self::Kill => row.workers.is_some(),
            Self::Panic | Self::Abort | Self::Overflow => row.fault_args.is_some(),
            Self::Reload => false,
        }
    }

    /// What a server is asked for to bring it about; none where nobody is asked.
    pub fn asked(self) -> Option<&'static str> {
        match self {
            Self::Kill | Self::Reload => None,
            Self::Panic => Some("/fault?kind=panic"),
            Self::Abort => Some("/fault?kind=abort"),
            Self::Overflow => Some("/fault?kind=overflow"),
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Panic => "panic",
            Self::Abort => "abort",
            Self::Overflow => "overflow",
            Self::Reload => "reload",
        })
    }
}

/// How often, and how far apart: what a person may choose for a run.
impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, every, starts, .. } = self;
        write!(f, "{starts} passes of {events} events every {every:?}")?;
        let own = self.faults.iter().filter_map(|faults| Some((faults.kind, faults.events?)));
        own.into_iter().try_for_each(|(kind, events)| write!(f, ", {events} of {kind}"))
    }
}

impl fmt::Display for ExperimentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crash => "crash",
            Self::Reload => "reload",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::WorkerProcesses;

    fn crash() -> Experiment {
        let faults = |kind, events| Faults { kind, events };
        Experiment {
            kind: ExperimentKind::Crash,
            events: 3,
            every: Duration::from_secs(1),
            deadline: default_deadline(),
            faults: vec![faults(EventKind::Kill, None), faults(EventKind::Abort, Some(2))],
            starts: 1,
        }
    }

    fn row() -> Row {
        Row::given("a".to_owned(), vec!["a".to_owned()])
    }

    #[test]
    fn a_row_meets_the_faults_that_it_can() {
        use EventKind::{Abort, Kill};
        let workers = Some(WorkerProcesses { children_of: "server".to_owned() });
        let (of_processes, told) = (Row { workers, ..row() }, Row { fault_args: Some(Vec::new()), ..row() });
        let both = Row { fault_args: Some(Vec::new()), ..of_processes.clone() };
        assert_eq!(crash().events_of(&of_processes).unwrap(), [Kill; 3]);
        assert_eq!(crash().events_of(&told).unwrap(), [Abort; 2]);
        assert_eq!(crash().events_of(&both).unwrap(), [Kill, Kill, Kill, Abort, Abort]);
        assert!(crash().events_of(&row()).unwrap_err().contains("no worker process to kill"));
    }

    #[test]
    fn a_row_without_a_reload_is_left_out_with_the_reason_that_the_registry_gives() {
        let reload = Experiment { kind: ExperimentKind::Reload, faults: Vec::new(), ..crash() };
        let with = |reload| Row { reload, ..row() };
        let none = Some(Reload::None("it has none".to_owned()));
        assert_eq!(reload.events_of(&with(none)), Err("it has none".to_owned()));
        assert!(reload.events_of(&row()).unwrap_err().contains("does not say how"));
        let signal = with(Some(Reload::Signal("SIGHUP".to_owned())));
        assert!(reload.events_of(&signal).unwrap_err().contains("which processes"));
        let workers = Some(WorkerProcesses { children_of: "server".to_owned() });
        assert_eq!(reload.events_of(&Row { workers, ..signal }).unwrap(), [EventKind::Reload; 3]);
    }

    #[test]
    fn an_experiment_that_contradicts_itself_is_refused_with_the_reason() {
        let faults = |kind| vec![Faults { kind, events: None }];
        let refused = [
            (Experiment { events: 0, ..crash() }, "1 to 1000 events of a kind, not 0"),
            (Experiment { every: Duration::from_millis(1), ..crash() }, "is not one every 200ms to 3600s"),
            (Experiment { deadline: Duration::ZERO, ..crash() }, "a deadline of 0ns is not one"),
            (Experiment { starts: 0, ..crash() }, "one pass"),
            (Experiment { faults: Vec::new(), ..crash() }, "a crash has `faults`"),
            (Experiment { faults: faults(EventKind::Reload), ..crash() }, "a reload is no fault"),
            (Experiment { kind: ExperimentKind::Reload, ..crash() }, "a reload has no `faults`"),
        ];
        for (experiment, expected) in refused {
            let error = experiment.check().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(crash().check(), Ok(()));
    }

    #[test]
    fn a_quick_look_has_fewer_events_of_each_kind() {
        let mut quick = crash();
        quick.at_most(1);
        assert_eq!((quick.events, quick.faults[1].events), (1, Some(1)));
        quick.at_most(9);
        assert_eq!(quick.events, 1);
    }
}

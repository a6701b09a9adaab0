//! What is to be done to connections at certain instants.

use std::{cmp::Reverse, collections::BinaryHeap};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// Open the connection.
    Open,
    /// Write the next portion of what a slow sender has to send.
    Send,
    /// Read the next portion of what a slow reader has been sent.
    Receive,
}

/// One entry: the connection, by its number and the generation of its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Appointment {
    pub(super) at_ns: u64,
    pub(super) connection: u32,
    pub(super) generation: u32,
    pub(super) task: Task,
}

/// Appointments in the order of time. A socket has at most one of each task. Those of a socket that is gone stay until
/// their time, which is a portion's pause at most.
#[derive(Debug)]
pub(super) struct Agenda(BinaryHeap<Reverse<Appointment>>);

impl Agenda {
    pub(super) fn with_capacity(appointments: usize) -> Self {
        Self(BinaryHeap::with_capacity(appointments))
    }

    pub(super) fn add(&mut self, appointment: Appointment) {
        self.0.push(Reverse(appointment));
    }

    pub(super) fn take_due(&mut self, now_ns: u64) -> Option<Appointment> {
        if self.next_ns()? > now_ns {
            return None;
        }
        self.0.pop().map(|Reverse(appointment)| appointment)
    }

    /// When the next one is.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.0.peek().map(|Reverse(appointment)| appointment.at_ns)
    }

    /// The time axis starts anew: all that wait are due at its start.
    pub(super) fn restart(&mut self) {
        let waiting: Vec<_> =
            self.0.drain().map(|Reverse(a)| Reverse(Appointment { at_ns: 0, ..a })).collect();
        self.0.extend(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(at_ns: u64, connection: u32) -> Appointment {
        Appointment { at_ns, connection, generation: 0, task: Task::Open }
    }

    #[test]
    fn appointments_come_in_the_order_of_time_and_not_before() {
        let mut agenda = Agenda::with_capacity(3);
        [open(30, 1), open(10, 2), open(20, 3)].into_iter().for_each(|one| agenda.add(one));
        assert_eq!(agenda.take_due(9), None);
        assert_eq!(agenda.take_due(25).map(|one| one.connection), Some(2));
        assert_eq!(agenda.take_due(25).map(|one| one.connection), Some(3));
        assert_eq!((agenda.take_due(25), agenda.next_ns()), (None, Some(30)));
        agenda.restart();
        assert_eq!(agenda.take_due(0).map(|one| one.connection), Some(1));
    }
}

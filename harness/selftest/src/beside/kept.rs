//! Windows that count, windows that do not, and windows that failed: what was disturbed is measured again, and shown.

use serde::Serialize;

use super::window_error::WindowError;
use terminal::progress::Progress;

/// How many more than are wanted are measured at most, for each that is wanted.
const REPEATS: usize = 2;

/// What was measured of one thing.
#[derive(Clone, Debug, Serialize)]
pub struct Kept<T> {
    /// What counts.
    pub sound: Vec<T>,
    /// What the hypervisor or other processes of this machine had too large a part in: it counts for nothing.
    pub disturbed: Vec<T>,
    /// Why the rest has no figures.
    pub failed: Vec<String>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { sound: Vec::new(), disturbed: Vec::new(), failed: Vec::new() }
    }
}

/// One measurement.
#[derive(Clone, Debug)]
pub struct Measured<T> {
    /// Its figures.
    pub figures: T,
    /// Whether it counts.
    pub is_sound: bool,
    /// The figure of it that a person who waits wants to see.
    pub shown: String,
}

impl<T> Kept<T> {
    /// Measures until as many count as are `wanted`, or too many do not. `measure` is told how many were measured
    /// before, `what` says what of.
    ///
    /// # Errors
    /// Only an interrupt; other failures are kept as their reasons.
    pub fn collect(
        &mut self,
        wanted: usize,
        what: &str,
        progress: &mut Progress,
        mut measure: impl FnMut(usize) -> Result<Measured<T>, WindowError>,
    ) -> Result<(), WindowError> {
        for number in 0..wanted * (1 + REPEATS) {
            if self.sound.len() >= wanted {
                break;
            }
            if number >= wanted {
                progress.add_steps(1);
            }
            progress.doing(what);
            match measure(number) {
                Ok(Measured { figures, is_sound, shown }) => {
                    let said = if is_sound { "" } else { " (with steal or disturbed)" };
                    progress.done(&format!("{what}: {shown}{said}"));
                    if is_sound { &mut self.sound } else { &mut self.disturbed }.push(figures);
                }
                Err(WindowError::Interrupted) => return Err(WindowError::Interrupted),
                Err(error) => {
                    progress.done(&format!("{what}: {error}"));
                    self.failed.push(error.to_string());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(wanted: usize, outcomes: &[Option<bool>]) -> (Kept<usize>, usize) {
        let (mut kept, mut asked) = (Kept::default(), 0);
        kept.collect(wanted, "a test", &mut Progress::new("test", wanted), |number| {
            asked += 1;
            match outcomes[number % outcomes.len()] {
                Some(is_sound) => Ok(Measured { figures: number, is_sound, shown: String::new() }),
                None => Err(WindowError::Unable("the tool")),
            }
        })
        .unwrap();
        (kept, asked)
    }

    #[test]
    fn what_was_disturbed_or_failed_is_measured_again() {
        let (kept, asked) = collected(2, &[Some(false), Some(true), None, Some(true)]);
        assert_eq!((kept.sound, kept.disturbed, asked), (vec![1, 3], vec![0], 4));
        assert_eq!(kept.failed, ["the tool cannot make this load"]);
    }

    #[test]
    fn a_machine_that_is_never_quiet_is_given_up() {
        let (kept, asked) = collected(2, &[Some(false)]);
        assert_eq!((kept.sound.len(), kept.disturbed.len(), asked), (0, 6, 6));
    }

    #[test]
    fn an_interrupt_ends_it_and_keeps_what_there_is() {
        let mut kept = Kept::default();
        let ended = kept.collect(5, "a test", &mut Progress::new("test", 5), |number| match number {
            0 => Ok(Measured { figures: number, is_sound: true, shown: String::new() }),
            _ => Err(WindowError::Interrupted),
        });
        assert!(matches!(ended, Err(WindowError::Interrupted)) && kept.sound == [0]);
    }
}

//! Numbers and paths, as short as they can be written.

use std::fmt::Write;

/// With one decimal at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The `d` of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// From here on it goes on at a place.
    pub(super) fn at(mut self, x: f64, y: f64) -> Self {
        self.push('M', &[x, y]);
        self
    }

    /// A line, so far to the right.
    pub(super) fn right(mut self, by: f64) -> Self {
        self.push('h', &[by]);
        self
    }

    /// A line, so far down.
    pub(super) fn down(mut self, by: f64) -> Self {
        self.push('v', &[by]);
        self
    }

    /// Lines, each from where the last ended.
    pub(super) fn by(mut self, steps: &[[f64; 2]]) -> Self {
        self.push('l', steps.as_flattened());
        self
    }

    /// Back to where it began.
    pub(super) fn closed(mut self) -> Self {
        self.0.push('z');
        self
    }

    /// A line through all of these places. Each is written as its way from the last, as it was rounded: what is cut off does not add up.
    pub(super) fn through(mut self, places: &[[f64; 2]]) -> Self {
        let rounded = |[x, y]: [f64; 2]| [x, y].map(|it| (it * 10.0).round() / 10.0);
        let Some((&first, rest)) = places.split_first() else { return self };
        let mut last = rounded(first);
        // After a place that begins with `m`, what follows are ways.
        self.push('M', &last);
        let mut steps = Vec::new();
        for place in rest {
            let place = rounded(*place);
            steps.push([place[0] - last[0], place[1] - last[1]]);
            last = place;
        }
        if steps.is_empty() { self } else { self.by(&steps) }
    }

    fn push(&mut self, command: char, numbers: &[f64]) {
        self.0.push(command);
        for (at, value) in numbers.iter().enumerate() {
            let text = number(*value);
            // A sign parts two numbers as well as a blank does.
            let blank = if at > 0 && !text.starts_with('-') { " " } else { "" };
            let _ = write!(self.0, "{blank}{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_decimal_at_most() {
        assert_eq!([0.0, -0.04, 12.0, 12.34, -3.06].map(number), ["0", "0", "12", "12.3", "-3.1"]);
    }

    #[test]
    fn a_path_is_written_without_needless_blanks() {
        let path = Path::new().at(3.0, 5.0).down(2.0).at(0.0, -1.0).by(&[[1.0, -2.5], [0.0, 4.0]]).closed();
        assert_eq!(path.into_text(), "M3 5v2M0-1l1-2.5 0 4z");
    }

    #[test]
    fn what_is_rounded_off_a_line_does_not_add_up() {
        let places: Vec<[f64; 2]> = (0..=100).map(|at| [f64::from(at) * 0.33, 0.0]).collect();
        let text = Path::new().through(&places).into_text();
        let steps = text.split_once('l').unwrap().1.split(' ').map(|step| step.parse::<f64>().unwrap());
        assert!((steps.sum::<f64>() - 33.0).abs() < 0.05, "{text}");
        assert!(Path::new().through(&[]).is_empty());
    }
}

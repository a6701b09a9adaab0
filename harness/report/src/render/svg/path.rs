//! Numbers and paths, as short as they can be written.

/// With one decimal at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The `d` of a path. Every place is rounded before its way from the last is taken, so that what is cut off does not add up.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Path {
    text: String,
    /// Where it has come to.
    last: [f64; 2],
    /// Where its current part began.
    begun: [f64; 2],
}

impl Path {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How long its text is.
    pub(super) fn length(&self) -> usize {
        self.text.len()
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// From here on it goes on at a place: by its own numbers or by the way there, whichever is shorter.
    pub(super) fn at(mut self, x: f64, y: f64) -> Self {
        let place = [rounded(x), rounded(y)];
        let way = [place[0] - self.last[0], place[1] - self.last[1]];
        let [absolute, relative] = [written('M', &place), written('m', &way)];
        let is_first = self.text.is_empty();
        self.text.push_str(if is_first || absolute.len() <= relative.len() { &absolute } else { &relative });
        (self.last, self.begun) = (place, place);
        self
    }

    /// A line, so far to the right.
    pub(super) fn right(mut self, by: f64) -> Self {
        self.text.push_str(&written('h', &[by]));
        self.last[0] += rounded(by);
        self
    }

    /// A line, so far down.
    pub(super) fn down(mut self, by: f64) -> Self {
        self.text.push_str(&written('v', &[by]));
        self.last[1] += rounded(by);
        self
    }

    /// Lines, each from where the last ended.
    pub(super) fn by(mut self, steps: &[[f64; 2]]) -> Self {
        self.text.push_str(&written('l', steps.as_flattened()));
        for [x, y] in steps {
            self.last = [self.last[0] + rounded(*x), self.last[1] + rounded(*y)];
        }
        self
    }

    /// Back to where this part of it began.
    pub(super) fn closed(mut self) -> Self {
        self.text.push('z');
        self.last = self.begun;
        self
    }

    /// A line through all of these places.
    pub(super) fn through(self, places: &[[f64; 2]]) -> Self {
        let Some(([x, y], rest)) = places.split_first() else { return self };
        let path = self.at(*x, *y);
        let mut last = path.last;
        let mut steps = Vec::new();
        for [x, y] in rest {
            let place = [rounded(*x), rounded(*y)];
            steps.push([place[0] - last[0], place[1] - last[1]]);
            last = place;
        }
        if steps.is_empty() { path } else { path.by(&steps) }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn written(command: char, numbers: &[f64]) -> String {
    let mut text = String::from(command);
    for (at, value) in numbers.iter().enumerate() {
        let number = number(*value);
        // What is less than one needs no zero.
        let number = match number.strip_prefix("-0.") {
            Some(decimals) => format!("-.{decimals}"),
            None => number.strip_prefix("0.").map_or(number.clone(), |decimals| format!(".{decimals}")),
        };
        // A sign parts two numbers as well as a blank does.
        if at > 0 && !number.starts_with('-') {
            text.push(' ');
        }
        text.push_str(&number);
    }
    text
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
    fn a_path_goes_on_by_whatever_is_shorter() {
        let path = Path::new().at(133.0, 12.0).right(6.0).at(147.0, 12.0).right(0.0).at(0.0, 0.5).right(0.26);
        assert_eq!(path.into_text(), "M133 12h6m8 0h0M0 .5h.3");
        let closed = Path::new().at(100.0, 100.0).right(6.0).down(6.0).closed().at(101.0, 100.0).right(1.0);
        assert_eq!(closed.into_text(), "M100 100h6v6zm1 0h1");
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

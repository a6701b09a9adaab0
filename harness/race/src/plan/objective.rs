//! What is wanted of a stream's response times: `simple p99<5ms`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::plan::pointed::Pointed;

/// A percentile of a stream's response time that is to be below a bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Of which stream; of that which rows are compared by where nothing is said.
    pub stream: Option<String>,
    /// Which percentile, one of [`PERCENTILES`] as a part.
    pub q: f64,
    /// What it is to be below.
    pub below: Duration,
}

/// The percentiles that are known of every stream, as they are written and as parts.
pub const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999)];

/// Shorter than this, no request is answered; longer, a run would time it out.
const BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_micros(1)..=Duration::from_secs(3600);

const EXAMPLE: &str = "simple p99<5ms (or p99<5ms, of the stream that rows are compared by)";

impl Objective {
    /// How its percentile is called.
    pub fn percentile(&self) -> &'static str {
        PERCENTILES.iter().find(|(_, q)| *q == self.q).map_or("a percentile", |(name, _)| name)
    }
}

/// # Errors
/// [`Pointed`] at what is wrong.
impl FromStr for Objective {
    type Err = Pointed;

    fn from_str(text: &str) -> Result<Self, Pointed> {
        let refuse = |at: usize, reason: String| Err(Pointed::new(text, at, reason, EXAMPLE));
        let Some((left, right)) = text.split_once('<') else {
            return refuse(
                text.len(),
                "an objective says what a percentile is to be below, after a `<`".to_owned(),
            );
        };
        let begins = |part: &str, within: usize| within + part.len() - part.trim_start().len();
        let (head, name) = match left.trim_end().rsplit_once(char::is_whitespace) {
            Some((head, name)) => (head.trim(), name),
            None => ("", left.trim()),
        };
        let name_at = left.rfind(name).unwrap_or(0);
        let Some(&(_, q)) = PERCENTILES.iter().find(|(known, _)| *known == name) else {
            let known = PERCENTILES.map(|(name, _)| name).join(", ");
            return refuse(
                name_at,
                format!("`{name}` is no percentile that is known of every stream ({known})"),
            );
        };
        if head.contains(char::is_whitespace) {
            return refuse(begins(left, 0), format!("`{head}` is more than the name of one stream"));
        }
        let at = begins(right, left.len() + 1);
        match duration::parse(right) {
            Ok(below) if BOUNDS.contains(&below) && !right.trim().is_empty() => {
                let stream = (!head.is_empty()).then(|| head.to_owned());
                Ok(Self { stream, q, below })
            }
            Ok(_) => refuse(at, "a bound lies from 1us to 1h".to_owned()),
            Err(reason) => refuse(at, reason),
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = format!("{:?}", self.below).replace('µ', "u");
        let stream = self.stream.as_ref().map(|stream| format!("{stream} ")).unwrap_or_default();
        write!(f, "{stream}{}<{below}", self.percentile())
    }
}

impl Serialize for Objective {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Objective {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_is_read_with_blanks_or_without_and_written_as_it_reads_back() {
        let simple =
            Objective { stream: Some("simple".to_owned()), q: 0.99, below: Duration::from_millis(5) };
        for text in ["simple p99<5ms", "  simple  p99 < 5ms "] {
            assert_eq!(text.parse(), Ok(simple.clone()));
        }
        let any = Objective { stream: None, q: 0.999, below: Duration::from_micros(1_500) };
        assert_eq!("p99.9<1.5ms".parse(), Ok(any.clone()));
        for objective in [simple, any] {
            assert_eq!(objective.to_string().parse(), Ok(objective));
        }
    }

    #[test]
    fn what_is_none_is_pointed_at_and_shown_how_it_is_written() {
        let refused = [
            ("", 0, "after a `<`"),
            ("simple p99 5ms", 14, "after a `<`"),
            ("simple p98<5ms", 7, "`p98` is no percentile"),
            ("simple<5ms", 0, "`simple` is no percentile"),
            ("a b p99<5ms", 0, "`a b` is more than the name of one stream"),
            ("p99<", 4, "no duration"),
            ("p99<soon", 4, "`soon` is no duration"),
            ("p99<0", 4, "from 1us to 1h"),
            ("p99< 2h", 5, "from 1us to 1h"),
            ("é p98<1s", 2, "`p98`"),
        ];
        for (text, column, expected) in refused {
            let said = text.parse::<Objective>().unwrap_err().to_string();
            let lines: Vec<&str> = said.lines().collect();
            assert!(lines[0].contains(expected), "{text}: {said}");
            assert_eq!(lines[2].len(), 2 + column + 1, "{said}");
            assert!(lines[3].starts_with("  as in: simple p99<5ms"), "{said}");
        }
    }
}

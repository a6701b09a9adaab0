//! A mix of requests as people write it: `simple=0.8,complex?iterations=1e6=0.2`.

use std::ops::RangeInclusive;

/// What is asked for and in which proportions.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix(Vec<Part>);

/// One kind of request of a mix.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The target, relative to the URL, as written.
    pub target: String,
    /// Its part of the whole, above 0 and up to 1. Those of a mix add up to 1.
    pub share: f64,
}

impl Mix {
    /// Its parts, in the order written; never none.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }
}

/// Reads a mix. Parts are separated by commas, and a part's weight comes after its last `=`, so that a query may hold
/// others; weights are relative to their sum.
///
/// # Errors
/// A part has no target or no weight, a weight is no number in its range, or a target is there twice.
pub fn parse(text: &str) -> Result<Mix, String> {
    let weighted = text.split(',').map(|part| weighted(part.trim())).collect::<Result<Vec<_>, _>>()?;
    let sum: f64 = weighted.iter().map(|(_, weight)| weight).sum();
    let parts: Vec<Part> =
        weighted.into_iter().map(|(target, weight)| Part { target, share: weight / sum }).collect();
    for (index, part) in parts.iter().enumerate() {
        if parts[..index].iter().any(|earlier| earlier.target == part.target) {
            return Err(format!(
                "`{}` is there twice; give it once, with the sum of its weights",
                part.target
            ));
        }
    }
    Ok(Mix(parts))
}

fn weighted(part: &str) -> Result<(String, f64), String> {
    let no_weight = || format!("`{part}` has no weight: write it after a last `=`, as in `{part}=0.5`");
    let (target, weight) = part.rsplit_once('=').ok_or_else(no_weight)?;
    // In `complex?iterations=5` the number is the parameter's, and the weight is missing.
    let last_parameter = target.split_once('?').map(|(_, query)| query.rsplit('&').next().unwrap_or(query));
    if last_parameter.is_some_and(|parameter| !parameter.contains('=')) {
        return Err(no_weight());
    }
    if target.is_empty() {
        return Err(format!("`{part}` has no target: write one before the weight, as in `simple=0.5`"));
    }
    match weight.trim().parse::<f64>() {
        Ok(weight) if WEIGHTS.contains(&weight) => Ok((target.to_owned(), weight)),
        _ => Err(format!(
            "`{weight}` is no weight of `{target}`: write a number from {} to {}",
            WEIGHTS.start(),
            WEIGHTS.end()
        )),
    }
}

/// What a weight may be: what is asked for less than once in 10^12 times is not asked for.
const WEIGHTS: RangeInclusive<f64> = 1e-6..=1e6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(text: &str) -> Vec<(String, f64)> {
        parse(text).unwrap().parts().iter().map(|part| (part.target.clone(), part.share)).collect()
    }

    #[test]
    fn the_weight_comes_after_the_last_equals_sign() {
        let expected = [("simple".to_owned(), 0.8), ("complex?iterations=1e6".to_owned(), 0.2)];
        assert_eq!(shares("simple=0.8,complex?iterations=1e6=0.2"), expected);
    }

    #[test]
    fn weights_are_relative_to_their_sum() {
        assert_eq!(shares("a=1, b=3"), [("a".to_owned(), 0.25), ("b".to_owned(), 0.75)]);
    }

    #[test]
    fn a_part_that_cannot_be_meant_is_named() {
        for (text, expected) in [
            ("", "`` has no weight"),
            ("simple", "`simple` has no weight: write it after a last `=`, as in `simple=0.5`"),
            ("simple=1,", "`` has no weight"),
            ("complex?iterations=5", "`complex?iterations=5` has no weight"),
            ("complex?a=1&iterations=5", "has no weight"),
            ("=1", "`=1` has no target"),
            ("simple=0", "`0` is no weight of `simple`"),
            ("simple=-1", "`-1` is no weight"),
            ("simple=NaN", "`NaN` is no weight"),
            ("simple=inf", "`inf` is no weight"),
            ("simple=1,simple=2", "`simple` is there twice"),
            ("a=1e308,b=1e308", "`1e308` is no weight of `a`: write a number from 0.000001 to 1000000"),
            ("a=1,b=1e-300", "`1e-300` is no weight of `b`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            written in prop::collection::btree_map("/?[a-z]{1,8}(\\?[a-z]{1,5}=[0-9e]{1,5})?", 1e-6_f64..1e6, 1..6)
        ) {
            let text: Vec<String> = written.iter().map(|(target, weight)| format!("{target}={weight}")).collect();
            let sum: f64 = written.values().sum();
            let read = shares(&text.join(","));
            prop_assert_eq!(read.len(), written.len());
            for ((target, share), (expected, weight)) in read.iter().zip(&written) {
                prop_assert_eq!(target, expected);
                prop_assert!((share - weight / sum).abs() < 1e-12);
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            if let Ok(mix) = parse(&text) {
                let sum: f64 = mix.parts().iter().map(|part| part.share).sum();
                prop_assert!((sum - 1.0).abs() < 1e-9);
            }
        }
    }
}

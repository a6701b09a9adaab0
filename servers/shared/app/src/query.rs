//! Reads a query string against a table of parameters, strictly: what a client misspelt, repeated or put
//! out of range is refused by name, never silently replaced by a default.
//!
//! Values are plain decimal digits: no sign, blank, exponent or percent-encoding.

use crate::endpoint::Parameter;
use crate::rejection::{Expected, Rejection};

/// The values of `parameters`, in their order. An empty query, and empty pairs within one, are accepted.
pub(crate) fn values<const N: usize>(
    query: Option<&str>,
    parameters: &'static [Parameter; N],
) -> Result<[u64; N], Rejection> {
    let mut given = [None; N];
    for pair in query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(position) = parameters.iter().position(|parameter| parameter.name == name) else {
            return Err(bad(name, Expected::OneOf(parameters), Some(text)));
        };
        if given[position].is_some() {
            return Err(bad(name, Expected::Once, Some(text)));
        }
        given[position] = Some(number(&parameters[position], text)?);
    }

    let mut values = [0; N];
    for ((value, parameter), given) in values.iter_mut().zip(parameters).zip(given) {
        *value = given.or(parameter.default).ok_or_else(|| bad(parameter.name, range_of(parameter), None))?;
    }
    Ok(values)
}

/// Which of `words` the parameter `name`, the only one that there is, must be and is.
pub(crate) fn word(
    query: Option<&str>,
    name: &'static str,
    words: &'static [&'static str],
) -> Result<usize, Rejection> {
    let expected = Expected::Word(words);
    let mut given = None;
    for pair in query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()) {
        let (other, text) = pair.split_once('=').unwrap_or((pair, ""));
        if other != name {
            return Err(bad(other, Expected::Only(name), Some(text)));
        }
        if given.is_some() {
            return Err(bad(name, Expected::Once, Some(text)));
        }
        let position = words.iter().position(|&word| word == text);
        given = Some(position.ok_or_else(|| bad(name, expected, Some(text)))?);
    }
    given.ok_or_else(|| bad(name, expected, None))
}

fn number(parameter: &Parameter, text: &str) -> Result<u64, Rejection> {
    // `parse` alone would take a leading plus sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| text.parse().ok()).flatten();
    value
        .filter(|value| (parameter.minimum..=parameter.maximum).contains(value))
        .ok_or_else(|| bad(parameter.name, range_of(parameter), Some(text)))
}

fn range_of(parameter: &Parameter) -> Expected {
    Expected::Range { minimum: parameter.minimum, maximum: parameter.maximum }
}

fn bad(name: &str, expected: Expected, given: Option<&str>) -> Rejection {
    Rejection::BadParameter { name: shortened(name), expected, given: given.map(shortened) }
}

/// At most this many characters of a client's text are repeated to it, so that an answer cannot be made
/// as large as a request.
const REPEATED_CHARACTERS: usize = 64;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(REPEATED_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{DRAWS, ITERATIONS, MILLISECONDS, NONE};
    use proptest::prelude::*;

    const RANGE: Expected = Expected::Range { minimum: 0, maximum: 5_000_000_000 };

    fn refused(query: &str) -> (String, Expected, Option<String>) {
        match values(Some(query), &ITERATIONS) {
            Err(Rejection::BadParameter { name, expected, given }) => (name, expected, given),
            other => panic!("{query} gave {other:?}"),
        }
    }

    #[test]
    fn absent_parameters_take_their_defaults() {
        assert_eq!(values(None, &ITERATIONS), Ok([5_000_000]));
        assert_eq!(values(Some(""), &ITERATIONS), Ok([5_000_000]));
        assert_eq!(values(Some("&"), &DRAWS), Ok([100_000, 0]));
        assert_eq!(values(Some("seed=9"), &DRAWS), Ok([100_000, 9]));
    }

    #[test]
    fn a_parameter_without_default_is_asked_for_by_name() {
        let expected = Expected::Range { minimum: 0, maximum: 60_000 };
        let rejection = Rejection::BadParameter { name: "ms".to_owned(), expected, given: None };
        assert_eq!(values(None, &MILLISECONDS), Err(rejection));
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        assert_eq!(values(Some("iterations=0"), &ITERATIONS), Ok([0]));
        assert_eq!(values(Some("iterations=5000000000"), &ITERATIONS), Ok([5_000_000_000]));
        assert_eq!(values(Some("iterations=007"), &ITERATIONS), Ok([7]));
        let beyond = ["5000000001", "18446744073709551616", "99999999999999999999999999"];
        for text in beyond {
            let refusal = ("iterations".to_owned(), RANGE, Some(text.to_owned()));
            assert_eq!(refused(&format!("iterations={text}")), refusal);
        }
    }

    #[test]
    fn anything_but_digits_is_refused() {
        for text in
            ["", "+1", "-1", "1.0", "1e6", "0x10", "%31", "1%", "%", " 1", "1 ", "one", "1=2", "\u{661}"]
        {
            let refusal = ("iterations".to_owned(), RANGE, Some(text.to_owned()));
            assert_eq!(refused(&format!("iterations={text}")), refusal);
        }
        assert_eq!(refused("iterations").1, RANGE);
    }

    #[test]
    fn a_misspelt_parameter_is_refused_with_the_ones_that_exist() {
        let (name, expected, _) = refused("iteration=5");
        assert_eq!(name, "iteration");
        assert_eq!(expected.to_string(), "only iterations");
        assert_eq!(Expected::OneOf(&DRAWS).to_string(), "only count and seed");
        assert_eq!(Expected::OneOf(&NONE).to_string(), "no parameters here");
    }

    #[test]
    fn a_repeated_parameter_is_refused_even_with_an_equal_value() {
        assert_eq!(refused("iterations=1&iterations=1").1, Expected::Once);
    }

    #[test]
    fn long_text_is_repeated_only_in_part() {
        let (name, _, given) = refused(&format!("{}={}", "n".repeat(500), "\u{e9}".repeat(500)));
        assert_eq!(name, format!("{}...", "n".repeat(64)));
        assert_eq!(given, Some(format!("{}...", "\u{e9}".repeat(64))));
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused_and_never_panics(query in ".*") {
            let _ = values(Some(&query), &DRAWS);
        }

        #[test]
        fn values_within_range_are_read_in_either_order(count in 0..=100_000_000u64, seed in any::<u32>()) {
            let seed = u64::from(seed);
            prop_assert_eq!(values(Some(&format!("count={count}&seed={seed}")), &DRAWS), Ok([count, seed]));
            prop_assert_eq!(values(Some(&format!("seed={seed}&count={count}")), &DRAWS), Ok([count, seed]));
        }

        #[test]
        fn values_beyond_the_range_are_refused(value in 5_000_000_001..=u64::MAX) {
            let query = format!("iterations={value}");
            prop_assert!(values(Some(&query), &ITERATIONS).is_err());
        }
    }
}

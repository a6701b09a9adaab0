//! The four fields of an interval, where numbers have decimal points or decimal commas.
//!
//! Writers that follow their user's language print `0,127,1,007,2,769,HIST...`: the comma that separates fields is also the
//! one within numbers. How many there are, and which parts are whole numbers, leaves one way to read that, or it is
//! refused.

use super::problem::Problem;

/// Timestamp, length and maximum, in this order.
const NUMBERS: usize = 3;

/// The numbers of an interval, with decimal points, and its histogram.
pub(super) fn split(text: &str) -> Result<([String; NUMBERS], &str), Problem> {
    let (numbers, histogram) = text.rsplit_once(',').ok_or(Problem::Fields { found: 1 })?;
    let parts: Vec<&str> = numbers.split(',').map(str::trim).collect();
    let commas = parts.len().checked_sub(NUMBERS).ok_or(Problem::Fields { found: parts.len() + 1 })?;
    if commas == 0 {
        let mut whole = parts.into_iter().map(str::to_owned);
        return Ok((std::array::from_fn(|_| whole.next().unwrap_or_default()), histogram.trim()));
    }
    // Each bit says whether a number has a decimal comma.
    let mut ways = (0..1_u8 << NUMBERS)
        .filter(|commas_in| commas_in.count_ones() as usize == commas)
        .filter_map(|commas_in| numbers_of(&parts, commas_in));
    match (ways.next(), ways.next()) {
        (Some(numbers), None) => Ok((numbers, histogram.trim())),
        _ => Err(Problem::Commas { found: parts.len() + 1 }),
    }
}

fn numbers_of(parts: &[&str], commas_in: u8) -> Option<[String; NUMBERS]> {
    let mut rest = parts.iter();
    let mut numbers = [const { String::new() }; NUMBERS];
    for (index, number) in numbers.iter_mut().enumerate() {
        let whole = *rest.next()?;
        *number = if commas_in >> index & 1 == 0 {
            whole.parse::<f64>().is_ok().then(|| whole.to_owned())?
        } else {
            let decimals = *rest.next()?;
            let are_digits = is_digits(whole.strip_prefix('-').unwrap_or(whole)) && is_digits(decimals);
            are_digits.then(|| format!("{whole}.{decimals}"))?
        };
    }
    rest.next().is_none().then_some(numbers)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(text: &str) -> Result<[String; 4], Problem> {
        split(text)
            .map(|([timestamp, length, max], histogram)| [timestamp, length, max, histogram.to_owned()])
    }

    #[test]
    fn numbers_have_points_or_commas() {
        let read = ["0.127", "1.007", "2769.0", "HIST="].map(str::to_owned);
        for text in [
            "0.127,1.007,2769.0,HIST=",
            "0,127,1,007,2769,0,HIST=",
            "0,127,1,007,2769.0,HIST=",
            " 0.127, 1.007,2769.0 , HIST= ",
        ] {
            assert_eq!(fields(text).as_ref(), Ok(&read), "{text}");
        }
        assert_eq!(fields("-1,5,2,5,3,5,h").map(|fields| fields[0].clone()), Ok("-1.5".to_owned()));
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_in_none_is_refused() {
        assert_eq!(fields("1,2,3,4,HIST"), Err(Problem::Commas { found: 5 }));
        assert_eq!(fields("1,2,3,4,5,HIST"), Err(Problem::Commas { found: 6 }));
        assert_eq!(fields("1.0,2.0,3.0,4.0,HIST"), Err(Problem::Commas { found: 5 }));
        assert_eq!(fields("1,2,3,4,5,6,7,HIST"), Err(Problem::Commas { found: 8 }));
        assert_eq!(fields("1,-2,3,4,5,6,HIST"), Err(Problem::Commas { found: 7 }));
        for (text, found) in [("", 1), ("1.0", 1), ("1.0,HIST", 2), ("1.0,2.0,HIST", 3)] {
            assert_eq!(fields(text), Err(Problem::Fields { found }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn three_decimal_commas_are_always_read(numbers in prop::array::uniform3(0.0_f64..1e9), decimals in 1_usize..7) {
            let points = numbers.map(|number| format!("{number:.decimals$}"));
            let commas = points.clone().map(|number| number.replace('.', ","));
            let text = format!("{},h", commas.join(","));
            prop_assert_eq!(split(&text), Ok((points, "h")));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-0-9.,eN ]{0,30}|\\PC{0,20}") {
            let _ = split(&text);
        }
    }
}

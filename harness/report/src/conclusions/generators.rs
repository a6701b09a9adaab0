//! What is to be known of a load that generators on several hosts made together.

use std::collections::BTreeSet;

use race::records::window::{Measured, StreamRecord};
use stats::summary::{MedianInterval, median_interval};
use terminal::numbers;

use super::instrument::OfRow;
use crate::model::Said;

/// Generators whose times are within this factor of each other have measured the same.
const AGREE_WITHIN: f64 = 1.1;

/// Whether those that had little to do found what the others did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Agree,
    Differ,
    CannotTell,
}

/// Which hosts made the load of these windows, and whether their figures agree; nothing where one generator made it.
pub(crate) fn findings(rows: &[OfRow<'_>]) -> Option<Said> {
    let windows: Vec<&Measured> = rows.iter().flat_map(|(_, windows)| windows.iter().copied()).collect();
    let parts = || windows.iter().flat_map(|window| &window.parts);
    let named = |measures: bool| -> Vec<&str> {
        let names: BTreeSet<&str> =
            parts().filter(|part| part.measures == measures).map(|part| part.host.as_str()).collect();
        names.into_iter().collect()
    };
    let (measuring, loading) = (named(true), named(false));
    let within_ns = parts().map(|part| part.clock_within_ns).max()?;
    let within = numbers::time(2.0 * within_ns as f64 / 1e3);
    let together =
        format!("their windows began within {within} of each other, as far as clocks can be compared");
    if loading.is_empty() {
        let hosts = measuring.join(", ");
        return Some(Said::from(format!("The load was made by generators on {hosts}; {together}.")));
    }
    let (p50, p99) = (ratios(&windows, 0.5), ratios(&windows, 0.99));
    let verdict = verdict(&[&p50, &p99]);
    let times = |what: &str, ratio: &Option<MedianInterval>| match ratio {
        Some(MedianInterval { median, low, high, .. }) => {
            format!("a {what} of {median:.2} times [{low:.2}, {high:.2}]")
        }
        None => format!("no {what} to compare with"),
    };
    let concluded = match verdict {
        Verdict::Agree => "they agree within a tenth",
        Verdict::Differ => {
            "they do not agree, so that generators with as much to do as the others add to what they measure; the times of this \
             report are those of the lightly loaded"
        }
        Verdict::CannotTell => "whether they agree within a tenth cannot be told",
    };
    Some(Said {
        text: format!(
            "Generators with little to do measured on {}, while those on {} made the rest of the load; {together}. They found {} and {} of \
             what the others found: {concluded}.",
            measuring.join(", "),
            loading.join(", "),
            times("median", &p50),
            times("p99", &p99),
        ),
        is_warning: verdict == Verdict::Differ,
    })
}

/// The `q`-quantile of those that measured over that of those that loaded, in the middle of all windows and streams.
fn ratios(windows: &[&Measured], q: f64) -> Option<MedianInterval> {
    let ratio = |stream: &StreamRecord| {
        let loading = stream.loading_times()?.quantile_ns(q)? as f64;
        // What was never answered has no place on the other side.
        let measured = stream.response_times().quantile(q).filter(|time| !time.is_bound())?.ns() as f64;
        (loading > 0.0).then_some(measured / loading)
    };
    let all: Vec<f64> = windows.iter().flat_map(|window| &window.streams).filter_map(ratio).collect();
    median_interval(&all).filter(MedianInterval::is_confident)
}

fn verdict(ratios: &[&Option<MedianInterval>]) -> Verdict {
    let one = |ratio: &&Option<MedianInterval>| match ratio {
        Some(MedianInterval { low, high, .. }) if *low >= 1.0 / AGREE_WITHIN && *high <= AGREE_WITHIN => {
            Verdict::Agree
        }
        Some(MedianInterval { low, high, .. }) if *low > AGREE_WITHIN || *high < 1.0 / AGREE_WITHIN => {
            Verdict::Differ
        }
        _ => Verdict::CannotTell,
    };
    let all: Vec<Verdict> = ratios.iter().map(one).collect();
    match () {
        () if all.contains(&Verdict::Differ) => Verdict::Differ,
        () if all.contains(&Verdict::CannotTell) => Verdict::CannotTell,
        () => Verdict::Agree,
    }
}

#[cfg(test)]
mod tests {
    use race::{
        fixtures::{always, sound},
        records::window::PartRecord,
    };

    use super::*;

    fn part(host: &str, measures: bool) -> PartRecord {
        PartRecord {
            host: host.to_owned(),
            measures,
            clock_within_ns: 40_000,
            generator: sound().generator,
            streams: Vec::new(),
        }
    }

    /// What is said where those that measured found `own_us`, and the others `others_us`, window by window.
    fn said(own_us: u64, others_us: &[u64]) -> Said {
        let windows: Vec<Measured> = others_us
            .iter()
            .map(|&others_us| {
                let mut window = sound();
                window.parts = vec![part("light", true), part("heavy", false)];
                window.streams[0].response = always(own_us);
                window.streams[0].loading = Some(always(others_us));
                window
            })
            .collect();
        findings(&[("row".to_owned(), windows.iter().collect())]).unwrap()
    }

    #[test]
    fn generators_that_found_the_same_agree_and_one_that_adds_to_what_it_measures_does_not() {
        let agree = said(100, &[100; 8]);
        assert!(agree.text.contains("they agree within a tenth") && !agree.is_warning, "{}", agree.text);
        assert!(agree.text.contains("measured on light, while those on heavy"), "{}", agree.text);
        let differ = said(100, &[200; 8]);
        assert!(differ.text.contains("0.50 times [0.50, 0.50]") && differ.is_warning, "{}", differ.text);
        let spread = said(100, &[50, 100, 200, 60, 100, 150, 100, 90]);
        assert!(spread.text.contains("cannot be told") && !spread.is_warning, "{}", spread.text);
        let few = said(100, &[100; 2]);
        assert!(few.text.contains("no median to compare with"), "{}", few.text);
    }

    #[test]
    fn where_all_measure_the_hosts_are_named_and_one_generator_is_not_worth_a_word() {
        let mut window = sound();
        assert_eq!(findings(&[("row".to_owned(), vec![&window])]).map(|said| said.text), None);
        window.parts = vec![part("b", true), part("a", true)];
        let said = findings(&[("row".to_owned(), vec![&window])]).unwrap();
        assert!(
            said.text.starts_with("The load was made by generators on a, b; their windows"),
            "{}",
            said.text
        );
    }
}

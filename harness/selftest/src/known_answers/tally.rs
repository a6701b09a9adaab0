//! All races together: how often each figure of each entrant was found, and whether that is what was planted.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

use report::compared::Figure;

use super::{
    asked::{Asked, Verdict},
    field::{Entrant, FIGURES},
    record::{AgainstPlain, Finding, Found},
};

/// One line of the table: a figure of an entrant, or the note that it stalls now and then.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// Whose.
    pub(super) entrant: Entrant,
    /// Which figure.
    pub(super) figure: String,
    /// Races that could be judged.
    pub(super) judged: u32,
    /// Those in which it was found: in either direction where nothing is asked for or nothing is asked, else in that of what was planted.
    pub(super) found: u32,
    /// The median over races of the ratio to the plain row; absent for the note.
    pub(super) ratio: Option<f64>,
    /// What is asked; `None` for a figure that is only shown.
    pub(super) asked: Option<Asked>,
}

impl Line {
    /// Whether it holds; `None` where nothing is asked.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.asked.map(|asked| asked.verdict(self.found, self.judged))
    }
}

/// What the note on stalls is called among the figures.
const NOTE: &str = "said to stall";

/// The lines of the table.
pub(super) fn lines(found: &Found) -> Vec<Line> {
    Entrant::ALL.into_iter().flat_map(|entrant| of_entrant(found, entrant)).collect()
}

fn of_entrant(found: &Found, entrant: Entrant) -> Vec<Line> {
    let races: Vec<&AgainstPlain> = found.races.iter().filter_map(|race| race.entrant(entrant)).collect();
    let of_figure = |figure: Figure| {
        let figure_name = figure.name();
        let asked = entrant.asked(figure);
        let compared = || races.iter().filter_map(|race| race.figure(&figure_name));
        let count = |is: &dyn Fn(Finding) -> bool| {
            compared().filter(|compared| is(compared.finding)).count().try_into().unwrap_or(u32::MAX)
        };
        let ratios = compared().filter_map(super::record::Compared::ratio).collect();
        Line {
            entrant,
            judged: count(&|finding| finding != Finding::NotJudged),
            found: count(&|finding| match asked {
                Some(Asked::Difference | Asked::AtTimes) => finding == Finding::More,
                Some(Asked::Nothing) | None => matches!(finding, Finding::More | Finding::Less),
            }),
            ratio: median(ratios),
            asked,
            figure: figure_name,
        }
    };
    let mut lines: Vec<Line> = FIGURES.into_iter().map(of_figure).collect();
    let said = races.iter().filter(|race| race.stalls_now_and_then).count();
    lines.push(Line {
        entrant,
        figure: NOTE.to_owned(),
        judged: races.len().try_into().unwrap_or(u32::MAX),
        found: said.try_into().unwrap_or(u32::MAX),
        ratio: None,
        asked: (entrant == Entrant::Stalls).then_some(Asked::Difference),
    });
    lines
}

/// The worst of all verdicts; one that nothing was judged for is none that passed.
pub(super) fn verdict(lines: &[Line]) -> Verdict {
    lines.iter().filter_map(Line::verdict).max().unwrap_or(Verdict::CannotTell)
}

/// The table, in plain text.
pub(super) fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "planted",
        "figure",
        "ratio, median",
        "found",
        "asked",
        "fails by chance",
        "verdict",
    ]);
    for line in lines {
        let asked = line.asked.map(|asked| {
            let (limit, word) =
                (asked.limit(line.judged), if asked == Asked::Nothing { "most" } else { "least" });
            [
                format!("at {word} {limit}"),
                format!("{:.1}%", 100.0 * asked.failed_by_chance(line.judged)),
                shown(asked.verdict(line.found, line.judged)).to_owned(),
            ]
        });
        let [limit, chance, verdict] = asked.unwrap_or_else(|| ["-", "-", "-"].map(str::to_owned));
        table.add_row([
            line.entrant.planted().to_owned(),
            line.figure.clone(),
            line.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}")),
            format!("{} of {}", line.found, line.judged),
            limit,
            chance,
            verdict,
        ]);
    }
    for column in 2..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn shown(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::CannotTell => "CANNOT TELL",
        Verdict::Fail => "FAIL",
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| values[(n - 1) / 2].midpoint(values[n / 2]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::known_answers::{
        field::Dose,
        record::{Compared, Race},
    };

    /// What one race finds: by entrant, in the order of [`FIGURES`], and whether it is said to stall.
    type Findings = fn(usize, Entrant) -> ([Finding; 4], bool);

    fn found(races: usize, findings: Findings) -> Found {
        let of_race = |race: usize| Race {
            seed: race as u64,
            began: "2026-11-27T06:00:00+00:00".to_owned(),
            gate_step: Some(0.01),
            kept_and_dropped: [150, 10],
            failures: Vec::new(),
            entrants: Entrant::ALL
                .map(|entrant| {
                    let (findings, stalls_now_and_then) = findings(race, entrant);
                    let compared = FIGURES.iter().zip(findings).map(|(figure, finding)| Compared {
                        figure: figure.name(),
                        log_ratios: vec![Some(0.01 * race as f64), None, Some(0.01 * race as f64)],
                        finding,
                    });
                    AgainstPlain { entrant, figures: compared.collect(), stalls_now_and_then }
                })
                .into(),
        };
        Found {
            made_by: "`harness selftest --comparison` on 2026-11-27".to_owned(),
            starts: 8,
            rounds: 4,
            dose: Dose { per_second: 50_000.0, cpu_us: 8.0, burn_steps: 240, p99_us: 150.0, hold_us: 260.0 },
            races: (0..races).map(of_race).collect(),
        }
    }

    const NOTHING: [Finding; 4] = [Finding::Nothing; 4];

    /// A comparison that is right but for one wrong race in `every`.
    fn right_but(race: usize, every: usize, entrant: Entrant) -> ([Finding; 4], bool) {
        let errs = race % every == every - 1;
        match entrant {
            Entrant::Again if errs => {
                ([Finding::Less, Finding::Nothing, Finding::Nothing, Finding::More], false)
            }
            Entrant::Again => (NOTHING, false),
            _ if errs => (NOTHING, false),
            Entrant::Burns => ([Finding::Nothing, Finding::More, Finding::Nothing, Finding::Nothing], false),
            Entrant::Holds => ([Finding::Nothing, Finding::Nothing, Finding::More, Finding::More], false),
            Entrant::Stalls => ([Finding::Nothing, Finding::Nothing, Finding::Nothing, Finding::More], true),
        }
    }

    fn line(lines: &[Line], entrant: Entrant, figure: &str) -> Line {
        lines.iter().find(|line| line.entrant == entrant && line.figure == figure).unwrap().clone()
    }

    #[test]
    fn every_figure_is_a_row_with_what_is_asked_of_it() {
        insta::assert_snapshot!(table(&lines(&found(60, |race, entrant| right_but(race, 10, entrant)))));
    }

    #[test]
    fn a_comparison_that_errs_once_in_ten_passes_and_one_that_errs_once_in_four_fails() {
        assert_eq!(verdict(&lines(&found(60, |race, entrant| right_but(race, 10, entrant)))), Verdict::Pass);
        let often = lines(&found(60, |race, entrant| right_but(race, 4, entrant)));
        assert_eq!(verdict(&often), Verdict::Fail);
        for (entrant, figure, count) in [
            (Entrant::Again, "p50", 15),
            (Entrant::Again, "p99", 15),
            (Entrant::Burns, "CPU a request", 45),
            (Entrant::Holds, "p99", 45),
            (Entrant::Stalls, NOTE, 45),
        ] {
            let line = line(&often, entrant, figure);
            assert_eq!(
                (line.found, line.judged, line.verdict()),
                (count, 60, Some(Verdict::Fail)),
                "{figure}"
            );
        }
        assert_eq!(line(&often, Entrant::Again, "p95").verdict(), Some(Verdict::Pass));
        assert_eq!(line(&often, Entrant::Holds, "p95").verdict(), None, "it is shown, and nothing is asked");
    }

    #[test]
    fn a_difference_that_is_found_the_wrong_way_round_is_not_found() {
        let lines = lines(&found(60, |race, entrant| match entrant {
            Entrant::Burns => ([Finding::Less; 4], false),
            _ => right_but(race, 100, entrant),
        }));
        let cpu = line(&lines, Entrant::Burns, "CPU a request");
        assert_eq!((cpu.found, cpu.verdict()), (0, Some(Verdict::Fail)));
    }

    #[test]
    fn races_that_could_not_be_judged_count_neither_way() {
        let disturbed: Findings = |race, entrant| {
            if race < 20 { ([Finding::NotJudged; 4], false) } else { right_but(race, 100, entrant) }
        };
        let lines = lines(&found(60, disturbed));
        let cpu = line(&lines, Entrant::Burns, "CPU a request");
        assert_eq!((cpu.found, cpu.judged, cpu.verdict()), (40, 40, Some(Verdict::Pass)));
    }

    #[test]
    fn without_races_nothing_has_passed() {
        assert_eq!(verdict(&lines(&found(0, |_, _| (NOTHING, false)))), Verdict::CannotTell);
        assert_eq!(
            verdict(&lines(&found(1, |race, entrant| right_but(race, 100, entrant)))),
            Verdict::CannotTell
        );
        assert_eq!(verdict(&lines(&found(9, |race, entrant| right_but(race, 100, entrant)))), Verdict::Pass);
    }
}

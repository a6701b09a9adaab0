//! What the rows of a report are: one line each, with a column for each factor.

use comfy_table::{Table, presets::ASCII_MARKDOWN};

use race::registry::{Factors, Row};

/// The section, under a heading of so many `#`; empty for records of before rows said what they are.
pub(crate) fn section(level: &str, rows: &[Row]) -> String {
    if rows.iter().all(|row| row.factors.is_none()) {
        return String::new();
    }
    let mut table = Table::new();
    let header = ["row", "tier"].into_iter().chain(Factors::NAMES).chain(["about"]);
    table.load_style(ASCII_MARKDOWN).set_header(header);
    for row in rows {
        let factors = row
            .factors
            .map_or_else(|| Factors::NAMES.map(|_| "unknown".to_owned()), |factors| factors.values());
        let about = row.about.replace('|', "\\|").replace('\n', " ");
        table.add_row([row.name.clone(), row.tier.to_string()].into_iter().chain(factors).chain([about]));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    format!("\n{level} What the rows are\n\n{}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_said_of_a_row_is_unknown_and_where_nobody_said_anything_there_is_no_table() {
        let given = Row::given("mine".to_owned(), vec!["x".to_owned()]);
        assert_eq!(section("##", std::slice::from_ref(&given)), "");
        let example = r#"{"workers":"process","pinned":true,"accept":"shared-listener","io":"epoll","stealing":false,"placement":"inline"}"#;
        let factors = serde_json::from_str(example).unwrap();
        let text = section(
            "##",
            &[given.clone(), Row { name: "theirs".to_owned(), factors: Some(factors), ..given }],
        );
        let line = |name: &str| {
            text.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap().to_owned()
        };
        assert_eq!(line("mine").matches("unknown").count(), 6, "{text}");
        let cells: Vec<String> = line("theirs").split('|').map(|cell| cell.trim().to_owned()).collect();
        assert_eq!(cells[3..9], ["process", "yes", "shared-listener", "epoll", "no", "inline"]);
    }
}

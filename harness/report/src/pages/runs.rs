//! The runs that there are, published or not, whole or damaged: a line each.

use race::{
    programs::workspace::Workspace,
    records::{
        folder::Folder,
        log::SCHEMA,
        outline::{Outline, folders_below},
        reading::Damage,
    },
};
use serde::Serialize;

use crate::{
    counts::planned::Planned,
    model::{Cell, Column, Group, Table},
    pages::published::Published,
};

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The name of its folder.
    pub name: String,
    /// When it began, RFC 3339; absent where nothing says so.
    pub started: Option<String>,
    /// The command that made it.
    pub command: Option<String>,
    /// The scenarios that it was to measure.
    pub scenarios: Vec<String>,
    /// Starts of all servers that were finished; absent where they cannot be counted.
    pub finished: Option<usize>,
    /// Starts that were planned.
    pub planned: Option<u32>,
    /// Passes of experiments that were finished; absent where they cannot be counted.
    pub passes_finished: Option<usize>,
    /// Passes that were planned; absent where they cannot be counted.
    pub passes_planned: Option<usize>,
    /// Whether it is published.
    pub is_published: bool,
    /// The schema of its records; absent where nothing was measured.
    pub schema: Option<u32>,
    /// What is wrong with its records; those of an earlier schema are only old.
    pub damage: Option<String>,
}

/// All runs in results/, oldest first.
pub fn listed(workspace: &Workspace, published: &Published) -> Vec<Listed> {
    let runs = folders_below(&workspace.results()).into_iter();
    runs.map(|(folder, outline)| Listed::of(&folder, outline, published)).collect()
}

impl Listed {
    fn of(folder: &Folder, outline: Outline, published: &Published) -> Self {
        let Outline { started, command, scenarios, starts, schema } = outline;
        let (counted, damage) = match schema {
            // What an earlier harness wrote is whole as far as anybody knows.
            Some(schema) if schema != SCHEMA => (None, None),
            _ => match folder.contents() {
                Ok(contents) => {
                    let told = Damage::told(&contents.damage);
                    let damage = (!told.is_empty()).then(|| told.join(" "));
                    (Some(Planned::of(&contents)), damage)
                }
                Err(error) => (None, Some(format!("{:#}", anyhow::Error::from(error)))),
            },
        };
        let name = folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_published = published.find(folder.path()).is_some();
        Self {
            name,
            started,
            command,
            scenarios,
            finished: counted.map(|counted| counted.starts_finished),
            planned: counted.map(|counted| counted.starts).or(starts),
            passes_finished: counted.map(|counted| counted.passes_finished),
            passes_planned: counted.map(|counted| counted.passes),
            is_published,
            schema,
            damage,
        }
    }

    /// `8 of 8`, and of experiments `5 of 5 passes`.
    fn starts(&self) -> String {
        if self.damage.is_some() {
            return "damaged".to_owned();
        }
        let passes = self.passes_finished.zip(self.passes_planned).filter(|(_, planned)| *planned > 0);
        // A run of experiments alone has no starts.
        let starts = self.finished.zip(self.planned).filter(|(_, planned)| *planned > 0 || passes.is_none());
        let said = starts.map(|(finished, planned)| format!("{finished} of {planned}"));
        let passes = passes.map(|(finished, planned)| format!("{finished} of {planned} passes"));
        let said: Vec<String> = said.into_iter().chain(passes).collect();
        if said.is_empty() { "-".to_owned() } else { said.join(", ") }
    }
}

/// The runs for people.
pub fn table(runs: &[Listed]) -> Table {
    let or_unknown = |text: Option<&str>| Cell::text(text.unwrap_or("unknown"));
    let line = |run: &Listed| {
        // Without seconds and the zone: it is to be recognised.
        let when =
            run.started.as_deref().map(|started| started.get(..16).unwrap_or(started).replace('T', " "));
        let schema =
            run.schema.map_or_else(Cell::none, |schema| Cell::number(schema.to_string(), f64::from(schema)));
        vec![
            Cell::text(&run.name),
            or_unknown(when.as_deref()),
            Cell::text(run.starts()),
            Cell::text(if run.is_published { "yes" } else { "no" }),
            schema,
            or_unknown(run.command.as_deref()),
            Cell::text(run.scenarios.join(", ")),
        ]
    };
    Table {
        id: "runs".to_owned(),
        columns: vec![
            Column::text("run", "run"),
            Column::text("began", "started"),
            Column::text("starts", "starts"),
            Column::text("published", "is_published").optional(),
            Column::number("schema", "schema").optional(),
            Column::text("command", "command").optional(),
            Column::text("scenarios", "scenarios").optional(),
        ],
        groups: vec![Group { heading: None, rows: runs.iter().map(line).collect() }],
        ..Table::default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use race::fixtures::run::write;

    use super::*;
    use crate::made_up::{around, experimented, raced, supervised};

    #[test]
    fn a_damaged_run_is_listed_with_what_is_wrong_and_the_others_beside_it() {
        let root = tempfile::tempdir().unwrap();
        for file in ["harness/servers.toml", "results/damaged/run.json"] {
            fs::create_dir_all(root.path().join(file).parent().unwrap()).unwrap();
        }
        fs::create_dir_all(root.path().join("harness/scenarios")).unwrap();
        fs::write(root.path().join("harness/servers.toml"), "").unwrap();
        fs::write(root.path().join("results/damaged/run.json"), "{").unwrap();
        let contents = raced("mixed", &["work-stealing"], (2, 1), |_| around(800));
        write(&contents, &root.path().join("results/whole")).unwrap();
        let workspace = Workspace::at_or_above(root.path()).unwrap();
        let published = Published::read(&workspace).unwrap();
        let experiments = experimented("reload", supervised(), 2, |_| {});
        write(&experiments, &root.path().join("results/experiments")).unwrap();
        let runs = listed(&workspace, &published);
        let whole = runs.iter().find(|run| run.name == "whole").unwrap();
        assert_eq!((whole.finished, whole.planned, whole.schema), (Some(2), Some(2), Some(SCHEMA)));
        assert_eq!((whole.damage.as_deref(), whole.is_published), (None, false));
        let damaged = runs.iter().find(|run| run.name == "damaged").unwrap();
        assert!(damaged.damage.as_deref().is_some_and(|damage| damage.contains(".json")), "{damaged:?}");
        let table = table(&runs);
        let starts: Vec<&str> = table.lines().map(|(_, cells)| cells[2].text.as_str()).collect();
        assert_eq!((runs.len(), starts.contains(&"damaged"), starts.contains(&"2 of 2")), (3, true, true));
        // One of experiments has passes instead.
        assert!(starts.contains(&"2 of 2 passes"), "{starts:?}");
    }
}

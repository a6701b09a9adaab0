//! The programs of many rows, built one after another. What cannot be built is told, and the rest goes on.

use std::{collections::HashMap, path::PathBuf};

use crate::{
    programs::{
        builder::{Alone, BuildError, Built, build_alone},
        context::Context,
        own_build::make,
        workspace::Workspace,
    },
    registry::Row,
};
use terminal::progress::Progress;

/// Builds the programs of `rows` into `context`, each package once. `failed` is told each row that has no program, and why.
/// Ends early when a person asks for it.
pub fn build_all(
    rows: &[Row],
    context: &mut Context,
    workspace: &Workspace,
    mut failed: impl FnMut(&Progress, &str, String),
) {
    let progress = Progress::new("building", rows.len());
    let mut binaries = HashMap::new();
    for row in rows {
        if context.interrupt.asked() {
            break;
        }
        progress.doing(row.name.clone());
        match build(row, &mut binaries, context, workspace, &progress) {
            Ok(program) => {
                progress.done(&row.name);
                context.programs.insert(row.name.clone(), program);
            }
            Err(_) if context.interrupt.asked() => break,
            Err(error) => failed(&progress, &row.name, error.to_string()),
        }
    }
}

/// Builds what `row` needs and is not among `binaries` yet.
fn build(
    row: &Row,
    binaries: &mut HashMap<String, PathBuf>,
    context: &Context,
    workspace: &Workspace,
    progress: &Progress,
) -> Result<Built, BuildError> {
    for package in row.packages() {
        if !binaries.contains_key(package) {
            let heard = |krate: &str| progress.doing(format!("{}: {krate}", row.name));
            let alone = Alone { package, example: None, profile: context.profile };
            let binary = build_alone(&alone, workspace.root(), &context.guard, &context.interrupt, heard)?;
            binaries.insert(package.clone(), binary);
        }
    }
    make(row, workspace.root(), &context.guard, &context.interrupt, |line| progress.say(line))?;
    Built::of(row, workspace.root(), binaries, context.profile)
}

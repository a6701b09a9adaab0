//! The programs of many rows, built one after another. What cannot be built is told, and the rest goes on.

use std::collections::HashMap;

use crate::{
    builder::{self, Built},
    context::Context,
    progress::Progress,
    registry::{Program, Row},
    workspace::Workspace,
};

/// Builds the programs of `rows` into `context`; rows of one package share its binary. `failed` is told each row that has
/// no program, and why. Ends early when a person asks for it.
pub(crate) fn build_all(
    rows: &[Row],
    context: &mut Context,
    workspace: &Workspace,
    mut failed: impl FnMut(&Progress, &str, String),
) {
    let progress = Progress::new("building", rows.len());
    let mut built: HashMap<&Program, Built> = HashMap::new();
    for row in rows {
        if context.interrupt.asked() {
            break;
        }
        progress.doing(row.name.clone());
        let program = match built.get(&row.program) {
            Some(program) => Ok(Built::clone(program)),
            None => builder::build(row, workspace.root(), &context.guard, &context.interrupt, |krate| {
                progress.doing(format!("{}: {krate}", row.name));
            }),
        };
        match program {
            Ok(program) => {
                progress.done(&row.name);
                built.insert(&row.program, program.clone());
                context.programs.insert(row.name.clone(), program);
            }
            Err(_) if context.interrupt.asked() => break,
            Err(error) => failed(&progress, &row.name, error.to_string()),
        }
    }
}

//! What a run found, ready to be written in any format: the one plain value that every renderer takes.

use race::records::folder::Contents;

use crate::section::Section;

/// What a run found, ready to be written in any format.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The records that it is made from.
    pub contents: &'a Contents,
    /// One part for each scenario.
    pub sections: Vec<Section>,
}

impl<'a> Report<'a> {
    /// Draws the conclusions from a folder's records.
    pub fn new(contents: &'a Contents) -> Self {
        let scenarios = contents.run.plan.scenarios.iter();
        Self { contents, sections: scenarios.map(|scenario| Section::new(scenario, contents)).collect() }
    }
}

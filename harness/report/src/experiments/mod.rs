//! What a run found of its experiments: what failed when something of a row ended, how soon the row was itself again, and who put it right.
//!
//! Rows are not ranked here: each was loaded at half of what it can carry itself, and what each owes differs by what it is made of.

mod answer;
mod figures;
mod incomplete;
mod owes;
mod passes;
mod plot;
pub(crate) mod recovery;
pub(crate) mod rows;
mod section;
mod table;
mod times;
mod words;

pub(crate) use section::of;

#[cfg(test)]
mod tests;

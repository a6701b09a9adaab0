//! How a report is shown: one small renderer a format, each a pure function of the model.

pub mod blocks;
pub(crate) mod clean;
pub(crate) mod code_span;
pub mod csv;
pub(crate) mod fit;
pub mod html;
pub mod markdown;
pub mod summary;
pub mod svg;
pub mod text;
pub(crate) mod wrap;

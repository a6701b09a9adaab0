//! What counts of a run's records, and what it comes to for each row.

pub(crate) mod carried;
pub mod compared;
pub(crate) mod entered;
pub(crate) mod kept;
pub(crate) mod middle;
pub(crate) mod planned;
pub(crate) mod side_by_side;
pub(crate) mod times;
pub(crate) mod value;

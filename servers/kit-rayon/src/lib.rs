//! Operations on a rayon pool, for every row that offloads.

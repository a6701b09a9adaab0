//! Starts the originals that are not this project's code, and speaks for them.

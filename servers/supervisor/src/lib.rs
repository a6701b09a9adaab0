//! A primary that starts, watches and replaces worker processes.

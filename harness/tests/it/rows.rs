//! What the tests that make up registries share.

/// What a made-up row says that it is.
pub(crate) const FACTORS: &str = "factors = { workers = 'single', pinned = false, accept = 'single-acceptor', io = 'epoll', \
                           stealing = false, placement = 'inline' }\n";

//! The arguments that say how many children there are, and the [`Children`] that they become.

use std::num::NonZeroUsize;

use clap::Args;
use supervisor::Patience;

/// The server's name, and its children's in lists of processes.
pub const SERVER: &str = "process-offload";

/// Arguments as they are typed.
#[derive(Args, Clone, Debug)]
pub struct ChildrenArgs {
    /// Processes that compute, each one operation at a time [default: as many as there are workers]
    #[arg(long, env = "SERVER_CHILDREN", value_name = "N", value_parser = kit::args::threads())]
    children: Option<NonZeroUsize>,

    /// Operations that may wait for a child; beyond it the answer is 503
    #[arg(long, env = "SERVER_QUEUE", default_value = "1024", value_name = "N", value_parser = kit::args::queue())]
    queue: usize,

    /// Start a child for each operation, --children at a time, instead of keeping them. Of the rules of supervision
    /// --hang-timeout alone counts then
    #[arg(long, env = "SERVER_PER_REQUEST")]
    per_request: bool,

    #[command(flatten)]
    patience: Patience,
}

/// How operations get children.
#[derive(Clone, Debug)]
pub struct Children {
    /// How many there are at a time.
    pub count: NonZeroUsize,
    /// Operations that may wait for one; beyond it the answer is 503.
    pub queue: usize,
    /// When they are started.
    pub when: When,
    /// For how long one may do nothing, and how often it may end.
    pub patience: Patience,
}

/// When children are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// With the server. They stay.
    Ahead,
    /// Each for one operation.
    PerRequest,
}

impl ChildrenArgs {
    /// The children of a server with `workers` workers.
    pub fn into_children(self, workers: usize) -> Children {
        Children {
            count: self.children.unwrap_or(NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN)),
            queue: self.queue,
            when: if self.per_request { When::PerRequest } else { When::Ahead },
            patience: self.patience,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        children: ChildrenArgs,
    }

    fn children(arguments: &[&str]) -> Children {
        Arguments::try_parse_from([&["server"], arguments].concat()).unwrap().children.into_children(3)
    }

    #[test]
    fn there_are_as_many_children_as_workers_unless_it_is_told() {
        let default = children(&[]);
        assert_eq!((default.count.get(), default.queue, default.when), (3, 1024, When::Ahead));
        let typed = children(&["--children", "5", "--queue", "8", "--per-request"]);
        assert_eq!((typed.count.get(), typed.queue, typed.when), (5, 8, When::PerRequest));
    }

    #[test]
    fn the_numbers_have_ranges_that_their_refusals_state() {
        for (argument, range) in [
            ("--children", "from 1 to 32768"),
            ("--queue", "from 0 to 10000000"),
            ("--hang-timeout", "from 1s to 24h"),
            ("--max-crashes", "from 1 to 1000"),
        ] {
            for value in ["-1", "18446744073709551615", "99999999999999999999", "NaN", "1e300"] {
                let typed = ["server", &format!("{argument}={value}")];
                let refused = Arguments::try_parse_from(typed).map(drop).unwrap_err().to_string();
                assert!(refused.contains(range), "{refused}");
            }
        }
    }
}

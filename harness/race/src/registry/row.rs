//! What a row is, once its table was read.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    deviation::Deviation,
    factors::Factors,
    requirement::Requirement,
    sizing::{Sizing, Variant},
    supervision::{Reload, WorkerProcesses},
};

/// What may be concluded from a row beside others: no rank is ever given across tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// hyper 1 and kit: only the architecture differs.
    Controlled,
    /// A framework with its own HTTP, as shipped.
    Native,
    /// Not this project's code.
    Reference,
    /// The null server: it says what the machine and the generator allow, and never ranks.
    Calibration,
}

impl Tier {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Controlled, Self::Native, Self::Reference, Self::Calibration];
    /// Those whose rows are compared with each other.
    pub const COMPARED: [Self; 3] = [Self::Controlled, Self::Native, Self::Reference];
}

/// What an endpoint computes, by the name that scenarios and rows use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationName {
    /// The cheap sum.
    Simple,
    /// The expensive sum.
    Complex,
    /// The expensive draws.
    Randoms,
    /// A wait without a CPU, as for a slow backend.
    Delay,
}

impl OperationName {
    /// Every operation that a scenario can ask for.
    pub const ALL: [Self; 4] = [Self::Simple, Self::Complex, Self::Randoms, Self::Delay];

    /// Whether its size is calibrated, so that it takes as long as a scenario says.
    pub fn is_calibrated(self) -> bool {
        matches!(self, Self::Complex | Self::Randoms)
    }
}

/// How a server says that it accepts connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// By its ready line. It chooses its port, and is given `--listen` and `--cpus`.
    #[default]
    Line,
    /// By answering HTTP on a port that the harness chooses. It is given nothing but what its arguments say.
    Http,
}

/// How long a server may take until it accepts, where nothing is said.
pub(super) const DEFAULT_READY_WITHIN: Duration = Duration::from_secs(10);

/// One measurable server configuration.
/// Files and records have it as a `Table`, in the file of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// How the row is called everywhere.
    pub name: String,
    /// Where connections live and where operations run, in one line.
    pub about: String,
    /// Who it may be ranked with.
    pub tier: Tier,
    /// The program: a workspace package that is built for it, or a command.
    pub program: Program,
    /// Its arguments, beside `--listen` and `--cpus` where it has a ready line.
    pub args: Vec<String>,
    /// Further packages that are built for it; `{package}` in its command and arguments is the path of the binary.
    pub uses: Vec<String>,
    /// The operations that it serves.
    pub operations: Vec<OperationName>,
    /// How many connections it serves at once, where that is few: more would measure who waits for whom.
    pub connections: Option<usize>,
    /// How it is told how many workers it has, or why it cannot be; absent where nobody said.
    pub sized: Option<Sizing>,
    /// Of which row it is a variant, with how many workers; absent where it is none.
    pub variant: Option<Variant>,
    /// How it says that it accepts connections.
    pub ready: Readiness,
    /// How long it may take until it accepts.
    pub ready_within: Duration,
    /// How long it is loaded before each window at least: longer than a scenario says for a program that compiles itself while
    /// it runs.
    pub warm_up: Duration,
    /// Whether the row is left out unless it is named.
    pub on_request: bool,
    /// What it is; absent in records of before that was asked, and for rows of the command line.
    pub factors: Option<Factors>,
    /// Variables of its environment, beside those that every row has.
    pub env: BTreeMap<String, String>,
    /// The command that makes its program where that is no package of this workspace: it runs in the root of the checkout, before the
    /// program is needed, and again when a file of `made_of` has changed. Empty where there is nothing to be made.
    pub build: Vec<String>,
    /// What it is made of beside the programs: files by their path within the checkout, and folders for the files in them.
    /// Whether it keeps the contract is looked at again when one of them changes.
    pub made_of: Vec<PathBuf>,
    /// What must be there for it to run. A row that lacks it is skipped.
    pub requires: Vec<Requirement>,
    /// The cases of the suite that it does not pass, by reason. Exact: none other may fail, and none of these pass.
    pub deviations: Vec<Deviation>,
    /// Which of its processes are its workers; absent where none is one, or nobody said.
    pub workers: Option<WorkerProcesses>,
    /// How it is reloaded; absent where nobody said.
    pub reload: Option<Reload>,
    /// Further arguments with which it fails where it is asked to (`POST /fault`); absent where it cannot be.
    pub fault_args: Option<Vec<String>>,
    /// What is asked for to hear which process answers (the field `pid` of the object that comes), where that is not the contract's
    /// `/info`.
    pub pid_at: Option<String>,
    /// Whether a person gave it on the command line, so that its deviations are found rather than listed. Not part of the row's
    /// record: the plan's says which rows these are.
    pub is_given: bool,
}

/// Where a row's program comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// A package of this workspace, built alone in release.
    Package(String),
    /// A program that is there already, with its leading arguments. It runs in the root of the checkout, or where the person is
    /// who gave it on the command line.
    Command(Vec<String>),
}

impl Row {
    /// A row that a person gave on the command line: nothing is known of it but its command, and nothing promised.
    pub fn given(name: String, command: Vec<String>) -> Self {
        Self {
            name,
            about: "given on the command line".to_owned(),
            tier: Tier::Reference,
            program: Program::Command(command),
            args: Vec::new(),
            uses: Vec::new(),
            // Who has a slow backend says so: a server that was raced before there was a scenario for it is still raced.
            operations: vec![OperationName::Simple, OperationName::Complex, OperationName::Randoms],
            connections: None,
            sized: None,
            variant: None,
            ready: Readiness::Line,
            ready_within: DEFAULT_READY_WITHIN,
            warm_up: Duration::ZERO,
            on_request: false,
            factors: None,
            env: BTreeMap::new(),
            build: Vec::new(),
            made_of: Vec::new(),
            requires: Vec::new(),
            deviations: Vec::new(),
            workers: None,
            reload: None,
            fault_args: None,
            pid_at: None,
            is_given: true,
        }
    }

    /// What is asked for to hear which process answers; none where the row does not tell. `/info` says so in the contract, which foreign rows
    /// are not held to.
    pub fn pid_path(&self) -> Option<&str> {
        let own = matches!(self.tier, Tier::Controlled | Tier::Native).then_some("/info");
        self.pid_at.as_deref().or(own)
    }

    /// All texts in which placeholders are filled in: the command, and the arguments.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        let command = match &self.program {
            Program::Package(_) => &[],
            Program::Command(command) => command.as_slice(),
        };
        command.iter().chain(&self.args)
    }

    /// The packages that are built for it.
    pub fn packages(&self) -> impl Iterator<Item = &String> {
        let own = match &self.program {
            Program::Package(package) => Some(package),
            Program::Command(_) => None,
        };
        own.into_iter().chain(&self.uses)
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simple => "simple",
            Self::Complex => "complex",
            Self::Randoms => "randoms",
            Self::Delay => "delay",
        })
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controlled => "controlled",
            Self::Native => "native",
            Self::Reference => "reference",
            Self::Calibration => "calibration",
        })
    }
}

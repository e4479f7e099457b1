//! How a command ends: the exit code, and the error with its causes and a hint.

use std::io::Write;
use std::process::ExitCode;

use crate::check::CheckError;
use crate::demo::DemoError;
use crate::engine::EngineError;
use crate::extract::ExtractError;
use crate::job::Problem;
use crate::measure::fold::FoldError;
use crate::measure::scores::ScoresError;
use crate::plan::PlanError;
use crate::publish::PublishError;
use crate::resolve::ResolveError;
use crate::resolve::matching::MatchError;
use crate::run::RunError;
use crate::run::stop::Signal;
use crate::stage::StageError;
use crate::state::StateError;
use crate::storage::{self, Refusal, StorageError};
use crate::table::TableError;
use crate::telemetry;
use crate::upkeep::UpkeepError;

/// Exit codes: the numbers of `sysexits.h` where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Also with nothing to do.
    Done = 0,
    /// Only with `plan --detailed-exitcode`.
    PlanHasChanges = 2,
    Usage = 64,
    Data = 65,
    NoInput = 66,
    Unavailable = 69,
    Bug = 70,
    TryAgain = 75,
    Permission = 77,
    Config = 78,
    /// Only with `run --skip-exit-code 99`.
    NothingToDo = 99,
    Interrupted = 130,
    Terminated = 143,
}

impl Exit {
    /// All codes with what they mean, as docs and `--help` show them.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Done, "done, also with nothing to do"),
        (Self::PlanHasChanges, "the plan has changes (only with `plan --detailed-exitcode`)"),
        (Self::Usage, "usage: the command line or a date on it is wrong"),
        (Self::Data, "data: a check, or a limit on one input, said no; nothing was published"),
        (Self::NoInput, "no input: a source, bucket or named file is not there"),
        (Self::Unavailable, "the store is unavailable or the disk is full"),
        (Self::Bug, "a bug of cxmart"),
        (Self::TryAgain, "try again: another run is on, or published first"),
        (Self::Permission, "permission denied"),
        (Self::Config, "configuration, or a limit of the machine that a setting raises"),
        (Self::NothingToDo, "nothing to do (only with `run --skip-exit-code 99`)"),
        (Self::Interrupted, "stopped cleanly by SIGINT"),
        (Self::Terminated, "stopped cleanly by SIGTERM"),
    ];

    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table of exit codes below `--help`; a test holds it equal to [`Exit::ALL`].
pub(super) const HELP: &str = "\
Exit codes:
    0  done, also with nothing to do
    2  the plan has changes (only with `plan --detailed-exitcode`)
   64  usage: the command line or a date on it is wrong
   65  data: a check, or a limit on one input, said no; nothing was published
   66  no input: a source, bucket or named file is not there
   69  the store is unavailable or the disk is full
   70  a bug of cxmart
   75  try again: another run is on, or published first
   77  permission denied
   78  configuration, or a limit of the machine that a setting raises
   99  nothing to do (only with `run --skip-exit-code 99`)
  130  stopped cleanly by SIGINT
  143  stopped cleanly by SIGTERM";

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error("the configuration is not usable")]
    Problems(Vec<Problem>),
    #[error("{0}")]
    NoSource(Problem),
    #[error("{message}")]
    Usage { message: String, hint: &'static str },
    #[error("the runtime could not start")]
    Runtime(#[source] std::io::Error),
    #[error("{0}")]
    Data(String),
    #[error("results could not be written")]
    Output(#[source] std::io::Error),
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Run(error.into())
    }
}

impl From<UpkeepError> for Failure {
    fn from(error: UpkeepError) -> Self {
        Self::Run(error.into())
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Run(error.into())
    }
}

impl Failure {
    pub fn exit(&self) -> Exit {
        match self {
            Self::Run(error) => of_run(error),
            Self::Demo(error) => of_demo(error),
            Self::Problems(_) => Exit::Config,
            Self::NoSource(_) => Exit::NoInput,
            Self::Usage { .. } => Exit::Usage,
            Self::Data(_) => Exit::Data,
            Self::Runtime(_) => Exit::Unavailable,
            Self::Output(error) => of_io(error).unwrap_or(Exit::Unavailable),
        }
    }

    /// Tells the failure on stderr, once.
    pub fn tell(&self) {
        let mut text = String::new();
        let problems = match self {
            Self::Problems(problems) | Self::Run(RunError::Plan(PlanError::Problems(problems))) => {
                problems.as_slice()
            }
            _ => &[],
        };
        for problem in problems {
            text.push_str(&format!("error: {}\n", telemetry::mask(&problem.to_string())));
            if let Some(hint) = &problem.hint {
                text.push_str(&format!("hint: {hint}\n"));
            }
        }
        if problems.is_empty() {
            let mut chain = telemetry::chain(self).into_iter();
            text.push_str(&format!("error: {}\n", chain.next().unwrap_or_default()));
            for cause in chain {
                text.push_str(&format!("  caused by: {cause}\n"));
            }
            if let Some(hint) = self.hint() {
                text.push_str(&format!("hint: {hint}\n"));
            }
        }
        // Nobody is left to hear of it when stderr is closed.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// What a person can do about it.
    fn hint(&self) -> Option<String> {
        let run = match self {
            Self::Run(error) => error,
            Self::Usage { hint, .. } => return Some((*hint).into()),
            Self::NoSource(problem) => return problem.hint.clone(),
            Self::Demo(DemoError::Other { customers, seed, .. }) => {
                return Some(format!(
                    "say `--customers {customers} --seed {seed}`, or another --dir"
                ));
            }
            Self::Demo(DemoError::Format { .. } | DemoError::Note { .. }) => {
                return Some("say another --dir, or delete this one".into());
            }
            _ => return None,
        };
        if let RunError::NoJob { path, known } = run {
            let name = crate::catalog::files::stem(path);
            let names = known.iter().map(String::as_str);
            return Some(match crate::job::schema::nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("a job is a path, or one of: {}", known.join(", ")),
            });
        }
        let hint = match run {
            RunError::Plan(PlanError::NoObjects { .. } | PlanError::NoDate) => {
                "check the `url` and `--project`; a source that may be empty says `optional = true`"
            }
            RunError::Plan(PlanError::NotKept { .. }) => {
                "kept are the last 35 days and the last days of months"
            }
            RunError::Plan(PlanError::NotDaily { daily, .. }) => {
                return Some(format!("daily tables are {}", daily.join(", ")));
            }
            RunError::Rejects { .. } => {
                "with a higher `limits.rejects_max`, `cxmart rejects JOB` then lists all of them"
            }
            RunError::Leased { .. } => {
                "wait for it to end; a run that was killed elsewhere frees its lease by itself"
            }
            RunError::Resolve(ResolveError::Match(MatchError::TooManyPairs { .. })) => {
                "add a part to the rule, or raise `identity.matching.candidates_max`"
            }
            RunError::NoPerson { .. } => "say a customer id, an e-mail address, or `type:value`",
            RunError::NoSalt { .. } | RunError::OtherSalt { .. } => {
                "`CXMART__IDENTITY__SALT` is to be what the runs of this warehouse are given"
            }
            RunError::NoKey | RunError::OtherKey { .. } => {
                "`CXMART__PRIVACY__KEY` is 32 bytes in hex; another key needs another \
                 `privacy.key_id`"
            }
            RunError::Forgotten { .. } => "`cxmart forget JOB --apply` deletes such releases",
            RunError::Ahead { .. } => "`cxmart run JOB` brings a release to new days",
            RunError::Behind { .. } => "`cxmart run JOB --env ENV` first",
            RunError::CommitLost => "run it again; two schedules should not share a warehouse",
            RunError::Engine(EngineError::Memory { .. }) => {
                "raise --memory-limit, or give the scratch folder more space"
            }
            RunError::Extract(ExtractError::Foreign { .. }) => {
                "export it again; an object of a source with `optional = true` is left out"
            }
            RunError::Extract(error) if error.is_of_header() => {
                "`cxmart sources NAME` lists the names that are read; \
                 `options = { from_COLUMN = \"your name\" }` of the source adds one"
            }
            RunError::Extract(ExtractError::TooLarge { .. }) => {
                "`limits.object_bytes_max` raises the limit"
            }
            RunError::Storage(StorageError::Permission { .. } | StorageError::Secret) => {
                "credentials come from the store's own variables, such as AWS_ACCESS_KEY_ID"
            }
            RunError::Storage(StorageError::Full { .. }) => {
                "free some space and run it again; what was finished is kept"
            }
            RunError::Stopped(_) => "run it again: it goes on where it stopped",
            _ if self.exit() == Exit::Bug => BUG,
            _ => return None,
        };
        Some(hint.into())
    }
}

const BUG: &str = "this is a bug of cxmart: please report it with the lines above";

/// A panic is told like any other error; nothing of the data is in it but what the message says.
pub(super) fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let message = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let message = message.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = telemetry::mask(&message.unwrap_or_default());
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let text = format!("error: panic at {at}: {message}\nhint: {BUG}\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }));
}

fn of_demo(error: &DemoError) -> Exit {
    match error {
        DemoError::Write { source, .. } => of_io(source).unwrap_or(Exit::Unavailable),
        DemoError::Thread => Exit::Bug,
        _ => Exit::Usage,
    }
}

fn of_run(error: &RunError) -> Exit {
    match error {
        RunError::Plan(error) => match error {
            PlanError::Problems(_) => Exit::Config,
            PlanError::NoObjects { .. } | PlanError::NoDate => Exit::NoInput,
            PlanError::NotKept { .. } | PlanError::NotDaily { .. } => Exit::Usage,
        },
        RunError::Storage(error) => of_storage(error),
        RunError::State(error) => of_state(error),
        RunError::Extract(error) => match error {
            ExtractError::Storage(error) => of_storage(error),
            _ => Exit::Data,
        },
        RunError::Stage(error) => match error {
            StageError::Table(error) => of_table(error),
            _ => Exit::Config,
        },
        RunError::Engine(error) => of_engine(error),
        RunError::Table(error) => of_table(error),
        RunError::Resolve(_) => Exit::Config,
        RunError::Fold(error) => match error {
            FoldError::Stage { .. } => Exit::Config,
            _ => Exit::Bug,
        },
        RunError::Scores(ScoresError::Dimension(_)) => Exit::Config,
        RunError::Clv(_)
        | RunError::Features(_)
        | RunError::Scores(_)
        | RunError::Service(_)
        | RunError::Participation(_) => Exit::Bug,
        RunError::Publish(error) => match error {
            PublishError::Storage(error) => of_storage(error),
            PublishError::Clash { .. } => Exit::Bug,
            PublishError::Delta { source, .. } => of_storage(source),
            PublishError::Contended => Exit::TryAgain,
        },
        RunError::Rejects { .. } | RunError::Check { .. } | RunError::Unusable { .. } => Exit::Data,
        RunError::Checking(error) => match error {
            CheckError::Engine(error) => of_engine(error),
            CheckError::Answer { .. } => Exit::Config,
        },
        RunError::Upkeep(error) => match error {
            UpkeepError::Storage(error) => of_storage(error),
            UpkeepError::State(error) => of_state(error),
            UpkeepError::Engine(error) => of_engine(error),
            UpkeepError::NotEmpty { .. } => Exit::Usage,
            UpkeepError::Manifest { .. } => Exit::Bug,
        },
        RunError::Ahead { .. } | RunError::NoPerson { .. } => Exit::Usage,
        RunError::Forgotten { .. } => Exit::Data,
        RunError::NoSalt { .. }
        | RunError::OtherSalt { .. }
        | RunError::NoKey
        | RunError::OtherKey { .. } => Exit::Config,
        RunError::CommitLost | RunError::Leased { .. } | RunError::Behind { .. } => Exit::TryAgain,
        RunError::Balance { .. }
        | RunError::Thread(_)
        | RunError::Panicked(_)
        | RunError::NoTable(_) => Exit::Bug,
        RunError::NoJob { .. } | RunError::NoProject { .. } => Exit::NoInput,
        RunError::Stopped(Signal::Interrupt) => Exit::Interrupted,
        RunError::Stopped(Signal::Terminate) => Exit::Terminated,
    }
}

fn of_engine(error: &EngineError) -> Exit {
    match error {
        EngineError::Start(source) => of_chain(source.as_ref()).unwrap_or(Exit::Bug),
        EngineError::Invalid { .. } | EngineError::Memory { .. } => Exit::Config,
        EngineError::Failed { source, .. } => of_chain(source.as_ref()).unwrap_or(Exit::Data),
    }
}

fn of_storage(error: &StorageError) -> Exit {
    match error {
        StorageError::Url { .. } | StorageError::Secret | StorageError::TooMany { .. } => {
            Exit::Config
        }
        // The holder of the lease clears the work of runs that go without one.
        StorageError::NotFound { path } if path.contains("work/") => Exit::TryAgain,
        StorageError::NotFound { .. } => Exit::NoInput,
        StorageError::Permission { .. } => Exit::Permission,
        StorageError::Full { .. } => Exit::Unavailable,
        StorageError::Damaged { .. }
        | StorageError::Delta { .. }
        | StorageError::Parquet { .. } => Exit::Data,
        StorageError::Unavailable { source, .. } => {
            of_chain(source.as_ref()).unwrap_or(Exit::Unavailable)
        }
    }
}

fn of_state(error: &StateError) -> Exit {
    match error {
        StateError::Storage(error) => of_storage(error),
        StateError::Malformed { .. } | StateError::Damaged { .. } => Exit::Data,
        StateError::NoRelease => Exit::NoInput,
        StateError::Layout { .. } | StateError::Salt => Exit::Config,
        StateError::Random(_) => Exit::Unavailable,
    }
}

fn of_table(error: &TableError) -> Exit {
    match error {
        TableError::Order { .. } => Exit::Bug,
        _ => Exit::Config,
    }
}

/// The first input or output error below `error` that has a code of its own.
fn of_chain(error: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    let (mut next, mut of_store) = (Some(error), None);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<StorageError>() {
            return Some(of_storage(found));
        }
        if let Some(exit) = error.downcast_ref::<std::io::Error>().and_then(of_io) {
            return Some(exit);
        }
        of_store = of_store.or_else(|| storage::refusal(error));
        next = error.source();
    }
    of_store.map(|refusal| match refusal {
        Refusal::Missing => Exit::NoInput,
        Refusal::Permission => Exit::Permission,
        Refusal::Unavailable => Exit::Unavailable,
    })
}

fn of_io(error: &std::io::Error) -> Option<Exit> {
    match error.kind() {
        std::io::ErrorKind::NotFound => Some(Exit::NoInput),
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            Some(Exit::Permission)
        }
        std::io::ErrorKind::StorageFull
        | std::io::ErrorKind::QuotaExceeded
        | std::io::ErrorKind::FileTooLarge => Some(Exit::Unavailable),
        _ => None,
    }
}

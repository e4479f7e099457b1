//! Flags and environment, resolved once; nothing else reads the environment.
//!
//! A flag wins over a variable, a variable over the job file, the job file over the default. What
//! a variable says about the job (`CXMART__LIMITS__REJECTS_MAX`) is handed on as an override.

pub mod clock;
pub mod machine;
pub mod notices;

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::clock::Clock;
use self::notices::Notices;
use crate::job::{Override, Problem};

/// Everything about this process that is not the job's.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Folder with `jobs/` and `sql/` of the user; relative paths of a job start here.
    pub project: PathBuf,
    /// Wins over the job's warehouse.
    pub warehouse: Option<String>,
    /// Has releases of its own in the warehouse; none is the warehouse itself.
    pub environment: Option<String>,
    pub threads: usize,
    pub memory_bytes: usize,
    /// Local folder for spill and unfinished files; default inside a local warehouse.
    pub scratch: Option<PathBuf>,
    /// Object-store options by the stores' own names (`aws_access_key_id`, …).
    pub store_options: BTreeMap<String, String>,
    /// Secret that customer ids are made under, in hex.
    pub identity_salt: Option<String>,
    /// Secret that pseudonyms are made under, in hex.
    pub privacy_key: Option<String>,
    /// Runs without asking whether another run is at work; the commit still keeps both right.
    pub without_lease: bool,
    /// Models fitted anew, instead of the ones that the newest release keeps.
    pub refits: Vec<Refit>,
    /// Names the run; the only other thing a clock and the process id go into.
    pub run_id: String,
    pub clock: Clock,
    /// Who is told of a run beside its log.
    pub notices: Notices,
    /// Values that variables set over the job file's.
    pub overrides: Vec<Override>,
    pub log_format: LogFormat,
    /// Where the values above come from, by name, as people read it.
    pub origins: BTreeMap<&'static str, String>,
}

/// A model that is fitted once and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Refit {
    /// Parameters of probabilistic matching
    Match,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What the command line said; `None`: nothing.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub project: Option<PathBuf>,
    pub warehouse: Option<String>,
    pub environment: Option<String>,
    pub threads: Option<usize>,
    pub memory_bytes: Option<usize>,
    pub log_format: Option<LogFormat>,
}

/// Prefixes of variables that object stores read.
const STORE_PREFIXES: [&str; 4] = ["AWS_", "AZURE_", "GOOGLE_", "OBJECT_STORE_"];
/// Prefix of our own variables.
const PREFIX: &str = "CXMART__";
/// Of the machine's memory, when nobody says more.
const MEMORY_SHARE: usize = 2;
const MEMORY_BYTES_MIN: usize = 1 << 30;
const MEMORY_BYTES_UNKNOWN: usize = 2 << 30;
const THREADS_MAX: usize = 1_024;

/// Reads the environment under no flags; a variable that cannot be read is as good as none.
pub fn from_environment() -> Settings {
    let alone = || resolve(Flags::default(), &BTreeMap::new()).unwrap_or_default();
    from_flags(Flags::default()).unwrap_or_else(|_| alone())
}

/// Reads the environment under the command line's flags.
///
/// # Errors
/// Variables with values that cannot be read.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn from_flags(flags: Flags) -> Result<Settings, Vec<Problem>> {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    resolve(flags, &variables)
}

/// Settings from flags and variables.
///
/// # Errors
/// Variables with values that cannot be read.
pub fn resolve(
    flags: Flags,
    variables: &BTreeMap<String, String>,
) -> Result<Settings, Vec<Problem>> {
    let mut taken = Taken { variables, origins: BTreeMap::new(), problems: Vec::new() };
    let project = taken.pick("project", flags.project, "PROJECT", |text| Ok(PathBuf::from(text)));
    let warehouse = taken.pick("warehouse", flags.warehouse, "WAREHOUSE", |t| Ok(t.to_owned()));
    let environment = taken.pick("env", flags.environment, "ENV", parse_environment);
    let threads = taken.pick("threads", flags.threads, "THREADS", parse_threads);
    let memory = taken.pick("memory_limit", flags.memory_bytes, "MEMORY_LIMIT", parse_memory);
    let log_format = taken.pick("log_format", flags.log_format, "LOG_FORMAT", parse_log_format);
    let scratch = taken.pick("scratch", None, "SCRATCH", |text| Ok(PathBuf::from(text)));
    let notices = Notices::from(variables);
    let salt = taken.pick("identity.salt", None, "IDENTITY__SALT", parse_salt);
    let key = taken.pick("privacy.key", None, "PRIVACY__KEY", parse_salt);
    let Taken { origins, problems, .. } = taken;
    if !problems.is_empty() {
        return Err(problems);
    }
    let store_options = variables
        .iter()
        .filter(|(name, _)| STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    Ok(Settings {
        project: project
            .or_else(|| std::env::current_dir().ok())
            .unwrap_or_else(|| PathBuf::from(".")),
        warehouse,
        environment,
        threads: threads
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        memory_bytes: memory.unwrap_or_else(|| {
            machine_memory()
                .map_or(MEMORY_BYTES_UNKNOWN, |all| all / MEMORY_SHARE)
                .max(MEMORY_BYTES_MIN)
        }),
        scratch,
        store_options,
        identity_salt: salt,
        privacy_key: key,
        without_lease: false,
        refits: Vec::new(),
        run_id: run_id(),
        clock: Clock::default(),
        notices,
        overrides: overrides(variables),
        log_format: log_format.unwrap_or_default(),
        origins,
    })
}

/// Variables that are settings of the process, and so no value of a job.
const OWN: [&str; 12] = [
    "PROJECT",
    "WAREHOUSE",
    "ENV",
    "THREADS",
    "MEMORY_LIMIT",
    "LOG_FORMAT",
    "SCRATCH",
    "IDENTITY__SALT",
    "PRIVACY__KEY",
    "LINEAGE",
    "METRICS_FILE",
    "PING_URL",
];

/// What variables say about the job.
fn overrides(variables: &BTreeMap<String, String>) -> Vec<Override> {
    variables
        .iter()
        .filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX).filter(|key| !OWN.contains(key))?;
            let key = key.to_ascii_lowercase().replace("__", ".");
            Some(Override { key, value: value.clone(), from: name.clone() })
        })
        .collect()
}

/// Picks values, and remembers where they come from.
struct Taken<'a> {
    variables: &'a BTreeMap<String, String>,
    origins: BTreeMap<&'static str, String>,
    problems: Vec<Problem>,
}

impl Taken<'_> {
    fn pick<T>(
        &mut self,
        name: &'static str,
        flag: Option<T>,
        variable: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if flag.is_some() {
            self.origins.insert(name, format!("--{}", name.replace('_', "-")));
            return flag;
        }
        let variable = format!("{PREFIX}{variable}");
        let text = self.variables.get(&variable).filter(|text| !text.is_empty())?;
        match parse(text) {
            Ok(value) => {
                self.origins.insert(name, variable);
                Some(value)
            }
            Err(message) => {
                self.problems.push(Problem::new(variable, message));
                None
            }
        }
    }
}

/// The name of an environment.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_environment(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not a name of an environment; use letters, digits, `-` and `_`"))
}

/// A number of threads.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_threads(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(threads) if (1..=THREADS_MAX).contains(&threads) => Ok(threads),
        _ => Err(format!("`{text}` is not a number of threads, 1 to {THREADS_MAX}")),
    }
}

/// A size such as `4GiB`, `512MB` or a plain number of bytes.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse_memory(text: &str) -> Result<usize, String> {
    const UNITS: [(&str, u64); 13] = [
        ("", 1),
        ("b", 1),
        ("k", 1 << 10),
        ("kib", 1 << 10),
        ("kb", 1_000),
        ("m", 1 << 20),
        ("mib", 1 << 20),
        ("mb", 1_000_000),
        ("g", 1 << 30),
        ("gib", 1 << 30),
        ("gb", 1_000_000_000),
        ("tib", 1 << 40),
        ("tb", 1_000_000_000_000),
    ];
    let wrong = || format!("`{text}` is not a size; write for example `4GiB`");
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, unit_bytes) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit_bytes));
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(wrong)?;
    if bytes < MEMORY_BYTES_LEAST {
        return Err(format!("`{text}` is less than the 64 MiB a run needs"));
    }
    Ok(bytes)
}

/// Below this no query gets through.
const MEMORY_BYTES_LEAST: usize = 64 << 20;

fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("`{text}` is not `text` or `json`")),
    }
}

/// The value itself never reaches a message.
fn parse_salt(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text);
    }
    Err("is not 32 bytes in hex (64 digits)".into())
}

fn run_id() -> String {
    format!("{}-{}", machine::now_us(), std::process::id())
}

/// Bytes of memory of this machine, where the kernel tells.
fn machine_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

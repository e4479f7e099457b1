//! Flags and environment, resolved once; nothing else reads the environment.

pub mod clock;
pub mod machine;

use std::collections::BTreeMap;
use std::path::PathBuf;

use self::clock::Clock;

/// Everything about this process that is not the job's.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Folder with `jobs/` and `sql/` of the user; relative paths of a job start here.
    pub project: PathBuf,
    /// Wins over the job's warehouse.
    pub warehouse: Option<String>,
    pub threads: usize,
    pub memory_bytes: usize,
    /// Local folder for spill and unfinished files; default inside a local warehouse.
    pub scratch: Option<PathBuf>,
    /// Object-store options by the stores' own names (`aws_access_key_id`, …).
    pub store_options: BTreeMap<String, String>,
    /// Secret that customer ids are made under, in hex.
    pub identity_salt: Option<String>,
    /// Names the run; the only other thing a clock and the process id go into.
    pub run_id: String,
    pub clock: Clock,
}

/// Prefixes of variables that object stores read.
const STORE_PREFIXES: [&str; 4] = ["AWS_", "AZURE_", "GOOGLE_", "OBJECT_STORE_"];
const MEMORY_SHARE: usize = 2;
const MEMORY_BYTES_MIN: usize = 1 << 30;

/// Reads the environment.
#[expect(clippy::disallowed_methods, reason = "the one place that reads environment and clock")]
pub fn from_environment() -> Settings {
    let variables: BTreeMap<String, String> = std::env::vars().collect();
    let store_options = variables
        .iter()
        .filter(|(name, _)| STORE_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let run_id = format!("{}-{}", since.unwrap_or_default().as_micros(), std::process::id());
    Settings {
        project: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        warehouse: variables.get("CXMART__WAREHOUSE").cloned(),
        threads,
        memory_bytes: machine_memory()
            .map_or(2 << 30, |all| all / MEMORY_SHARE)
            .max(MEMORY_BYTES_MIN),
        scratch: variables.get("CXMART__SCRATCH").map(PathBuf::from),
        store_options,
        identity_salt: variables.get("CXMART__IDENTITY__SALT").cloned(),
        run_id,
        clock: Clock::default(),
    }
}

/// Bytes of memory of this machine, where the kernel tells.
fn machine_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

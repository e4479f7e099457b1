//! `cxmart init`: a small project that runs at once, to change into one's own.

use std::path::{Path, PathBuf};

use super::output::print;
use super::{Exit, Failure};
use crate::storage::local;

/// Make a project folder: a job, a source of your own, and a few rows to start with
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder; its name is the job's
    dir: PathBuf,
}

const FILES: [(&str, &str); 4] = [
    ("jobs/{name}.toml", include_str!("init/job.toml")),
    ("sql/stage/webshop/sales.toml", include_str!("init/sales.toml")),
    ("sql/stage/webshop/stg_webshop__sales.sql", include_str!("init/stg_webshop__sales.sql")),
    ("raw/webshop/sales/dt=2025-01-31/sales.csv", include_str!("init/sales.csv")),
];

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let dir = &arguments.dir;
    let name = job_name(dir);
    for (path, text) in FILES {
        let path = path.replace("{name}", &name);
        let text = text.replace("{name}", &name);
        // An existing file is the user's, and stays.
        local::create(&dir.join(&path), text.as_bytes()).map_err(Failure::from)?;
        print(&format!("{}\n", dir.join(&path).display()))?;
    }
    print(&format!("next: cd {} && cxmart run {name}\n", dir.display()))?;
    Ok(Exit::Done)
}

/// The folder's own name, as far as a job may have it.
fn job_name(dir: &Path) -> String {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let name = absolute.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    match name.trim_matches('-') {
        "" => "mart".into(),
        name => name.to_owned(),
    }
}

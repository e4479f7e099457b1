//! `cxmart init`: a small project that runs at once, to change into one's own.

use std::path::{Path, PathBuf};

use super::output::{plural, print};
use super::{Desk, Exit, Failure};
use crate::catalog::Catalog;
use crate::run::detect::{self, Fit, Proposal};
use crate::run::open;
use crate::storage::local;

/// Make a project folder: a job, a source of your own, and a few rows to start with; or a job for exports that are there
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder; its name is the job's
    dir: PathBuf,
    /// Look at the exports in this folder or bucket, and write a job for those that are known
    #[arg(long, value_name = "URL")]
    detect: Option<String>,
}

const JOB: &str = include_str!("init/job.toml");

const FILES: [(&str, &str); 4] = [
    ("jobs/{name}.toml", JOB),
    ("sql/stage/webshop/sales.toml", include_str!("init/sales.toml")),
    ("sql/stage/webshop/stg_webshop__sales.sql", include_str!("init/stg_webshop__sales.sql")),
    ("raw/webshop/sales/dt=2025-01-31/sales.csv", include_str!("init/sales.csv")),
];

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let dir = &arguments.dir;
    let name = job_name(dir);
    if let Some(url) = &arguments.detect {
        return propose(dir, &name, url, &desk).await;
    }
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

/// Writes a job for the exports below `url`.
async fn propose(dir: &Path, name: &str, url: &str, desk: &Desk) -> Result<Exit, Failure> {
    let (catalog, problems) = Catalog::read(&open::files(&desk.settings.project)?);
    if !problems.is_empty() {
        return Err(Failure::Problems(problems));
    }
    let url = if url.contains("://") {
        url.to_owned()
    } else {
        let path = std::path::absolute(url).unwrap_or_else(|_| url.into());
        path.display().to_string()
    };
    let proposals = detect::detect(&url, &desk.settings, &catalog).await?;
    let (head, _) = JOB.split_once("# One table for each").unwrap_or((JOB, ""));
    let sections: String = proposals.iter().map(section).collect();
    let text = format!("{}{sections}", head.replace("{name}", name));
    let path = dir.join(format!("jobs/{name}.toml"));
    local::create(&path, text.as_bytes()).map_err(Failure::from)?;
    let known = proposals.iter().filter(|proposal| proposal.best.is_some()).count();
    print(&format!(
        "{sections}{known} of {} kinds of objects are known exports\n{}\n",
        proposals.len(),
        path.display()
    ))?;
    print(&format!("next: look it over, then cd {} && cxmart validate {name}\n", dir.display()))?;
    Ok(Exit::Done)
}

/// A section of a job, or the remark that there is none.
fn section(proposal: &Proposal) -> String {
    let Proposal { url, objects, best } = proposal;
    let objects = plural(*objects as u64, "object");
    let Some(fit) = best else {
        return format!(
            "# {objects} like {url}: no known export; see docs/sources.md for your own.\n\n"
        );
    };
    let (source, entity) = fit.spec.split_once('/').unwrap_or((&fit.spec, ""));
    let Fit { found, columns, unread, .. } = fit;
    format!(
        "# {objects}: {found} of {columns} columns found, {unread} of the export unread.\n[[source]]\n\
         source = \"{source}\"\nentity = \"{entity}\"\nurl = {}\n\n",
        toml::Value::String(url.clone())
    )
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

//! Rules of the house that the compiler does not hold: directions between rooms, sizes, names, and
//! docs that say what the code does. No dependency on the library: it reads the sources as text.

#![allow(
    clippy::expect_used,
    clippy::string_slice,
    reason = "a test may stop at once, over files of its own project"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;

/// A room of `src/`, and the other rooms it may name. Everything may rest on `table`.
const ROOMS: [(&str, &[&str]); 23] = [
    ("main", &["cli"]),
    (
        "cli",
        &[
            "catalog",
            "check",
            "demo",
            "engine",
            "extract",
            "job",
            "measure",
            "plan",
            "publish",
            "resolve",
            "run",
            "settings",
            "stage",
            "state",
            "storage",
            "telemetry",
            "upkeep",
        ],
    ),
    ("settings", &["job"]),
    ("telemetry", &["settings"]),
    ("job", &[]),
    ("catalog", &["job"]),
    ("plan", &["catalog", "job", "state"]),
    (
        "run",
        &[
            "catalog",
            "check",
            "current",
            "engine",
            "extract",
            "forget",
            "job",
            "measure",
            "plan",
            "profile",
            "publish",
            "resolve",
            "settings",
            "stage",
            "state",
            "storage",
            "telemetry",
            "upkeep",
        ],
    ),
    ("state", &["storage"]),
    ("extract", &["catalog", "job", "storage"]),
    ("stage", &["catalog", "extract"]),
    ("forget", &["catalog", "resolve", "state"]),
    ("current", &[]),
    ("resolve", &[]),
    ("profile", &[]),
    ("measure", &[]),
    ("check", &["engine"]),
    ("publish", &["storage"]),
    ("upkeep", &["engine", "forget", "state", "storage"]),
    ("demo", &[]),
    ("engine", &["storage"]),
    ("table", &[]),
    ("storage", &[]),
];

/// Crates that one room alone names.
const OWNED: [(&str, &str); 6] = [
    ("object_store", "storage"),
    ("parquet", "storage"),
    ("deltalake_core", "storage"),
    ("datafusion", "engine"),
    ("polars", "stage"),
    ("clap", "cli"),
];

/// Where else such a crate may be named: `settings` derives its values for the command line, and
/// `extract` reads the users' Parquet.
const OWNED_ALSO: [(&str, &str); 2] = [("clap", "settings"), ("parquet", "extract")];

/// Names that say nothing of what a module is for.
const NAMELESS: [&str; 6] = ["util", "utils", "common", "helpers", "error", "errors"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Files with an ending below a folder, as paths from the project's root.
fn files(folder: &str, ending: &str) -> Vec<String> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), ending, &mut found);
    let relative = |path: &PathBuf| {
        let path = path.strip_prefix(root()).expect("below the root");
        path.to_str().expect("UTF-8").replace('\\', "/")
    };
    let mut paths: Vec<_> = found.iter().map(relative).collect();
    paths.sort();
    paths
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The room a source file belongs to.
fn room(path: &str) -> &str {
    let below = path.strip_prefix("src/").expect("a source file");
    below.split(['/', '.']).next().expect("a name")
}

/// Code of a file by line, without comments and the text of doc comments.
fn code(path: &str) -> Vec<(usize, String)> {
    let text = read(path);
    let lines = text.lines().enumerate();
    let code = lines.map(|(i, line)| {
        let comment = line.find("//").filter(|at| !line[..*at].contains('"'));
        (i + 1, comment.map_or(line, |at| &line[..at]).to_owned())
    });
    code.collect()
}

/// Rooms named by `crate::…` in a line, also in lists: `use crate::{job, plan}`.
fn named(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, found) in line.match_indices("crate::") {
        let before = line[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &line[at + found.len()..];
        let list = rest.strip_prefix('{').map(|rest| rest.split('}').next().unwrap_or(rest));
        for name in list.unwrap_or(rest).split(',').take(if list.is_some() { 99 } else { 1 }) {
            let word: String =
                name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.push(word);
        }
    }
    names
}

fn holds(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

#[test]
fn a_room_names_only_the_rooms_it_may() {
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut breaches = Vec::new();
    for path in files("src", "rs").iter().filter(|path| *path != "src/lib.rs") {
        let own = room(path);
        let Some(may) = rooms.get(own) else {
            breaches.push(format!("{path}: `{own}` is no room of tests/architecture.rs"));
            continue;
        };
        for (line, text) in code(path) {
            for name in named(&text).iter().map(String::as_str) {
                let fine = name == own || name == "table" || may.contains(&name);
                if rooms.contains_key(name) && !fine {
                    breaches.push(format!("{path}:{line}: `{own}` names `{name}`"));
                }
            }
        }
    }
    holds(&breaches);
}

#[test]
fn every_room_is_there_and_no_permission_is_idle() {
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    let paths = files("src", "rs");
    for path in &paths {
        for name in code(path).iter().flat_map(|(_, line)| named(line)) {
            used.insert((room(path).to_owned(), name));
        }
    }
    let mut breaches = Vec::new();
    for (own, may) in ROOMS {
        if !paths.iter().any(|path| room(path) == own) {
            breaches.push(format!("room `{own}` has no file"));
        }
        for other in may {
            let pair = (own.to_owned(), (*other).to_owned());
            if own != "main" && !used.contains(&pair) {
                breaches.push(format!("`{own}` may name `{other}` and does not"));
            }
        }
    }
    holds(&breaches);
}

/// Whether a line names a crate by its first segment.
fn names_crate(line: &str, package: &str) -> bool {
    let starts = |(at, _): (usize, &str)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    };
    line.match_indices(&format!("{package}::")).any(starts)
}

/// Whether a file means a module of ours by the name: `use crate::storage::{Store, parquet}`.
fn is_module(path: &str, package: &str) -> bool {
    let imports = code(path).into_iter().map(|(_, line)| line);
    let mut imports = imports.filter(|line| line.contains("crate::storage::"));
    imports.any(|line| line.split(['{', '}', ',', ' ', ':', ';']).any(|word| word == package))
}

#[test]
fn one_room_alone_names_each_engine_and_store() {
    let mut breaches = Vec::new();
    for path in files("src", "rs") {
        for (line, text) in code(&path) {
            for (package, owner) in OWNED {
                let own = room(&path);
                let fine = own == owner || OWNED_ALSO.contains(&(package, own));
                if !fine && names_crate(&text, package) && !is_module(&path, package) {
                    breaches.push(format!("{path}:{line}: `{own}` names the crate `{package}`"));
                }
            }
        }
    }
    holds(&breaches);
}

#[test]
fn files_are_short_named_for_what_they_hold_and_say_why_they_exist() {
    let mut breaches = Vec::new();
    let all = files("src", "rs").into_iter().chain(files("tests", "rs"));
    for path in all.chain(files("benches", "rs")) {
        let text = read(&path);
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            breaches.push(format!("{path}:{FILE_LINES_MAX}: {lines} lines are too many"));
        }
        if !text.starts_with("//!") {
            breaches.push(format!("{path}:1: does not open with `//!` and why it exists"));
        }
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        let types = name == "types" && path != "src/stage/types.rs";
        if name == "mod" || types || NAMELESS.contains(&name) {
            breaches.push(format!("{path}:1: `{name}` does not name what it holds"));
        }
    }
    holds(&breaches);
}

#[test]
fn no_placeholder_is_left_behind() {
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["X", "XX"].concat()];
    let mut breaches = Vec::new();
    let all = files("src", "rs").into_iter().chain(files("tests", "rs"));
    for path in all.chain(files("sql", "sql")).chain(files("docs", "md")) {
        for (i, line) in read(&path).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                breaches.push(format!("{path}:{}: {}", i + 1, line.trim()));
            }
        }
    }
    holds(&breaches);
}

#[test]
fn the_map_of_the_house_shows_every_room() {
    let map = read("ARCHITECTURE.md");
    let missing: Vec<_> = ROOMS
        .iter()
        .filter(|(room, _)| !map.contains(&format!("`{room}`")))
        .map(|(room, _)| format!("ARCHITECTURE.md: `{room}` is not on the map"))
        .collect();
    holds(&missing);
}

/// Words of a text that a kind of the timeline may be.
fn words(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    words.filter(|word| !word.is_empty()).collect()
}

/// The list that stands between two marks of a file.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split(from).nth(1).and_then(|rest| rest.split(to).next());
    rest.unwrap_or_else(|| panic!("no list after `{from}`"))
}

/// Literals of a list.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

/// A job may name every kind of the timeline and no other, and `job` and `measure` may not name one
/// another: their lists are held together here, and to what the table's contract tells.
#[test]
fn the_kinds_a_job_may_name_are_those_of_the_timeline() {
    let (job, fold) = (read("src/job/check/journey.rs"), read("src/measure/fold/event.rs"));
    let contract = read("sql/profile/timeline.toml");
    let nameable = quoted(between(&job, "const KINDS", "];"));
    assert_eq!(nameable, quoted(between(&fold, "pub fn of(", "_ => return")), "Kind::of");
    let told = between(&contract, "name = \"kind\"", ".\"");
    let told = words(told.rsplit('"').next().unwrap_or_default());
    assert_eq!(nameable, told.into_iter().filter(|word| *word != "or").collect(), "the contract");
}

/// Verbs of the command line: the variants of `enum Verb`.
fn verbs() -> BTreeSet<String> {
    let text = read("src/cli.rs");
    let body = text.split("enum Verb {").nth(1).and_then(|rest| rest.split("\n}").next());
    let lines = body.expect("enum Verb").lines().map(str::trim);
    let names = lines.filter(|line| !line.starts_with("//") && !line.starts_with('#'));
    let names = names.filter_map(|line| line.split('(').next());
    names.filter(|name| !name.is_empty()).map(str::to_lowercase).collect()
}

fn docs() -> Vec<String> {
    let mut paths = files("docs", "md");
    paths.extend(["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"].map(String::from));
    paths
}

/// Lines that stand inside fenced blocks.
fn fenced(text: &str) -> BTreeSet<usize> {
    let mut open = false;
    let mut inside = BTreeSet::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            open = !open;
        } else if open {
            inside.insert(i);
        }
    }
    inside
}

#[test]
fn docs_name_only_verbs_that_are_there_and_one_file_holds_each() {
    let verbs = verbs();
    let mut breaches = Vec::new();
    for verb in &verbs {
        if !root().join(format!("src/cli/{verb}.rs")).exists() {
            breaches.push(format!("src/cli.rs: verb `{verb}` has no file src/cli/{verb}.rs"));
        }
        if !docs().iter().any(|path| read(path).contains(&format!("cxmart {verb}"))) {
            breaches.push(format!("no document shows `cxmart {verb}`"));
        }
    }
    for path in docs() {
        let text = read(&path);
        let inside = fenced(&text);
        for (i, line) in text.lines().enumerate() {
            // In code, not in prose: `cxmart run`, or a line of a block that starts with it.
            let spans = line.split('`').skip(1).step_by(2);
            let fenced = inside.contains(&i);
            let command = line.trim_start().trim_start_matches("$ ");
            let command = (fenced && command.starts_with("cxmart ")).then_some(command);
            for code in spans.chain(command).filter_map(|code| code.strip_prefix("cxmart ")) {
                let word = code.split_whitespace().next().unwrap_or_default();
                let is_verb = word.chars().all(|c| c.is_ascii_lowercase()) && !word.is_empty();
                if is_verb && !verbs.contains(word) {
                    breaches.push(format!("{path}:{}: there is no verb `{word}`", i + 1));
                }
            }
        }
    }
    holds(&breaches);
}

#[test]
fn the_exit_codes_of_the_docs_are_those_of_the_code() {
    let code = read("src/cli/exit.rs");
    let variants = code.split("pub enum Exit {").nth(1).and_then(|rest| rest.split("\n}").next());
    let number = |line: &str| line.split_once(" = ")?.1.trim_end_matches(',').parse::<u8>().ok();
    let ours: BTreeSet<u8> = variants.expect("enum Exit").lines().filter_map(number).collect();
    let table = read("docs/operations.md");
    let row = |line: &str| line.strip_prefix("| ")?.split(" |").next()?.parse::<u8>().ok();
    let told: BTreeSet<u8> = table.lines().filter_map(row).collect();
    assert_eq!(ours, told, "docs/operations.md and src/cli/exit.rs");
}

#[test]
fn relative_links_of_the_docs_lead_somewhere() {
    let mut breaches = Vec::new();
    for path in docs() {
        let folder = Path::new(&path).parent().expect("a folder").to_owned();
        for (i, line) in read(&path).lines().enumerate() {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = link.split('#').next().unwrap_or_default();
                let outside = target.is_empty() || target.contains("://");
                if !outside && !root().join(&folder).join(target).exists() {
                    breaches.push(format!("{path}:{}: `{target}` is not there", i + 1));
                }
            }
        }
    }
    holds(&breaches);
}

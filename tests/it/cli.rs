//! The real binary, as people and schedulers call it: output, errors, hints and exit codes.
//!
//! What a command says is compared with a file in `cli/`; `UPDATE_GOLDENS=1` writes it. Folders
//! and log lines, which differ from run to run, are replaced or left out before.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const JOB: &str = r#"
name = "night"
time_zone = "Europe/Copenhagen"
warehouse = "warehouse"

[[source]]
source = "asknicely"
entity = "responses"
url = "raw/dt={dt}/*.json"
"#;

const RESPONSES: &str = r#"{"success":true,"data":[
{"response_id":"1","contact_id":"9","email":"a@example.com","answer":"9","question_type":"nps","comment":"","segment":null,"sent":"1716883200","responded":"1716890123"},
{"response_id":"2","contact_id":"10","email":"b@example.com","answer":"3","question_type":"nps","comment":"no","segment":"web","sent":"1716883200","responded":"1716990123"}]}"#;

/// A user's folder with one job and one raw object.
struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().expect("a temporary folder"));
        project.write("jobs/night.toml", JOB);
        project.write("raw/dt=2024-05-28/responses.json", RESPONSES);
        project
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cxmart"));
        command.args(arguments).current_dir(self.path()).env_clear();
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// Exit code, stdout and stderr.
    fn cxmart(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.output(arguments);
        let code = output.status.code().expect("an exit code");
        (code, self.filtered(&output.stdout), self.filtered(&output.stderr))
    }

    fn filtered(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let folder = self.path().canonicalize().expect("the folder is there");
        text.replace(&folder.display().to_string(), "[DIR]")
            .replace(&self.path().display().to_string(), "[DIR]")
    }

    /// Compares what a command says with `cli/<name>.txt`.
    fn check(&self, name: &str, arguments: &[&str]) {
        let (code, stdout, stderr) = self.cxmart(arguments);
        // Log lines hold times.
        let stderr: String =
            stderr.split_inclusive('\n').filter(|line| !line.contains("  INFO ")).collect();
        let mut text = format!("$ cxmart {}\n{stdout}", arguments.join(" "));
        if !stderr.is_empty() {
            text.push_str(&format!("--- stderr\n{stderr}"));
        }
        text.push_str(&format!("--- exit {code}\n"));
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/cli");
        let path = path.join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::write(&path, &text).expect("the golden file");
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, golden, "{} differs; UPDATE_GOLDENS=1 writes it", path.display());
    }
}

#[test]
fn help_names_the_verbs_the_shared_options_and_the_exit_codes() {
    let project = Project::new();
    project.check("help-run", &["run", "-h"]);
    project.check("help-plan", &["plan", "-h"]);
    let (code, stdout, _) = project.cxmart(&["--help"]);
    assert_eq!(code, 0);
    for (exit, meaning) in cxmart::cli::Exit::ALL {
        let line = format!("{:>5}  {meaning}\n", exit.code());
        assert!(format!("{stdout}\n").contains(&line), "no line {line:?} in:\n{stdout}");
    }
}

#[test]
fn all_problems_of_a_job_are_told_at_once_with_path_and_hint() {
    let project = Project::new();
    project.write(
        "jobs/bad.toml",
        r#"
name = "b ad"
time_zone = "Europe/Copenhagn"
currency = "eur"
country = "Denmark"
warehuse = "warehouse"

[[source]]
source = "asknicely"
entity = "response"
url = "raw/{date}/{dt}/{dt}/*.json"
optional = "yes"
on_change = "replce"

[[source]]
source = "asknicely"
entity = "responses"
url = "raw/[a/*.json"

[metrics]
confidence = 0.5
periods = []
dimensions = ["chanel", "all*country"]
min_cell = -1

[profile]
source_priority = ["asknicly"]

[[change]]
name = "bot"
from = "2024-13-01"
scope = { team = "first" }
metrics = ["nps", "replies"]

[limits]
reject_max = 0.1

[clv]
fit_until = 2024-01-01
"#,
    );
    project.check("problems", &["validate", "bad"]);
    project.write("jobs/unknown.toml", &JOB.replace("\"responses\"", "\"response\""));
    project.check("unknown-source", &["validate", "unknown"]);
    project.write("jobs/check.toml", &format!("{JOB}\n[checks]\nwarn = [\"no_such_check\"]\n"));
    let (code, _, stderr) = project.cxmart(&["validate", "check"]);
    assert_eq!(code, 78);
    assert!(stderr.contains("jobs/check.toml: checks.warn[0]: there is no check"), "{stderr}");
    project.write("jobs/broken.toml", "name = \"night\"\ntime_zone = Europe\n");
    project.check("broken", &["validate", "broken"]);
}

#[test]
fn what_is_not_there_exits_66_and_says_where_it_was_looked_for() {
    let project = Project::new();
    project.check("no-job", &["run", "nigth"]);
    project.check("no-project", &["run", "night", "--project", "elsewhere"]);
    project.check("no-source", &["sources", "asknicly"]);
    for (name, url) in [
        ("no-objects", "raw/dt={dt}/*.csv"),
        ("no-bucket", "/no/such/folder/*.json"),
        ("wrong-glob", "raw/dt={dt}/respons?.json"),
    ] {
        let job = JOB.replace("raw/dt={dt}/*.json", url);
        project.write(&format!("jobs/{name}.toml"), &job);
        project.check(name, &["run", name]);
    }
    let job = JOB.replace("raw/dt={dt}/*.json", "raw/none/*.json") + "optional = true\n";
    project.write("jobs/empty.toml", &job);
    project.check("no-day", &["run", "empty"]);
}

#[test]
fn usage_mistakes_exit_64() {
    let project = Project::new();
    project.check("bad-date", &["run", "night", "--as-of", "31-12-2024"]);
    project.check("bad-verb", &["rum", "night"]);
    project.check("bad-memory", &["plan", "night", "--memory-limit", "lots"]);
    project.check("bad-skip-code", &["run", "night", "--skip-exit-code", "3"]);
    assert_eq!(project.cxmart(&[]).0, 64);
    assert_eq!(project.cxmart(&["run", "night", "-q", "-v"]).0, 64);
    let (code, _, stderr) = project.cxmart(&["run", "night", "--refit", "match"]);
    assert!(code == 64 && stderr.contains("no matching to fit"), "{code}: {stderr}");
    assert_eq!(project.cxmart(&["run", "night"]).0, 0);
    project.check("past", &["run", "night", "--as-of", "2020-01-01"]);
}

/// Goal: what plan, run, status and releases say over the life of a small warehouse. Method: a
/// first run, a run with nothing new, and a night later; only what others' tables do not change.
#[test]
fn a_plan_says_what_a_run_does_and_a_second_run_publishes_nothing() {
    let project = Project::new();
    let (code, stdout, _) = project.cxmart(&["plan", "night"]);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("as of 2024-05-28, on an empty warehouse\n"), "{stdout}");
    assert!(stdout.contains("asknicely/responses  1 new object"), "{stdout}");
    assert!(stdout.contains("made from staged_survey_responses"), "{stdout}");
    assert_eq!(project.cxmart(&["plan", "night", "--detailed-exitcode"]).0, 2);
    assert!(!project.path().join("warehouse").exists(), "a plan writes nothing");
    assert_eq!(project.cxmart(&["status", "night"]).0, 0);
    assert!(!project.path().join("warehouse").exists(), "a status writes nothing");

    let (code, stdout, stderr) = project.cxmart(&["run", "night"]);
    assert_eq!(code, 0, "{stderr}");
    let summary = last_line(&stdout);
    assert_eq!(summary["release"], 1);
    assert_eq!(summary["as_of"], "2024-05-28");
    assert_eq!(summary["published"], true);
    assert_eq!(summary["records"]["read"], 2);
    assert_eq!(summary["records"]["used"], 2);
    assert_eq!(summary["tables"]["load_reconciliation"], 1);
    let lines = stderr.lines().filter(|line| line.contains("INFO")).count();
    assert!((1..=15).contains(&lines), "{lines} INFO lines:\n{stderr}");
    assert!(!stderr.contains("example.com"), "no address in a log line:\n{stderr}");

    let (code, stdout, _) = project.cxmart(&["run", "night"]);
    assert_eq!(code, 0);
    assert_eq!(last_line(&stdout)["published"], false);
    assert_eq!(last_line(&stdout)["release"], 1);
    assert_eq!(project.cxmart(&["run", "night", "--skip-exit-code", "99"]).0, 99);
    project.check("plan-nothing", &["plan", "night", "--detailed-exitcode"]);

    project.write("raw/dt=2024-05-29/r.json", &RESPONSES.replace("\"9\",\"q", "\"8\",\"q"));
    let (code, stdout, _) =
        project.cxmart(&["plan", "night", "--detailed-exitcode", "--format", "json"]);
    assert_eq!(code, 2);
    let plan: serde_json::Value = serde_json::from_str(&stdout).expect("a JSON plan");
    assert_eq!(plan["release"], 1);
    assert_eq!(plan["batches"][0]["kind"], "new_objects");
    let steps = plan["steps"].as_array().expect("steps");
    assert!(steps.iter().any(|step| step["kind"] == "inputs" && step["is_due"] == true));
    assert!(steps.iter().any(|step| step["kind"] == "unchanged" && step["is_due"] == false));
    let (code, _, stderr) = project.cxmart(&["run", "night", "--log-format", "json"]);
    assert_eq!(code, 0, "{stderr}");
    for line in stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("each log line is JSON");
    }
    let (_, stdout, _) = project.cxmart(&["releases", "night", "--format", "json"]);
    let releases: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(releases["releases"][1]["as_of"], "2024-05-29");
    let (_, stdout, _) = project.cxmart(&["status", "night"]);
    assert!(stdout.contains("release 2 as of 2024-05-29"), "{stdout}");
    assert!(stdout.contains("\nnothing waits\n"), "{stdout}");
    assert_eq!(project.cxmart(&["rejects", "night"]).1, "no rejects\n");
}

/// Goal: after a fix `rejects --redrive` runs the job and tells what became of the rejects; without
/// one it says that nothing was read again.
#[test]
fn rejects_are_driven_again_after_a_fix() {
    let project = Project::new();
    let till = "\n[limits]\nrejects_max = 1.0\n[[source]]\nsource = \"till\"\n\
                entity = \"sales\"\nurl = \"till/dt={dt}/*\"\n";
    project.write("jobs/night.toml", &format!("{JOB}{till}"));
    let spec = "description = \"Sales.\"\nkey = [\"id\"]\n[[column]]\nname = \"id\"\n\
                [[column]]\nname = \"amount\"\ntype = \"money\"\n";
    project.write("sql/stage/till/sales.toml", spec);
    let sql = "-- One row per sale.\n-- grain: source_id\n-- canonical: orders\n\
               select record_id, id as source_id, amount as total from raw_till__sales\n";
    project.write("sql/stage/till/stg_till__sales.sql", sql);
    project.write("till/dt=2024-05-28/a.csv", "id,amount\n1,\"1,50\"\n2,2\n,3\n");
    let (code, _, stderr) = project.cxmart(&["run", "night", "--refit", "match"]);
    assert!(code == 64 && stderr.contains("no matching to fit"), "{code}: {stderr}");
    let strict = till.replace("rejects_max = 1.0", "rejects_max = 0.05");
    project.write("jobs/night.toml", &format!("{JOB}{strict}"));
    let (code, _, stderr) = project.cxmart(&["run", "night"]);
    let told = "2 of 3 records of `till/sales` were rejected, more than `rejects_max` of 0.05: \
                missing_required in `id` once, first in record 3 of till/dt=2024-05-28/a.csv; \
                not_a_number in `amount` once, first in record 1 of ";
    assert!(code == 65 && stderr.contains(told), "{code}: {stderr}");
    project.write("jobs/night.toml", &format!("{JOB}{till}"));
    assert_eq!(project.cxmart(&["run", "night"]).0, 0);
    project.check("redrive-nothing", &["rejects", "night", "--redrive"]);
    project.write("sql/stage/till/sales.toml", &format!("{spec}decimal_mark = \",\"\n"));
    project.check("redrive", &["rejects", "night", "--redrive"]);
    let (code, stdout, _) = project.cxmart(&["rejects", "night", "--redrive", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (code, &told["count"], &told["redriven"]["objects_read"]),
        (0, &1.into(), &0.into())
    );
}

fn last_line(stdout: &str) -> serde_json::Value {
    serde_json::from_str(stdout.lines().last().expect("a last line")).expect("a JSON summary")
}

#[test]
fn each_run_leaves_a_report_also_one_that_failed() {
    let project = Project::new();
    let (code, _, stderr) = project.cxmart(&["run", "night", "--refit", "match"]);
    assert!(code == 64 && stderr.contains("no matching to fit"), "{code}: {stderr}");
    assert_eq!(project.cxmart(&["run", "night"]).0, 0);
    project.write("jobs/none.toml", &JOB.replace("*.json", "*.csv").replace("night", "none"));
    project.write("raw/dt=2024-05-30/r.json", "{\"data\": no json}");
    let (code, _, stderr) = project.cxmart(&["run", "night"]);
    assert_eq!(code, 65, "{stderr}");
    assert!(stderr.contains("error: "), "{stderr}");
    let mut outcomes = Vec::new();
    for entry in std::fs::read_dir(project.path().join("warehouse/runs")).expect("reports") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a report");
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(report["job"], "night");
        outcomes.push(report["outcome"].as_str().expect("an outcome").to_owned());
        if report["outcome"] == "failed" {
            assert!(!report["error"].as_array().expect("a chain").is_empty());
        } else {
            assert!(!report["steps"].as_array().expect("steps").is_empty());
        }
    }
    outcomes.sort();
    assert_eq!(outcomes, ["failed", "published"]);
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_job_file() {
    let project = Project::new();
    let mut validate = project.command(&["validate", "night", "--threads", "3"]);
    validate
        .env("CXMART__THREADS", "5")
        .env("CXMART__WAREHOUSE", "s3://mart/x")
        .env("CXMART__LIMITS__REJECTS_MAX", "0.25")
        .env("CXMART__METRICS__PERIODS", "month, week")
        .env("CXMART__IDENTITY__SALT", "ab".repeat(32));
    let output = validate.output().expect("the binary starts");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let line = |key: &str| -> Vec<String> {
        let line = stdout.lines().find(|line| line.split_whitespace().next() == Some(key));
        line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(line("threads"), ["threads", "3", "--threads"]);
    assert_eq!(line("limits.rejects_max")[1..], ["0.25", "CXMART__LIMITS__REJECTS_MAX"]);
    assert_eq!(line("metrics.periods").last().expect("origin"), "CXMART__METRICS__PERIODS");
    assert_eq!(line("time_zone")[2..], ["job", "file"]);
    assert_eq!(line("currency")[2..], ["default"]);
    assert_eq!(line("identity.salt")[1..], ["(secret)", "CXMART__IDENTITY__SALT"]);
    assert_eq!(line("warehouse")[1..], ["s3://mart/x", "CXMART__WAREHOUSE"]);
    assert!(!stdout.contains("abab"), "{stdout}");
}

#[test]
fn variables_that_name_nothing_or_hold_nonsense_are_problems() {
    let project = Project::new();
    for (name, value, says) in [
        ("CXMART__LIMITS__REJECT_MAX", "0.1", "hint: did you mean `REJECTS_MAX`?"),
        ("CXMART__LIMITS__REJECTS_MAX", "many", "limits.rejects_max: is a text, not a number"),
        ("CXMART__LIMITS", "1", "a job has no value `limits`"),
        ("CXMART__IDENTITY__SALT", "abc", "is not 32 bytes in hex"),
        ("CXMART__THREADS", "0", "`0` is not a number of threads"),
    ] {
        let output = project.command(&["validate", "night"]).env(name, value).output();
        let output = output.expect("the binary starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{name}: {stderr}");
        assert!(stderr.contains(says), "{name}: {stderr}");
    }
}

#[test]
fn a_closed_stdout_is_no_failure() {
    let project = Project::new();
    let mut child = project
        .command(&["sources"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// Goal: whoever connects a system is told what each export needs. Method: the lines of one with a key
/// of two columns, a cursor and days that are told again.
#[test]
fn a_source_tells_key_cursor_window_and_an_example() {
    let output = Project::new().command(&["sources", "ga4"]).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "ga4/events",
        "key: event_timestamp, event_name",
        "cursor: the day of the table",
        "re-read: the last 3 days at each export",
        "  [[source]]",
        "  source = \"ga4\"",
        "  entity = \"events\"",
        "  url = \"s3://bucket/ga4/events/dt={dt}/*\"",
    ] {
        assert!(said.lines().any(|found| found == line), "`{line}` in {said}");
    }
}

/// Goal: the guide works as it stands. Method: each block behind a mark is done in order, `run`
/// line by line, `file` and `append` as files of the folder that `cd` led to.
#[test]
fn the_guide_works_as_it_stands() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide.md"));
    let guide = guide.expect("the guide");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut at = folder.path().to_owned();
    let mut said = String::new();
    let mut blocks = 0;
    for part in guide.split("<!-- ").skip(1) {
        let (mark, rest) = part.split_once(" -->").expect("a mark ends");
        let block = rest.split("```").nth(1).expect("a block follows a mark");
        let (_, body) = block.split_once('\n').expect("a language");
        blocks += 1;
        if mark == "run" {
            for line in body.lines() {
                if let Some(to) = line.strip_prefix("cd ") {
                    at.push(to);
                    continue;
                }
                let words: Vec<&str> = line.split_whitespace().collect();
                assert_eq!(words[0], "cxmart", "{line}");
                let mut command = Command::new(env!("CARGO_BIN_EXE_cxmart"));
                let output = command.args(&words[1..]).current_dir(&at).env_clear().output();
                let output = output.expect("the binary starts");
                let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success(), "{line}: {stderr}");
                said.push_str(&format!("$ {line}\n{}", String::from_utf8_lossy(&output.stdout)));
            }
            continue;
        }
        let (what, path) = mark.split_once(": ").expect("a path");
        let path = at.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let text = if what == "append" { format!("{before}\n{body}") } else { body.to_owned() };
        std::fs::write(&path, text).expect("a file");
    }
    assert!(blocks >= 8, "{blocks} blocks");
    assert!(said.contains("jobs/my-mart.toml is usable: 1 source"), "{said}");
    assert!(said.contains("receipts.csv:3"), "the reject shows its record: {said}");
    assert!(said.contains("\"published\":false"), "the last run has nothing to do: {said}");
}

/// Goal: a demo says what it did and where to look, a second one says the same numbers and does
/// nothing, and a folder holds one demo only.
#[test]
fn a_demo_can_be_repeated_but_not_changed() {
    let project = Project::new();
    let demo = ["demo", "--dir", "d", "--customers", "12", "-q"];
    let (code, first, stderr) = project.cxmart(&demo);
    assert_eq!(code, 0, "{stderr}");
    let views = "duckdb -init '[DIR]/d/warehouse/catalog/views.sql' -c ";
    assert!(first.contains(views), "{first}");
    let numbers = |text: &str| text.split("\nrelease ").next().expect("numbers").to_owned();
    assert!(numbers(&first).contains("records read"), "{first}");
    let (code, second, _) = project.cxmart(&demo);
    assert_eq!(code, 0);
    assert!(second.contains("nothing new"), "{second}");
    assert_eq!(numbers(&first), numbers(&second));
    project.check("demo-other", &["demo", "--dir", "d", "--customers", "13"]);
    project.check("demo-none", &["demo", "--dir", "e", "--customers", "0"]);
}

#[test]
fn a_release_is_exported_once_and_its_checks_can_be_asked_again() {
    let project = Project::new();
    let (code, _, stderr) = project.cxmart(&["export", "night", "--to", "out"]);
    assert_eq!(code, 66, "{stderr}");
    let (code, _, stderr) = project.cxmart(&["run", "night", "--refit", "match"]);
    assert!(code == 64 && stderr.contains("no matching to fit"), "{code}: {stderr}");
    assert_eq!(project.cxmart(&["run", "night"]).0, 0);
    let (code, stdout, stderr) = project.cxmart(&["export", "night", "--to", "out"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.starts_with("release 1 as of 2024-05-28: "), "{stdout}");
    assert!(project.path().join("out/_SUCCESS").exists());
    assert_eq!(project.cxmart(&["export", "night", "--to", "out"]).0, 64);
    let (code, stdout, _) = project.cxmart(&["check", "night"]);
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.ends_with(" checks, 0 found rows\n"), "{stdout}");
}

/// Goal: a signal ends a run with its own code and a report, and the next run goes on. Method: the
/// signal is sent when the first log line says that work begins.
#[test]
fn a_signal_stops_a_run_with_its_own_code_and_the_next_one_goes_on() {
    use std::io::{BufRead, BufReader, Read};

    let project = Project::new();
    for day in 1..=28 {
        let rows = RESPONSES.replace("\"response_id\":\"", &format!("\"response_id\":\"{day}"));
        project.write(&format!("raw/dt=2024-06-{day:02}/responses.json"), &rows);
    }
    project.write("jobs/night.toml", &format!("{JOB}\n[limits]\nbatch_objects = 1\n"));
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let mut command = project.command(&["run", "night"]);
        let mut child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr"));
        let mut line = String::new();
        while !line.contains("planned") {
            line.clear();
            assert_ne!(lines.read_line(&mut line).expect("a line"), 0, "the run ended");
        }
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill").success());
        let mut rest = String::new();
        lines.read_to_string(&mut rest).expect("the other lines");
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{rest}");
        assert!(rest.contains("hint: run it again: it goes on where it stopped"), "{rest}");
    }
    assert!(!project.path().join("warehouse/releases").exists(), "nothing is published");
    let (code, stdout, stderr) = project.cxmart(&["run", "night"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(last_line(&stdout)["release"], 1);
    assert_eq!(last_line(&stdout)["objects"], 29);
}

/// Goal: `--verbose` tells of every step of ours, and not of every token the engines below parse.
#[test]
fn verbose_tells_the_steps_and_not_the_engines() {
    let project = Project::new();
    let (code, _, stderr) = project.cxmart(&["run", "night", "--verbose"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.lines().any(|line| line.contains("step done")), "{stderr}");
    assert!(!stderr.contains("parsing expr") && !stderr.contains("Optimized"), "{stderr}");
    assert!(stderr.lines().count() < 200, "{} lines", stderr.lines().count());
}

//! Nothing personal and no secret is told beside the tables that hold them, and input that means
//! harm stays where it is put.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cxmart::storage::Store;

use crate::extract::containers::zipped;
use crate::project::Project;

const SOURCES: [&str; 3] = ["contacts", "messages", "responses"];

/// A person, as exports tell of her.
const NAME: &str = "Quokkina Zanzibarova";
const EMAIL: &str = "Quokka.Canary@Example.net";
const PHONE: &str = "+45 71 82 93 04";
const WORDS: &str = "heliotrope wombat, ring 71 82 93 04 or mail quokka.canary@example.net";

/// What names her, in lower case; digits are looked for without what stands between them.
const PERSONAL: [&str; 5] =
    ["quokkina", "zanzibarova", "quokka.canary", "heliotrope wombat", "71829304"];

/// Variables with secrets, and the part of each that must not be told.
const SECRETS: [(&str, &str, &str); 10] = [
    ("AWS_ACCESS_KEY_ID", "AKIACANARY4711", "akiacanary4711"),
    ("AWS_SECRET_ACCESS_KEY", "aws-canary-secret", "aws-canary-secret"),
    ("AWS_SESSION_TOKEN", "aws-canary-session", "aws-canary-session"),
    ("AZURE_STORAGE_ACCOUNT_KEY", "YXp1cmUtY2FuYXJ5", "yxp1cmuty2fuyxj5"),
    ("GOOGLE_SERVICE_ACCOUNT_KEY", "{\"private_key\":\"google-canary\"}", "google-canary"),
    ("CXMART__PING_URL", "http://127.0.0.1:1/ping-canary", "ping-canary"),
    ("OPENLINEAGE_API_KEY", "lineage-canary", "lineage-canary"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=otel-canary", "otel-canary"),
    ("CXMART__IDENTITY__SALT", SALT, SALT),
    ("CXMART__PRIVACY__KEY", KEY, KEY),
];
const SALT: &str = "5a17ca9a5a17ca9a5a17ca9a5a17ca9a5a17ca9a5a17ca9a5a17ca9a5a17ca9a";
const KEY: &str = "c0deca9ac0deca9ac0deca9ac0deca9ac0deca9ac0deca9ac0deca9ac0deca9a";

/// The needles that are in a text.
fn told(text: &str, needles: &[&'static str]) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let close: String = text.chars().filter(|c| !" -./()".contains(*c)).collect();
    let is_number = |needle: &str| needle.bytes().all(|b| b.is_ascii_digit());
    let is_told = |needle: &&&str| {
        if is_number(needle) { close.contains(**needle) } else { text.contains(**needle) }
    };
    needles.iter().filter(is_told).copied().collect()
}

fn secrets() -> Vec<&'static str> {
    SECRETS.iter().map(|(.., needle)| *needle).collect()
}

fn cxmart(project: &Project, arguments: &[&str], more: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxmart"));
    command.args(arguments).current_dir(project.path()).env_clear();
    command.envs(SECRETS.iter().map(|(name, value, _)| (*name, *value)));
    command.envs(more.iter().copied());
    command.output().expect("the binary starts")
}

fn add(project: &Project, entity: &str, head: &str, rows: &[String]) {
    let text = format!("{head}\n{}\n", rows.join("\n"));
    project.write(&format!("shop/{entity}/dt=2024-05-28/{entity}.csv"), &text);
}

/// A night in which she is told of in good rows and in all kinds of bad ones.
fn seeded() -> Project {
    let sources = SOURCES.map(|entity| {
        format!(
            "\n[[source]]\nsource = \"generic\"\nentity = \"{entity}\"\nurl = \"shop/{entity}/dt={{dt}}/*.csv\"\n"
        )
    });
    let project = Project::new(&format!("{}\n[limits]\nrejects_max = 1.0\n", sources.concat()));
    project.night("2024-05-28", 1, &[9, 3, 10]);
    let head = "contact_id,customer_id,external_id,name,email,phone,country,segment,updated_at";
    let contact = |id: &str, at: &str| format!("{id},{id},,{NAME},{EMAIL},{PHONE},DK,gold,{at}");
    let contacts = [
        contact("c-1", "2024-05-28T08:00:00Z"),
        contact("c-2", "ring +45 71 82 93 04"),
        contact("", "2024-05-28T08:00:00Z"),
        format!("c-3,{NAME},{EMAIL},{PHONE}"),
    ];
    add(&project, "contacts", head, &contacts);
    let head = "response_id,email,metric,score,comment,answered_at";
    let responses = [
        format!("r-1,{EMAIL},nps,2,\"{WORDS}\",2024-05-28T10:00:00Z"),
        format!("r-2,{EMAIL},{EMAIL},2,\"{WORDS}\",2024-05-28T10:00:00Z"),
        format!("r-3,{EMAIL},nps,{PHONE},\"{WORDS}\",2024-05-28T10:00:00Z"),
    ];
    add(&project, "responses", head, &responses);
    let head = "message_id,ticket_id,email,author_kind,text,sent_at";
    let messages = [
        format!("m-1,t-1,{EMAIL},customer,\"I am {NAME}: {WORDS}\",2024-05-28T09:00:00Z"),
        format!("m-2,t-1,{EMAIL},customer,\"{WORDS}\",{EMAIL}"),
    ];
    add(&project, "messages", head, &messages);
    // A check that finds her, and calls what names her by other names.
    let check = "-- Each row is somebody, under other names.\n-- severity: warn\nselect\n    \
                 customer_id,\n    primary_email as who,\n    upper(display_name) as said,\n    \
                 primary_phone as number_of\nfrom customers\nwhere primary_email is not null\n";
    project.write("sql/check/somebody_is_there.sql", check);
    project
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// What can be read of a file without reading its rows: all of it, or the footer of a table.
fn beside_rows(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("a file");
    if path.extension().is_none_or(|ending| ending != "parquet") {
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let at = bytes.len() - 8;
    let length: [u8; 4] = bytes[at..at + 4].try_into().expect("four bytes");
    let length = usize::try_from(u32::from_le_bytes(length)).expect("small");
    String::from_utf8_lossy(&bytes[at - length..at]).into_owned()
}

/// Goal: no secret and nothing personal in logs, results of commands, errors, receipts, reports,
/// releases, views, Delta logs, lineage, metrics and the footers of tables; and of rejects no address
/// and no number. Method: a night seeded with a person and secrets, run to its end and made to fail,
/// all other commands after it, and everything that was written searched.
#[test]
fn secrets_and_people_are_told_nowhere_but_in_their_tables() {
    let project = seeded();
    let listeners = [("CXMART__LINEAGE", "events.ndjson"), ("CXMART__METRICS_FILE", "run.prom")];
    let mut spoken = Vec::new();
    let mut say = |arguments: &[&str], more: &[(&str, &str)], code: i32| {
        let output = cxmart(&project, arguments, more);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        spoken.push((arguments.join(" "), text));
    };
    let run = ["run", "project", "--verbose", "--log-format", "json", "--no-lease"];
    say(&run, &listeners, 0);
    let posted = "http://user:canary-password@127.0.0.1:1/x?token=canary-token";
    project.night("2024-05-29", 5, &[1]);
    say(&["run", "project", "--no-lease"], &[("CXMART__LINEAGE", posted)], 0);
    for arguments in [
        &["plan", "project"][..],
        &["plan", "project", "--format", "json"],
        &["status", "project"],
        &["releases", "project"],
        &["check", "project"],
        &["validate", "project"],
        &["verify", "project", "--deep"],
        &["diff", "project", "1", "2"],
        &["gc", "project", "--dry-run"],
        &["export", "project", "--to", "out"],
    ] {
        say(arguments, &[], 0);
    }
    for url in ["s3://me:canary-password@mart/x", "az://mart/x?sig=canary-token"] {
        say(&["plan", "project", "--warehouse", url], &[], 78);
        say(&["export", "project", "--to", url], &[], 78);
        say(&["run", "project"], &[("CXMART__PUBLISH__EXPORT", url)], 78);
    }
    let mut broken = std::fs::read_to_string(project.path().join("jobs/project.toml")).expect("it");
    broken = broken.replace("url = \"raw/", "url = \"s3://me:canary-password@bucket/raw/");
    project.write("jobs/broken.toml", &broken);
    say(&["validate", "broken"], &[], 78);
    // An object that cannot be decoded, and checks that say no, fail a run.
    let block = "\n[checks]\nblock = [\"somebody_is_there\"]\n";
    project
        .write("jobs/block.toml", &(broken.replace("s3://me:canary-password@bucket/", "") + block));
    project.night("2024-05-30", 6, &[2]);
    say(&["run", "block", "--no-lease"], &listeners, 65);

    let all = [PERSONAL.to_vec(), secrets(), vec!["canary-password", "canary-token"]].concat();
    for (command, text) in &spoken {
        assert_eq!(told(text, &all), Vec::<&str>::new(), "`{command}` says {text}");
    }
    let warned = spoken.iter().any(|(_, text)| text.contains("who=(masked) said=(masked)"));
    assert!(warned, "the check that names her was asked: {spoken:?}");
    let mut written = Vec::new();
    for place in ["warehouse", "out", "events.ndjson", "run.prom"] {
        let path = project.path().join(place);
        if path.is_dir() { files(&path, &mut written) } else { written.push(path) }
    }
    for kind in ["runs/", "work/", "receipt.json", "_delta_log/", "releases/", "views.sql", ".prom"]
    {
        let is_there = |path: &PathBuf| path.to_string_lossy().contains(kind);
        assert!(written.iter().any(is_there), "no `{kind}` was written");
    }
    for path in &written {
        let found = told(&beside_rows(path), &all);
        assert_eq!(found, Vec::<&str>::new(), "{}", path.display());
    }

    let rejects = cxmart(&project, &["rejects", "project"], &[]);
    let text = String::from_utf8_lossy(&rejects.stdout).into_owned();
    assert!(text.lines().count() > 5, "{text}");
    assert_eq!(told(&text, &["quokka.canary", "71829304"]), Vec::<&str>::new(), "{text}");
}

#[test]
fn the_search_of_these_tests_finds_what_there_is() {
    let found = |text: &str| told(text, &[PERSONAL.to_vec(), secrets()].concat());
    assert_eq!(found(EMAIL), ["quokka.canary"]);
    assert_eq!(found(NAME), ["quokkina", "zanzibarova"]);
    assert_eq!(found("(+45) 71-82.93 04"), ["71829304"]);
    for (_, value, needle) in SECRETS {
        assert_eq!(found(value), [needle]);
    }
    assert_eq!(found("nobody"), Vec::<&str>::new());
}

/// Goal: no name that comes from outside leads out of its folder. Method: a zip whose members are
/// called as paths, environments and tables that are, and a store asked for a path above it; what
/// lies around the project stays as it was.
#[tokio::test(flavor = "multi_thread")]
async fn no_name_leads_out_of_its_folder() {
    let outside = tempfile::tempdir().expect("a temporary folder");
    let project = Project::new("");
    let made = Project::new("");
    made.night("2024-05-28", 1, &[9, 3]);
    let night = std::fs::read(made.path().join("raw/dt=2024-05-28/responses.json")).expect("it");
    let above = format!("{}/evil.json", outside.path().display());
    let members = ["../../../evil.json", above.as_str(), "C:\\evil.json", "a/../../evil.json"];
    let first = zipped(&members.map(|name| (name, night.as_slice())));
    std::fs::create_dir_all(project.path().join("raw/dt=2024-05-28")).expect("a folder");
    std::fs::write(project.path().join("raw/dt=2024-05-28/members.json"), first).expect("a zip");
    let outcome = project.run().await.expect("a night in a zip");
    assert_eq!((outcome.counts.read, outcome.objects), (8, 1));

    for name in ["../../x", "a/b", "..", ""] {
        let output = cxmart(&project, &["status", "project", "--env", name], &[]);
        assert_eq!(output.status.code(), Some(64), "`{name}`");
    }
    let output = cxmart(&project, &["status", "project"], &[("CXMART__ENV", "../../x")]);
    assert_ne!(output.status.code(), Some(0));
    let contract = "description = \"One row per thing.\"\ngrain = [\"id\"]\n[[column]]\nname = \"id\"\n\
                    type = \"text\"\ndescription = \"Id.\"\n";
    for name in ["..x", "evil name", "a';drop table customers;--"] {
        project.write(&format!("sql/assemble/{name}.toml"), contract);
        let output = cxmart(&project, &["validate", "project"], &[]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "`{name}`: {told}");
        assert!(told.contains("is not a name of a table"), "{told}");
        std::fs::remove_file(project.path().join(format!("sql/assemble/{name}.toml")))
            .expect("gone");
    }

    let store = Store::on_disk(&project.path().join("warehouse"));
    let above = format!("{}/evil", outside.path().display());
    for path in ["../evil", "tables/../../evil", above.as_str(), "tables/./../../evil"] {
        store.replace(path, "bytes".into()).await.expect("written somewhere inside");
        assert_eq!(store.read(path).await.expect("read back"), "bytes", "`{path}`");
        store.delete(path).await.expect("deleted");
    }
    let mut found = Vec::new();
    files(outside.path(), &mut found);
    assert_eq!(found, Vec::<PathBuf>::new());
    let evil = |folder: &Path| folder.join("evil").exists() || folder.join("evil.json").exists();
    assert!(!evil(project.path()));
}

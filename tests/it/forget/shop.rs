//! A shop with one customer who asks to be forgotten, told of by contacts, orders, tickets, their
//! messages, and answers to surveys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::file::statistics::Statistics;
use arrow::array::AsArray;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use cxmart::run::RunError;
use cxmart::run::forget::{self, Applied};
use cxmart::state::Release;
use cxmart::storage::{Store, parquet};

use crate::project::Project;

pub const ANA: &str = "ana.erasmus@example.com";

/// What names Ana, in lower case.
const WORDS: [&str; 8] = [
    "ana.erasmus@example.com",
    "ana.former@example.com",
    "erasmus",
    "20304051",
    "20 30 40 51",
    "cust-ana-000771",
    "ext-ana-99120",
    "1903.770012",
];

const SOURCES: [&str; 6] =
    ["contacts", "orders", "conversations", "messages", "responses", "events"];

/// A shop's project; `extra` is appended to the job.
pub fn shop(extra: &str) -> Project {
    let sources = SOURCES.map(|entity| {
        format!(
            "\n[[source]]\nsource = \"generic\"\nentity = \"{entity}\"\nurl = \"shop/{entity}/dt={{dt}}/*.csv\"\n"
        )
    });
    Project::new(&format!("{}{extra}", sources.concat()))
}

fn add(project: &Project, day: &str, entity: &str, name: &str, head: &str, rows: &[String]) {
    let text = format!("{head}\n{}\n", rows.join("\n"));
    project.write(&format!("shop/{entity}/dt={day}/{name}.csv"), &text);
}

const CONTACTS: &str =
    "contact_id,customer_id,external_id,name,email,phone,country,segment,updated_at";
const ORDERS: &str = "order_id,customer_id,email,total,currency,placed_at";
const TICKETS: &str = "ticket_id,customer_id,email,subject,status,created_at";
const MESSAGES: &str = "message_id,ticket_id,email,author_kind,text,sent_at";
const RESPONSES: &str = "response_id,email,metric,score,comment,ticket_id,answered_at";
const EVENTS: &str = "event_id,external_id,anonymous_id,session_id,name,channel,occurred_at";

/// One night of the shop; Ana is in it if `with_ana`.
pub fn night(project: &Project, number: usize, with_ana: bool) {
    let day = format!("2024-05-{:02}", 27 + number);
    let first = u32::try_from(number * 10).expect("small");
    project.night(&day, first, &[9, 3, 10, 7]);
    let ana = |rows: Vec<String>| if with_ana { rows } else { Vec::new() };
    let email = "Ana.Erasmus@Example.com";
    // Only a former version of her contact knows this one.
    let of_contact = if number == 1 { "Ana.Former@Example.com" } else { email };
    let mut contacts = ana(vec![format!(
        "cust-ana-000771,cust-ana-000771,EXT-ANA-99120,Ana Erasmus,{of_contact},+45 20 30 40 51,DK,gold,{day}T08:00:00Z"
    )]);
    contacts.extend((0..6).map(|who| {
        format!("cust-{who},cust-{who},,Person {who},p{who}@example.com,,SE,web,{day}T08:00:00Z")
    }));
    add(project, &day, "contacts", "contacts", CONTACTS, &contacts);
    let mut orders = ana(vec![
        format!(
            "o-{number}-a,cust-ana-000771,{email},120.50,EUR,2024-0{}-11T10:00:00Z",
            2 + number
        ),
        format!(
            "o-{number}-b,,{},80.00,EUR,2024-0{}-21T10:00:00Z",
            email.to_uppercase(),
            2 + number
        ),
    ]);
    orders.extend((0..9).map(|order| {
        let (who, back) = ((order * 5 + number) % 6, order % 27 + 1);
        format!(
            "o-{number}-{order},,p{who}@example.com,{}.00,EUR,2024-0{}-{back:02}T10:00:00Z",
            10 + order,
            5 - (order + number) % 4,
        )
    }));
    add(project, &day, "orders", "orders", ORDERS, &orders);
    let mut tickets =
        ana(vec![format!("t-{number}-a,cust-ana-000771,,Erasmus waits,open,{day}T09:00:00Z")]);
    tickets.push(format!("t-{number}-b,,p1@example.com,Late,open,{day}T09:10:00Z"));
    add(project, &day, "conversations", "tickets", TICKETS, &tickets);
    let mut messages = ana(vec![
        format!(
            "m-{number}-1,t-{number}-a,{email},customer,\"I am Ana Erasmus, call 20304051\",{day}T09:00:00Z"
        ),
        format!("m-{number}-2,t-{number}-a,,agent,Dear Ana Erasmus,{day}T09:30:00Z"),
    ]);
    let about = if with_ana { "ask ana.erasmus@example.com or +45 20 30 40 51 now" } else { "ask" };
    messages
        .push(format!("m-{number}-3,t-{number}-b,p1@example.com,customer,{about},{day}T09:20:00Z"));
    messages.push(format!("m-{number}-4,t-{number}-b,,agent,Dear p1,{day}T09:40:00Z"));
    add(project, &day, "messages", "messages", MESSAGES, &messages);
    let mut responses = ana(vec![
        format!("r-{number}-a,{email},nps,2,Erasmus is not amused,,{day}T10:00:00Z"),
        format!("r-{number}-b,,csat,1,says Ana Erasmus,t-{number}-a,{day}T10:05:00Z"),
    ]);
    responses.push(format!("r-{number}-c,p2@example.com,nps,9,fine,,{day}T10:00:00Z"));
    add(project, &day, "responses", "responses", RESPONSES, &responses);
    // Her sessions are called after her cookie, as many tools do it; one was before she logged in.
    let mut events = ana(vec![
        format!("e-{number}-1,,1903.770012,1903.770012:{number}1,page_view,web,{day}T07:00:00Z"),
        format!("e-{number}-2,,1903.770012,1903.770012:{number}1,page_view,web,{day}T07:01:00Z"),
        format!(
            "e-{number}-3,EXT-ANA-99120,1903.770012,1903.770012:{number}2,page_view,web,{day}T07:50:00Z"
        ),
    ]);
    events.push(format!("e-{number}-4,,2200.118,2200.118:{number}1,page_view,web,{day}T07:00:00Z"));
    add(project, &day, "events", "events", EVENTS, &events);
}

/// Forgets Ana.
pub async fn forget_ana(project: &Project) -> Result<Applied, RunError> {
    forget::apply(&Arc::new(project.open()), &[ANA.to_owned()]).await
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn names_ana(text: &str) -> bool {
    let lower = text.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// All texts of a Parquet file: cells, and the bounds in its footer.
fn texts(name: &str, bytes: &[u8]) -> Vec<String> {
    let bytes = Bytes::copy_from_slice(bytes);
    let reader = SerializedFileReader::new(bytes.clone()).expect("parquet");
    let mut all = Vec::new();
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            if let Some(Statistics::ByteArray(bounds)) = column.statistics() {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                all.extend(bounds.min_bytes_opt().map(text));
                all.extend(bounds.max_bytes_opt().map(text));
            }
        }
    }
    if name.contains("_delta_log") {
        return all;
    }
    for rows in parquet::decode(name, bytes, None).expect("rows") {
        for array in rows.columns() {
            if let Some(texts) = array.as_string_opt::<i32>() {
                all.extend(texts.iter().flatten().map(str::to_owned));
            }
        }
    }
    all
}

/// Objects in which Ana is named, by any way of looking at their bytes.
pub fn named_in(objects: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bytes) in objects {
        let is_parquet = name.ends_with(".parquet");
        let is_named = names_ana(&name)
            || names_ana(&String::from_utf8_lossy(&bytes))
            || (is_parquet && texts(&name, &bytes).iter().any(|text| names_ana(text)));
        if is_named {
            found.push(name);
        }
    }
    found
}

/// Files of a project's warehouse in which Ana is named.
pub fn named_in_warehouse(project: &Project) -> Vec<String> {
    let mut all = Vec::new();
    files(&project.path().join("warehouse"), &mut all);
    assert!(all.len() > 50, "a warehouse has files");
    let read = |path: PathBuf| {
        (
            path.display().to_string().replace(&project.path().display().to_string(), ""),
            std::fs::read(&path).expect("a file"),
        )
    };
    named_in(all.into_iter().map(read))
}

/// Content of published tables, by name, without the named ones.
pub fn content(release: &Release, but: &[&str]) -> BTreeMap<String, String> {
    let tables = release.tables.iter().filter(|(name, _)| !but.contains(&name.as_str()));
    tables.map(|(name, table)| (name.clone(), table.content_hash.to_string())).collect()
}

/// Rows of a published table: texts of the named columns.
pub async fn rows(
    store: &Store,
    release: &Release,
    table: &str,
    columns: &[&str],
) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let dataset = release.tables.get(table).or_else(|| release.state.get(table)).expect("a table");
    for file in &dataset.files {
        let batches = parquet::read(store, &file.path, &file.file_hash, None).await;
        for batch in batches.expect("a whole file") {
            let options = FormatOptions::default();
            let formats: Vec<_> = columns
                .iter()
                .map(|name| {
                    let array = batch.column_by_name(name).expect("a column");
                    ArrayFormatter::try_new(array, &options).expect("a format")
                })
                .collect();
            for i in 0..batch.num_rows() {
                all.push(formats.iter().map(|format| format.value(i).to_string()).collect());
            }
        }
    }
    all
}

/// Tables of two releases that differ.
pub fn differ(
    one: &BTreeMap<String, String>,
    other: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let names = one.keys().chain(other.keys());
    names.filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

#[test]
fn the_scan_of_these_tests_finds_what_there_is() {
    let text = |text: &str| named_in(std::iter::once((text.to_owned(), text.into()))).len();
    assert_eq!((text("x Ana.ERASMUS@example.com"), text("{\"id\":\"cust-ana-000771\"}")), (1, 1));
    assert_eq!(text("nobody"), 0);
}

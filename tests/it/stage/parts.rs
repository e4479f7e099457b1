//! A source of the project whose records hold lists, from its bytes to two canonical tables.

use arrow::array::AsArray;
use cxmart::storage::parquet::decode;

use crate::project::Project;

const SOURCE: &str = r#"
[limits]
rejects_max = 1.0

[[source]]
source = "chat"
entity = "talks"
url = "chats/dt={dt}/*.json"
"#;

const SPEC: &str = r#"
description = "Chats with what was said in them."
key = ["talk"]
[[column]]
name = "talk"
from = ["id"]
[[part]]
name = "messages"
each = "thread.messages"
[[part.column]]
name = "talk"
from = ["id"]
[[part.column]]
name = "message"
from = ["@.id"]
required = true
[[part.column]]
name = "place"
type = "int64"
from = ["@index"]
[[part.column]]
name = "body"
from = ["@.text"]
[[part.column]]
name = "sent_at"
type = "timestamp"
from = ["@.at"]
"#;

const TALKS: &str = "-- One row per chat.
-- grain: source_id
-- canonical: conversations
select record_id, talk as source_id from raw_chat__talks
";

const MESSAGES: &str = "-- One row per message.
-- grain: source_id
-- canonical: messages
select
    record_id,
    message as source_id,
    talk as conversation_source_id,
    place,
    body as body_text,
    sent_at
from raw_chat__talks__messages
";

const CHATS: &str = r#"{"id":"t1","thread":{"messages":[{"id":"m1","text":"hello","at":"2025-01-01T09:00:00Z"},{"id":"m2","text":"hi","at":"2025-01-01T09:01:00Z"}]}}
{"id":"t2","thread":{"messages":[]}}
{"id":"t3","thread":{"messages":[{"id":"m3","at":"2025-01-01T10:00:00Z"},{"id":"m4","at":"soon"}]}}
"#;

async fn staged(project: &Project, table: &str, column: &str) -> Vec<String> {
    let release = project.release().await.expect("a release");
    let store = project.open().store;
    let mut found = Vec::new();
    for file in &release.state[table].files {
        let bytes = store.read(&file.path).await.expect("a staged file");
        for batch in decode(&file.path, bytes, None).expect("parquet") {
            let texts = batch.column_by_name(column).expect("the column").as_string::<i32>();
            found.extend(texts.iter().flatten().map(str::to_owned));
        }
    }
    found.sort();
    found
}

/// Goal: one object gives conversations and their messages, counts balance in records, and a
/// record whose part cannot be read leaves every table. Method: run a project; then change the
/// part alone, which must stage the object again.
#[tokio::test(flavor = "multi_thread")]
async fn one_object_gives_two_canonical_tables() {
    let project = Project::new(SOURCE);
    project.night("2025-01-01", 1, &[9]);
    project.write("sql/stage/chat/talks.toml", SPEC);
    project.write("sql/stage/chat/stg_chat__talks.sql", TALKS);
    project.write("sql/stage/chat/stg_chat__messages.sql", MESSAGES);
    project.write("chats/dt=2025-01-01/chats.json", CHATS);
    project.run().await.expect("a run");
    assert_eq!(staged(&project, "staged_conversations", "source_id").await, ["t1", "t2"]);
    assert_eq!(staged(&project, "staged_messages", "source_id").await, ["m1", "m2"]);
    assert_eq!(staged(&project, "staged_rejects", "reject_column").await, ["messages.sent_at"]);

    let lenient = SPEC.replace("from = [\"@.at\"]", "from = [\"@.at\"]\nlenient = true");
    project.write("sql/stage/chat/talks.toml", &lenient);
    project.run().await.expect("a run");
    assert_eq!(staged(&project, "staged_conversations", "source_id").await, ["t1", "t2", "t3"]);
    assert_eq!(staged(&project, "staged_messages", "source_id").await, ["m1", "m2", "m3", "m4"]);
}

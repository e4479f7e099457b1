//! One JSON object a line: a malformed line is one reject, and the next line is read.

use super::encoding::Charset;
use super::feed::{Feed, Line};
use super::rows::Rows;
use super::{Break, Decode, Step, Task};

pub(super) struct Ndjson {
    pub(super) task: Task,
    pub(super) feed: Feed,
    pub(super) charset: Charset,
}

impl Decode for Ndjson {
    fn decode(&mut self, rows: &mut Rows) -> Result<Step, Break> {
        match self.feed.line(b'\n', self.task.limits.record_bytes)? {
            Line::End => Ok(Step::End),
            Line::TooLong(head) => {
                rows.begin();
                rows.refuse("record_too_large", &String::from_utf8_lossy(&head));
                Ok(Step::More)
            }
            Line::Found { len, step } => {
                let bytes = self.feed.data().get(..len).unwrap_or_default().trim_ascii();
                if !bytes.is_empty() {
                    self.task.lookup.json(self.charset, bytes, rows);
                }
                self.feed.consume(step);
                Ok(Step::More)
            }
        }
    }
}

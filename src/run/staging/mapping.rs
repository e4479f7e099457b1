//! One staging model at work on the chunks of a batch.

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, SchemaRef};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{PlacedReject, Tally};
use crate::catalog::{Canonical, Model, SourceSpec};
use crate::engine::{EngineError, Piecewise, Session};
use crate::forget::Eraser;
use crate::forget::rows::Found;
use crate::forget::shape::Shape;
use crate::plan::Batch;
use crate::plan::graph::staged;
use crate::run::arrivals::Arrivals;
use crate::run::sink::{Sink, Spread, Written};
use crate::run::{Context, RunError, scale};
use crate::stage::{self, Origin, Refused, place};
use crate::table::hash::Hash;
use crate::table::{Contract, TableError};

/// Typed rows as they come from the decoder.
pub type Chunks = mpsc::Receiver<Result<RecordBatch, EngineError>>;

/// Finished rows that wait to be written.
const BATCHES_WAITING: usize = 2;

fn placed(row: Refused) -> PlacedReject {
    let (object, record_number) = place(row.record_id);
    let Refused { rule, column, text, .. } = row;
    PlacedReject { object, record_number, rule, column, text, value_only: false }
}

/// What a staging model made of a batch.
pub struct Mapped {
    pub name: String,
    pub written: Vec<Written>,
    pub rejects: Vec<PlacedReject>,
    /// Of people who are forgotten.
    pub found: Found,
}

/// What falls to the side of a model's rows.
#[derive(Default)]
struct Aside {
    rejects: Vec<PlacedReject>,
    found: Found,
}

/// One staging model at work on a batch.
pub struct Mapping {
    context: Arc<Context>,
    spec: SourceSpec,
    account: String,
    model: Model,
    /// Of the staged rows.
    staged: Contract,
    canonical: Canonical,
    origins: Arc<Vec<Origin>>,
    tallies: Arc<Mutex<Vec<Tally>>>,
    /// Takes out people who are forgotten.
    eraser: Option<(Arc<Eraser>, Shape)>,
}

impl Mapping {
    pub fn new(
        context: &Arc<Context>,
        batch: &Batch,
        spec: &SourceSpec,
        model: &Model,
        origins: &Arc<Vec<Origin>>,
        tallies: &Arc<Mutex<Vec<Tally>>>,
    ) -> Option<Self> {
        let table = context.catalog.canonical_tables.get(model.header.canonical.as_ref()?)?;
        Some(Self {
            context: Arc::clone(context),
            spec: spec.clone(),
            account: context.job.sources.get(batch.source)?.account.clone(),
            model: model.clone(),
            staged: table.staged.clone()?,
            canonical: table.canonical.clone()?,
            origins: Arc::clone(origins),
            tallies: Arc::clone(tallies),
            eraser: None,
        })
    }

    /// Leaves out people who are forgotten.
    pub fn without(mut self, eraser: Option<&Arc<Eraser>>) -> Self {
        let tables = &self.context.catalog.canonical_tables;
        let shape = tables.get(&self.staged.name);
        let shape = shape.map(|table| Shape::new(&self.context.catalog, table, &self.canonical));
        let shape = shape.filter(Shape::is_about_people);
        self.eraser = eraser.zip(shape).map(|(eraser, shape)| (Arc::clone(eraser), shape));
        self
    }

    /// Place of the raw table that the model reads; the lint sees to it that there is one.
    pub fn table_read(&self) -> usize {
        let tables = self.spec.raw_tables();
        tables.iter().position(|name| self.model.references.contains(name)).unwrap_or_default()
    }

    /// Name and schema of that table.
    fn raw(&self) -> Result<(String, SchemaRef), RunError> {
        let tables = self.spec.raw_tables().into_iter().zip(stage::types::raw_schemas(&self.spec));
        let mut tables = tables.skip(self.table_read());
        tables.next().ok_or_else(|| RunError::NoTable(self.spec.raw_table()))
    }

    pub async fn run(self, chunks: Chunks, step: Hash) -> Result<Mapped, RunError> {
        let name = staged(&self.staged.name);
        let scratch = self.context.work.folder(&step).join(&self.model.name);
        let (raw, schema) = self.raw()?;
        let session = self.context.engine.session_in_order();
        let model = (self.model.name.as_str(), self.model.sql.as_str());
        let mut aside = Aside::default();
        let written = match session.piecewise(&raw, schema, "record_id", model).await? {
            Some(query) => self.by_chunk(query, chunks, &scratch, &mut aside).await?,
            None => self.at_once(chunks, &scratch, &mut aside).await?,
        };
        let Aside { rejects, found } = aside;
        Ok(Mapped { name, written, rejects, found })
    }

    /// Each row stands for itself: chunk by chunk, written as they come.
    async fn by_chunk(
        &self,
        mut query: Piecewise,
        mut chunks: Chunks,
        scratch: &Path,
        aside: &mut Aside,
    ) -> Result<Vec<Written>, RunError> {
        let mut files = Arrivals::new(&self.staged, scratch);
        // Beside the model: writing is about as much work as all that comes before.
        let (sender, mut finished) = mpsc::channel::<RecordBatch>(BATCHES_WAITING);
        let writing = tokio::task::spawn_blocking(move || {
            while let Some(rows) = finished.blocking_recv() {
                files.push(&rows)?;
            }
            files.finish()
        });
        let mapped = async {
            while let Some(chunk) = chunks.recv().await {
                for rows in query.rows(chunk?).await? {
                    if sender.send(self.finished(&rows, aside)?).await.is_err() {
                        // The writer stopped: its own error tells why.
                        return Ok::<_, RunError>(());
                    }
                }
            }
            Ok(())
        };
        let mapped = mapped.await;
        drop(sender);
        let written = writing.await.map_err(RunError::Thread)?;
        mapped?;
        written
    }

    /// Rows are grouped: one query over all of them, whose answer comes in no order.
    async fn at_once(
        &self,
        chunks: Chunks,
        scratch: &Path,
        aside: &mut Aside,
    ) -> Result<Vec<Written>, RunError> {
        let session: Session = self.context.engine.session_in_order();
        let rows = ReceiverStream::new(chunks).boxed();
        let (raw, schema) = self.raw()?;
        session.stream(&raw, schema, rows)?;
        let mut answer = session.query(&self.model.name, &self.model.sql).await?;
        let mut sink = Sink::new(&self.staged, Spread::Contract, scratch);
        while let Some(rows) = answer.batches.next().await {
            sink.push(&self.finished(&rows?, aside)?)?;
        }
        let threads = self.context.settings.threads;
        let written = tokio::task::spawn_blocking(move || sink.finish(threads)).await;
        written.map_err(RunError::Thread)?
    }

    /// Rows of the model as rows of the canonical table, without those that it refuses.
    fn finished(&self, rows: &RecordBatch, aside: &mut Aside) -> Result<RecordBatch, RunError> {
        let has_key = !self.spec.key.is_empty();
        let mut rows = rows.clone();
        if self.staged.name == stage::scale::ANSWERS {
            let scales = scale::of_source(&self.context.job, &self.spec.source);
            let zone = self.context.job.zone();
            rows = stage::scale::on_scale(&scales, &self.account, zone, &rows)?;
        }
        let (rows, refused) = stage::refuse(&self.staged.name, has_key, &rows)?;
        self.mark_rejected(&refused);
        aside.rejects.extend(refused.into_iter().map(placed));
        let natural =
            (self.spec.source.as_str(), self.account.as_str(), self.spec.natural_entity());
        let (staged, canonical) = (&self.staged, &self.canonical);
        let finished = stage::finish(staged, canonical, natural, &self.origins, &rows)?;
        self.each_place(&rows, |tally, _| tally.rows += 1);
        let Some((eraser, shape)) = &self.eraser else {
            self.mark_used(&rows);
            return Ok(finished);
        };
        let hits = eraser.hits(shape, &finished);
        aside.found.extend(eraser.found(shape, &finished, &hits));
        let scrubbed = eraser.scrub(shape, &finished, &hits)?;
        let used = filter_record_batch(&rows, &scrubbed.counted)
            .map_err(|source| TableError::Order { table: staged.name.clone(), source })?;
        self.mark_used(&used);
        Ok(scrubbed.rows)
    }

    fn mark_rejected(&self, refused: &[Refused]) {
        let Ok(mut tallies) = self.tallies.lock() else { return };
        for (object, number) in refused.iter().map(|row| place(row.record_id)) {
            if let Some(tally) = tallies.get_mut(object) {
                tally.rejected.insert(number);
            }
        }
    }

    fn mark_used(&self, rows: &RecordBatch) {
        self.each_place(rows, |tally, number| tally.used.insert(number));
    }

    /// Tells the tally of each row's object of the row's record.
    fn each_place(&self, rows: &RecordBatch, mut tell: impl FnMut(&mut Tally, u64)) {
        let ids = rows.column_by_name("record_id").and_then(|a| a.as_primitive_opt::<Int64Type>());
        let (Some(ids), Ok(mut tallies)) = (ids, self.tallies.lock()) else { return };
        for (object, number) in ids.iter().flatten().map(place) {
            if let Some(tally) = tallies.get_mut(object) {
                tell(tally, number);
            }
        }
    }
}

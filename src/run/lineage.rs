//! What a run reads and makes as `OpenLineage` events: START, then COMPLETE, FAIL or ABORT.
//!
//! Raw sources are the inputs, published tables the outputs. A table made by SQL says of each of
//! its columns what it is made from.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use super::Context;
use crate::plan::RUN_TABLE;
use crate::plan::graph::{is_view, with_views};
use crate::settings::machine;
use crate::settings::notices::Lineage;
use crate::state::reports::Report;
use crate::state::{Release, StateReader};
use crate::table::dataset::Dataset;
use crate::table::hash::Hasher;
use crate::table::{Contract, Kind};
use crate::telemetry;

const PRODUCER: &str = concat!("urn:cxmart:", env!("CARGO_PKG_VERSION"));
const EVENT_SCHEMA: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const NAMESPACE: &str = "cxmart";

/// The event of a run that begins, if anybody listens.
pub fn start(context: &Context) -> Option<Value> {
    let sources = (0..context.job.sources.len()).map(|i| source(context, i, None));
    event(context, "START", sources.collect(), Vec::new(), None)
}

/// The event of a run that ended, if anybody listens.
pub async fn end(context: &Context, report: &Report) -> Option<Value> {
    let kind = match report.outcome.as_str() {
        "failed" => "FAIL",
        "stopped" => "ABORT",
        _ => "COMPLETE",
    };
    if context.settings.notices.lineage == Lineage::None {
        return None;
    }
    let sources = (0..context.job.sources.len()).map(|i| source(context, i, Some(report)));
    let mut outputs = Vec::new();
    if kind == "COMPLETE" {
        let reader = StateReader::new(context.store.clone());
        // A run is lineage's business even where its release cannot be read again.
        if let Ok(Some(release)) = reader.latest().await {
            outputs = tables(context, &release).await;
        }
    }
    let error = (!report.error.is_empty()).then(|| report.error.join(": "));
    event(context, kind, sources.collect(), outputs, error)
}

fn event(
    context: &Context,
    kind: &str,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    error: Option<String>,
) -> Option<Value> {
    let notices = &context.settings.notices;
    if notices.lineage == Lineage::None {
        return None;
    }
    let time = DateTime::from_timestamp_micros(machine::now_us()).unwrap_or_default();
    let mut facets = Map::new();
    let engine = json!({ "version": env!("CARGO_PKG_VERSION"), "name": "cxmart" });
    facets.insert("processing_engine".into(), facet("1-1-1", "ProcessingEngineRunFacet", engine));
    if let Some(parent) = &notices.parent {
        let parent = json!({
            "run": { "runId": parent.run_id },
            "job": { "namespace": parent.namespace, "name": parent.job },
        });
        facets.insert("parent".into(), facet("1-2-0", "ParentRunFacet", parent));
    }
    if let Some(message) = error {
        let error = json!({ "message": message, "programmingLanguage": "RUST" });
        facets.insert("errorMessage".into(), facet("1-0-1", "ErrorMessageRunFacet", error));
    }
    let how = json!({ "processingType": "BATCH", "integration": "CXMART", "jobType": "JOB" });
    Some(json!({
        "eventType": kind,
        "eventTime": time.to_rfc3339_opts(SecondsFormat::Millis, true),
        "producer": PRODUCER,
        "schemaURL": EVENT_SCHEMA,
        "run": { "runId": run_id(&context.settings.run_id), "facets": facets },
        "job": {
            "namespace": notices.lineage_namespace.as_deref().unwrap_or(NAMESPACE),
            "name": context.job.name,
            "facets": { "jobType": facet("2-0-4", "JobTypeJobFacet", how) },
        },
        "inputs": inputs,
        "outputs": outputs,
    }))
}

/// Values with the names that every facet carries.
fn facet(version: &str, name: &str, mut values: Value) -> Value {
    let url = format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
    values["_producer"] = PRODUCER.into();
    values["_schemaURL"] = url.into();
    values
}

/// A UUID (version 8: made by our own rule) from the id of the run.
fn run_id(id: &str) -> String {
    let hash = Hasher::new("lineage run").part(id).finish();
    let hex: Vec<char> = hash.as_str().chars().collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or(&[]).iter().collect::<String>();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

/// Namespace and name of what lies at a url or path, without any credentials.
fn place(location: &str) -> (String, String) {
    let location = telemetry::mask(location);
    match location.split_once("://") {
        Some((scheme, rest)) if scheme != "file" => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            (format!("{scheme}://{host}"), path.to_owned())
        }
        Some((_, path)) => ("file".into(), path.to_owned()),
        None => ("file".into(), location),
    }
}

/// A raw source, with what was read of it once that is known.
fn source(context: &Context, index: usize, report: Option<&Report>) -> Value {
    let Some(source) = context.job.sources.get(index) else { return Value::Null };
    let (namespace, name) = place(&source.url);
    let mut dataset = json!({ "namespace": namespace, "name": name });
    let spec = format!("{}/{}", source.source, source.entity);
    if let Some(spec) = context.catalog.specs.get(&spec) {
        let fields = spec.columns.iter().map(|column| json!({ "name": column.name }));
        let fields: Vec<Value> = fields.collect();
        let schema = facet("1-2-0", "SchemaDatasetFacet", json!({ "fields": fields }));
        dataset["facets"] = json!({ "schema": schema });
    }
    if let Some(report) = report {
        let batches = || report.batches.iter().filter(|batch| batch.source == spec);
        let files: usize = batches().map(|batch| batch.objects).sum();
        let bytes: u64 = batches().map(|batch| batch.bytes).sum();
        let read = json!({ "size": bytes, "fileCount": files });
        let read = facet("1-0-0", "InputStatisticsInputDatasetFacet", read);
        dataset["inputFacets"] = json!({ "inputStatistics": read });
    }
    dataset
}

/// Published tables of a release.
async fn tables(context: &Context, release: &Release) -> Vec<Value> {
    let mut all = Vec::new();
    for (name, dataset) in &release.tables {
        let Some(contract) = context.contract(name) else { continue };
        all.push(table(context, contract, dataset, release.number).await);
    }
    all
}

async fn table(context: &Context, contract: &Contract, made: &Dataset, number: u64) -> Value {
    let (namespace, name) = table_place(context, &contract.name);
    let field = |column: &crate::table::Column| {
        let (name, kind) = (&column.name, kind(column.kind));
        json!({ "name": name, "type": kind, "description": column.description })
    };
    let fields: Vec<Value> = contract.columns.iter().map(field).collect();
    let mut facets = json!({
        "schema": facet("1-2-0", "SchemaDatasetFacet", json!({ "fields": fields })),
        "documentation": facet(
            "1-1-0",
            "DocumentationDatasetFacet",
            json!({ "description": contract.description }),
        ),
        "version": facet(
            "1-0-1",
            "DatasetVersionDatasetFacet",
            json!({ "datasetVersion": number.to_string() }),
        ),
    });
    if let Some(columns) = columns(context, contract).await {
        let columns = json!({ "fields": columns });
        facets["columnLineage"] = facet("1-2-0", "ColumnLineageDatasetFacet", columns);
    }
    let written =
        json!({ "rowCount": made.rows, "size": made.bytes(), "fileCount": made.files.len() });
    let written = facet("1-0-2", "OutputStatisticsOutputDatasetFacet", written);
    json!({
        "namespace": namespace,
        "name": name,
        "facets": facets,
        "outputFacets": { "outputStatistics": written },
    })
}

fn table_place(context: &Context, name: &str) -> (String, String) {
    let kind = if context.catalog.tables.get(name).is_some_and(|table| table.published) {
        "tables"
    } else {
        "state"
    };
    place(&context.store.address(&format!("{kind}/{name}")))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Int64 => "bigint",
        Kind::Float64 => "double",
        Kind::Bool => "boolean",
        Kind::Date => "date",
        Kind::Timestamp => "timestamp",
        Kind::Decimal => "decimal(18,4)",
    }
}

/// What each column of a SQL model is made from; `None` for tables that Rust makes.
async fn columns(context: &Context, contract: &Contract) -> Option<Map<String, Value>> {
    let model = context.catalog.models.get(&contract.name)?;
    let session = context.engine.session();
    let parts = with_views(&context.catalog, model);
    let mut known: Vec<&String> = Vec::new();
    for name in parts.iter().flat_map(|part| &part.references) {
        if is_view(&context.catalog, name) || known.contains(&name) {
            continue;
        }
        known.push(name);
        let schema = match context.contract(name) {
            Some(contract) => contract.schema(),
            None if name == RUN_TABLE => super::model::run_schema(),
            None => return None,
        };
        session.files(name, schema, Vec::new()).ok()?;
    }
    for view in parts.iter().filter(|part| is_view(&context.catalog, &part.name)) {
        session.view(&view.name, &view.sql).await.ok()?;
    }
    let origins = session.origins(&model.name, &model.sql).await.ok()?;
    let mut fields = Map::new();
    for (column, origins) in origins {
        let from = |(table, field): &(String, String)| {
            let (namespace, name) = table_place(context, table);
            json!({ "namespace": namespace, "name": name, "field": field })
        };
        // The run's own values are no dataset.
        let origins = origins.iter().filter(|(table, _)| table != RUN_TABLE);
        let origins: Vec<Value> = origins.map(from).collect();
        if contract.column(&column).is_some() && !origins.is_empty() {
            fields.insert(column, json!({ "inputFields": origins }));
        }
    }
    Some(fields)
}

//! `cxmart resolve evaluate`: how right it is who is who, where somebody knows the truth.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::output::{columns, count, print, print_json};
use super::{Desk, Exit, Failure, Format};
use crate::job::Problem;
use crate::resolve::quality::Quality;
use crate::run;
use crate::run::native::resolve::why::{self, Evaluation, Judged, Labels, Verdict};

/// Look at how people were resolved
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Evaluate(Evaluate),
}

/// Judge the newest release against labels, at several thresholds of matching; nothing is written
#[derive(Debug, clap::Args)]
struct Evaluate {
    /// Path of a job file, or the name of one in jobs/
    job: String,
    /// CSV with `left,right,is_match`, or with `identifier,person`; identifiers as `type:value`
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// How the numbers are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(arguments: Arguments, desk: Desk) -> Result<Exit, Failure> {
    let Verb::Evaluate(arguments) = arguments.verb;
    let labels = labels(&arguments.labels)?;
    let context = Arc::new(run::open(&arguments.job, desk.settings)?);
    let found = why::evaluate(&context, &labels).await?;
    match arguments.format {
        Format::Text => print(&text(&found))?,
        Format::Json => print_json(&document(&found))?,
    }
    Ok(Exit::Done)
}

fn labels(path: &Path) -> Result<Labels, Failure> {
    let name = path.display().to_string();
    let wrong = |message: String| {
        let hint = "a CSV with `left,right,is_match` or with `identifier,person`";
        Failure::Problems(vec![Problem::new(name.clone(), message).hint(hint)])
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::NoSource(Problem::new(name.clone(), format!("cannot be read: {error}")))
    })?;
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let rows = reader.records().collect::<Result<Vec<_>, _>>();
    let rows = rows.map_err(|error| wrong(error.to_string()))?;
    let cell = |row: &csv::StringRecord, i: usize| row.get(i).unwrap_or_default().to_owned();
    match head.iter().collect::<Vec<_>>().as_slice() {
        ["left", "right", "is_match"] => {
            let pair = |row: &csv::StringRecord| match cell(row, 2).to_lowercase().as_str() {
                "1" | "true" | "yes" => Ok((cell(row, 0), cell(row, 1), true)),
                "0" | "false" | "no" => Ok((cell(row, 0), cell(row, 1), false)),
                other => Err(wrong(format!("`{other}` in is_match is neither 1 nor 0"))),
            };
            Ok(Labels::Pairs(rows.iter().map(pair).collect::<Result<_, _>>()?))
        }
        ["identifier", "person"] => {
            Ok(Labels::People(rows.iter().map(|row| (cell(row, 0), cell(row, 1))).collect()))
        }
        _ => Err(wrong("has other columns".into())),
    }
}

fn numbers(judged: &Judged) -> Vec<(&'static str, Quality)> {
    match &judged.quality {
        Verdict::Pairs(quality) => vec![("pairwise", *quality)],
        Verdict::People(all) => {
            vec![("pairwise", all.pairwise), ("cluster", all.cluster), ("b_cubed", all.b_cubed)]
        }
    }
}

fn text(found: &Evaluation) -> String {
    let share =
        |share: Option<f64>| share.map_or_else(|| "-".into(), |share| format!("{share:.4}"));
    let mut rows =
        vec![["threshold", "", "measure", "precision", "recall", "f1"].map(str::to_owned).to_vec()];
    for judged in &found.judged {
        let threshold = judged.threshold.map_or_else(|| "identifiers".into(), |t| t.to_string());
        let job = if judged.is_the_jobs { "the job's" } else { "" };
        for (measure, quality) in numbers(judged) {
            let (precision, recall) = (share(quality.precision), share(quality.recall));
            let f1 = share(quality.f1());
            let row = [&threshold, job, measure, &precision, &recall, &f1];
            rows.push(row.map(str::to_owned).to_vec());
        }
    }
    let unseen = match found.unseen {
        0 => String::new(),
        unseen => format!("{} labels name identifiers nobody has seen\n", count(unseen as u64)),
    };
    format!("{}{unseen}", columns(&rows))
}

fn document(found: &Evaluation) -> serde_json::Value {
    let judged = found.judged.iter().map(|judged| {
        let quality = |(measure, quality): (&'static str, Quality)| {
            let (precision, recall) = (quality.precision, quality.recall);
            let numbers = json!({ "precision": precision, "recall": recall, "f1": quality.f1() });
            (measure.to_owned(), numbers)
        };
        let measures: serde_json::Map<_, _> = numbers(judged).into_iter().map(quality).collect();
        json!({
            "threshold": judged.threshold,
            "is_the_jobs": judged.is_the_jobs,
            "measures": measures,
        })
    });
    json!({ "evaluated": judged.collect::<Vec<_>>(), "unseen": found.unseen })
}

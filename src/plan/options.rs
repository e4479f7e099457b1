//! Options of a source that its spec cannot use, told before anything is read.

use chrono_tz::Tz;

use crate::catalog::SourceSpec;
use crate::catalog::spec::{OPTION, SpecColumn, SpecKind};
use crate::job::schema::nearest;
use crate::job::{Problem, Source};

/// Every option that nothing reads, that is missing, or whose value means nothing.
pub(super) fn wrong(at: &str, source: &Source, spec: &SourceSpec) -> Vec<Problem> {
    let mut problems = unknown(at, source, spec);
    for column in spec.all_columns() {
        problems.extend(constant(at, source, spec, column));
        let of_mark = column.decimal_mark.as_deref().and_then(|mark| mark.strip_prefix(OPTION));
        let of_zone = column.zone.as_deref().and_then(|zone| zone.split_once(OPTION));
        let mark = |value: &str| matches!(value, "." | ",");
        let zone = |value: &str| value == "job" || value.parse::<Tz>().is_ok();
        problems.extend(of_mark.and_then(|name| value(at, source, name, mark, "`.` or `,`")));
        let of_zone = of_zone.map(|(_, name)| name);
        problems.extend(
            of_zone.and_then(|name| value(at, source, name, zone, "such as `Europe/Paris`")),
        );
    }
    // Several columns may read one option.
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    problems.dedup();
    problems
}

fn unknown(at: &str, source: &Source, spec: &SourceSpec) -> Vec<Problem> {
    let known = spec.option_names();
    let unknown = source.options.keys().filter(|name| !spec.knows_option(name));
    let problem = |name: &String| {
        let message = format!("`{}` has no such option", spec.key());
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "known is `from_COLUMN`: a header of the export".into(),
            None => format!("known are {}, and `from_COLUMN`", known.join(", ")),
        };
        Problem::new(format!("{at}.options.{name}"), message).hint(hint)
    };
    unknown.map(problem).collect()
}

/// A column that is an option itself: it may be required, or one of a few values, or a number.
fn constant(at: &str, source: &Source, spec: &SourceSpec, column: &SpecColumn) -> Option<Problem> {
    let option = column.from.first()?.strip_prefix(OPTION)?;
    let (name, default) = option.split_once('=').unwrap_or((option, ""));
    let values = column.values.join(", ");
    if column.required && default.is_empty() && !source.options.contains_key(name) {
        if name == "account" {
            return None;
        }
        let message = format!("`{}` needs this option", spec.key());
        let problem = Problem::new(format!("{at}.options.{name}"), message);
        return Some(if values.is_empty() { problem } else { problem.hint(values) });
    }
    if !column.values.is_empty() {
        return value(at, source, name, |v| column.values.iter().any(|known| known == v), &values);
    }
    match column.kind {
        SpecKind::Decimal | SpecKind::Float64 | SpecKind::Int64 => {
            value(at, source, name, |v| v.parse::<f64>().is_ok_and(f64::is_finite), "a number")
        }
        _ => None,
    }
}

/// A value that is given and means nothing.
fn value(
    at: &str,
    source: &Source,
    name: &str,
    means: impl Fn(&str) -> bool,
    hint: &str,
) -> Option<Problem> {
    let given = source.options.get(name).filter(|value| !value.is_empty() && !means(value))?;
    let message = format!("`{given}` means nothing here");
    Some(Problem::new(format!("{at}.options.{name}"), message).hint(hint))
}

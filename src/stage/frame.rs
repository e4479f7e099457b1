//! Whole numbers, floats and truths: one Polars expression a column, all columns of a chunk at once.
//!
//! The expressions are made once for a spec. Casts are not strict: what was a value and became
//! null is reported beside the value, so that the row can be rejected with its origin.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::error::ArrowError;
use polars::prelude::{
    DataFrame, DataType, Expr, IntoLazy, NULL, NamedFrom, Series, col, lit, when,
};

use super::handover::{arrow_error, as_arrow, to_polars};

const TRUE: [&str; 12] = ["true", "1", "yes", "y", "t", "ja", "j", "oui", "o", "si", "sí", "on"];
const FALSE: [&str; 10] = ["false", "0", "no", "n", "f", "nein", "nej", "nei", "non", "off"];

/// What a column of text is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    Int64,
    Float64,
    Bool,
}

/// The casts of a spec.
#[derive(Debug, Clone)]
pub struct Frame {
    casts: Vec<Cast>,
    names: Vec<String>,
    /// Columns of truths, in lower case.
    words: Vec<Expr>,
    values: Vec<Expr>,
    unread: Vec<Expr>,
}

/// A typed column and where a text could not be read.
#[derive(Debug)]
pub struct Read {
    pub values: ArrayRef,
    pub unread: BooleanArray,
}

impl Read {
    /// Of a column without values, as those are that an export does not have.
    fn nothing((text, cast): (&StringArray, &Cast)) -> Self {
        let kind = match cast {
            Cast::Int64 => arrow::datatypes::DataType::Int64,
            Cast::Float64 => arrow::datatypes::DataType::Float64,
            Cast::Bool => arrow::datatypes::DataType::Boolean,
        };
        let unread = BooleanArray::new(BooleanBuffer::new_unset(text.len()), None);
        Self { values: new_null_array(&kind, text.len()), unread }
    }
}

impl Frame {
    pub fn new(casts: &[Cast]) -> Self {
        let names: Vec<String> = (0..casts.len()).map(|i| format!("column {i}")).collect();
        let values = names.iter().zip(casts).map(|(name, cast)| value(name, *cast)).collect();
        let unread = names.iter().map(|name| {
            let lost = col(name.as_str()).is_not_null().and(col(read(name)).is_null());
            lost.alias(unread(name))
        });
        let unread = unread.collect();
        let words = names.iter().zip(casts).filter(|(_, cast)| **cast == Cast::Bool);
        let words = words.map(|(name, _)| col(name.as_str()).str().to_lowercase()).collect();
        Self { casts: casts.to_vec(), names, words, values, unread }
    }

    /// `texts` in the order of the casts, blank and null values already null, without outer blanks.
    ///
    /// # Errors
    /// Polars refuses the expressions.
    pub fn read(&self, texts: &[StringArray]) -> Result<Vec<Read>, ArrowError> {
        if texts.iter().all(|text| text.null_count() == text.len()) {
            return Ok(texts.iter().zip(&self.casts).map(Read::nothing).collect());
        }
        let Some(rows) = texts.first().map(Array::len) else { return Ok(Vec::new()) };
        let columns = self.names.iter().zip(texts);
        let columns = columns.map(|(name, text)| Ok(to_polars(name, text)?.into()));
        let columns = columns.collect::<Result<_, _>>().map_err(arrow_error)?;
        let frame = DataFrame::new(rows, columns).map_err(arrow_error)?;
        // One after the other, so that what they share is computed once.
        let lazy = frame.lazy().with_columns(&self.words);
        let lazy = lazy.with_columns(&self.values).with_columns(&self.unread);
        let frame = lazy.collect().map_err(arrow_error)?;
        let column = |name: String| as_arrow(frame.column(&name).map_err(arrow_error)?);
        let read_one = |name: &String| {
            let (values, unread) = (column(read(name))?, column(unread(name))?);
            Ok(Read { values, unread: unread.as_boolean().clone() })
        };
        self.names.iter().map(read_one).collect()
    }
}

fn read(name: &str) -> String {
    format!("{name} read")
}

fn unread(name: &str) -> String {
    format!("{name} unread")
}

fn value(name: &str, cast: Cast) -> Expr {
    let text = col(name);
    let value = match cast {
        Cast::Int64 => text.cast(DataType::Int64),
        Cast::Float64 => {
            let number = text.cast(DataType::Float64);
            when(number.clone().is_finite()).then(number).otherwise(lit(NULL))
        }
        Cast::Bool => {
            let is = |words: &[&str]| one_of(&text, words);
            when(is(&TRUE)).then(lit(true)).when(is(&FALSE)).then(lit(false)).otherwise(lit(NULL))
        }
    };
    value.alias(read(name))
}

fn one_of(word: &Expr, words: &[&str]) -> Expr {
    let words = Series::new("words".into(), words);
    word.clone().is_in(lit(words).implode(false), false)
}

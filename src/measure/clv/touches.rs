//! Which channel a customer came by: the first touch anybody saw before they became one.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Date32Type;

use super::ClvError;
use super::people::{Bought, Contract};

/// Channel and day of first touches, by customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touches(BTreeMap<String, (i32, String)>);

/// Rows (`customer_id`, `channel`, `touched_on`), one a customer.
///
/// # Errors
/// A column that is missing or of another type.
pub fn read(batches: &[RecordBatch]) -> Result<Touches, ClvError> {
    let mut known = BTreeMap::new();
    for batch in batches {
        let text = |name: &'static str| {
            let array = batch.column_by_name(name).and_then(|array| array.as_string_opt::<i32>());
            array.ok_or(ClvError::Column(name))
        };
        let (ids, channels) = (text("customer_id")?, text("channel")?);
        let days = batch.column_by_name("touched_on");
        let days = days.and_then(|array| array.as_primitive_opt::<Date32Type>());
        let days = days.ok_or(ClvError::Column("touched_on"))?;
        for i in 0..batch.num_rows() {
            known.insert(ids.value(i).to_owned(), (days.value(i), channels.value(i).to_owned()));
        }
    }
    Ok(Touches(known))
}

impl Touches {
    /// A touch up to the day of the first purchase or contract names the channel; a later one won
    /// nobody, and what the record of the person says stands.
    pub fn name_channels(&self, bought: &mut [Bought], contracts: &mut [Contract]) {
        let of = |id: &str, first_day: i32| {
            let touch = self.0.get(id).filter(|(day, _)| *day <= first_day);
            touch.map(|(_, channel)| channel.clone())
        };
        for one in bought {
            one.channel = of(&one.id, one.first_day).or_else(|| one.channel.take());
        }
        for one in contracts {
            one.channel = of(&one.id, one.started).or_else(|| one.channel.take());
        }
    }
}

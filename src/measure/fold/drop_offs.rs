//! Where paths break off: touches by touchpoint and by the stage the customer was in.
//!
//! A touch leads on when another touch or a purchase follows on its path, and is the end of it when
//! the path is lost; of the last touch of a path that still runs nobody knows. Stages and paths are
//! walked anyway, so this fold is both of them, and looks at each customer's two walks side by side.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use rustc_hash::FxHashMap;

use super::columns::{batch, counts, texts};
use super::mark::Mark;
use super::path_tables::Touchpoints;
use super::paths::{Counted, End, Paths, Trail};
use super::stages::{self, Journey, Stages, Stay, Walk};
use super::{Customer, Event, Fold, FoldError};

/// Stage of those who are in none yet.
const NONE: &str = "(none)";

/// Makes what [`Journey`] and [`Paths`] make, and counts where paths break off.
#[derive(Debug)]
pub struct DropOffs {
    pub journey: Journey,
    pub paths: Paths,
    /// Earlier touches are not counted; microseconds since 1970, UTC.
    pub since: i64,
}

/// Touches that led on, and those that were the end of a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Led {
    on: i64,
    nowhere: i64,
}

/// By touchpoint (its number) and stage (none: in no stage yet).
#[derive(Debug, Clone, Default)]
pub struct Broken(FxHashMap<(u32, Option<u8>), Led>);

/// All three of a bucket.
#[derive(Debug, Default)]
pub struct Rows {
    pub stages: stages::Rows,
    pub paths: Counted,
    pub broken: Broken,
}

impl Fold for DropOffs {
    type State = (Walk, Trail);
    type Rows = Rows;

    fn init(&self) -> Self::State {
        (self.journey.init(), self.paths.init())
    }

    fn step(&self, state: &mut Self::State, event: &Event<'_>) {
        self.journey.step(&mut state.0, event);
        self.paths.step(&mut state.1, event);
    }

    fn mark(&self, state: &mut Self::State, mark: &Mark<'_>) {
        self.journey.mark(&mut state.0, mark);
    }

    fn emit(&self, state: Self::State, customer: Customer<'_>, rows: &mut Rows) {
        let (mut walk, trail) = state;
        let stays = self.journey.stays(&mut walk);
        self.paths.each(&trail, |touches, end_at, end| {
            rows.paths.path(self.paths.shape, touches, end_at, end);
            rows.broken.path(stays, touches, end, self.since);
        });
        self.journey.emit(walk, customer, &mut rows.stages);
    }
}

impl Broken {
    fn path(&mut self, stays: &[Stay], touches: &[(i64, u32)], end: End, since: i64) {
        for (place, (at, touchpoint)) in touches.iter().enumerate() {
            let is_last = place + 1 == touches.len();
            if *at < since || (is_last && end == End::Running) {
                continue;
            }
            // A touch that brings a customer into a stage is one of that stage.
            let after = stays.partition_point(|stay| stay.entered_at <= *at);
            let stage = after.checked_sub(1).and_then(|i| stays.get(i)).map(|stay| stay.stage);
            let led = self.0.entry((*touchpoint, stage)).or_default();
            let is_end = is_last && end == End::Lost;
            *(if is_end { &mut led.nowhere } else { &mut led.on }) += 1;
        }
    }

    /// Adds what another bucket counted.
    pub fn merge(&mut self, other: Self) {
        for (key, more) in other.0 {
            let led = self.0.entry(key).or_default();
            led.on += more.on;
            led.nowhere += more.nowhere;
        }
    }

    /// Rows of `path_drop_offs`; touchpoints are named as the tables of paths name them.
    ///
    /// # Errors
    /// None in practice: the columns are of one length.
    pub fn batch(
        &self,
        touchpoints: &Touchpoints,
        stages: &Stages,
    ) -> Result<RecordBatch, FoldError> {
        let mut rows: BTreeMap<(Option<u8>, &str), Led> = BTreeMap::new();
        for ((number, stage), more) in &self.0 {
            let led = rows.entry((*stage, touchpoints.name_of_number(*number))).or_default();
            led.on += more.on;
            led.nowhere += more.nowhere;
        }
        let stage = |stage: Option<u8>| stage.map_or(NONE, |stage| stages.name(stage));
        batch(
            "path_drop_offs",
            vec![
                ("stage", texts(rows.keys().map(|key| Some(stage(key.0))))),
                ("touchpoint", texts(rows.keys().map(|key| Some(key.1)))),
                ("n_led_on", counts(rows.values().map(|led| Some(led.on)))),
                ("n_dropped", counts(rows.values().map(|led| Some(led.nowhere)))),
            ],
        )
    }
}

//! Experience scores: readings, intervals, changes and what is suppressed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::{Float64Type, Int64Type};
use cxmart::catalog::{Catalog, Files};
use cxmart::measure::fold::calendar::Grain;
use cxmart::measure::scores::{self, Answer, DEFINITIONS, Scale, Score, Terms};
use cxmart::measure::suppression::{Cell, Rule, hidden};

const NPS: Scale = Scale::points(0, 10);
/// 2024-05-01 and 2024-06-01, as days since 1970-01-01.
const MAY: i32 = 19_844;
const JUNE: i32 = 19_875;

#[track_caller]
fn near(got: Option<f64>, wanted: f64, tolerance: f64) {
    let got = got.expect("a number");
    assert!((got - wanted).abs() <= tolerance, "got {got}, wanted {wanted}");
}

fn terms() -> Terms {
    let periods = vec![Grain::Month];
    Terms { confidence: 0.95, min_cell: 10, periods, shares: None, horizon_day: JUNE + 200 }
}

/// `count` answers of `score` points in May, without a dimension.
fn answer(metric: &str, scale: Scale, score: i64, count: u64) -> Answer {
    Answer {
        metric: metric.into(),
        scale,
        is_effort: false,
        score: score * 10_000,
        favourable: None,
        day: MAY,
        dimension: scores::ALL.into(),
        value: scores::ALL.into(),
        stratum: String::new(),
        count,
    }
}

fn nps(promoters: u64, passives: u64, detractors: u64) -> Vec<Answer> {
    vec![
        answer("nps", NPS, 10, promoters),
        answer("nps", NPS, 7, passives),
        answer("nps", NPS, 0, detractors),
    ]
}

fn of(answers: Vec<Answer>, day: i32, dimension: &str, value: &str) -> Vec<Answer> {
    let moved =
        |answer| Answer { day, dimension: dimension.to_owned(), value: value.to_owned(), ..answer };
    answers.into_iter().map(moved).collect()
}

#[track_caller]
fn find<'a>(scores: &'a [Score], metric: &str, start: i32, value: &str) -> &'a Score {
    let found = |s: &&Score| s.definition == metric && s.start == start && s.value == value;
    scores.iter().find(found).unwrap_or_else(|| panic!("no {metric} of {value}"))
}

#[test]
fn nps_is_promoters_less_detractors_with_its_interval() {
    let scores = scores::scores(&nps(50, 30, 20), &terms());
    let score = find(&scores, "nps", MAY, "all");
    assert_eq!((score.n, score.nps, score.scale.as_str()), (100, Some([50, 30, 20]), "0-10"));
    near(score.score, 30.0, 1e-9);
    let interval = score.interval.expect("an interval");
    near(Some(interval.low), 14.1, 0.05);
    near(Some(interval.high), 44.2, 0.05);
    let few = scores::scores(&nps(5, 0, 0), &Terms { min_cell: 1, ..terms() });
    near(find(&few, "nps", MAY, "all").interval.map(|i| i.high), 100.0, 0.0);
    let ltr = find(&scores, "ltr_mean", MAY, "all");
    near(ltr.score, (50.0 * 10.0 + 30.0 * 7.0) / 100.0, 1e-12);
    assert_eq!(ltr.nps, None);
}

#[test]
fn ten_sixes_of_a_hundred_move_nps_by_ten_between_its_readings() {
    let mut answers = nps(50, 30, 10);
    answers.push(answer("nps", NPS, 6, 10));
    let scores = scores::scores(&answers, &terms());
    let (standard, strict) =
        (find(&scores, "nps", MAY, "all"), find(&scores, "nps_strict5", MAY, "all"));
    near(strict.score, standard.score.expect("a score") + 10.0, 1e-9);
    assert_eq!((standard.nps, strict.nps), (Some([50, 30, 20]), Some([50, 40, 10])));
}

#[test]
fn employees_are_never_pooled_with_customers() {
    let mut answers = nps(50, 30, 20);
    answers.push(answer("enps", NPS, 0, 40));
    let scores = scores::scores(&answers, &terms());
    assert_eq!(find(&scores, "nps", MAY, "all").n, 100);
    let employees = find(&scores, "enps", MAY, "all");
    assert_eq!((employees.n, employees.score), (40, Some(-100.0)));
}

#[test]
fn favourable_answers_are_those_the_scale_says() {
    for (metric, min, max, favourable) in [
        ("csat", 1, 5, Some(4)),
        ("csat", 1, 7, Some(6)),
        ("csat", 1, 10, Some(9)),
        ("csat", 1, 3, Some(3)),
        ("csat", 0, 1, Some(1)),
        ("csat", 0, 5, None),
        ("ces", 1, 7, Some(5)),
        ("ces", 1, 5, Some(4)),
        ("ces", 0, 5, None),
        ("star", 1, 5, Some(4)),
    ] {
        let scale = Scale::points(min, max);
        let answers: Vec<_> = (min..=max).map(|score| answer(metric, scale, score, 10)).collect();
        let scores = scores::scores(&answers, &terms());
        let share = if metric == "star" { "star_share" } else { metric };
        let got = scores.iter().find(|score| score.definition == share);
        let wanted = favourable.map(|first| u64::try_from(10 * (max - first + 1)).expect("few"));
        assert_eq!(got.and_then(|score| score.favourable), wanted, "{metric} {scale}");
        let mean = if metric == "star" { "star".to_owned() } else { format!("{metric}_mean") };
        let middle = (min + max) as f64 / 2.0;
        near(find(&scores, &mean, MAY, "all").score, middle, 1e-12);
    }
}

#[test]
fn csat_is_a_share_with_wilsons_interval() {
    let scale = Scale::points(1, 5);
    let answers = [answer("csat", scale, 5, 74), answer("csat", scale, 2, 33)];
    let scores = scores::scores(&answers, &terms());
    let score = find(&scores, "csat", MAY, "all");
    near(score.score, 69.16, 0.005);
    near(score.interval.map(|i| i.low), 59.9, 0.05);
    near(score.interval.map(|i| i.high), 77.1, 0.05);
}

#[test]
fn scales_are_never_mixed_and_answers_off_their_scale_never_count() {
    let (five, ten) = (Scale::points(1, 5), Scale::points(1, 10));
    let answers = [
        answer("csat", five, 5, 20),
        answer("csat", five, 6, 20),
        answer("csat", ten, 5, 20),
        // Stars that leaked into NPS: no such scale, no score.
        answer("nps", five, 5, 20),
    ];
    let scores = scores::scores(&answers, &terms());
    let shares: Vec<_> = scores.iter().filter(|score| score.definition == "csat").collect();
    assert_eq!(shares.len(), 2);
    let by_scale = |scale: &str| shares.iter().find(|s| s.scale == scale).expect("the scale");
    assert_eq!((by_scale("1-5").n, by_scale("1-5").score), (20, Some(100.0)));
    assert_eq!((by_scale("1-10").n, by_scale("1-10").score), (20, Some(0.0)));
    assert!(scores.iter().all(|score| score.definition.starts_with("csat")));
}

#[test]
fn effort_is_turned_so_that_more_is_better() {
    let scale = Scale::points(1, 7);
    let effort = Answer { is_effort: true, ..answer("ces", scale, 2, 20) };
    let scores = scores::scores(&[effort], &terms());
    near(find(&scores, "ces", MAY, "all").score, 100.0, 0.0);
    near(find(&scores, "ces_mean", MAY, "all").score, 6.0, 1e-12);
    near(find(&scores, "ces_norm", MAY, "all").score, 5.0 / 6.0, 1e-12);
}

#[test]
fn small_cells_show_only_their_size_and_take_one_more_with_them() {
    let mut answers = of(nps(2, 1, 1), MAY, "channel", "sms");
    answers.extend(of(nps(8, 4, 3), MAY, "channel", "web"));
    answers.extend(of(nps(8, 4, 3), MAY, "channel", "email"));
    answers.extend(of(nps(20, 10, 10), MAY, "channel", "phone"));
    let scores = scores::scores(&answers, &terms());
    let get = |value: &str| find(&scores, "nps", MAY, value);
    let hidden = get("sms");
    assert_eq!((hidden.n, hidden.is_suppressed), (4, true));
    assert_eq!((hidden.nps, hidden.score, hidden.interval), (None, None, None));
    assert_eq!((hidden.rest_score, hidden.previous_score), (None, None));
    // Of two equals the first in order of value goes with it.
    assert!(get("email").is_suppressed && !get("web").is_suppressed && !get("phone").is_suppressed);
    // What is left is compared with all others, the hidden ones among them.
    let rest = get("phone");
    near(rest.rest_score, 100.0 * (18.0 - 7.0) / 34.0, 1e-9);
    let two = [
        of(nps(2, 1, 1), MAY, "channel", "sms"),
        of(nps(3, 1, 1), MAY, "channel", "web"),
        of(nps(20, 10, 10), MAY, "channel", "phone"),
    ];
    let scores = scores::scores(&two.concat(), &terms());
    assert!(!find(&scores, "nps", MAY, "phone").is_suppressed);
}

#[test]
fn a_change_is_measured_against_the_period_just_before() {
    let mut answers = of(nps(50, 30, 20), MAY, "channel", "web");
    answers.extend(of(nps(70, 20, 10), JUNE, "channel", "web"));
    answers.extend(of(nps(30, 30, 40), MAY, "channel", "phone"));
    answers.extend(of(nps(31, 30, 39), JUNE, "channel", "phone"));
    answers.extend(of(nps(40, 30, 30), JUNE, "channel", "chat"));
    let scores = scores::scores(&answers, &terms());
    let web = find(&scores, "nps", JUNE, "web");
    near(web.previous_score, 30.0, 1e-9);
    let change = web.change.expect("both months have answers");
    near(Some(change.difference), 30.0, 1e-9);
    // Welch on answers of 1, 0 and -1, computed with SciPy.
    near(change.p_value, 0.004_001_811_882, 1e-9);
    assert!(change.interval.low > 0.0 && change.interval.high < 60.0);
    // Two tests in the family: chat had no May.
    near(web.p_value_holm, 2.0 * change.p_value.expect("a test"), 1e-12);
    assert_eq!(find(&scores, "nps", JUNE, "chat").change, None);
    assert_eq!(find(&scores, "nps", MAY, "web").change, None);
    near(web.rest_score, (31.0 - 39.0 + 40.0 - 30.0) / 2.0, 1e-9);
    assert!(web.rest.and_then(|rest| rest.p_value).expect("a test") < 1e-4);
}

#[test]
fn later_periods_never_change_earlier_rows() {
    let mut answers = of(nps(50, 30, 20), MAY, "channel", "web");
    answers.extend(of(nps(60, 30, 20), JUNE, "channel", "web"));
    answers.extend(of(nps(20, 30, 20), JUNE, "channel", "chat"));
    let before = scores::scores(&answers, &terms());
    answers.extend(of(nps(10, 30, 60), JUNE + 40, "channel", "web"));
    answers.extend(of(nps(10, 30, 60), JUNE + 40, "channel", "sms"));
    let after = scores::scores(&answers, &terms());
    let earlier: Vec<_> = after.into_iter().filter(|score| score.start <= JUNE).collect();
    assert_eq!(before, earlier);
}

#[test]
fn every_period_holds_the_answers_of_its_days() {
    let all = [Grain::Day, Grain::Week, Grain::Month, Grain::Quarter, Grain::Year];
    // Friday 2024-05-31 and Saturday 2024-06-01.
    let mut answers = of(nps(10, 5, 5), JUNE - 1, "all", "all");
    answers.extend(of(nps(20, 5, 5), JUNE, "all", "all"));
    let scores = scores::scores(&answers, &Terms { periods: all.to_vec(), ..terms() });
    let rows = |grain: &str| -> Vec<(i32, u64, i64)> {
        let rows = scores.iter().filter(|s| s.definition == "nps" && s.grain == grain);
        rows.map(|score| (score.start, score.n, score.year)).collect()
    };
    assert_eq!(rows("day"), vec![(JUNE - 1, 20, 2024), (JUNE, 30, 2024)]);
    // Monday 2024-05-27.
    assert_eq!(rows("week"), vec![(JUNE - 5, 50, 2024)]);
    assert_eq!(rows("month"), vec![(MAY, 20, 2024), (JUNE, 30, 2024)]);
    assert_eq!(rows("quarter"), vec![(MAY - 30, 50, 2024)]);
    assert_eq!(rows("year"), vec![(MAY - 121, 50, 2024)]);
}

#[test]
fn order_and_splitting_of_answers_do_not_matter() {
    let mut answers = of(nps(50, 30, 20), MAY, "channel", "web");
    answers.extend(of(nps(60, 30, 20), JUNE, "channel", "web"));
    answers.extend(of(nps(20, 30, 20), JUNE, "channel", "chat"));
    let once = scores::scores(&answers, &terms());
    let halves = |answer: &Answer| {
        let less = answer.count / 3;
        [less, answer.count - less].map(|count| Answer { count, ..answer.clone() })
    };
    let mut split: Vec<Answer> = answers.iter().flat_map(halves).collect();
    split.reverse();
    assert_eq!(once, scores::scores(&split, &terms()));
}

#[test]
fn dimensions_are_columns_or_pairs_of_them() {
    assert_eq!(scores::columns("all").expect("known"), Vec::<&str>::new());
    assert_eq!(scores::columns("channel*country").expect("known"), vec!["channel", "country"]);
    for wrong in ["", "colour", "channel*colour", "channel*country*source", "all*channel"] {
        assert!(scores::columns(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn rows_go_in_and_out_with_their_nulls() {
    let decimal = |values: [i128; 2]| -> ArrayRef {
        let array = Decimal128Array::from(values.to_vec()).with_precision_and_scale(18, 4);
        Arc::new(array.expect("money"))
    };
    let counts = RecordBatch::try_from_iter_with_nullable(vec![
        ("metric", Arc::new(StringArray::from(vec!["nps", "nps"])) as ArrayRef, true),
        ("scale_min", decimal([0, 0]), true),
        ("scale_max", decimal([100_000, 100_000]), true),
        ("is_effort", Arc::new(BooleanArray::from(vec![false, false])), true),
        ("score", decimal([90_000, 30_000]), true),
        ("is_favourable", Arc::new(BooleanArray::from(vec![None::<bool>, None])), true),
        ("value_0", Arc::new(StringArray::from(vec![Some("web"), None])), true),
        ("value_1", Arc::new(StringArray::from(vec![Some("dk"), Some("dk")])), true),
        ("day", Arc::new(Date32Array::from(vec![MAY, MAY])), true),
        ("n", Arc::new(Int64Array::from(vec![12, 3])), true),
    ])
    .expect("columns of one length");
    let answers = scores::answers(&counts, "channel*country", 2).expect("good rows");
    let values: Vec<_> = answers.iter().map(|answer| answer.value.as_str()).collect();
    assert_eq!(values, ["web\u{1f}dk", "(none)\u{1f}dk"]);
    let scores = scores::scores(&answers, &terms());
    let rows = scores::batch(&scores.iter().collect::<Vec<_>>()).expect("rows");
    let (catalog, problems) = Catalog::read(&Files::embedded());
    assert!(problems.is_empty(), "{problems:?}");
    let contract = &catalog.tables["experience_scores"].contract;
    let rows = contract.conform(&rows, false).expect("the rows follow the contract");
    // Three readings of two cells; the small one took the other with it.
    assert_eq!(rows.num_rows(), 6);
    let n = rows.column_by_name("n").expect("n").as_primitive::<Int64Type>();
    assert_eq!(n.iter().map(Option::unwrap_or_default).sum::<i64>(), 3 * 15);
    let score = rows.column_by_name("score").expect("score").as_primitive::<Float64Type>();
    assert_eq!(score.null_count(), 6);
}

#[test]
fn every_score_is_defined_in_words() {
    let files = Files::embedded();
    let registry = files.get("sql/measure/metric_definitions.sql").expect("the registry");
    let others = ["clv", "clv_simple", "clv_margin", "clv_contractual", "clv_probabilistic"];
    for id in DEFINITIONS.iter().map(|definition| definition.id).chain(others) {
        assert!(registry.contains(&format!("'{id}' as definition_id")), "{id} is not defined");
    }
}

/// Denmark answers nine times as often as Germany and is twice as large.
#[test]
fn weights_give_each_stratum_its_share_and_tell_what_that_costs() {
    let of = |country: &str, score: i64, count: u64| Answer {
        stratum: country.to_owned(),
        ..answer("nps", NPS, score, count)
    };
    let answers =
        [of("DK", 10, 60), of("DK", 0, 30), of("DE", 10, 2), of("DE", 0, 8), of("SE", 10, 5)];
    let shares = [("DK".to_owned(), 0.5), ("DE".to_owned(), 0.25)];
    let terms = Terms { shares: Some(shares.into_iter().collect()), ..terms() };
    let scores = scores::scores(&answers, &terms);
    let score = find(&scores, "nps", MAY, "all");
    let weighted = score.weighted.expect("weights");
    // Two thirds of (60 - 30) / 90 and one third of (2 - 8) / 10; Sweden has no share.
    near(Some(weighted.score), 100.0 * (2.0 / 9.0 - 0.2), 1e-9);
    near(Some(weighted.design_effect), 100.0 * (4.0 / 9.0 / 90.0 + 1.0 / 9.0 / 10.0), 1e-9);
    let interval = weighted.interval.expect("an interval");
    let plain = score.interval.expect("an interval");
    assert!(interval.high - interval.low > plain.high - plain.low);
    assert_eq!(score.n, 105);
    assert!(scores::scores(&answers, &self::terms()).iter().all(|score| score.weighted.is_none()));
}

#[test]
fn a_favourable_set_of_the_job_counts_where_the_field_agrees_on_none() {
    let six = Scale::points(0, 5);
    let named =
        |score: i64, favourable, count| Answer { favourable, ..answer("ces", six, score, count) };
    let answers = [named(5, Some(true), 6), named(2, Some(false), 6), named(4, None, 8)];
    let scores = scores::scores(&answers, &terms());
    let share = find(&scores, "ces", MAY, "all");
    assert_eq!((share.n, share.favourable, share.score), (12, Some(6), Some(50.0)));
    assert_eq!(find(&scores, "ces_norm", MAY, "all").n, 20);
    // On a scale the field knows, the job's word wins.
    let five = Scale::points(1, 5);
    let strict = Answer { favourable: Some(false), ..answer("csat", five, 4, 10) };
    let scores = scores::scores(&[strict, answer("csat", five, 4, 10)], &terms());
    assert_eq!(find(&scores, "csat", MAY, "all").favourable, Some(10));
}

fn cell<'a>(of: (Grain, i32), dimension: &'a str, value: &'a str, n: u64) -> Cell<'a> {
    Cell { grain: of.0, start: of.1, dimension, value, n }
}

fn hidden_values(cells: &[Cell<'_>], horizon_day: i32) -> Vec<(i32, String)> {
    let flags = hidden(cells, Rule { min_cell: 10, horizon_day });
    let only = cells.iter().zip(flags).filter(|(_, is_hidden)| *is_hidden);
    only.map(|(cell, _)| (cell.start, cell.value.to_owned())).collect()
}

/// 2024-04-01, the quarter's first month.
const APRIL: i32 = MAY - 30;

#[test]
fn a_month_is_not_the_difference_of_its_quarter() {
    let months = |april: u64, may: u64, june: u64| {
        vec![
            cell((Grain::Month, APRIL), "channel", "web", april),
            cell((Grain::Month, MAY), "channel", "web", may),
            cell((Grain::Month, JUNE), "channel", "web", june),
            cell((Grain::Quarter, APRIL), "channel", "web", april + may + june),
        ]
    };
    let web = |start| (start, "web".to_owned());
    let later = JUNE + 100;
    assert_eq!(hidden_values(&months(4, 30, 20), later), [web(APRIL), web(JUNE)]);
    // Equals: the earlier goes with it. Two hidden ones hide each other.
    assert_eq!(hidden_values(&months(20, 20, 4), later), [web(APRIL), web(JUNE)]);
    assert_eq!(hidden_values(&months(4, 30, 5), later), [web(APRIL), web(JUNE)]);
    assert!(hidden_values(&months(10, 30, 20), later).is_empty());
    // June has just begun: what was told of May stays told, and the quarter waits.
    assert_eq!(hidden_values(&months(30, 30, 4), JUNE + 2), [web(JUNE), web(APRIL)]);
    // On its last day June is over.
    assert_eq!(hidden_values(&months(30, 31, 4), JUNE + 29), [web(APRIL), web(JUNE)]);
    // A quarter of one month is that month.
    let alone = [
        cell((Grain::Month, MAY), "channel", "web", 30),
        cell((Grain::Month, MAY), "channel", "sms", 4),
        cell((Grain::Quarter, APRIL), "channel", "web", 30),
        cell((Grain::Quarter, APRIL), "channel", "sms", 4),
        cell((Grain::Quarter, APRIL), "channel", "fax", 90),
    ];
    let quarter = hidden(&alone, Rule { min_cell: 10, horizon_day: later });
    assert_eq!(quarter, [true, true, true, true, false]);
}

#[test]
fn a_pair_is_not_the_difference_of_its_sides() {
    let may = (Grain::Month, MAY);
    let cells = [
        cell(may, "channel", "web", 44),
        cell(may, "channel", "sms", 46),
        cell(may, "channel*country", "web\u{1f}DK", 4),
        cell(may, "channel*country", "web\u{1f}DE", 40),
        cell(may, "channel*country", "sms\u{1f}DK", 6),
        cell(may, "channel*country", "sms\u{1f}DE", 40),
    ];
    // Two are small, in different channels: each channel would give its own away.
    let rule = Rule { min_cell: 10, horizon_day: JUNE + 100 };
    assert_eq!(hidden(&cells, rule), [false, false, true, true, true, true]);
    // Nobody sees the channels alone: the two small ones hide each other.
    assert_eq!(hidden(&cells[2..], rule), [true, false, true, false]);
}

#[test]
fn a_hidden_month_has_no_former_score_in_the_next() {
    let mut answers = of(nps(5, 2, 2), MAY - 30, "channel", "web");
    answers.extend(of(nps(20, 5, 5), MAY, "channel", "web"));
    answers.extend(of(nps(30, 5, 5), JUNE, "channel", "web"));
    let periods = vec![Grain::Month, Grain::Quarter];
    let scores = scores::scores(&answers, &Terms { periods, ..terms() });
    let month = |start| {
        let found = |s: &&Score| s.definition == "nps" && s.grain == "month" && s.start == start;
        scores.iter().find(found).expect("a month")
    };
    assert!(month(MAY).is_suppressed && !month(JUNE).is_suppressed);
    assert_eq!((month(MAY).n, month(MAY).score, month(JUNE).change), (30, None, None));
}

#[test]
fn an_empty_month_is_no_row_and_the_next_has_nothing_to_compare_with() {
    let mut answers = of(nps(20, 5, 5), MAY, "channel", "web");
    answers.extend(of(nps(30, 5, 5), JUNE + 30, "channel", "web"));
    let scores = scores::scores(&answers, &terms());
    let starts: Vec<i32> =
        scores.iter().filter(|s| s.definition == "nps").map(|score| score.start).collect();
    assert_eq!(starts, [MAY, JUNE + 30]);
    let july = find(&scores, "nps", JUNE + 30, "web");
    assert_eq!((july.previous_score, july.change, july.p_value_holm), (None, None, None));
}

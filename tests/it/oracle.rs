//! The numbers of two companies, computed a second time, slowly and plainly, from the runs' staged
//! rows: what the fast code publishes must be the same, row by row. One company is made up of all
//! that goes wrong, the other is the demo.

mod changes;
mod churn;
mod cohorts;
mod company;
mod definitions;
mod edges;
mod hidden;
pub mod journeys;
mod levels;
mod lives;
mod money;
mod participation;
mod renewals;
mod scores;
mod service;
mod shop;
mod slow;
mod survival;
mod timeline;
mod world;

use world::World;

/// What has to hold of any company; told are the numbers of what only some companies have.
struct Told {
    vendor_values: usize,
    biased_surveys: usize,
    own_models: usize,
    rates: usize,
    money_changed: usize,
}

async fn every_table(world: &World) -> Told {
    definitions::current_rows_are_the_newest_of_the_staged(world).await;
    definitions::every_number_has_a_meaning(world).await;
    let rates = money::rates_are_the_newest_of_the_week(world).await;
    let money_changed = timeline::lives_are_what_was_staged(world).await;
    scores::every_score_is_what_its_definition_says(world).await;
    let biased_surveys = participation::participation_is_what_its_definition_says(world).await;
    let vendor_values = levels::service_levels_are_what_their_definitions_say(world).await;
    let lives = lives::lives(world).await;
    churn::the_ledger_is_what_the_lives_say(world, &lives).await;
    churn::its_customers_are_those_who_were_there(world, &lives).await;
    churn::feedback_is_what_was_known_by_then(world, &lives).await;
    cohorts::cohorts_are_what_the_lives_say(world, &lives).await;
    survival::curves_are_what_the_lives_say(world, &lives).await;
    let own_models = renewals::renewals_are_what_the_lives_say(world, &lives).await;
    Told { vendor_values, biased_surveys, own_models, rates, money_changed }
}

/// Goal: every table of scores, service, churn and retention is what its definitions say in words.
/// Method: one run over a company with all that goes wrong; each published row is computed again
/// from the run's staged rows, without the code under test: counts equal, rates to 1e-9, and no row
/// more or less.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_slow_computation_gives_the_same_tables() {
    let world = company::run().await;
    let told = every_table(&world).await;
    assert!(told.vendor_values > 500 && told.biased_surveys > 0, "or nothing was compared");
    assert!(told.own_models > 0 && told.rates > 500 && told.money_changed > 100);
    scores::some_answers_are_replaced(&world).await;
    changes::effects_are_of_the_days_and_the_scope(&world).await;
    changes::the_cube_holds_every_answer_once(&world).await;
    journeys::sessions_are_what_their_definition_says(&world).await;
    journeys::funnels_are_what_their_definition_says(&world).await;
}

/// Goal: the same of the demo's tables, by the job that everybody sees first.
#[tokio::test(flavor = "multi_thread")]
async fn the_demos_tables_are_what_its_exports_say() {
    let world = shop::run().await;
    every_table(&world).await;
}

//! The numbers of a made-up company, computed a second time, slowly and plainly, from the run's
//! current rows: what the fast code publishes must be the same.

mod changes;
mod churn;
mod edges;
mod hidden;
pub mod journeys;
mod participation;
mod rates;
mod scores;
mod service;
mod slow;
pub mod world;

use world::{JOB, World, company};

/// Goal: scores, participation and service levels are what their definitions say in words. Method:
/// one run over a company with all that goes wrong; each published row is computed again from the
/// run's current rows, without the code under test: counts equal, rates to 1e-9.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_slow_computation_gives_the_same_tables() {
    let world = World::run(JOB, &company()).await;
    scores::every_score_is_what_its_definition_says(&world).await;
    changes::effects_are_of_the_days_and_the_scope(&world).await;
    changes::the_cube_holds_every_answer_once(&world).await;
    participation::participation_is_what_its_definition_says(&world).await;
    service::service_levels_are_what_their_definitions_say(&world).await;
    journeys::sessions_are_what_their_definition_says(&world).await;
    journeys::funnels_are_what_their_definition_says(&world).await;
}

//! What a job may say of sessions and funnels, and the funnel of a job that says nothing.

use cxmart::job::{self, journey::Order};

const HEAD: &str = "name = \"night\"\ntime_zone = \"UTC\"\nwarehouse = \"w\"\n";

/// Problems as `place: message`, without the file.
fn problems(text: &str) -> Vec<String> {
    let found = job::parse("j", &format!("{HEAD}{text}")).expect_err("problems");
    found.iter().map(|problem| problem.to_string().replacen("j: ", "", 1)).collect()
}

#[test]
fn a_job_without_funnels_has_one_over_its_stages() {
    let job = job::parse("j", HEAD).expect("a job");
    let [funnel] = &job.funnels()[..] else { panic!("one funnel") };
    let names: Vec<&str> = funnel.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["awareness", "evaluation", "purchase", "post_purchase", "loyalty"]);
    assert_eq!((funnel.name.as_str(), funnel.days, funnel.order), ("journey", 90, Order::Loose));
    let stages = "[stages]\norder = [\"known\", \"lapsed\"]\n";
    let job = job::parse("j", &format!("{HEAD}{stages}")).expect("a job");
    assert!(job.funnels().is_empty(), "one stage is no way");
}

#[test]
fn a_funnel_says_its_steps_by_what_takes_them() {
    let text = r#"
[sessions]
inactive_minutes = 20
cut_at_midnight = true

[[funnel]]
name = "shopping"
order = "strict"
step = [
    { name = "look", events = ["product_view"], channels = ["web", "app"] },
    { name = "buy", kinds = ["order", "subscription_started"] },
    { name = "stay", stages = ["loyalty"] },
]
"#;
    let job = job::parse("j", &format!("{HEAD}{text}")).expect("a job");
    let [funnel] = &job.funnels()[..] else { panic!("one funnel") };
    assert_eq!((funnel.days, funnel.order, funnel.steps.len()), (30, Order::Strict, 3));
    assert_eq!(job.sessions.page_events, ["page_view", "screen_view"]);
    assert_eq!((job.sessions.inactive_minutes, job.sessions.cut_at_campaign), (20, false));
}

#[test]
fn all_that_is_wrong_with_a_funnel_is_told() {
    let text = r#"
[sessions]
inactive_minutes = 0

[[funnel]]
name = "one way"
days = 0
step = [{ name = "look", events = ["look"] }]

[[funnel]]
name = "twice"
step = [
    { name = "look" },
    { name = "look", stages = ["purchase"], events = ["buy"] },
    { name = "stay", stages = ["loyal"] },
    { name = "buy", kinds = ["orders"] },
    { name = "talk", kinds = ["order"], events = ["buy"] },
]

[[funnel]]
name = "twice"
step = [{ name = "a", kinds = ["order"] }, { name = "b", kinds = ["order"] }]
"#;
    let told = [
        "sessions.inactive_minutes: 0 is not within 1 to 1440",
        "funnel[2]: `twice` stands twice",
        "funnel[0].name: `one way` is not a name",
        "funnel[0].days: 0 is not within 1 to 3660",
        "funnel[0].step: has 1 steps, and 2 to 32 make a funnel",
        "funnel[1].step[1]: `look` stands twice",
        "funnel[1].step[0]: says not what takes it",
        "funnel[1].step[1]: is of stages and of events",
        "funnel[1].step[2].stages: `loyal` is not one of the job's `stages.order`",
        "funnel[1].step[3].kinds: `orders` is not a kind of the timeline",
        "funnel[1].step[4].events: are names of the kind `event` only",
    ];
    assert_eq!(problems(text), told);
}

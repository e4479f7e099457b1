//! What a survey's own definition says, beside answers that do not say it.

use crate::project::Project;

const SOURCES: &str = r#"
[[source]]
source = "typeform"
entity = "forms"
url = "forms/dt={dt}/*"

[[source]]
source = "typeform"
entity = "responses"
url = "typeform/dt={dt}/*"
options = { csat_questions = "f3" }
"#;

const FORM: &str = r#"{"id":"abCdEf","title":"After the order","last_updated_at":"2024-05-01T08:00:00Z","fields":[{"id":"f1","title":"How likely?","type":"nps"},{"id":"g1","title":"Details","type":"group","properties":{"fields":[{"id":"f3","title":"How was delivery?","type":"rating","properties":{"steps":7}}]}}]}"#;

const ANSWERS: &str = r#"{"landing_id":"a1","token":"a1","response_id":"a1","form_id":"abCdEf","landed_at":"2024-05-28T09:12:44Z","submitted_at":"2024-05-28T09:13:20Z","hidden":{"email":"ana.perez@example.com"},"answers":[{"field":{"id":"f1","type":"nps","ref":"x"},"type":"number","number":9},{"field":{"id":"f3","type":"rating","ref":"y"},"type":"number","number":4}]}"#;

/// Goal: names and words come from the definition where the answers have none, and a scale that is
/// not the survey's own is told. Method: a form with a rating of 7 steps in a group, read as 1 to 5.
#[tokio::test(flavor = "multi_thread")]
async fn a_definition_names_its_questions_and_tells_of_wrong_scales() {
    let project = Project::new(SOURCES);
    project.night("2024-05-29", 1, &[9]);
    project.write("forms/dt=2024-05-29/form.json", FORM);
    project.write("typeform/dt=2024-05-29/answers.ndjson", &format!("{ANSWERS}\n"));
    let outcome = project.run().await.expect("a run");
    let columns = ["source", "survey_name", "question_text", "scale"];
    let feedback = project.rows("feedback", &columns).await;
    let typeform: Vec<_> = feedback.iter().filter(|row| row.starts_with("typeform")).collect();
    let expected = [
        "typeform|After the order|How likely?|0-10",
        "typeform|After the order|How was delivery?|1-5",
    ];
    assert_eq!(typeform, expected);
    let told = |text: &&String| text.contains("scales_are_those_of_the_survey");
    assert_eq!(outcome.warnings.iter().filter(told).count(), 1, "{:?}", outcome.warnings);
}

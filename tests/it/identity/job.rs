//! Whole jobs with overrides and matching, and what the verbs say of people.

use std::collections::BTreeMap;

use crate::project::Project;

const MATCHING: &str = r#"
[identity]
overrides = "identity/overrides.toml"

[identity.matching]
enabled = true
field = [
    { column = "first_name", kind = "first_name" },
    { column = "last_name", kind = "last_name" },
    { column = "email", kind = "email" },
]
block = [["first_name", "last_name"], ["email"], ["sounds(last_name)", "first(first_name, 2)"]]
"#;

fn responses(project: &Project, day: &str, people: &[(u32, String, String)]) {
    let row = |(id, name, email): &(u32, String, String)| {
        format!(
            r#"{{"response_id":"{id}","contact_id":"{id}","name":"{name}","email":"{email}","answer":"9","question_type":"nps","responded":"1716890123"}}"#
        )
    };
    let rows: Vec<_> = people.iter().map(row).collect();
    let text = format!(r#"{{"success":true,"data":[{}]}}"#, rows.join(","));
    project.write(&format!("raw/dt={day}/responses.json"), &text);
}

fn named(id: u32) -> (u32, String, String) {
    const FIRST: [&str; 13] = [
        "Ada", "Bea", "Cleo", "Dina", "Egon", "Finn", "Gerd", "Hugo", "Ines", "Jonas", "Klara",
        "Lotte", "Magnus",
    ];
    const LAST: [&str; 29] = [
        "Abel", "Bach", "Clausen", "Dahl", "Ernst", "Falk", "Gade", "Holm", "Iversen", "Juul",
        "Krag", "Lund", "Munk", "Nygaard", "Olsen", "Poulsen", "Quist", "Rask", "Skov", "Toft",
        "Ulrich", "Vang", "Winther", "Yde", "Zeuthen", "Berg", "Friis", "Kjær", "Ravn",
    ];
    let (first, last) = (FIRST[id as usize % 13], LAST[id as usize % 29]);
    let email = format!("{}.{}{id}@example.com", first.to_lowercase(), last.to_lowercase());
    (id, format!("{first} {last}"), email.replace('æ', "ae"))
}

async fn rows_of(project: &Project, name: &str) -> u64 {
    let release = project.release().await.expect("a release");
    let dataset = cxmart::plan::dataset(&release, name).expect("the table");
    dataset.files.iter().map(|file| file.rows).sum()
}

/// What `explain` and `resolve evaluate` say while Ana and her namesake are kept apart.
async fn verbs_say_why(project: &Project) {
    use cxmart::run::native::resolve::why::{self, Labels, Verdict};
    let context = std::sync::Arc::new(project.open());
    let id = "crm_id[asknicely:main]:11";
    let found = why::explain(&context, id).await.expect("a release").expect("somebody");
    let (_, _, email) = named(11);
    let same = why::explain(&context, &email).await.expect("a release").expect("somebody");
    assert_eq!(found.customer_id, same.customer_id);
    let same = why::explain(&context, &found.customer_id).await.expect("a release");
    assert_eq!(same.expect("somebody").trace, found.trace);
    assert_eq!(found.trace.identifiers, [id.to_owned(), format!("email:{email}")]);
    let ties: Vec<_> = found.trace.ties.iter().map(|t| (t.cause.as_str(), t.is_bridge)).collect();
    assert!(ties.contains(&("same_record", true)), "{ties:?}");
    let refused: Vec<_> = found.trace.refused.iter().map(|refused| refused.rule).collect();
    assert_eq!(refused, ["never_link"]);
    assert!(found.changes.iter().any(|change| change.kind == "split"));
    let of_name = found.provenance.iter().find(|field| field.field == "full_name");
    assert_eq!(of_name.map(|field| field.winning_value.clone()), Some(named(11).1));
    let nobody = why::explain(&context, "email:nobody@example.com").await.expect("a release");
    assert!(nobody.is_none());

    let twin = "crm_id[asknicely:main]:1001".to_owned();
    let labels = Labels::Pairs(vec![
        (id.to_owned(), twin, true),
        (id.to_owned(), email, true),
        (id.to_owned(), "crm_id[asknicely:main]:12".to_owned(), false),
        (id.to_owned(), "email:nobody@example.com".to_owned(), true),
    ]);
    let found = why::evaluate(&context, &labels).await.expect("a release");
    assert_eq!(found.unseen, 1);
    let job: Vec<_> = found.judged.iter().filter(|judged| judged.is_the_jobs).collect();
    assert_eq!(job.len(), 1);
    let Verdict::Pairs(quality) = job[0].quality else { panic!("pairs were asked") };
    assert_eq!((quality.precision, quality.recall), (Some(1.0), Some(0.5)));
}

#[test]
fn quality_is_as_counted_by_hand() {
    use cxmart::resolve::quality::{of_clusters, of_pairs};
    // Found {a b c} {d e}, true {a b} {c d e}: of 4 pairs found 2 are right, of 4 there 2.
    let found = of_clusters(&[(1, 1), (1, 1), (1, 2), (2, 2), (2, 2)]);
    assert_eq!((found.pairwise.precision, found.pairwise.recall), (Some(0.5), Some(0.5)));
    assert_eq!((found.cluster.precision, found.cluster.recall), (Some(0.0), Some(0.0)));
    // B-cubed precision: (2/3 + 2/3 + 1/3 + 1 + 1) / 5; recall: (1 + 1 + 1/3 + 2/3 + 2/3) / 5.
    let near = |share: Option<f64>| (share.expect("a share") - 11.0 / 15.0).abs() < 1e-12;
    assert!(near(found.b_cubed.precision) && near(found.b_cubed.recall));
    let right = of_clusters(&[(7, 1), (7, 1), (8, 2)]);
    assert_eq!(right.cluster.f1(), Some(1.0));
    let pairs = of_pairs(&[(true, true), (true, false), (false, true), (false, false)]);
    assert_eq!((pairs.precision, pairs.recall, pairs.f1()), (Some(0.5), Some(0.5), Some(0.5)));
    assert_eq!(of_pairs(&[(false, false)]).f1(), None);
}

/// The goal of matching in a job: a person who comes back under a misspelt address is one person,
/// is again two when somebody says so, and one when they take it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_matches_people_and_minds_what_people_say() {
    let project = Project::new(MATCHING);
    project.write("identity/overrides.toml", "");
    let mut people: Vec<_> = (1..=320).map(named).collect();
    let (_, name, email) = named(11);
    people.push((1_001, name, email.replace("@example", "@exmaple")));
    responses(&project, "2024-05-28", &people);
    let first = project.run().await.expect("the run succeeds");
    assert_eq!(rows_of(&project, "identity_matches").await, 1);
    assert_eq!(first.tables["customers"], 320);

    let never = r#"
[[rule]]
kind = "never_link"
left = "crm_id[asknicely:main]:11"
right = "crm_id[asknicely:main]:1001"
reason = "father and son"
author = "eva"
"#;
    project.write("identity/overrides.toml", never);
    let second = project.run().await.expect("the run succeeds");
    assert!(second.published);
    assert_eq!(second.tables["customers"], 321);
    verbs_say_why(&project).await;
    project.write("identity/overrides.toml", "# nothing");
    let third = project.run().await.expect("the run succeeds");
    assert_eq!(third.tables["customers"], 320);
    let release = |number: u64| {
        let store = project.open().store;
        async move {
            let reader = cxmart::state::StateReader::new(store);
            let release = reader.release(number).await.expect("a release");
            let hash = |(name, d): (&String, &cxmart::table::dataset::Dataset)| {
                (name.clone(), d.input_hash().to_string())
            };
            release.tables.iter().map(hash).collect::<BTreeMap<_, _>>()
        }
    };
    let numbers = [first, third].map(|outcome| outcome.release.expect("a number"));
    assert_eq!(release(numbers[0]).await, release(numbers[1]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_pairs_to_compare_are_refused_by_name() {
    let limit = format!("{MATCHING}candidates_max = 0\n");
    let project = Project::new(&limit);
    project.write("identity/overrides.toml", "");
    let mut people: Vec<_> = (1..=320).map(named).collect();
    people.push((1_001, named(11).1, "other@example.com".to_owned()));
    responses(&project, "2024-05-28", &people);
    let error = project.run().await.expect_err("refused").to_string();
    assert!(error.contains("`candidates_max` of 0"), "{error}");
    assert!(error.contains("`first_name + last_name`"), "{error}");
}

#[test]
fn an_overrides_file_is_toml_or_csv_and_all_its_mistakes_are_told() {
    let toml = r#"
[[rule]]
kind = "link"
left = "email:a@example.com"
right = "crm_id[hubspot:main]:101"
reason = "r"
author = "a"
"#;
    let csv = "kind,left,right,reason,author\n\
               link,email:a@example.com,crm_id[hubspot:main]:101,r,a\n";
    let read = |path: &str, text: &str| cxmart::job::identity::read(path, text);
    assert_eq!(read("x.toml", toml), read("x.csv", csv));
    assert_eq!(read("x.toml", toml).map(|rules| rules.len()), Ok(1));
    let wrong = "kind,left,right,reason,author\n\
                 block,email:a@example.com,email:b@example.com,r,a\n\
                 never_link,nothing,,r,\n";
    let problems = read("x.csv", wrong).expect_err("mistakes");
    let places: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        places,
        [
            "x.csv: rule[0].right",
            "x.csv: rule[1].left",
            "x.csv: rule[1].right",
            "x.csv: rule[1].author"
        ]
    );
    assert!(read("x.toml", "[[rule]]\nkind = \"joined\"\n").is_err());
    // What one rule joins another may not keep apart; the order and the case do not matter.
    let torn = "kind,left,right,reason,author\n\
                link,email:a@example.com,email:b@example.com,r,a\n\
                never_link,email:B@example.com,email:a@example.com,r,a\n\
                never_link,email:c@example.com,email:a@example.com,r,a\n";
    let problems = read("x.csv", torn).expect_err("a contradiction");
    let told: Vec<_> = problems.iter().map(|p| (p.path.as_str(), p.message.as_str())).collect();
    assert_eq!(told, [("x.csv: rule[0]", "links the two that rule[1] keeps apart")]);
}

/// Goal: who asks for a person finds what people said about them, also under the id they had before
/// a merge, and a rule that says nothing is told. Method: a link from the second night on, beside a
/// rule about somebody nobody has seen.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_a_merge_took_away_leads_to_the_person_of_today() {
    use cxmart::run::forget;
    use cxmart::run::native::resolve::why;
    let project = Project::new("\n[identity]\noverrides = \"identity/who.csv\"\n");
    let head = "kind,left,right,reason,author,since\n";
    project.write("identity/who.csv", head);
    project.night("2026-02-01", 1, &[9, 3, 10]);
    project.run().await.expect("the first night");
    let context = std::sync::Arc::new(project.open());
    let email = |number: u32| format!("p{number}@example.com");
    let mut before = Vec::new();
    for number in [1, 2] {
        let found = why::explain(&context, &email(number)).await.expect("a release");
        before.push(found.expect("somebody").customer_id);
    }

    let rules = "block,email:stranger@example.com,,r,a,\n\
                 link,email:p1@example.com,email:p2@example.com,one person,eva,2026-02-02\n";
    project.write("identity/who.csv", &format!("{head}{rules}"));
    project.night("2026-02-02", 4, &[8]);
    let second = project.run().await.expect("the second night");
    let words = "rule[0] of the identity overrides say nothing: nobody has seen what they name";
    assert!(second.warnings.contains(&words.to_owned()), "{:?}", second.warnings);
    let context = std::sync::Arc::new(project.open());
    let mut today = Vec::new();
    for name in before.iter().chain([&email(1), &email(2)]) {
        let found = why::explain(&context, name).await.expect("a release").expect("somebody");
        let said: Vec<_> = found.said.iter().map(|rule| rule.reason.as_str()).collect();
        assert_eq!(said, ["one person"]);
        today.push(found.customer_id);
    }
    today.dedup();
    assert_eq!(today.len(), 1);
    assert!(before.contains(&today[0]) && before[0] != before[1]);
    let found = forget::look(&context, &before).await.expect("a release");
    let found: Vec<_> = found.into_iter().map(|person| person.customer_id).collect();
    assert_eq!(found, [Some(today[0].clone())], "both names are one person");
}

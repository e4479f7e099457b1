//! Exports that lie somewhere, told by what they hold.

use std::path::Path;

use cxmart::catalog::{Catalog, Files};
use cxmart::run::detect::{Proposal, detect};

use crate::project::Project;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder of objects") {
        let entry = entry.expect("an object");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

async fn below(project: &Project, folder: &str) -> Vec<Proposal> {
    let (catalog, _) = Catalog::read(&Files::embedded());
    let url = project.path().join(folder).display().to_string();
    detect(&url, &project.settings(), &catalog).await.expect("proposals")
}

/// Goal: real exports are matched with the spec that reads them. Method: the raw objects of the
/// source cases, without a word about what they are.
#[tokio::test(flavor = "multi_thread")]
async fn exports_are_matched_with_their_specs() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/stage/cases");
    let project = Project::new("");
    let mut wrong = Vec::new();
    for (case, spec) in [
        ("asknicely_json", "asknicely/responses"),
        ("hubspot_contacts", "hubspot/contacts"),
        ("hubspot_contacts_ui", "hubspot/contacts_ui"),
        ("shopify_orders", "shopify/orders"),
        ("shopify_orders_ui", "shopify/orders_ui"),
        ("stripe_customers", "stripe/customers"),
        ("stripe_subscriptions", "stripe/subscriptions"),
        ("zendesk_tickets", "zendesk/tickets"),
        ("generic_orders", "generic/orders"),
    ] {
        copy(&cases.join(case).join("raw"), &project.path().join(case));
        let found = below(&project, case).await;
        assert!(!found.is_empty(), "{case}");
        for proposal in found {
            let told = proposal.best.as_ref().map(|fit| fit.spec.as_str());
            if told != Some(spec) {
                wrong.push(format!("{case}: {proposal:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Goal: objects of one kind are one proposal, whose pattern finds all of them; what is unknown
/// is told and not guessed.
#[tokio::test(flavor = "multi_thread")]
async fn kinds_are_told_by_their_names() {
    let project = Project::new("");
    let orders = "source_id,total,placed_at,currency\n1,10,2025-01-01T00:00:00Z,EUR\n";
    for path in [
        "in/shop/dt=2025-01-01/orders-000.csv",
        "in/shop/dt=2025-01-02/orders-001.csv",
        "in/shop/dt=2025-01-02/orders-002.csv",
    ] {
        project.write(path, orders);
    }
    project.write("in/other/2025/01/notes_2025-01-01.txt", "what\nsomething else\n");
    project.write("in/other/_SUCCESS", "x");
    project.write("in/other/empty.csv", "");
    let found = below(&project, "in").await;
    let root = project.path().join("in").display().to_string();
    let told: Vec<_> = found
        .iter()
        .map(|proposal| {
            let below = proposal.url.strip_prefix(&root).expect("below the folder");
            (below, proposal.objects, proposal.best.as_ref().map(|fit| fit.spec.as_str()))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("/other/*/01/notes_{dt}.txt", 1, None),
            ("/shop/dt={dt}/orders-*.csv", 3, Some("generic/orders")),
        ]
    );
    let fit = found[1].best.as_ref().expect("a fit");
    assert_eq!((fit.found, fit.unread), (4, 0));
}

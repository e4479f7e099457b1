//! What lies beside the binary: jobs that are usable as they stand, and files that start them with
//! commands that there are.

use std::path::Path;
use std::process::Command;

use crate::tools::left_out;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).expect(path)
}

/// Exit code and what was said.
fn cxmart(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cxmart"));
    let output = command.args(arguments).current_dir(ROOT).env_clear().output();
    let output = output.expect("the binary starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Goal: every job we ship is usable without a change to anything but its urls. Method: `validate`.
#[test]
fn jobs_are_usable() {
    let entries = std::fs::read_dir(Path::new(ROOT).join("jobs")).expect("jobs");
    let names = entries.filter_map(|entry| {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        name.strip_suffix(".toml").map(str::to_owned)
    });
    let names: Vec<String> = names.collect();
    assert!(names.len() >= 3, "{names:?}");
    for name in names {
        let (code, said) = cxmart(&["validate", &name]);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(said.contains("is usable"), "{said}");
    }
}

/// Goal: what cron, systemd and Kubernetes are told to start is there. Method: the commands out of
/// the files, with `--help` after them: a flag or command that is not there is refused before it.
#[test]
fn schedulers_start_commands_that_are_there() {
    let after = |text: &str, word: &str| -> Vec<String> {
        let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let line = lines.find_map(|line| line.split_once(word)).expect(word).1;
        let words = line.split(['>', ']']).next().unwrap_or_default().replace(',', " ");
        words.split_whitespace().map(str::to_owned).collect()
    };
    for (file, word) in [
        ("jobs/cron/crontab", "cxmart "),
        ("jobs/systemd/cxmart-nightly.service", "bin/cxmart "),
        ("jobs/k8s/cronjob.yaml", "args: ["),
    ] {
        let words = after(&read(file), word);
        assert_eq!(words.get(..2), Some(&["run".to_owned(), "nightly".to_owned()][..]), "{file}");
        let mut arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        arguments.push("--help");
        let (code, said) = cxmart(&arguments);
        assert_eq!(code, Some(0), "{file}: {arguments:?}: {said}");
    }
    let (code, _) = cxmart(&["run", "nightly", "--no-such-flag", "--help"]);
    assert_eq!(code, Some(64), "or nothing was looked at");
}

/// Goal: the image is made of what is there. Method: every source of a `COPY` that comes from the
/// folder itself; that the image builds is for whoever has an engine to build it with.
#[test]
fn the_image_copies_what_is_there() {
    let file = read("Dockerfile");
    let copies = file.lines().filter_map(|line| line.strip_prefix("COPY "));
    let own: Vec<&str> = copies.filter(|rest| !rest.starts_with("--from")).collect();
    assert!(own.len() >= 3, "{own:?}");
    for copy in own {
        let words: Vec<&str> = copy.split_whitespace().collect();
        let (_, sources) = words.split_last().expect("a target");
        for source in sources {
            assert!(Path::new(ROOT).join(source).exists(), "{source}");
        }
    }
}

const MANIFEST: &str = "jobs/k8s/cronjob.yaml";

/// Goal: the manifest is one that a cluster takes. Method: the schemas of a Kubernetes release,
/// without leave for unknown fields, and the rules of failure policies, by a Python package.
#[test]
fn the_cron_job_is_what_kubernetes_knows() {
    let has = Command::new("python3").args(["-c", "import kubernetes_validate, yaml"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        return left_out("`pip install kubernetes-validate`", "CXMART_WITHOUT_CLIENTS");
    }
    let check = |manifest: &Path| -> (bool, String) {
        let script = Path::new(ROOT).join("tests/clients/check_manifest.py");
        let output = Command::new("python3").arg(script).arg(manifest).output();
        let output = output.expect("python3 starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let told = check(&Path::new(ROOT).join(MANIFEST));
    assert_eq!(told, (true, "batch/v1 CronJob\n".to_owned()));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wrong = folder.path().join("wrong.yaml");
    for (is, was) in [("onExitCodes", "onExitCode"), ("Never", "OnFailure"), ("[64, 65", "[65, 64")]
    {
        std::fs::write(&wrong, read(MANIFEST).replace(is, was)).expect("a file");
        let (is_right, said) = check(&wrong);
        assert!(!is_right, "or nothing was looked at: {was}: {said}");
    }
}

/// Goal: Kubernetes and systemd try again after the same ends of a run. Method: exit codes that are
/// final, in both files.
#[test]
fn what_is_not_tried_again_is_the_same_everywhere() {
    let numbers = |file: &str, word: &str, ends: &str| -> Vec<u8> {
        let text = read(file);
        let rest = text.split_once(word).expect(word).1;
        let list = rest.split(ends).next().expect("a list").replace(',', " ");
        list.split_whitespace().map(|code| code.parse().expect("an exit code")).collect()
    };
    let systemd = "jobs/systemd/cxmart-nightly.service";
    let last = numbers(systemd, "RestartPreventExitStatus=", "\n");
    assert_eq!(numbers(MANIFEST, "values: [", "]"), last);
    assert!(last.contains(&78) && !last.contains(&75), "{last:?}");
    let again = numbers(systemd, "RestartForceExitStatus=", "\n");
    assert!(again.iter().all(|code| !last.contains(code)), "{again:?}");
}

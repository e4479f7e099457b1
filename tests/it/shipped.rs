//! What lies beside the binary: jobs that are usable as they stand, and files that start them with
//! commands that there are.

use std::path::Path;
use std::process::Command;

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

//! The manual inside the command: templates, schemas, pages, completions.
//!
//! Each is asked for as a user would, and held against what the program does.

use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

/// A folder of its own for one test.
fn desk(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("words-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn scsim(folder: &PathBuf, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_scsim")).current_dir(folder).args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}
fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}
fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The names that `scsim init` lists.
fn templates() -> Vec<String> {
    let listed = scsim(&desk("list"), &["init"]);
    assert_eq!(code(&listed), 0);
    out(&listed).lines().skip(1).map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn every_template_checks_and_runs_as_it_promises() {
    let folder = desk("init");
    let names = templates();
    assert!(names.len() >= 7, "{names:?}");
    for name in &names {
        let written = scsim(&folder, &["init", name]);
        assert_eq!((code(&written), out(&written).as_str()), (0, ""), "{}", err(&written));
        let file = format!("{name}.toml");
        let checked = scsim(&folder, &["check", &file]);
        assert_eq!((code(&checked), err(&checked).as_str()), (0, ""), "{name}");
        let ran = scsim(&folder, &["run", &file, "--quiet"]);
        assert_eq!(code(&ran), 0, "{name}: {}{}", out(&ran), err(&ran));
    }
}

#[test]
fn a_template_never_replaces_a_file_unasked() {
    let folder = desk("force");
    std::fs::write(folder.join("cost.toml"), "mine").unwrap();
    let refused = scsim(&folder, &["init", "cost"]);
    assert_eq!(code(&refused), 2);
    assert!(err(&refused).contains("--force"), "{}", err(&refused));
    assert_eq!(std::fs::read_to_string(folder.join("cost.toml")).unwrap(), "mine");
    assert_eq!(code(&scsim(&folder, &["init", "cost", "--force"])), 0);
    let text = std::fs::read_to_string(folder.join("cost.toml")).unwrap();
    assert_eq!(out(&scsim(&folder, &["init", "cost", "-o", "-"])), text);
    assert_eq!(code(&scsim(&folder, &["init", "cost", "-o", "no/such/folder/x.toml"])), 2);
    assert_eq!(code(&scsim(&folder, &["init", "cost", "-o", "."])), 2);
}

#[test]
fn a_slip_in_a_template_is_named() {
    let unknown = scsim(&desk("slip"), &["init", "wedged-replika"]);
    assert_eq!(code(&unknown), 2);
    assert!(err(&unknown).contains("did you mean `wedged-replica`"), "{}", err(&unknown));
}

#[test]
fn every_shell_gets_completions_that_know_the_commands() {
    let folder = desk("completions");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = scsim(&folder, &["completions", shell]);
        assert_eq!(code(&output), 0, "{shell}");
        let text = out(&output);
        assert!(["sweep", "explain", "--replications"].iter().all(|word| text.contains(word.trim_start_matches('-'))));
    }
    assert_eq!(code(&scsim(&folder, &["completions", "tcsh"])), 2);
    // Where there is a shell, it reads its script.
    for shell in ["bash", "zsh", "fish"] {
        std::fs::write(folder.join(shell), &scsim(&folder, &["completions", shell]).stdout).unwrap();
        if let Ok(output) = Command::new(shell).current_dir(&folder).args(["-n", shell]).output() {
            assert!(output.status.success(), "{shell}: {}", err(&output));
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = desk("man");
    let one = scsim(&folder, &["man", "policy", "replay"]);
    assert_eq!(code(&one), 0);
    assert!(out(&one).contains("SCSIM_STRICT"), "the twin in the environment is named");
    let slip = scsim(&folder, &["man", "swep"]);
    assert_eq!(code(&slip), 2);
    assert!(err(&slip).contains("did you mean `sweep`"), "{}", err(&slip));
    let nowhere = scsim(&folder, &["man", "-o", "nowhere"]);
    assert_eq!(code(&nowhere), 2);
    assert_eq!(code(&scsim(&folder, &["man", "-o", "."])), 0);
    let help = out(&scsim(&folder, &["help"]));
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A description that does not fit goes on further right.
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|rest| rest.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    for name in &commands {
        let page = std::fs::read_to_string(folder.join(format!("scsim-{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains("SCSIM_QUIET"), "{name}");
    }
    assert!(folder.join("scsim.1").exists() && folder.join("scsim-sweep-merge.1").exists());
}

#[test]
fn words_of_every_kind_are_explained_and_slips_corrected() {
    let folder = desk("explain");
    for (word, says) in [
        ("service.stop_timeout", "SIGTERM to SIGKILL"),
        ("internal-alb", "(plane)"),
        ("scenario::unit", "needs its unit"),
        ("UF", "could not be made"),
        ("sc.push_latency", "guess"),
        ("planes.events", "(result key)"),
        ("deploy", "(table)"),
        ("codes", "scenario::unknown-key"),
    ] {
        let page = scsim(&folder, &["explain", word]);
        assert_eq!(code(&page), 0, "{word}");
        assert!(out(&page).contains(says), "{word}: {}", out(&page));
    }
    for (slip, meant) in
        [("stop_timout", "stop_timeout"), ("unknwon-key", "unknown-key"), ("internal-alp", "internal-alb")]
    {
        let page = scsim(&folder, &["explain", slip]);
        assert_eq!(code(&page), 2, "{slip}");
        assert!(err(&page).contains(&format!("did you mean `{meant}`")), "{slip}: {}", err(&page));
    }
}

#[test]
fn constants_are_listed_in_three_formats() {
    let folder = desk("assumptions");
    let text = out(&scsim(&folder, &["assumptions"]));
    assert!(text.contains("override: plane.service-connect.endpoint_push"), "{text}");
    let json = scsim(&folder, &["assumptions", "--format", "json"]);
    let all: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    for constant in all.as_array().unwrap() {
        for key in ["id", "value", "source", "confidence", "override"] {
            assert!(constant[key].is_string(), "{constant}");
        }
        // What nobody published is called a guess, and nothing else is.
        if constant["source"] == "not published; a guess" {
            assert_eq!(constant["confidence"], "guess", "{constant}");
        }
    }
    let table = out(&scsim(&folder, &["assumptions", "--format", "markdown"]));
    assert_eq!(table.lines().count(), all.as_array().unwrap().len() + 2);
    assert!(table.lines().all(|line| line.starts_with('|') && line.ends_with('|')));
    assert_eq!(code(&scsim(&folder, &["assumptions", "--format", "csv"])), 2);
    let slip = scsim(&folder, &["assumptions", "no-such.toml"]);
    assert_eq!(code(&slip), 2);
}

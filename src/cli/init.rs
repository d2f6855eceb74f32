//! `scsim init`: a commented scenario to start from.
//!
//! *Knows* the templates, each a scenario file of its own in the folder of this module. *Does not
//! know* the language; a test loads and runs every one.

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::Exit;
use super::args::Common;
use super::console;
use super::console::Console;
use super::console::complain;
use super::loading;
use super::outputs;

/// `scsim init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Which one; without it they are listed
    #[arg(value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// Overwrite a file that is there
    #[arg(long, env = "SCSIM_FORCE", value_parser = FalseyValueParser::new())]
    pub force: bool,
}

/// A scenario to start from.
struct Template {
    /// What it is asked for by, and its file's name without the ending.
    name: &'static str,
    /// The file.
    text: &'static str,
}

const TEMPLATES: [Template; 7] = [
    Template { name: "wedged-replica", text: include_str!("init/wedged-replica.toml") },
    Template { name: "scale-in", text: include_str!("init/scale-in.toml") },
    Template { name: "rolling-deploy", text: include_str!("init/rolling-deploy.toml") },
    Template { name: "az-loss", text: include_str!("init/az-loss.toml") },
    Template { name: "retry-storm", text: include_str!("init/retry-storm.toml") },
    Template { name: "capacity", text: include_str!("init/capacity.toml") },
    Template { name: "cost", text: include_str!("init/cost.toml") },
];

/// Writes a template into a file that is not there yet, or lists them.
pub fn init(console: &Console, common: &Common, args: &InitArgs) -> Exit {
    let Some(name) = args.template.as_deref() else { return console::print(&list()) };
    let wanted = name.trim().trim_end_matches(".toml");
    let Some(template) = TEMPLATES.iter().find(|template| template.name.eq_ignore_ascii_case(wanted)) else {
        let hint = loading::did_you_mean(wanted, TEMPLATES.iter().map(|template| template.name));
        complain(&format!("error: there is no template `{name}`{hint}\n  help: scsim init lists them"));
        return Exit::Usage;
    };
    let path = common.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", template.name)));
    if path == Path::new("-") {
        return console::print(template.text);
    }
    if let Err(exit) = outputs::check_all(&[("--output", &Some(path.clone()))], "the template", &[]) {
        return exit;
    }
    if path.symlink_metadata().is_ok() && !args.force {
        complain(&format!(
            "error: {} is there already\n  help: --force overwrites it, -o FILE writes elsewhere",
            path.display()
        ));
        return Exit::Usage;
    }
    let exit = outputs::deliver(&path, template.text);
    if exit == Exit::Held {
        console.say(&format!("wrote {}; next: scsim run {}", path.display(), path.display()));
    }
    exit
}

fn list() -> String {
    let mut out = String::from("scenarios to start from: scsim init NAME\n");
    for template in &TEMPLATES {
        let _ = writeln!(out, "  {:<16} {}", template.name, title(template.text));
    }
    out
}

/// The title that the file gives itself.
fn title(text: &str) -> &str {
    let line = text.lines().find(|line| line.starts_with("title")).unwrap_or_default();
    line.split('"').nth(1).unwrap_or_default()
}

//! `scsim completions` and `scsim man`: the command line as shells and manual readers want it.
//!
//! *Knows* where pages go. *Does not know* any flag: both are made from the definition that parses.

use clap::Args;
use clap::Command;
use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Exit;
use super::args::Common;
use super::args::Invocation;
use super::console;
use super::console::Console;
use super::console::complain;
use super::loading;
use super::outputs;

/// `scsim completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: Shell,
}

/// `scsim man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// The page of this command, `run`, or `policy replay`; without it the page of scsim
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Prints the script that completes commands and flags in a shell.
pub fn completions(common: &Common, args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Invocation::command(), "scsim", &mut script);
    let script = String::from_utf8_lossy(&script);
    match &common.output {
        Some(path) => outputs::deliver(path, &script),
        None => console::print(&script),
    }
}

/// Prints one manual page, or writes all of them into the folder that `--output` names.
pub fn man(console: &Console, common: &Common, args: &ManArgs) -> Exit {
    let mut root = Invocation::command();
    root.build();
    let Some(folder) = common.output.as_deref().filter(|path| path.as_os_str() != "-") else {
        return match page_of(&root, &args.command) {
            Ok(page) => console::print(&page),
            Err(exit) => exit,
        };
    };
    if !args.command.is_empty() {
        complain("error: --output takes every page into a folder; leave the command out");
        return Exit::Usage;
    }
    if !folder.is_dir() {
        complain(&format!("error: --output {}: there is no such folder; make it first", folder.display()));
        return Exit::Usage;
    }
    let mut pages = Vec::new();
    collect(&root, &mut pages);
    let mut exit = Exit::Held;
    for command in &pages {
        let man = manual(command);
        exit = exit.or_worse(outputs::deliver(&folder.join(man.get_filename()), &rendered(&man)));
    }
    if exit == Exit::Held {
        console.say(&format!("wrote {} pages to {}", pages.len(), folder.display()));
    }
    exit
}

/// Every command with a page of its own.
fn collect<'c>(command: &'c Command, pages: &mut Vec<&'c Command>) {
    pages.push(command);
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help" && !inner.is_hide_set()) {
        collect(inner, pages);
    }
}

fn page_of(root: &Command, path: &[String]) -> Result<String, Exit> {
    let mut here = root;
    for word in path.iter().flat_map(|word| word.split_whitespace()) {
        let Some(inner) = here.find_subcommand(word) else {
            let hint = loading::did_you_mean(word, here.get_subcommands().map(Command::get_name));
            complain(&format!("error: there is no command `{word}`{hint}\n  help: scsim help lists them"));
            return Err(Exit::Usage);
        };
        here = inner;
    }
    Ok(rendered(&manual(here)))
}

/// The page of a command.
fn manual(command: &Command) -> Man {
    Man::new(command.clone()).source(concat!("scsim ", env!("CARGO_PKG_VERSION"))).manual("scsim")
}

fn rendered(man: &Man) -> String {
    let mut page = Vec::new();
    // A Vec takes whatever it is given.
    man.render(&mut page).expect("writing to memory does not fail");
    String::from_utf8_lossy(&page).into_owned()
}

//! The `scsim` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    scsim::cli::run(std::env::args_os())
}

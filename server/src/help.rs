//! `pairpin completions` and `pairpin man`, made from the same tree that parses the command line.

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::exit::Failure;

/// Prints completions for a shell.
///
/// # Errors
/// The output is gone.
pub fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pairpin", &mut text);
    print(&text)
}

/// Prints the manual page of pairpin or of one verb.
///
/// # Errors
/// There is no such verb.
pub fn man(verb: &[String]) -> Result<(), Failure> {
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    for word in verb {
        command = command
            .find_subcommand(word)
            .ok_or_else(|| Failure::usage(format!("there is no verb `{}`, see `pairpin --help`", verb.join(" "))))?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    print(&text)
}

fn print(text: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text)?;
    Ok(stdout.flush()?)
}

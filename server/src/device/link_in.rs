//! Where an offer's link comes from: the command line, standard input, a picture, a question.

use std::path::Path;

use pairpin_core::link::{Link, SCHEME};
use pairpin_core::wire::Address;
use zeroize::Zeroizing;

use super::ask;
use super::cli::JoinArgs;
use crate::exit::Failure;

/// The largest picture that is read (bytes).
const PICTURE: u64 = 32 * 1024 * 1024;

/// What `join` was given.
pub enum Target {
    /// An offer.
    Offer(Link),
    /// A machine whose code will be typed.
    Code(Address),
    /// A machine that is asked to let this device in.
    Machine(Address),
}

/// Finds out what to join.
pub async fn target(args: &mut JoinArgs) -> Result<Target, Failure> {
    one_word_only(args)?;
    let code = args.code;
    if let Some(path) = &args.image {
        return offer(&from_picture(path).await?);
    }
    // A link in argv is spent at once; it is wiped all the same.
    let given = args.target.take().map(Zeroizing::new);
    match given.as_deref().map(String::as_str) {
        Some(text) if code => Ok(Target::Code(address(text)?)),
        None if code => Err(Failure::usage("name the machine: pairpin join HOST --code")),
        Some("-") => offer(&ask::all_of_stdin().await?),
        Some(text) if is_link(text) => offer(text),
        Some(text) => Ok(Target::Machine(address(text)?)),
        None if ask::possible() => typed_link().await,
        None => Err(Failure::usage("no terminal to ask on: pipe the link into pairpin join -")),
    }
}

/// A code does not belong into a command line, which others can read; a link that was broken in two
/// is not a machine.
fn one_word_only(args: &mut JoinArgs) -> Result<(), Failure> {
    let words: Vec<Zeroizing<String>> = args.target.iter().chain(&args.excess).cloned().map(Zeroizing::new).collect();
    let codes = args.code && words.iter().any(|word| is_code(word));
    if codes {
        return Err(Failure::usage("--code takes no value: leave it out, you will be asked"));
    }
    if words.len() > 1 {
        return Err(Failure::usage("join takes one word: run it alone, and paste the link when it asks"));
    }
    Ok(())
}

/// Digits alone are a code, never a machine.
fn is_code(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b' ')
}

fn is_link(text: &str) -> bool {
    let text = text.trim_start();
    text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

fn offer(text: &str) -> Result<Target, Failure> {
    Link::parse(text).map(Target::Offer).map_err(|error| Failure::failed(error.to_string()))
}

/// The most lines that a terminal breaks a link into.
const LINES: usize = 8;

/// Asks for the link. A terminal that broke it into lines pastes it with the breaks in it, so what is
/// not whole yet goes on in the next line; an empty one ends it.
async fn typed_link() -> Result<Target, Failure> {
    let mut text = ask::line("link from the machine (pairpin pair shows it): ").await?;
    for _ in 1..LINES {
        if Link::parse(&text).is_ok() || !is_link(&text) {
            break;
        }
        let more = ask::line("that is not all of it, paste the rest (or press Enter to stop): ").await?;
        if more.trim().is_empty() {
            break;
        }
        text.push_str(&more);
    }
    offer(&text)
}

fn address(text: &str) -> Result<Address, Failure> {
    text.parse().map_err(|_| Failure::usage("that is neither a link nor HOST[:PORT], see pairpin join --help"))
}

/// The text of the QR in a picture.
pub async fn from_picture(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let (shown, path) = (path.display().to_string(), path.to_path_buf());
    let read = tokio::task::spawn_blocking(move || -> Result<Zeroizing<String>, String> {
        use std::io::Read as _;
        let mut bytes = Zeroizing::new(Vec::new());
        let unreadable = |error: std::io::Error| format!("it cannot be read ({error}), name a picture of the QR");
        let file = std::fs::File::open(&path).map_err(unreadable)?;
        file.take(PICTURE).read_to_end(&mut bytes).map_err(unreadable)?;
        pairpin_core::qr::decode_image_file_bytes(&bytes).map_err(|error| error.to_string())
    });
    let text = read.await.map_err(|_| Failure::failed("reading the picture failed, try another"))?;
    text.map_err(|error| Failure::failed(format!("{shown}: {error}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn a_code_in_the_command_line_is_refused_without_being_repeated() {
        for line in ["join homebox --code 12345678", "join --code 1234-5678 homebox", "join --code 12345678"] {
            let failure = one_word_only(&mut parsed(line)).unwrap_err();
            assert_eq!(failure.exit, crate::exit::Exit::Usage);
            assert!(failure.message.contains("leave it out, you will be asked") && !failure.message.contains("1234"));
        }
        for line in ["join homebox --code", "join --code homebox:7747", "join", "join -"] {
            one_word_only(&mut parsed(line)).unwrap();
        }
    }

    #[test]
    fn a_link_that_was_broken_in_two_is_not_repeated() {
        let failure = one_word_only(&mut parsed("join pairpin:ABC DEF")).unwrap_err();
        assert!(failure.exit == crate::exit::Exit::Usage && !failure.message.contains("ABC"));
    }

    fn parsed(line: &str) -> JoinArgs {
        let words = ["pairpin"].into_iter().chain(line.split(' '));
        match crate::cli::Cli::try_parse_from(words).unwrap().verb {
            crate::cli::Verb::Join(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_link_is_known_by_its_scheme_in_any_case() {
        assert!(is_link("pairpin:ABC") && is_link(" PAIRPIN:ABC"));
        assert!(!is_link("homebox:7747") && !is_link("pair"));
    }
}

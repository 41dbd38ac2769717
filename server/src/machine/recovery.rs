//! `pairpin recovery print`: a sheet of paper that revokes a lost phone. Works on a stopped machine too.

use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use pairpin_core::recovery_sheet::RecoverySheet;
use pairpin_core::wire::Address;
use zeroize::Zeroizing;

use super::Machine;
use crate::admin::protocol::Request;
use crate::admin::views::SheetRecord;
use crate::cli::QrFormat;
use crate::device::RecoveryUseArgs;
use crate::exit::Failure;
use crate::output::page::Page;
use crate::output::qr_out::{replace, rows};
use crate::output::time::Moment;
use crate::output::{confirm, note, say};

/// `pairpin recovery …`.
#[derive(Debug, Subcommand)]
pub enum RecoveryVerb {
    /// On the machine: print a sheet that can revoke a lost device, once; the sheet before it is void
    Print(RecoveryPrintArgs),
    /// On any computer: use the sheet, and say which device is lost
    Use(RecoveryUseArgs),
}

/// `pairpin recovery print`.
#[derive(Debug, Args)]
pub struct RecoveryPrintArgs {
    /// Write a page for a printer to this file (.png or .svg), readable by you only [default: the terminal]
    #[arg(long, value_name = "FILE", env = "PAIRPIN_RECOVERY_PRINT_OUT", hide_env = true)]
    pub out: Option<PathBuf>,
    /// An address under which the machine will be reached, put first on the sheet; may be repeated
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        env = "PAIRPIN_RECOVERY_PRINT_HOST",
        hide_env = true,
        value_delimiter = ','
    )]
    pub host: Vec<Address>,
    /// Do not ask before the older sheet is void
    #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
}

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Png,
    Svg,
}

/// Prints a sheet.
///
/// # Errors
/// The machine cannot be asked, the person says no, or the page cannot be written.
pub async fn print(state_dir: &Path, args: RecoveryPrintArgs) -> Result<(), Failure> {
    let out = match &args.out {
        Some(path) => Some((path, kind(path)?)),
        None => None,
    };
    let machine = Machine::find(state_dir).await?;
    let before: Option<Moment> = machine.ask(Request::RecoveryPrinted).await?;
    if let Some(at) = before {
        let question = format!(
            "A recovery sheet was printed on {}: wherever it is, it is void from here on. Print a new one?",
            at.local()
        );
        confirm(&question, args.yes)?;
    }
    let record: SheetRecord = machine.ask(Request::RecoveryPrint { hosts: args.host }).await?;
    let sheet = RecoverySheet::parse(record.sheet.expose()).map_err(|error| Failure::failed(error.to_string()))?;
    let page = Page::of(&sheet, &record.machine, &record.printed_at.local());
    let page = page.ok_or_else(|| Failure::failed("the sheet does not fit its QR, leave --host out"))?;
    match out {
        Some((path, kind)) => {
            let bytes = Zeroizing::new(match kind {
                Kind::Png => page.png(),
                Kind::Svg => page.svg().as_bytes().to_vec(),
            });
            replace(path, &bytes).map_err(|error| {
                Failure::failed(format!(
                    "cannot write the sheet to {} ({error}): nobody has it, so print another, to another file",
                    path.display()
                ))
            })?;
            say(format!("the recovery sheet is in {}", path.display()))?;
            note("print it, erase the file, and keep the paper: whoever has either can revoke your devices");
        }
        None => {
            for line in page.text(&rows(page.code(), QrFormat::Auto)) {
                say(&*line)?;
            }
            note("write it down or print it: it is shown this once, and is kept nowhere");
        }
    }
    if sheet.addresses.is_empty() {
        note("no address is on it: have one put there with --host, or know it when you need the sheet");
    }
    Ok(())
}

fn kind(path: &Path) -> Result<Kind, Failure> {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("png") => Ok(Kind::Png),
        Some("svg") => Ok(Kind::Svg),
        _ => Err(Failure::usage("--out takes a file that ends in .png or .svg")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_the_end_of_its_name() {
        assert_eq!(kind(Path::new("a.PNG")).unwrap(), Kind::Png);
        assert_eq!(kind(Path::new("a.svg")).unwrap(), Kind::Svg);
        assert!(kind(Path::new("a.pdf")).is_err() && kind(Path::new("png")).is_err());
    }
}

//! Where an offer's QR goes: the terminal, a file, or stdout.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use pairpin_core::link::Link;
use pairpin_core::qr::{QrCode, TerminalStyle};

use crate::cli::QrFormat;
use crate::exit::Failure;
use crate::output::style::dumb_terminal;
use crate::platform::locale_is_not_utf8;

/// Pixels a module in a PNG: a version 4 code becomes 328 pixels wide.
const PNG_SCALE: u32 = 8;

/// Where to write a QR, checked before an offer is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QrFile {
    /// The file; `None` is stdout.
    path: Option<PathBuf>,
    format: QrFormat,
}

impl QrFile {
    /// What the flags ask for; `None` where the QR goes to the terminal.
    ///
    /// # Errors
    /// The flags do not fit together.
    pub fn of(path: Option<&Path>, format: QrFormat, as_json: bool) -> Result<Option<Self>, Failure> {
        let image = matches!(format, QrFormat::Png | QrFormat::Svg);
        let Some(path) = path else {
            let why = "an image needs a place to go, add --qr-out FILE (or - for stdout)";
            return if image { Err(Failure::usage(why)) } else { Ok(None) };
        };
        let to_stdout = path == Path::new("-");
        if to_stdout && as_json {
            return Err(Failure::usage("--json and --qr-out - both want stdout, write the QR to a file"));
        }
        if to_stdout && io::stdout().is_terminal() {
            return Err(Failure::usage("--qr-out - would fill the terminal with the image, pipe it or name a file"));
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        let format = match (format, extension.as_deref()) {
            (QrFormat::Auto, Some("png")) => QrFormat::Png,
            (QrFormat::Auto, Some("svg")) => QrFormat::Svg,
            (QrFormat::Auto, _) => {
                return Err(Failure::usage("say which image --qr-out is to be: --qr-format png or svg"));
            }
            (format, _) => format,
        };
        Ok(Some(Self { path: (!to_stdout).then(|| path.to_owned()), format }))
    }

    /// Whether stdout is the QR's alone.
    pub fn is_stdout(&self) -> bool {
        self.path.is_none()
    }

    /// Writes the QR: a file is replaced in one step and is its owner's alone.
    ///
    /// # Errors
    /// It cannot be written there.
    pub fn write(&self, link: &Link) -> Result<(), Failure> {
        let code = QrCode::of_link(link).map_err(|error| Failure::failed(error.to_string()))?;
        let bytes = match self.format {
            QrFormat::Png => code.render_png(PNG_SCALE),
            QrFormat::Svg => code.render_svg().into_bytes(),
            format => format!("{}\n", code.render_terminal(style(format), false).join("\n")).into_bytes(),
        };
        match &self.path {
            Some(path) => replace(path, &bytes).map_err(|error| {
                Failure::failed(format!("cannot write the QR to {} ({error}), name another file", path.display()))
            }),
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&bytes)?;
                Ok(stdout.flush()?)
            }
        }
    }

    /// Where it was written, for the person.
    pub fn place(&self) -> String {
        self.path.as_deref().map_or_else(|| "stdout".into(), |path| path.display().to_string())
    }
}

/// The QR's rows for the terminal; none where the offer does not fit a QR. It keeps its two
/// colours under `NO_COLOR`: without them it cannot be read in a light theme.
pub fn terminal_rows(link: &Link, format: QrFormat) -> Vec<String> {
    QrCode::of_link(link).map(|code| rows(&code, format)).unwrap_or_default()
}

/// The same of any QR.
pub fn rows(code: &QrCode, format: QrFormat) -> Vec<String> {
    code.render_terminal(style(format), !dumb_terminal())
}

fn style(format: QrFormat) -> TerminalStyle {
    match format {
        QrFormat::Full => TerminalStyle::FullBlocks,
        QrFormat::Ascii => TerminalStyle::Ascii,
        QrFormat::Auto if locale_is_not_utf8() => TerminalStyle::Ascii,
        QrFormat::Auto | QrFormat::Half | QrFormat::Png | QrFormat::Svg => TerminalStyle::HalfBlocks,
    }
}

/// Writes a file in one step, its owner's alone.
///
/// # Errors
/// It cannot be written there; what was there stays.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(temporary);
    // A name that is there already is not followed and not shared.
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let replaced = written.and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn flags_that_do_not_fit_are_refused_before_an_offer_is_made() {
        let of = |path: Option<&str>, format, json| QrFile::of(path.map(Path::new), format, json);
        assert!(of(None, QrFormat::Png, false).is_err() && of(Some("-"), QrFormat::Png, true).is_err());
        assert!(of(Some("qr.jpg"), QrFormat::Auto, false).is_err());
        assert!(of(None, QrFormat::Auto, false).unwrap().is_none());
        assert_eq!(of(Some("a.SVG"), QrFormat::Auto, false).unwrap().unwrap().format, QrFormat::Svg);
        assert_eq!(of(Some("a"), QrFormat::Half, true).unwrap().unwrap().format, QrFormat::Half);
    }

    #[test]
    fn a_written_qr_is_its_owners_alone_and_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("qr.png");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        replace(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(replace(&dir.path().join("no/where"), b"x").is_err());
    }
}

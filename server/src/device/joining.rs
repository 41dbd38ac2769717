//! `pairpin join HOST`: asks to be let in without an offer. Shows QR and number, waits for somebody's yes, and
//! asks for the four digits.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use pairpin_core::client::{Client, JoinAsked, JoinGranted, Paired};
use pairpin_core::qr::QrCode;
use pairpin_core::role::Role;
use pairpin_core::wire::Address;
use serde::Serialize;
use tokio::time::Instant;

use super::ask;
use super::cli::JoinArgs;
use crate::cli::QrFormat;
use crate::exit::Failure;
use crate::output::qr_out;
use crate::output::time::countdown;
use crate::output::{json, note, say, say_lines};

/// A line of `join --json`, before it is paired.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Asked {
        id: String,
        /// Seven digits; `null` where too many have asked.
        number: Option<String>,
        qr: String,
        fingerprint: String,
        address: &'a Address,
        expires_in_seconds: u64,
    },
    LetIn {
        name: &'a str,
        platform: &'a str,
        role: Role,
        expires_in_seconds: u64,
    },
}

/// Asks, waits, and takes the digits.
pub async fn by_asking(client: &Client, address: Address, args: &JoinArgs) -> Result<Paired, Failure> {
    let asked = client.ask_to_join(address).await?;
    show(&asked, args).map_err(Failure::of_unfinished)?;
    let granted = wait(asked, args).await?;
    if args.json {
        say(json::line(&Event::LetIn {
            name: &granted.name,
            platform: &granted.platform,
            role: granted.role,
            expires_in_seconds: granted.time.as_secs(),
        })?)
        .map_err(Failure::of_unfinished)?;
    } else {
        note(format!(
            "what answers says it is {} and lets this device in as {}: whoever let it in sees four digits now",
            granted.name, granted.role
        ));
    }
    typed(granted).await
}

async fn typed(mut granted: JoinGranted) -> Result<Paired, Failure> {
    let digits = tokio::select! {
        digits = ask::line("the four digits on that screen (one attempt): ") => digits?,
        over = granted.ended() => {
            if ask::possible() {
                note("");
            }
            return Err(over.into());
        }
    };
    if digits.trim().is_empty() {
        granted.decline().await?;
        return Err(Failure::failed("nothing was typed, so nothing was paired"));
    }
    // Paired from here on; both screens have shown the digits.
    Ok(Paired { digits: None, ..granted.typed(&digits).await? })
}

fn show(asked: &JoinAsked, args: &JoinArgs) -> Result<(), Failure> {
    let id = asked.qr.join.text();
    if args.json {
        return say(json::line(&Event::Asked {
            id,
            number: asked.number.map(|number| number.digits()),
            qr: asked.qr.to_text(),
            fingerprint: asked.fingerprint(),
            address: &asked.address,
            expires_in_seconds: asked.time.as_secs(),
        })?);
    }
    if io::stdout().is_terminal() {
        let code = QrCode::of_join(&asked.qr).map_err(|error| Failure::failed(error.to_string()))?;
        say_lines(&qr_out::rows(&code, QrFormat::Auto))?;
    } else {
        say(asked.qr.to_text())?;
    }
    // With the countdown below it all fits a terminal of 80x24, under a QR of 21 rows.
    match asked.number {
        Some(number) => {
            say(format!("number {number}"))?;
            note(format!("or at the machine's shell: pairpin devices approve {id} --number {}", number.digits()));
        }
        None => note("too many have asked there lately, so this device has no number: only a scan lets it in"),
    }
    Ok(())
}

/// Waits with a countdown where there is a terminal for one.
async fn wait(asked: JoinAsked, args: &JoinArgs) -> Result<JoinGranted, Failure> {
    let (ends, drawn) = (Instant::now() + asked.time, io::stderr().is_terminal() && !args.json);
    if !drawn {
        note(format!("scan it, or type the number, on an owner's device: waiting {}", countdown(asked.time)));
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    let mut waiting = std::pin::pin!(asked.wait());
    let granted = loop {
        tokio::select! {
            granted = &mut waiting => break granted,
            _ = tick.tick(), if drawn => {
                let left = countdown(ends.saturating_duration_since(Instant::now()));
                draw(&format!("scan it, or type the number, on an owner's device: waiting {left}"));
            }
        }
    };
    if drawn {
        draw("");
    }
    Ok(granted?)
}

/// Writes over the line that the cursor is on.
fn draw(text: &str) {
    let mut stderr = io::stderr().lock();
    // A terminal that is gone is noticed by what is said next.
    let _ = write!(stderr, "\r\x1b[K{text}");
    let _ = stderr.flush();
}

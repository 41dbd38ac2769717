//! The flags of the verbs of a device.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};

use pairpin_core::role::Role;
use pairpin_core::wire::JoinNumber;

use crate::cli::QrFormat;
use crate::machine::joins::parse_number;
use crate::output::time::parse_duration;
use crate::secret_store::Choice;

/// `pairpin join`.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// The machine's address: asks it to let this device in, or with --code types its code; - reads a link from
    /// standard input [default: asks for the link]
    #[arg(value_name = "HOST[:PORT]|-")]
    pub target: Option<String>,
    /// One word too many: taken only to be refused with a better word than clap has, and not repeated.
    #[arg(hide = true)]
    pub excess: Vec<String>,
    /// Read the QR from a picture (PNG or JPEG)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "code", "excess"], env = "PAIRPIN_JOIN_IMAGE", hide_env = true)]
    pub image: Option<PathBuf>,
    /// Type the eight digits that the machine shows; you will be asked for them
    #[arg(long, env = "PAIRPIN_JOIN_CODE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub code: bool,
    /// Answer yes to the question (never to a machine's new key)
    #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    /// What the machine calls this device [default: the host name]
    #[arg(long, env = "PAIRPIN_JOIN_NAME", hide_env = true)]
    pub name: Option<String>,
    #[command(flatten)]
    pub store: StoreArg,
    /// Print JSON, a line for each event (docs/json.md)
    #[arg(long, env = "PAIRPIN_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `--secret-store`.
#[derive(Debug, Clone, Copy, Args)]
pub struct StoreArg {
    /// Where the keys for new machines are kept: keyring, file, or auto (the keyring if one answers)
    #[arg(
        long,
        value_name = "STORE",
        default_value = "auto",
        env = "PAIRPIN_SECRET_STORE",
        hide_env = true,
        hide_possible_values = true,
        display_order = 900,
        global = true
    )]
    pub secret_store: Choice,
}

/// `pairpin invite`.
#[derive(Debug, Args)]
pub struct InviteArgs {
    /// The machine, by its name here, or the beginning of its name or key fingerprint
    pub machine: String,
    /// What the new device may do there: owner, operator or viewer
    #[arg(long, default_value_t = Role::Operator, env = "PAIRPIN_INVITE_ROLE", hide_env = true)]
    pub role: Role,
    /// What the machine calls the new device [default: the name it gives itself]
    #[arg(long, env = "PAIRPIN_INVITE_NAME", hide_env = true)]
    pub name: Option<String>,
    /// How long the offer lives, from 10s to 10m [default: 120s]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = "PAIRPIN_INVITE_TTL", hide_env = true)]
    pub ttl: Option<Duration>,
    /// How to draw the QR; png and svg go to --qr-out
    #[arg(long, value_name = "FORMAT", default_value = "auto", env = "PAIRPIN_INVITE_QR_FORMAT", hide_env = true)]
    pub qr_format: QrFormat,
    /// Write the QR to this file, readable by you only; - is stdout
    #[arg(long, value_name = "FILE", env = "PAIRPIN_INVITE_QR_OUT", hide_env = true)]
    pub qr_out: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreArg,
    /// Print JSON, a line for each event (docs/json.md)
    #[arg(long, env = "PAIRPIN_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `pairpin machines`: the machines this device is paired with.
#[derive(Debug, Args)]
pub struct MachinesArgs {
    /// What to do with them [default: list]
    #[command(subcommand)]
    pub verb: Option<MachinesVerb>,
    #[command(flatten)]
    pub store: StoreArg,
    /// Print JSON (docs/json.md)
    #[arg(long, env = "PAIRPIN_JSON", hide_env = true, global = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `pairpin machines …`. A machine is named by its name here, or an unambiguous beginning of its name or
/// key fingerprint.
#[derive(Debug, Subcommand)]
pub enum MachinesVerb {
    /// Dial all of them and say how each stands; exit code 6 if one has changed its key
    List,
    /// Stay connected and print what changes, a line each
    Watch {
        /// Only this one [default: all]
        machine: Option<String>,
    },
    /// Give one another name here; the machine is not told
    Rename {
        /// Its name here, or the beginning of its name or key fingerprint
        machine: String,
        /// Its new name here
        name: String,
    },
    /// Guard this device's decisions on one by a passphrase, change it, or take it away; asked for on the terminal
    Passphrase(PassphraseArgs),
    /// Unpair: the machine takes this device off its list, and its keys here are erased; one that is away is told later
    Forget {
        /// Its name here, or the beginning of its name or key fingerprint
        machine: String,
        /// Erase the keys here at once, even if the machine cannot be told and goes on listing this device
        #[arg(long, env = "PAIRPIN_MACHINES_FORGET_NOW", hide_env = true, value_parser = BoolishValueParser::new())]
        now: bool,
        /// Do not ask
        #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
        yes: bool,
    },
}

/// `pairpin machines passphrase`.
#[derive(Debug, Args)]
pub struct PassphraseArgs {
    /// Its name here, or the beginning of its name or key fingerprint
    pub machine: String,
    /// The passphrase is lost: make another approval key, where the machine has forgotten the one before
    #[arg(long, env = "PAIRPIN_MACHINES_PASSPHRASE_FORGOTTEN", hide_env = true, value_parser = BoolishValueParser::new())]
    pub forgotten: bool,
}

/// `pairpin inbox`.
#[derive(Debug, Args)]
pub struct InboxArgs {
    /// Stay connected and print what comes and goes
    #[arg(long, short, env = "PAIRPIN_INBOX_FOLLOW", hide_env = true, value_parser = BoolishValueParser::new())]
    pub follow: bool,
    #[command(flatten)]
    pub store: StoreArg,
    /// Print JSON (docs/json.md)
    #[arg(long, env = "PAIRPIN_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `pairpin approve`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["id", "image"]))]
pub struct ApproveArgs {
    /// Its id, as `pairpin inbox` lists it
    pub id: Option<String>,
    /// Let a device in by its QR, in this picture (PNG or JPEG)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["number", "on"], env = "PAIRPIN_APPROVE_IMAGE", hide_env = true)]
    pub image: Option<PathBuf>,
    /// Let a device in by the seven digits that it shows
    #[arg(long, value_name = "NUMBER", value_parser = parse_number, env = "PAIRPIN_APPROVE_NUMBER", hide_env = true)]
    pub number: Option<JoinNumber>,
    /// What a device that is let in may do: owner, operator or viewer [default: operator]
    #[arg(long, env = "PAIRPIN_APPROVE_ROLE", hide_env = true)]
    pub role: Option<Role>,
    /// What to call it [default: the name it gives itself]
    #[arg(long, env = "PAIRPIN_APPROVE_NAME", hide_env = true)]
    pub name: Option<String>,
    /// How long its session may live in all, as 7d [default: 180d]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = "PAIRPIN_APPROVE_EXPIRES", hide_env = true)]
    pub expires: Option<Duration>,
    /// On this machine: its name here, or the beginning of its name or key fingerprint [default: looks at all]
    #[arg(long, value_name = "MACHINE", env = "PAIRPIN_ON", hide_env = true)]
    pub on: Option<String>,
    #[command(flatten)]
    pub store: StoreArg,
    /// Print JSON (docs/json.md)
    #[arg(long, env = "PAIRPIN_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `pairpin deny`.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// Its id, as `pairpin inbox` lists it
    pub id: String,
    /// Besides: nobody at the address of a device that asks to be let in may ask for an hour
    #[arg(long, env = "PAIRPIN_DENY_BLOCK_SOURCE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub block_source: bool,
    /// Besides: no device at all may ask to be let in for an hour
    #[arg(long, conflicts_with = "block_source", env = "PAIRPIN_DENY_CLOSE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub close: bool,
    /// On this machine: its name here, or the beginning of its name or key fingerprint [default: looks at all]
    #[arg(long, value_name = "MACHINE", env = "PAIRPIN_ON", hide_env = true)]
    pub on: Option<String>,
    #[command(flatten)]
    pub store: StoreArg,
    /// Print JSON (docs/json.md)
    #[arg(long, env = "PAIRPIN_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

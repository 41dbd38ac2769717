//! The command line: the whole tree of verbs and flags, and nothing that runs.
//!
//! `main` parses it and `run` hands each verb to its file in `machine` or `device`. Every flag has a `PAIRPIN_*`
//! mirror; a flag on the command line wins.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use pairpin_core::host::JoinFrom;
use pairpin_core::role::Role;
use pairpin_core::wire::{Address, DEFAULT_PORT, JoinNumber};

use crate::device::{ApproveArgs as DecideArgs, DenyArgs as RefuseArgs, InboxArgs, InviteArgs, JoinArgs, MachinesArgs};
use crate::machine::joins::parse_number;
use crate::machine::lost::LostArgs;
use crate::machine::recovery::RecoveryVerb;
use crate::machine::{AskArgs, AsksVerb, NotifyArgs};
use crate::output::time::parse_duration;

/// `pairpin --version`: the commit it was built from and the protocol it speaks.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("PAIRPIN_COMMIT"), ", protocol 1)");

/// Below `pairpin --help` and in the manual page: where to begin, and what scripts may rely on.
const FIRST_STEPS: &str = "\
First steps:
  on the machine       run `pairpin serve`, scan its QR with the Pairpin app
  another device       run `pairpin pair` there; on a computer `pairpin join`
  a script asks you    run `pairpin ask TEXT -- CMD` in it; a device says yes or no
  a device is lost     run `pairpin lost NAME` on the machine
  something is wrong   run `pairpin doctor` on the machine

Every flag has an environment variable, as PAIRPIN_PORT for `serve --port`; the flag wins.

Exit codes: 0 done, 1 failed or denied, 2 usage, 3 timed out or expired, 4 nobody there, 5 the daemon is not \
running, 6 the machine proves another identity than the pinned one.";

/// Pairs your phone with your headless machines by QR, and gives the pair one encrypted, pinned, revocable connection.
#[derive(Debug, Parser)]
#[command(name = "pairpin", version = VERSION, propagate_version = true, max_term_width = 100, after_help = FIRST_STEPS)]
pub struct Cli {
    /// Where keys and the database are [default: the XDG state directory]
    #[arg(long, global = true, value_name = "DIR", env = "PAIRPIN_STATE_DIR", hide_env = true, display_order = 901)]
    pub state_dir: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon: accept devices, and show a QR while none is paired
    Serve(ServeArgs),
    /// Offer a device to pair: show link, QR and code, and wait
    Pair(PairArgs),
    /// List or withdraw the offers that wait for a device
    Offers {
        /// What to do with them [default: list]
        #[command(subcommand)]
        verb: Option<OffersVerb>,
        #[command(flatten)]
        json: Json,
    },
    /// List, rename, change or revoke the paired devices; let in those that ask
    Devices {
        /// What to do with them [default: list]
        #[command(subcommand)]
        verb: Option<DevicesVerb>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// A device is lost: revoke it, and show what it did lately and whom it let in
    Lost(LostArgs),
    /// Print a sheet of paper that can revoke a lost device, or use it
    Recovery {
        /// What to do with it.
        #[command(subcommand)]
        verb: RecoveryVerb,
    },
    /// Whether the daemon runs, under which key, where it is reachable
    Status(Json),
    /// Look for what keeps devices from pairing or connecting
    Doctor(DoctorArgs),
    /// What happened here: pairings, revocations, alarms
    Audit(AuditArgs),
    /// Show or change the machine's identity key
    Key {
        /// What to do with it.
        #[command(subcommand)]
        verb: KeyVerb,
    },
    /// On a device: pair it with a machine, by its link, its QR or its code, or ask to be let in
    Join(JoinArgs),
    /// On an owner device: make an offer on a machine from afar, and show it here
    Invite(InviteArgs),
    /// Ask the owner and operator devices, and wait for a signed yes or no: the exit code is the answer
    Ask(AskArgs),
    /// List, show or take back the asks that wait for an answer
    Asks {
        /// What to do with them [default: list]
        #[command(subcommand)]
        verb: Option<AsksVerb>,
        #[command(flatten)]
        json: Json,
    },
    /// Tell the connected owner and operator devices something that needs no answer
    Notify(NotifyArgs),
    /// On a device: what waits for an answer on the machines it is paired with
    Inbox(InboxArgs),
    /// On a device: say yes to something in its inbox, or let a device in by its QR or its number
    Approve(DecideArgs),
    /// On a device: say no to something in its inbox
    Deny(RefuseArgs),
    /// On a device: list, watch, rename or forget the machines it is paired with
    Machines(MachinesArgs),
    /// Print shell completions
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, of one verb or of all of pairpin
    Man {
        /// The verb, as in `pairpin man devices revoke`
        verb: Vec<String>,
    },
}

/// `--json`, which every reading command has.
#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Print JSON (docs/json.md)
    #[arg(long, env = "PAIRPIN_JSON", hide_env = true, value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// `pairpin serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Listen on this address only [default: all]
    #[arg(long, value_name = "ADDRESS", env = "PAIRPIN_BIND", hide_env = true)]
    pub bind: Option<IpAddr>,
    /// Listen on this port
    #[arg(long, default_value_t = DEFAULT_PORT, env = "PAIRPIN_PORT", hide_env = true)]
    pub port: u16,
    /// What devices call this machine [default: its host name]
    #[arg(long, env = "PAIRPIN_NAME", hide_env = true)]
    pub name: Option<String>,
    /// An address under which devices reach this machine, tried first; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", env = "PAIRPIN_ADVERTISE", hide_env = true, value_delimiter = ',')]
    pub advertise: Vec<Address>,
    /// Open a second socket for callers of this group, which takes `ask` and `notify` only
    #[arg(long, value_name = "GROUP", env = "PAIRPIN_ASK_GROUP", hide_env = true)]
    pub ask_group: Option<String>,
    /// Where that socket is [default: ask.sock in the service's runtime directory or in /run/pairpin]
    #[arg(long, value_name = "FILE", requires = "ask_group", env = "PAIRPIN_ASK_SOCKET", hide_env = true)]
    pub ask_socket: Option<PathBuf>,
    /// From which networks devices without an offer may ask to be let in: lan, tailnet, loopback; any; none
    #[arg(long, value_name = "NETWORKS", default_value = "lan,tailnet", env = "PAIRPIN_JOIN_FROM", hide_env = true)]
    pub join_from: JoinFrom,
    /// A key is lost: make it anew and keep the database; if it was identity.key, each device scans once more
    #[arg(long, env = "PAIRPIN_NEW_KEY", hide_env = true, value_parser = BoolishValueParser::new())]
    pub new_key: bool,
    /// The state was moved here from another machine, where it never serves again: take it over
    #[arg(long, env = "PAIRPIN_SERVE_MOVED", hide_env = true, value_parser = BoolishValueParser::new())]
    pub moved: bool,
    /// The state is a copy of another machine's: set it aside and become a machine of its own, without devices
    #[arg(long, conflicts_with = "moved", env = "PAIRPIN_SERVE_NEW_IDENTITY", hide_env = true, value_parser = BoolishValueParser::new())]
    pub new_identity: bool,
    /// Do not ask
    #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
}

/// `pairpin pair`.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// Offer a code to type only, without link and QR
    #[arg(long, env = "PAIRPIN_PAIR_CODE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub code: bool,
    /// What the device may do: owner, operator or viewer [default: owner for the first, then operator]
    #[arg(long, env = "PAIRPIN_PAIR_ROLE", hide_env = true)]
    pub role: Option<Role>,
    /// What to call the device [default: the name it gives itself]
    #[arg(long, env = "PAIRPIN_PAIR_NAME", hide_env = true)]
    pub name: Option<String>,
    /// How long the offer lives, from 10s to 10m [default: 120s; 5m with --code]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, env = "PAIRPIN_PAIR_TTL", hide_env = true)]
    pub ttl: Option<Duration>,
    /// How to draw the QR; png and svg go to --qr-out
    #[arg(long, value_name = "FORMAT", default_value = "auto", env = "PAIRPIN_PAIR_QR_FORMAT", hide_env = true)]
    pub qr_format: QrFormat,
    /// Write the QR to this file, readable by you only; - is stdout
    #[arg(long, value_name = "FILE", conflicts_with = "code", env = "PAIRPIN_PAIR_QR_OUT", hide_env = true)]
    pub qr_out: Option<PathBuf>,
    /// Print the offer and leave it live, without waiting for the device
    #[arg(long, env = "PAIRPIN_PAIR_NO_WAIT", hide_env = true, value_parser = BoolishValueParser::new())]
    pub no_wait: bool,
    #[command(flatten)]
    pub json: Json,
}

/// How to draw a QR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QrFormat {
    /// What the terminal takes
    Auto,
    /// Half blocks: 41 columns, 21 rows
    Half,
    /// Two columns a module, no half blocks
    Full,
    /// ASCII only
    Ascii,
    /// A PNG image
    Png,
    /// An SVG image
    Svg,
}

/// `pairpin offers …`.
#[derive(Debug, Subcommand)]
pub enum OffersVerb {
    /// List the offers, without their secrets
    List(Json),
    /// Withdraw one offer or all: its link, QR and code are void at once
    #[command(group = clap::ArgGroup::new("which").required(true).args(["number", "all"]))]
    Cancel {
        /// The offer's number, as `pairpin offers` lists it
        number: Option<u32>,
        /// All of them
        #[arg(long, env = "PAIRPIN_OFFERS_CANCEL_ALL", hide_env = true, value_parser = BoolishValueParser::new())]
        all: bool,
    },
}

/// `pairpin devices list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// From afar: on this machine, where this device is owner, instead of here
    #[arg(long, value_name = "MACHINE", env = "PAIRPIN_DEVICES_ON", hide_env = true, conflicts_with = "revoked")]
    pub on: Option<String>,
    /// Show the revoked ones instead
    #[arg(long, env = "PAIRPIN_DEVICES_REVOKED", hide_env = true, value_parser = BoolishValueParser::new())]
    pub revoked: bool,
    /// Show the lines for root's list of those whose answers `pairpin ask` believes
    #[arg(long, env = "PAIRPIN_DEVICES_APPROVERS", hide_env = true, conflicts_with_all = ["revoked", "on"], value_parser = BoolishValueParser::new())]
    pub approvers: bool,
    #[command(flatten)]
    pub json: Json,
}

/// `pairpin devices …`. A device is named by its name, its id, or an unambiguous beginning of the id.
#[derive(Debug, Subcommand)]
pub enum DevicesVerb {
    /// List the devices
    List(ListArgs),
    /// Show everything about a device
    Show {
        /// Its name, its id, or the beginning of its id
        device: String,
        /// From afar: on this machine, where this device is owner, instead of here
        #[arg(long, value_name = "MACHINE", env = "PAIRPIN_DEVICES_ON", hide_env = true)]
        on: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Give a device another name
    Rename {
        /// Its name, its id, or the beginning of its id
        device: String,
        /// The new name
        name: String,
    },
    /// Change what a device may do, and for how long; lift its suspension; let it bring another approval key
    #[command(group = clap::ArgGroup::new("what").required(true).multiple(true)
        .args(["role", "idle", "absolute", "lift", "forget_approval_key"]))]
    Set(SetArgs),
    /// Take a device's access away and cut its open connections; returns when they are cut
    #[command(group = clap::ArgGroup::new("which").required(true).args(["devices", "all"]))]
    Revoke(RevokeArgs),
    /// Let a device in that asks: by the number on its screen
    Approve(ApproveArgs),
    /// Say no to a device that asks to be let in
    Deny(DenyArgs),
}

/// `pairpin devices set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Its name, its id, or the beginning of its id
    pub device: String,
    /// What it may do: owner, operator or viewer
    #[arg(long, env = "PAIRPIN_DEVICES_SET_ROLE", hide_env = true)]
    pub role: Option<Role>,
    /// How long its session may stay unused, as 30d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "on", env = "PAIRPIN_DEVICES_SET_IDLE", hide_env = true)]
    pub idle: Option<Duration>,
    /// How long its session may live in all, as 180d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "on", env = "PAIRPIN_DEVICES_SET_ABSOLUTE", hide_env = true)]
    pub absolute: Option<Duration>,
    /// Let it connect again after it was suspended
    #[arg(long, env = "PAIRPIN_DEVICES_SET_LIFT", hide_env = true, value_parser = BoolishValueParser::new())]
    pub lift: bool,
    /// Forget its approval key: it answers nothing until it brings one, which may be another
    #[arg(long, env = "PAIRPIN_DEVICES_SET_FORGET_APPROVAL_KEY", hide_env = true, value_parser = BoolishValueParser::new())]
    pub forget_approval_key: bool,
    /// From afar: on this machine, where this device is owner, instead of here
    #[arg(long, value_name = "MACHINE", env = "PAIRPIN_DEVICES_ON", hide_env = true)]
    pub on: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

/// `pairpin devices approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Its id among those that ask, as `pairpin devices` lists it, or the beginning of it
    #[arg(value_name = "ID")]
    pub join: String,
    /// The seven digits on its screen; one attempt
    #[arg(long, value_parser = parse_number, env = "PAIRPIN_DEVICES_APPROVE_NUMBER", hide_env = true)]
    pub number: JoinNumber,
    /// What it may do: owner, operator or viewer [default: owner for the first, then operator]
    #[arg(long, env = "PAIRPIN_DEVICES_APPROVE_ROLE", hide_env = true)]
    pub role: Option<Role>,
    /// What to call it [default: the name it gives itself]
    #[arg(long, env = "PAIRPIN_DEVICES_APPROVE_NAME", hide_env = true)]
    pub name: Option<String>,
    #[command(flatten)]
    pub json: Json,
}

/// `pairpin devices deny`.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// Its id among those that ask, as `pairpin devices` lists it, or the beginning of it
    #[arg(value_name = "ID")]
    pub join: String,
    /// And nobody from its address may ask for an hour
    #[arg(long, conflicts_with = "close", env = "PAIRPIN_DEVICES_DENY_BLOCK_SOURCE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub block_source: bool,
    /// And nobody at all may ask for an hour
    #[arg(long, env = "PAIRPIN_DEVICES_DENY_CLOSE", hide_env = true, value_parser = BoolishValueParser::new())]
    pub close: bool,
}

/// `pairpin devices revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// Their names, their ids, or the beginnings of their ids
    pub devices: Vec<String>,
    /// All of them
    #[arg(long, env = "PAIRPIN_DEVICES_REVOKE_ALL", hide_env = true, value_parser = BoolishValueParser::new())]
    pub all: bool,
    /// From afar: on this machine, where this device is owner, instead of here
    #[arg(long, value_name = "MACHINE", env = "PAIRPIN_DEVICES_ON", hide_env = true, conflicts_with = "all")]
    pub on: Option<String>,
    /// Why; the device is told
    #[arg(long, value_name = "TEXT", env = "PAIRPIN_DEVICES_REVOKE_REASON", hide_env = true)]
    pub reason: Option<String>,
    /// Do not ask
    #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub json: Json,
}

/// `pairpin doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Forget the latest time seen, after the clock had leapt ahead and was set right
    #[arg(long, env = "PAIRPIN_DOCTOR_RESET_CLOCK", hide_env = true, value_parser = BoolishValueParser::new())]
    pub reset_clock: bool,
    #[command(flatten)]
    pub json: Json,
}

/// `pairpin audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// How many of the last entries to print first
    #[arg(long, value_name = "N", default_value_t = 100, env = "PAIRPIN_AUDIT_LINES", hide_env = true)]
    pub lines: usize,
    /// Go on with what happens from now
    #[arg(long, short, env = "PAIRPIN_AUDIT_FOLLOW", hide_env = true, value_parser = BoolishValueParser::new())]
    pub follow: bool,
    #[command(flatten)]
    pub json: Json,
}

/// `pairpin key …`.
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Show its fingerprint, to compare with what a device shows
    Show(Json),
    /// Change it: devices follow by themselves, or scan again where it is known to others
    Rotate(RotateArgs),
    /// Keep the next key in a file elsewhere from now on, off this machine
    MoveNext(MoveNextArgs),
}

/// `pairpin key rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The key may be known to others: end every session, and have every device scan again
    #[arg(long, env = "PAIRPIN_KEY_ROTATE_COMPROMISED", hide_env = true, value_parser = BoolishValueParser::new())]
    pub compromised: bool,
    /// Take the next key from this file, if it is kept elsewhere, and put the one after it there
    #[arg(long, value_name = "FILE", env = "PAIRPIN_KEY_ROTATE_NEXT_KEY", hide_env = true)]
    pub next_key: Option<PathBuf>,
    /// Do not ask
    #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    pub yes: bool,
    #[command(flatten)]
    pub json: Json,
}

/// `pairpin key move-next`.
#[derive(Debug, Args)]
pub struct MoveNextArgs {
    /// The file, on a stick or wherever this machine's thief is not
    pub file: PathBuf,
    #[command(flatten)]
    pub json: Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_mirror() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
                let mirror = argument.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                assert!(mirror.starts_with("PAIRPIN_"), "{} --{}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for line in [
            "pairpin",
            "pairpin serve --loud",
            "pairpin offers cancel",
            "pairpin devices set x",
            "pairpin devices set x --idle 3d --on homebox",
            "pairpin devices approve abcd",
            "pairpin devices approve abcd --number 12",
            "pairpin devices deny abcd --close --block-source",
            "pairpin serve --join-from any,lan",
            "pairpin serve --moved --new-identity",
            "pairpin devices revoke",
            "pairpin devices revoke a --all",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        for line in [
            "pairpin devices",
            "pairpin devices --revoked --json",
            "pairpin devices set x --role viewer --lift --on homebox",
            "pairpin devices set x --forget-approval-key",
            "pairpin devices revoke a b --yes",
            "pairpin offers cancel 3",
            "pairpin devices approve abcd --number 123-4567",
            "pairpin serve --join-from lan,loopback",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap();
        }
    }

    #[test]
    fn the_version_names_the_protocol_that_is_spoken() {
        assert!(VERSION.ends_with(&format!("protocol {})", pairpin_core::wire::VERSION)));
    }
}

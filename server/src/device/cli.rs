//! The flags of `join` and `machines`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};

use crate::secret_store::Choice;

/// `pairpin join`: pair this device with a machine.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// With --code the machine's address; - reads a link from standard input [default: asks for the link]
    #[arg(value_name = "HOST[:PORT]|-")]
    pub target: Option<String>,
    /// Read the QR from a picture (PNG or JPEG)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["target", "code"], env = "PAIRPIN_JOIN_IMAGE", hide_env = true)]
    pub image: Option<PathBuf>,
    /// Type the eight digits that the machine shows; you will be asked for them
    // A value is taken only to be refused with a better word than clap has.
    #[arg(
        long, value_name = "", num_args = 0..=1, default_missing_value = "true", env = "PAIRPIN_JOIN_CODE",
        hide_env = true
    )]
    pub code: Option<String>,
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
    /// Where keys of new machines are kept
    #[arg(
        long,
        value_name = "STORE",
        default_value = "auto",
        env = "PAIRPIN_SECRET_STORE",
        hide_env = true,
        global = true
    )]
    pub secret_store: Choice,
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
        /// Only this one
        machine: Option<String>,
    },
    /// Give one another name here; the machine is not told
    Rename {
        /// Which
        machine: String,
        /// Its new name
        name: String,
    },
    /// Unpair: the machine takes this device off its list, and its keys here are erased
    Forget {
        /// Which
        machine: String,
        /// Do not ask
        #[arg(long, short, env = "PAIRPIN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
        yes: bool,
    },
}

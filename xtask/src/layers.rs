//! The layers: what each tests, what it needs, and how it is run. [`crate::test`] runs them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::install::{self, Tool};
use crate::summary::Counts;
use crate::{android, fuzz, ios, models, supply, test, venv};

/// One layer of tests.
pub struct Layer {
    /// Its name on the command line and in the summary.
    pub name: &'static str,
    /// What it tests and needs, for `--list`.
    pub about: &'static str,
    /// How it is run.
    pub work: Work,
}

/// How a layer is run; each function is given the workspace's root.
pub enum Work {
    /// By `cargo test`.
    Cargo {
        /// Its arguments.
        arguments: &'static [&'static str],
        /// Finds or makes what the tests need; gives their environment, or why they cannot run.
        prepare: fn(&Path) -> Result<Environment, Unready>,
    },
    /// By a function of ours, which prints as it goes.
    Ours(fn(&Path) -> Result<Counts, Unready>),
}

/// Variables for a layer's tests.
pub type Environment = Vec<(&'static str, OsString)>;

/// Why a layer cannot run.
pub enum Unready {
    /// Something from outside is missing: the layer is not run.
    Missing(String),
    /// Our own code does not build: the layer has failed.
    Broken(String),
}

/// Every layer, in the order in which they run: the quickest to tell comes first.
pub const LAYERS: &[Layer] = &[
    Layer {
        name: "xtask",
        about: "these commands themselves",
        work: Work::Cargo { arguments: &["--package", "xtask"], prepare: |_| Ok(Vec::new()) },
    },
    Layer {
        name: "core",
        about: "pairpin-core: everything that is true on every platform; needs zbarimg and rsvg-convert to read QRs back",
        work: Work::Cargo {
            arguments: &["--package", "pairpin-core"],
            prepare: |_| install::ensure(QR_READERS).map(|()| Vec::new()).map_err(Unready::Missing),
        },
    },
    Layer {
        name: "server",
        about: "the binary: its command line, output and administration",
        work: Work::Cargo { arguments: &["--package", "pairpin"], prepare: |_| Ok(Vec::new()) },
    },
    Layer {
        name: "e2e",
        about: "the real binary from outside, and hostile peers; needs zbarimg, rsvg-convert, faketime and strace",
        work: Work::Cargo {
            arguments: &["--package", "pairpin-tests", "--package", "pairpin-bench"],
            prepare: end_to_end,
        },
    },
    Layer {
        name: "faults",
        about: "full, failing and read-only disks, files that run out, databases cut short, wrong clocks; needs root, libfiu, faketime",
        work: Work::Cargo {
            arguments: &[
                // Mounts are the tests' own, and gone with them whatever happens.
                "--config",
                "target.'cfg(all())'.runner = 'unshare --mount --propagation private'",
                "--package",
                "pairpin-tests",
                "--features",
                "faults",
                "--test",
                "faults",
            ],
            prepare: faults,
        },
    },
    Layer {
        name: "sudo",
        about: "sudo by pam_exec as the recipe has it, on a copy of /etc that nobody else sees; needs root and sudo",
        work: Work::Cargo {
            arguments: &[
                // The mounts, and with them the users and the rules of sudo, are the test's own.
                "--config",
                "target.'cfg(all())'.runner = 'unshare --mount --propagation private'",
                "--package",
                "pairpin-tests",
                "--features",
                "sudo",
                "--test",
                "sudo",
            ],
            prepare: sudo,
        },
    },
    Layer {
        name: "panics",
        about: "what panics and the logs of dependencies print, in a binary of its own; needs what e2e needs",
        work: Work::Cargo {
            arguments: &["--package", "pairpin-tests", "--features", "panics", "--test", "panics"],
            prepare: panics,
        },
    },
    Layer {
        name: "browser",
        about: "hostile web pages in a real browser; needs chromium",
        work: Work::Cargo {
            arguments: &["--package", "pairpin-tests", "--features", "browser", "--test", "browser"],
            prepare: browser,
        },
    },
    Layer {
        name: "pake",
        about: "the typed code's PAKE against the Python package spake2; needs python3 and, once, the network",
        work: Work::Cargo {
            arguments: &["--package", "pairpin-tests", "--features", "pake", "--test", "pake"],
            prepare: pake,
        },
    },
    Layer {
        name: "vectors",
        about: "the byte vectors, repeated in Python from the specification; needs python3",
        work: Work::Cargo {
            arguments: &["--package", "pairpin-tests", "--features", "pake", "--test", "vectors"],
            prepare: pake,
        },
    },
    Layer {
        name: "suites",
        about: "public suites: Autobahn at both ends of our WebSocket, SSLyze at the binary's port; needs python2.7, python3, openssl and, once, the network",
        work: Work::Cargo {
            arguments: &[
                "--package",
                "pairpin-tests",
                "--features",
                "suites",
                "--test",
                "autobahn",
                "--test",
                "sslyze",
                "--",
                "--nocapture",
            ],
            prepare: suites,
        },
    },
    Layer {
        name: "supply",
        about: "licences, sources and duplicates by cargo-deny, and the SBOM; needs git, cargo-deny and, once, the network",
        work: Work::Ours(supply::check_all),
    },
    Layer {
        name: "fuzz-corpus",
        about: "the kept inputs of the fuzz targets, replayed; and that each property can fail",
        work: Work::Cargo { arguments: &["--package", "pairpin-fuzz"], prepare: |_| Ok(Vec::new()) },
    },
    Layer {
        name: "fuzz",
        about: "each fuzz target for 30 s, and a planted bug that must be found; needs g++",
        work: Work::Ours(fuzz::short),
    },
    Layer {
        name: "android",
        about: "the Kotlin side on a JVM, against the real core and the real binary; needs a JDK, Maven and, once, the network",
        work: Work::Ours(android::check_all),
    },
    Layer {
        name: "ios",
        about: "the Swift side on Linux, against the real core and the real binary; needs root, Debian and, once, the network",
        work: Work::Ours(ios::check_all),
    },
    Layer {
        name: "models",
        about: "the protocol's symbolic models and their broken twins; needs Verifpal and, once, the network",
        work: Work::Ours(models::check_all),
    },
];

const QR_READERS: &[Tool] = &[
    Tool { program: "zbarimg", package: "zbar-tools", purpose: "an independent QR reader" },
    Tool { program: "rsvg-convert", package: "librsvg2-bin", purpose: "draws the SVG form of a QR" },
];

/// Its library is what the tests use; the program tells that it is there.
const CLOCK_MOVERS: &[Tool] =
    &[Tool { program: "faketime", package: "faketime", purpose: "shows the daemon another wall clock" }];

const OPENSSL: &[Tool] = &[Tool { program: "openssl", package: "openssl", purpose: "a server that must not pass" }];

const TRACERS: &[Tool] =
    &[Tool { program: "strace", package: "strace", purpose: "counts how often the daemon waits for the disk" }];

fn end_to_end(root: &Path) -> Result<Environment, Unready> {
    install::ensure(&[QR_READERS, CLOCK_MOVERS, TRACERS].concat()).map_err(Unready::Missing)?;
    let binary: PathBuf = test::build_binary(root, &[]).map_err(Unready::Broken)?;
    Ok(vec![("PAIRPIN_BIN", binary.into())])
}

const BROWSERS: &[Tool] =
    &[Tool { program: "chromium", package: "chromium", purpose: "a web browser, for hostile pages" }];

fn browser(root: &Path) -> Result<Environment, Unready> {
    install::ensure(BROWSERS).map_err(Unready::Missing)?;
    let binary = test::build_binary(root, &[]).map_err(Unready::Broken)?;
    Ok(vec![("PAIRPIN_BIN", binary.into())])
}

fn panics(root: &Path) -> Result<Environment, Unready> {
    let binary = test::build_faulty_binary(root).map_err(Unready::Broken)?;
    Ok(vec![("PAIRPIN_BIN", binary.into())])
}

const FAULT_MAKERS: &[Tool] = &[
    Tool { program: "fiu-ctrl", package: "fiu-utils", purpose: "lets a daemon's writes fail" },
    Tool { program: "prlimit", package: "util-linux", purpose: "takes a running daemon's files away" },
];

fn faults(root: &Path) -> Result<Environment, Unready> {
    if !install::is_root() {
        return Err(Unready::Missing("it mounts small file systems, run it as root".to_owned()));
    }
    install::ensure(&[CLOCK_MOVERS, FAULT_MAKERS].concat()).map_err(Unready::Missing)?;
    let binary: PathBuf = test::build_binary(root, &[]).map_err(Unready::Broken)?;
    Ok(vec![("PAIRPIN_BIN", binary.into())])
}

const SUDO: &[Tool] = &[Tool { program: "sudo", package: "sudo", purpose: "asks PAM, which asks pairpin" }];

fn sudo(root: &Path) -> Result<Environment, Unready> {
    if !install::is_root() {
        return Err(Unready::Missing("it plays several users on a copy of /etc, run it as root".to_owned()));
    }
    if !Path::new("/etc/debian_version").exists() {
        return Err(Unready::Missing("it changes Debian's files of PAM, on a copy, and this is not Debian".to_owned()));
    }
    install::ensure(SUDO).map_err(Unready::Missing)?;
    let binary: PathBuf = test::build_binary(root, &[]).map_err(Unready::Broken)?;
    Ok(vec![("PAIRPIN_BIN", binary.into())])
}

fn pake(root: &Path) -> Result<Environment, Unready> {
    let environment = venv::Environment {
        name: "pake-venv",
        requirements: &root.join("tests/python/requirements.txt"),
        source: None,
        about: "spake2 and cryptography, about 5 MB to download",
        proof: "import spake2",
    };
    let python = venv::python(&environment).map_err(Unready::Missing)?;
    Ok(vec![("PAIRPIN_PYTHON", python.into())])
}

fn suites(root: &Path) -> Result<Environment, Unready> {
    let environment = venv::Environment {
        name: "sslyze-venv",
        requirements: &root.join("tests/python/sslyze-requirements.txt"),
        source: Some(&root.join("tests/python/sslyze-source.txt")),
        about: "SSLyze, about 13 MB to download",
        proof: "import sslyze",
    };
    install::ensure(OPENSSL).map_err(Unready::Missing)?;
    let python = venv::python(&environment).map_err(Unready::Missing)?;
    let (old, packages) =
        venv::python27(&root.join("tests/python/autobahn-requirements.txt")).map_err(Unready::Missing)?;
    let binary = test::build_binary(root, &[]).map_err(Unready::Broken)?;
    Ok(vec![
        ("PAIRPIN_BIN", binary.into()),
        ("PAIRPIN_PYTHON", python.into()),
        ("PAIRPIN_PYTHON27", old.into()),
        ("PAIRPIN_AUTOBAHN", packages.into()),
    ])
}

//! `cargo xtask`: the project's own commands, written in Rust so that they need nothing else.
//!
//! People and `.ci/run` call it. [`test`] runs the layers that [`layers`] lists; [`files`] checks
//! what no compiler does; [`models`] runs the protocol's symbolic models; [`supply`] looks at what we
//! build on, with [`deny`], [`sbom`] and [`dependencies`]; [`crashes`], [`simulate`], [`powercut`], [`states`] and
//! [`guessing`] are the long forms of what CI does briefly; [`bench`], [`bench_qr`] and [`size`]
//! measure. What a layer needs from outside is found or installed by [`install`], [`tools`] and
//! [`venv`]; [`summary`] counts.

mod android;
mod api;
mod behaviours;
mod bench;
mod bench_qr;
mod bindings;
mod crashes;
mod deny;
mod dependencies;
mod files;
mod fuzz;
mod guessing;
mod guest;
mod install;
mod ios;
mod ios_app;
mod ios_chroot;
mod layers;
mod limited;
mod models;
mod mutants;
mod phones;
mod powercut;
mod sbom;
mod scratch;
mod simulate;
mod size;
mod states;
mod summary;
mod supply;
mod test;
mod threats;
mod tools;
mod venv;
mod verdicts;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

const HELP: &str = "\
the commands of the pairpin workspace

USAGE
    cargo xtask test [--layer NAME]... [--list]
        Runs the tests of every layer, or of the named ones. What a layer needs is found, or
        installed: on Debian and Ubuntu as root by apt-get (it says what, and how large), elsewhere
        it prints what to install. A layer that could not run is named in the summary; with CI=true
        it is a failure. The last line is `N passed, N failed`; the exit code is 0 if none failed.
          --layer NAME   only this layer; may be repeated
          --list         the layers, what each tests and what it needs

    cargo xtask files
        Checks every file of the repository: length of Rust files, paths of somebody's machine,
        line ends, that each test that docs/threat-model.md names exists, and that each direct
        dependency has its line in docs/dependencies.md.

    cargo xtask models
        Runs Verifpal on every model in docs/models and compares its answer, query by query, with
        what the model's header expects. Verifpal is found on the PATH, or installed by cargo into
        the cache directory, which takes some minutes. The last line is `N passed, N failed`.

    cargo xtask deny [--advisories]
        Runs cargo-deny with deny.toml (licences, sources, duplicates), and with policies too narrow
        for us, in which it has to find something. cargo-deny is found on the PATH, or installed by
        cargo into the cache directory, which takes a minute or two.
          --advisories   only asks whether a published advisory applies; fetches the database, so it
                         needs the network, and is not part of the other form or of CI

    cargo xtask sbom [--target TRIPLE]
        Prints what the release binary is made of: CycloneDX 1.6 in JSON, with licences and checksums.
          --target TRIPLE   for this platform (default: the one it runs on)

    cargo xtask crashes [--cycles N] [--seed S]
        Kills machine, device or shell at random points of pairing, acknowledgement, token rotation,
        revoke, letting somebody in and answering an ask, N times each (default 1000), and checks after each that what anybody was told is true.
        CI does 40 of each, and 10 of each kind of approval. The seed is printed; with --seed the same points are hit again.

    cargo xtask simulate [--seeds N] [--seed S]
        Joins, asks and revocations under partitions, cuts, crashes, restarts, leaps of the clock and planned
        key changes, over the real engine and real sockets, N times (default 200) from seed S on; and broken
        twins that must be found. A seed that fails is printed. CI runs twelve. About three minutes.

    cargo xtask powercut [--cycles N] [--seed S] [--kvm]
        Takes the power from a virtual machine N times (default 15) while the real binary pairs and
        revokes in it, and checks after each that every promise is kept; then the same with a twin of
        the binary under synchronous=NORMAL, which must lose some. QEMU, busybox (apt-get) and a kernel
        (unpacked in the cache) are fetched; it says how large. QEMU emulates
        unless --kvm is given. By command only, not in CI.

    cargo xtask states
        Explores offers, typed codes, joins and token rotation with wider bounds than the layer core does:
        tens of minutes. It prints how many states there were, and each broken twin that was found.

    cargo xtask guessing
        The long form of what CI runs briefly: ten thousand guesses at typed codes, the times of
        refusals and of comparisons, all in a release build. Prints what it measures.

    cargo xtask flood
        The long form of the floods: 5,000 strangers who connect and 800 slow ones against 100 paired
        devices, 50 revocations under traffic, and 50 of an owner in the middle of approvals, with the
        release build. About three minutes.

    cargo xtask bench [SUBJECT]... [--quick] [--write]
        Measures the release build and prints a table: each figure, its floor in the same run, its
        bar. About ten minutes; the subjects are network, connects, memory, check, revoke,
        approvals and start.
        The network's delay needs root. The exit code is 0 if every bar is met.
          --quick        only to see that everything runs
          --write        puts the table into docs/benchmarks.md

    cargo xtask bench-qr [--frames N] [--seed S]
        Makes N (1000) camera frames of the pairing QR from a seed (2), and lets our reader and
        zxing-cpp read them. Builds in release. Fails below 90 % read or above 3 ms of median
        time, and where another text is read. zxing-cpp is downloaded once, 1 MB.

    cargo xtask bench phones [--write]
        Measures the core as an app carries it, from Kotlin: a camera frame, a change on its way to the screen,
        the start, an idle connection, the library's size. About fifteen minutes, most of it building.
          --write        puts the rows into docs/benchmarks.md

    cargo xtask leaks
        The long form of what the layer android does briefly: 10,000 clients, listeners and connections made and
        closed from Kotlin, and every call that waits given up a thousand times (those that need
        much made ready, twelve times). About ten minutes.

    cargo xtask size [binary|library]
        Builds the release binary, which may have 12 MB, and the phones' library for this computer, which may
        have 6, and fails where one is larger.

    cargo xtask fuzz [TARGET] [--seconds N]
        Runs the fuzz targets, or one, each for so many seconds (30), two at a time on two cores, and
        first the one with a planted bug. An input that breaks a property is kept in fuzz/artifacts and
        named, with the command that runs it again. The last line is `N passed, N failed`.

    cargo xtask fuzz-again TARGET FILE
        Runs one input again, with everything that it prints.

    cargo xtask mutants [--file PATH]...
        Changes the code that decides whom to trust, one small change at a time, and looks whether a
        test of pairpin-core notices. The changes are those of cargo-mutants (found on the PATH, or
        installed by cargo into the cache directory, which takes some minutes), but all are built at
        once. docs/evidence/mutants.md explains those that no test can notice. Half an hour on two
        cores; the last line is `N passed, N failed`. Not part of CI.
          --file PATH    only the mutants of this file; may be repeated; the default is .cargo/mutants.toml

    cargo xtask behaviours
        Looks whether each behaviour of tests/behaviours.toml has a test in the Kotlin suite and one in the
        Swift suite, and each such test its behaviour. It reads sources; the layers run the tests.

    cargo xtask bindings
        Builds the core as phones embed it and writes its Kotlin and Swift sides beside the build; prints where.

    cargo xtask api [--write]
        Compares ffi/api.txt, which lists what Kotlin and Swift see of the core, with the built library;
        the layer android does so too. Fails with the lines that differ.
          --write        makes the listing anew, for a change that is meant
    cargo xtask android apk [--jni-libs DIR] [--out FILE] [--bindings DIR]
        Makes an APK without Gradle: resources, Kotlin, R8, signed with a key that is thrown away, verified
        and weighed. Maven fetches what it is made of (500 MB once), Debian has the signer. About five minutes.
          --jni-libs DIR  the core for phones, as DIR/ABI/libpairpin_ffi.so; without, the APK cannot start
          --out FILE      where it goes, instead of beside the build
          --bindings DIR  the core's generated Kotlin, instead of building the core for it

    cargo xtask android libs [--out DIR]
        Builds the core for phones (arm64-v8a, armeabi-v7a, x86_64) by the NDK that ANDROID_NDK_HOME names, and
        checks that it is linked for pages of 16 KB. Where no NDK is, it says what to install.

    cargo xtask android kit
        Makes what the app is compiled and run with beside the build (libraries, R, resources, manifest), and
        says where: the directory that Maven's modules take as -Dpairpin.kit.

    cargo xtask help
        This text.

ENVIRONMENT
    CI=true            a layer that did not run is a failure
    XDG_CACHE_HOME     what is downloaded goes to its directory pairpin/ (default ~/.cache)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("test") => test::run(&arguments[1..]),
        Some("files") if arguments.len() == 1 => files::run(),
        Some("powercut") => powercut::run(&arguments[1..]),
        Some("crashes") => crashes::run(&arguments[1..]),
        Some("guessing") if arguments.len() == 1 => guessing::run(),
        Some("bench") => bench::run(&arguments[1..]),
        Some("flood") => bench::flood(&arguments[1..]),
        Some("api") => api::run(&arguments[1..]),
        Some("behaviours") if arguments.len() == 1 => behaviours::run(),
        Some("android") => android::run(&arguments[1..]),
        Some("bindings") if arguments.len() == 1 => bindings::run(),
        Some("models") if arguments.len() == 1 => models::run(),
        Some("deny") => deny::run(&arguments[1..]),
        Some("sbom") => sbom::run(&arguments[1..]),
        Some("simulate") => simulate::run(&arguments[1..]),
        Some("states") if arguments.len() == 1 => states::run(),
        Some("bench-qr") => bench_qr::run(&arguments[1..]),
        Some("size") => size::run(&arguments[1..]),
        Some("leaks") if arguments.len() == 1 => phones::leaks(),
        Some("fuzz") => fuzz::run(&arguments[1..]),
        Some("fuzz-again") => fuzz::again(&arguments[1..]),
        Some("mutants") => mutants::run(&arguments[1..]),
        Some("help" | "--help" | "-h") | None => {
            print!("{HELP}");
            Ok(true)
        }
        Some(other) => Err(format!("unknown command {other:?}, see `cargo xtask help`")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::from(2)
        }
    }
}

/// The workspace's root directory.
fn root() -> PathBuf {
    // Set by `cargo run`; the compile-time value serves when the program is started by hand.
    let here =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or_else(|| here.clone(), PathBuf::from)
}

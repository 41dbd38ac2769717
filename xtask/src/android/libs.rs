//! `cargo xtask android libs`: the core for phones' processors, where Android's NDK is; and elsewhere what to install.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apk::LIBRARY;
use super::archive::PAGE;
use super::{MIN_API, elf, tools};
use crate::test;

/// A kind of processor: Android's name, Rust's, and that of the NDK's compiler.
const TARGETS: &[(&str, &str, &str)] = &[
    ("arm64-v8a", "aarch64-linux-android", "aarch64-linux-android"),
    ("armeabi-v7a", "armv7-linux-androideabi", "armv7a-linux-androideabi"),
    ("x86_64", "x86_64-linux-android", "x86_64-linux-android"),
];

/// Builds for every kind of processor, and says where.
///
/// # Errors
/// The NDK or a target is missing (the text says what to install), or something does not build.
pub fn make(arguments: &[String]) -> Result<bool, String> {
    let out = match arguments {
        [] => super::out()?.join("jni"),
        [flag, path] if flag == "--out" => std::path::absolute(path).map_err(|error| format!("{path}: {error}"))?,
        _ => return Err("android libs takes --out DIR or nothing, see `cargo xtask help`".to_owned()),
    };
    let root = crate::root();
    let missing = missing(ndk().as_deref(), target_is_there);
    if !missing.is_empty() {
        return Err(format!("this cannot be built here:\n{}", missing.join("\n")));
    }
    let bin = ndk().as_deref().and_then(compilers).ok_or("the NDK has no compilers for this host")?;
    for (abi, target, clang) in TARGETS {
        let built = build(&root, &bin, target, clang)?;
        elf::check(&built, Some(abi))?;
        let to = out.join(abi);
        fs::create_dir_all(&to).map_err(|error| format!("{}: {error}", to.display()))?;
        let made = to.join(LIBRARY);
        fs::copy(&built, &made).map_err(|error| format!("{}: {error}", made.display()))?;
        let size = fs::metadata(&made).map_err(|error| error.to_string())?.len();
        println!("{} {:.2} MB", made.display(), size as f64 / 1e6);
    }
    println!("cargo xtask android apk --jni-libs {}", out.display());
    Ok(true)
}

/// What has to be installed, each with how.
fn missing(ndk: Option<&Path>, has: impl Fn(&str) -> bool) -> Vec<String> {
    let mut missing = Vec::new();
    if ndk.and_then(compilers).is_none() {
        missing.push(
            "  Android's NDK, r27 or later: `sdkmanager \"ndk;27.2.12479018\"`, or from Android Studio's SDK Manager;\n  \
             then set ANDROID_NDK_HOME to its directory"
                .to_owned(),
        );
    }
    let targets: Vec<&str> = TARGETS.iter().map(|(_, target, _)| *target).filter(|target| !has(target)).collect();
    if !targets.is_empty() {
        missing.push(format!("  Rust's standard library for phones: `rustup target add {}`", targets.join(" ")));
    }
    missing
}

fn ndk() -> Option<PathBuf> {
    ["ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"].iter().find_map(env::var_os).map(PathBuf::from)
}

/// The NDK's directory of compilers for this host.
fn compilers(ndk: &Path) -> Option<PathBuf> {
    let hosts = fs::read_dir(ndk.join("toolchains/llvm/prebuilt")).ok()?;
    hosts.filter_map(|host| Some(host.ok()?.path().join("bin"))).find(|bin| bin.is_dir())
}

fn target_is_there(target: &str) -> bool {
    let mut command = Command::new("rustc");
    command.args(["--print", "target-libdir", "--target", target]);
    tools::run("rustc", &mut command).is_ok_and(|directory| Path::new(directory.trim()).is_dir())
}

fn build(root: &Path, bin: &Path, target: &str, clang: &str) -> Result<PathBuf, String> {
    let compiler = bin.join(format!("{clang}{MIN_API}-clang"));
    let (upper, lower) = (target.replace('-', "_").to_uppercase(), target.replace('-', "_"));
    let mut command = test::cargo(root);
    command.args(["build", "--locked", "--package", "pairpin-ffi", "--lib", "--profile", "mobile", "--target", target]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.env(format!("CARGO_TARGET_{upper}_LINKER"), &compiler);
    command.env(format!("CARGO_TARGET_{upper}_RUSTFLAGS"), format!("-Clink-arg=-Wl,-z,max-page-size={PAGE}"));
    command.env(format!("CC_{lower}"), &compiler).env(format!("AR_{lower}"), bin.join("llvm-ar"));
    let mut made = None;
    let built = test::stream(&mut command, |line| made = test::library(line).or(made.take()))?;
    if !built {
        return Err(format!("the core did not build for {target}"));
    }
    made.ok_or_else(|| format!("cargo did not say where the library for {target} is"))
}

#[cfg(test)]
mod tests {
    use super::super::apk::ABIS;
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_how_to_install_it() {
        let all = missing(None, |_| false);
        assert!(all[0].contains("ANDROID_NDK_HOME") && all[1].contains("rustup target add aarch64-linux-android"));
        let one = missing(None, |target| target != "x86_64-linux-android");
        assert!(one[1].ends_with("add x86_64-linux-android`"), "{}", one[1]);
        let directory = env::temp_dir().join(format!("pairpin-ndk-{}", std::process::id()));
        fs::create_dir_all(directory.join("toolchains/llvm/prebuilt/linux-x86_64/bin")).unwrap();
        assert!(missing(Some(&directory), |_| true).is_empty());
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn each_kind_of_processor_that_is_packed_is_built() {
        assert_eq!(TARGETS.iter().map(|(abi, _, _)| *abi).collect::<Vec<_>>(), ABIS);
    }
}

//! `cargo xtask android apk`: an APK without Gradle. Kotlin is compiled, R8 shrinks it, native libraries are laid
//! beside, and what comes out is aligned, signed with a key that is thrown away, verified and weighed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::archive::{Archive, PAGE};
use super::kit::{self, Kit};
use super::tools::{SIGNERS, TOOLS, empty, jar_of, java, run};
use super::{elf, least};
use crate::{bindings, install};

/// The kinds of processor that are built for, as Android calls them.
pub const ABIS: &[&str] = &["arm64-v8a", "armeabi-v7a", "x86_64"];
/// The core, as the app loads it.
pub const LIBRARY: &str = "libpairpin_ffi.so";
/// Bytes that an APK may have without its native libraries.
const BAR: u64 = 4_000_000;

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    libraries: Option<PathBuf>,
    out: Option<PathBuf>,
    kotlin: Option<PathBuf>,
}

impl Wish {
    fn of(arguments: &[String]) -> Result<Self, String> {
        let mut wish = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let place = match argument.as_str() {
                "--jni-libs" => &mut wish.libraries,
                "--out" => &mut wish.out,
                "--bindings" => &mut wish.kotlin,
                other => return Err(format!("unknown argument {other:?}, see `cargo xtask help`")),
            };
            let path = rest.next().ok_or_else(|| format!("{argument} needs a path"))?;
            *place = Some(std::path::absolute(path).map_err(|error| format!("{path}: {error}"))?);
        }
        Ok(wish)
    }
}

/// Makes it; says whether it is within its bar.
///
/// # Errors
/// Something is missing, does not build, or does not verify.
pub fn make(arguments: &[String]) -> Result<bool, String> {
    let (wish, started) = (Wish::of(arguments)?, Instant::now());
    let root = crate::root();
    install::ensure(TOOLS)?;
    install::ensure(SIGNERS)?;
    let natives = natives(wish.libraries.as_deref())?;
    let kotlin = match wish.kotlin {
        Some(kotlin) => kotlin,
        None => bindings::make(&root)?.kotlin,
    };
    let out = super::out()?;
    let step = |what: &str| eprintln!("xtask: {:>4} s  {what}", started.elapsed().as_secs());
    step("resources and manifest");
    let kit = kit::make(&root, &out)?;
    let work = out.join("apk");
    empty(&work)?;
    step("Kotlin");
    let classes = compile(&root, &kit, &kotlin, &work)?;
    step("Kotlin once more, against the least API level");
    least::check(&root, &kit, &classes, &work)?;
    step("R8");
    let dex = shrink(&root, &kit, &classes, &work)?;
    step("packing");
    let packed = pack(&kit, &dex, &natives, &work)?;
    let made = wish.out.unwrap_or_else(|| work.join("pairpin.apk"));
    sign(&packed, &made, &work)?;
    step("signed");
    let well = report(&kit, &made, !natives.is_empty())?;
    step("done");
    Ok(well)
}

/// A native library and where it goes.
struct Native {
    abi: &'static str,
    file: PathBuf,
}

/// The core for each kind of processor that `directory` has it for; each is checked.
fn natives(directory: Option<&Path>) -> Result<Vec<Native>, String> {
    let Some(directory) = directory else {
        eprintln!(
            "xtask: WITHOUT NATIVE LIBRARIES: this APK shows its size and installs nowhere useful, it cannot start.\n\
             xtask: build them with `cargo xtask android libs` and give their directory: --jni-libs DIR (DIR/ABI/{LIBRARY})"
        );
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for abi in ABIS {
        let file = directory.join(abi).join(LIBRARY);
        if !file.exists() {
            eprintln!("xtask: no {abi}/{LIBRARY}: the APK will not run on {abi}");
            continue;
        }
        elf::check(&file, Some(abi))?;
        found.push(Native { abi, file });
    }
    if found.is_empty() { Err(format!("{} has no ABI/{LIBRARY}", directory.display())) } else { Ok(found) }
}

fn compile(root: &Path, kit: &Kit, kotlin: &Path, work: &Path) -> Result<PathBuf, String> {
    let classes = work.join("classes");
    empty(&classes)?;
    let android = root.join("android");
    let roots = [kotlin.to_path_buf(), android.join("shell/src/main/kotlin"), android.join("app/src/main/kotlin")];
    let mut class_path = vec![kit.framework.clone(), kit.r_jar()];
    class_path.extend(kit.jars.iter().cloned());
    run("kotlinc", &mut kit.compile(&roots, &class_path, &classes))?;
    Ok(classes)
}

/// Runs R8; gives the directory of its dex files.
fn shrink(root: &Path, kit: &Kit, classes: &Path, work: &Path) -> Result<PathBuf, String> {
    let dex = work.join("dex");
    empty(&dex)?;
    let ours = work.join("app.jar");
    kit::jar(&ours, classes)?;
    let mut command = java("4g", std::slice::from_ref(&kit.r8), "com.android.tools.r8.R8");
    command.args(["--release", "--min-api", super::MIN_API, "--lib"]).arg(&kit.framework);
    // The framework's jar is without Java's own classes.
    command.arg("--lib").arg(java_home()?);
    let mut rules = vec![
        root.join("android/app/proguard-rules.pro"),
        root.join("android/bindings/consumer-rules.pro"),
        kit.manifest_rules(),
    ];
    rules.extend(kit.aars.iter().map(|aar| aar.join("proguard.txt")).filter(|rules| rules.exists()));
    for file in rules {
        command.arg("--pg-conf").arg(file);
    }
    command.arg("--pg-map-output").arg(work.join("mapping.txt")).arg("--output").arg(&dex);
    run("R8", command.arg(&ours).arg(kit.r_jar()).args(&kit.jars))?;
    Ok(dex)
}

/// The JDK that `java` is of.
fn java_home() -> Result<PathBuf, String> {
    let java = install::find("java").ok_or("java is not on the PATH")?;
    let real = fs::canonicalize(&java).map_err(|error| format!("{}: {error}", java.display()))?;
    let home = real.parent().and_then(Path::parent).map(Path::to_path_buf);
    home.ok_or_else(|| format!("{} is in no JDK", real.display()))
}

/// Lays code and native libraries beside the resources, and aligns all of it.
fn pack(kit: &Kit, dex: &Path, natives: &[Native], work: &Path) -> Result<PathBuf, String> {
    let loose = work.join("loose.apk");
    fs::copy(kit.base(), &loose).map_err(|error| format!("{}: {error}", loose.display()))?;
    let dexes = super::tools::under(dex, "dex");
    let mut command = jar_of("--update", &loose);
    for file in &dexes {
        command.arg("-C").arg(dex).arg(file.file_name().unwrap_or_default());
    }
    run("jar", &mut command)?;
    if !natives.is_empty() {
        let tree = work.join("native");
        for Native { abi, file } in natives {
            let to = tree.join("lib").join(abi);
            fs::create_dir_all(&to).map_err(|error| format!("{}: {error}", to.display()))?;
            // JNA's own part, which finds the core.
            let theirs = kit.jna.join("jni").join(abi).join("libjnidispatch.so");
            elf::check(&theirs, Some(abi))?;
            for from in [file, &theirs] {
                let name = from.file_name().unwrap_or_default();
                fs::copy(from, to.join(name)).map_err(|error| format!("{}: {error}", from.display()))?;
            }
        }
        // Stored, so that the system maps them where they lie.
        run("jar", jar_of("--update", &loose).arg("--no-compress").arg("-C").arg(&tree).arg("lib"))?;
    }
    let aligned = work.join("aligned.apk");
    run("zipalign", Command::new("zipalign").args(["-f", "-p", "4"]).arg(&loose).arg(&aligned))?;
    if natives.is_empty() {
        return Ok(aligned);
    }
    // Debian's zipalign knows pages of 4 KB alone.
    let paged = work.join("paged.apk");
    Archive::read(&aligned)?.write_paged(&paged)?;
    Ok(paged)
}

/// Signs with a key that is made for this APK and kept nowhere.
fn sign(packed: &Path, made: &Path, work: &Path) -> Result<(), String> {
    let keys = work.join("throw-away.p12");
    // No secret: it is for nobody, and gone in a moment.
    let password = "throw-away";
    let _ = fs::remove_file(&keys);
    let mut command = Command::new("keytool");
    command.args(["-genkeypair", "-alias", "app", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30"]);
    command.args(["-dname", "CN=thrown away", "-storetype", "PKCS12", "-storepass", password, "-keystore"]);
    run("keytool", command.arg(&keys))?;
    let mut command = Command::new("apksigner");
    command.args(["sign", "--ks-pass", &format!("pass:{password}"), "--ks"]);
    let signed = run("apksigner", command.arg(&keys).arg("--out").arg(made).arg(packed));
    let _ = fs::remove_file(&keys);
    signed?;
    let said = run("apksigner", Command::new("apksigner").args(["verify", "--verbose"]).arg(made))?;
    println!("{}", said.lines().filter(|line| line.starts_with("Verif")).collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// What it is called, and what its parts weigh. Says whether it is within the bar.
fn report(kit: &Kit, made: &Path, with_natives: bool) -> Result<bool, String> {
    let badging = run("aapt2", Command::new(&kit.aapt2).args(["dump", "badging"]).arg(made))?;
    let wanted = ["package:", "minSdkVersion", "targetSdkVersion", "uses-permission", "launchable", "native-code"];
    for line in badging.lines().filter(|line| wanted.iter().any(|start| line.starts_with(start))) {
        println!("{line}");
    }
    if badging.contains("native-code") != with_natives {
        return Err("the APK has not the native libraries that it was to have".to_owned());
    }
    let archive = Archive::read(made)?;
    if let Some(name) = archive.off_page() {
        return Err(format!("{name} is not at a page of {PAGE} bytes in the APK"));
    }
    let whole = fs::metadata(made).map_err(|error| format!("{}: {error}", made.display()))?.len();
    let (text, well) = weighed(whole, &archive.sizes());
    println!("{}\n{text}", made.display());
    Ok(well)
}

fn weighed(whole: u64, sizes: &[(String, u64)]) -> (String, bool) {
    let sum = |of: fn(&str) -> bool| sizes.iter().filter(|(name, _)| of(name)).map(|(_, size)| size).sum::<u64>();
    let native = sum(|name| name.starts_with("lib/"));
    let dex = sum(|name| name.ends_with(".dex"));
    let resources =
        sum(|name| name.starts_with("res/") || name.starts_with("assets/") || name.starts_with("resources"));
    let without = whole - native;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let well = without <= BAR;
    let text = format!(
        "{:.2} MB: dex {:.2}, resources {:.2}, native {:.2}, the rest {:.2}; without native {:.2}, the bar is {:.2} MB{}",
        mb(whole),
        mb(dex),
        mb(resources),
        mb(native),
        mb(without - dex - resources),
        mb(without),
        mb(BAR),
        if well { "" } else { ": TOO LARGE" }
    );
    (text, well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_native_counts_for_the_bar() {
        let sizes = |dex| [("lib/x86_64/a.so".to_owned(), 9_000_000), ("classes.dex".to_owned(), dex)];
        assert!(weighed(12_000_000, &sizes(2_900_000)).1);
        assert!(!weighed(14_000_000, &sizes(4_900_000)).1);
    }

    #[test]
    fn arguments_are_understood_or_refused() {
        let wish = |words: &[&str]| Wish::of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(wish(&["--out", "/a"]).unwrap().out.unwrap(), Path::new("/a"));
        assert!(wish(&["--out"]).is_err() && wish(&["--jni"]).is_err());
    }

    #[test]
    fn a_directory_without_libraries_is_refused_and_none_is_none() {
        assert!(natives(Some(Path::new("/nowhere"))).is_err());
        assert!(natives(None).unwrap().is_empty());
    }
}

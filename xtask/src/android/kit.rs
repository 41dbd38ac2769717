//! What the app is compiled and run with, made beside the build: its libraries out of their AARs, its resources
//! linked, its manifest merged with theirs. The layer `android` runs the app under Robolectric with it, and
//! [`super::apk`] packs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::catalogue::{Catalogue, Library};
use super::licences;
use super::maven::{Along, Wanted, fetch};
use super::tools::{empty, jar_of, java, joined, run, under, write};

/// The package of the app's own `R`.
const NAMESPACE: &str = "app.pairpin.app";
/// The app's name for the system.
pub const APPLICATION: &str = "app.pairpin";

/// Where everything is.
#[derive(Debug)]
pub struct Kit {
    /// Its directory; what Maven's modules take is here.
    pub directory: PathBuf,
    /// The classes of every library, each in its own jar.
    pub jars: Vec<PathBuf>,
    /// The unpacked AARs.
    pub aars: Vec<PathBuf>,
    /// JNA's unpacked AAR, which carries its own native part.
    pub jna: PathBuf,
    /// The framework's classes, the newest and those of the least API level.
    pub framework: PathBuf,
    /// As `framework`, of the least.
    pub framework_least: PathBuf,
    /// The Kotlin compiler.
    pub kotlinc: Vec<PathBuf>,
    /// R8.
    pub r8: PathBuf,
    /// aapt2.
    pub aapt2: PathBuf,
}

impl Kit {
    /// The APK without code: resources and manifest.
    pub fn base(&self) -> PathBuf {
        self.directory.join("base.apk")
    }

    /// The `R` classes.
    pub fn r_jar(&self) -> PathBuf {
        self.directory.join("r.jar")
    }

    /// Compose's plugin of the Kotlin compiler.
    pub fn compose(&self) -> PathBuf {
        self.directory.join("compose-compiler.jar")
    }

    /// Rules for R8 of what the manifest names.
    pub fn manifest_rules(&self) -> PathBuf {
        self.directory.join("manifest.pro")
    }

    /// A Kotlin compilation of these roots on this class path.
    pub fn compile(&self, roots: &[PathBuf], class_path: &[PathBuf], to: &Path) -> Command {
        let mut command = java("1500m", &self.kotlinc, "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler");
        command.args(["-no-stdlib", "-no-reflect", "-jvm-target", "17", "-nowarn"]);
        command.arg(format!("-Xplugin={}", self.compose().display()));
        command.arg("-cp").arg(joined(class_path)).arg("-d").arg(to).args(roots);
        command
    }
}

/// Makes all of it in `out/kit`. What is fetched and unpacked stays from run to run.
///
/// # Errors
/// Something is not found, or does not compile.
pub fn make(root: &Path, out: &Path) -> Result<Kit, String> {
    let catalogue = Catalogue::read(root)?;
    let directory = out.join("kit");
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let fetched = Fetched::all(&catalogue, &directory)?;
    let packaged = [catalogue.bundle("packaged-aars")?, vec![fetched.jna.clone()]].concat();
    let aars = unpacked(&fetched.libraries, &packaged, &directory.join("aars"))?;
    let tested = unpacked(&fetched.libraries, &catalogue.bundle("tested-aars")?, &directory.join("tested"))?;
    let jna = aars.last().cloned().ok_or("JNA was not unpacked")?;
    let jars = classes(&aars, &fetched.jars);
    // On a plain JVM JNA's own jar serves, which carries its part for the host.
    let others: Vec<_> = jars.iter().filter(|jar| !jar.starts_with(&jna)).cloned().collect();
    in_one(&others, &directory.join("libs.jar"))?;
    in_one(&classes(&tested, &[]), &directory.join("test-libs.jar"))?;
    let kit = Kit {
        jars,
        jna,
        aars,
        framework: fetched.framework,
        framework_least: fetched.framework_least,
        kotlinc: fetched.kotlinc,
        r8: fetched.r8,
        aapt2: fetched.aapt2,
        directory,
    };
    licences::write(root, &catalogue, &kit.directory.join("made"), &kit.directory.join("assets"))?;
    merge(root, &kit, &catalogue, &fetched.merger)?;
    link(root, &kit, &fetched.resources)?;
    Ok(kit)
}

/// What Maven has laid down.
struct Fetched {
    libraries: PathBuf,
    jars: Vec<PathBuf>,
    jna: Library,
    framework: PathBuf,
    framework_least: PathBuf,
    kotlinc: Vec<PathBuf>,
    merger: Vec<PathBuf>,
    r8: PathBuf,
    aapt2: PathBuf,
    resources: PathBuf,
}

impl Fetched {
    fn all(catalogue: &Catalogue, directory: &Path) -> Result<Self, String> {
        let plugin = catalogue.version("dependency-plugin")?;
        let version = |name: &str| catalogue.version(name);
        let of_kind = |libraries: Vec<Library>, kind| -> Vec<Wanted> {
            libraries.into_iter().map(|library| Wanted { library, kind }).collect()
        };
        let jars = of_kind(catalogue.bundle("packaged-jars")?, "jar");
        let jna = Wanted::new("net.java.dev.jna", "jna", version("jna")?, "aar");
        let android = |name| Ok::<_, String>(Wanted::new("org.robolectric", "android-all", version(name)?, "jar"));
        let (framework, least) = (android("android-all")?, android("android-all-least")?);
        let r8 = Wanted::new("com.android.tools", "r8", version("r8")?, "jar");
        let apktool = Wanted::new("org.apktool", "apktool-lib", version("apktool")?, "jar");
        let compose =
            Wanted::new("org.jetbrains.kotlin", "kotlin-compose-compiler-plugin-embeddable", version("kotlin")?, "jar");
        let mut libraries = of_kind(catalogue.bundle("packaged-aars")?, "aar");
        libraries.extend(of_kind(catalogue.bundle("tested-aars")?, "aar"));
        libraries.extend(jars.iter().cloned());
        libraries.push(jna.clone());
        let tools = [&framework, &r8, &apktool, &compose].map(Clone::clone);
        let at = directory.join("fetched");
        fetch("libraries, 40 MB", &at.join("libraries"), &libraries, Along::Nothing, plugin)?;
        fetch("the framework's classes and tools, 240 MB", &at.join("tools"), &tools, Along::Nothing, plugin)?;
        // On its own: of two versions of one artifact Maven takes one.
        fetch(
            "the framework's classes of the least level, 120 MB",
            &at.join("least"),
            std::slice::from_ref(&least),
            Along::Nothing,
            plugin,
        )?;
        let compiler = [Wanted::new("org.jetbrains.kotlin", "kotlin-compiler-embeddable", version("kotlin")?, "jar")];
        let kotlinc = fetch("the Kotlin compiler, 70 MB", &at.join("kotlinc"), &compiler, Along::Needs, plugin)?;
        let merger = Wanted::new("com.android.tools.build", "manifest-merger", version("manifest-merger")?, "jar");
        let merger = fetch("the manifest merger, 50 MB", &at.join("merger"), &[merger], Along::Needs, plugin)?;
        let tool = |wanted: &Wanted| at.join("tools").join(wanted.file());
        fs::copy(tool(&compose), directory.join("compose-compiler.jar")).map_err(|error| error.to_string())?;
        let prebuilt = directory.join("apktool/prebuilt");
        let host = if cfg!(target_os = "macos") { "macosx" } else { "linux" };
        if !prebuilt.exists() {
            unzip_whole(&tool(&apktool), &directory.join("apktool"), &["prebuilt/*"])?;
        }
        Ok(Self {
            jars: jars.iter().map(|jar| at.join("libraries").join(jar.file())).collect(),
            libraries: at.join("libraries"),
            jna: jna.library,
            framework: tool(&framework),
            framework_least: at.join("least").join(least.file()),
            kotlinc,
            merger,
            r8: tool(&r8),
            aapt2: prebuilt.join(host).join("aapt2"),
            resources: prebuilt.join("android-framework.jar"),
        })
    }
}

fn unzip(archive: &Path, to: &Path, only: &[&str]) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| format!("{}: {error}", to.display()))?;
    run("unzip", Command::new("unzip").args(["-q", "-o"]).arg(archive).args(only).arg("-d").arg(to)).map(drop)
}

/// The same for a directory of its own, which is there only once all of it is: a run may be cut short.
fn unzip_whole(archive: &Path, to: &Path, only: &[&str]) -> Result<(), String> {
    let part = to.with_added_extension("part");
    empty(&part)?;
    unzip(archive, &part, only)?;
    let _ = fs::remove_dir_all(to);
    fs::rename(&part, to).map_err(|error| format!("{}: {error}", to.display()))
}

/// Unpacks AARs, each into its directory; gives them in the order of `libraries`.
fn unpacked(from: &Path, libraries: &[Library], to: &Path) -> Result<Vec<PathBuf>, String> {
    let one = |library: &Library| {
        let file = Wanted { library: library.clone(), kind: "aar" }.file();
        let directory = to.join(file.trim_end_matches(".aar"));
        if !directory.join("AndroidManifest.xml").exists() {
            unzip_whole(&from.join(&file), &directory, &[])?;
        }
        Ok(directory)
    };
    libraries.iter().map(one).collect()
}

/// The jars of classes: those of AARs, and those that are jars.
fn classes(aars: &[PathBuf], jars: &[PathBuf]) -> Vec<PathBuf> {
    let inside = aars.iter().map(|aar| aar.join("classes.jar")).filter(|jar| jar.exists());
    inside.chain(jars.iter().cloned()).collect()
}

/// All classes in one jar, for Maven, which knows no AAR. Made again only where the list has changed.
fn in_one(jars: &[PathBuf], to: &Path) -> Result<(), String> {
    let (list, made_of) = (joined(jars), to.with_extension("list"));
    if to.exists() && fs::read_to_string(&made_of).is_ok_and(|text| text == list) {
        return Ok(());
    }
    let together = to.with_extension("classes");
    empty(&together)?;
    for jar in jars {
        unzip(jar, &together, &[])?;
    }
    jar(to, &together)?;
    let _ = fs::remove_dir_all(&together);
    write(&made_of, &list)
}

/// Packs a directory into a jar.
pub fn jar(to: &Path, directory: &Path) -> Result<(), String> {
    run("jar", jar_of("--create", to).arg("-C").arg(directory).arg(".")).map(drop)
}

/// Merges the libraries' manifests into the app's, as Gradle does, with Gradle's own merger.
fn merge(root: &Path, kit: &Kit, catalogue: &Catalogue, merger: &[PathBuf]) -> Result<(), String> {
    let theirs: Vec<_> = kit.aars.iter().map(|aar| aar.join("AndroidManifest.xml")).collect();
    let mut command = java("500m", merger, "com.android.manifmerger.Merger");
    command.arg("--main").arg(root.join("android/app/src/main/AndroidManifest.xml"));
    command.arg("--libs").arg(joined(&theirs)).arg("--out").arg(kit.directory.join("merged.xml"));
    let version = version_of(root)?;
    for (name, value) in [
        ("PACKAGE", APPLICATION),
        ("VERSION_CODE", &code_of(&version)?.to_string()),
        ("VERSION_NAME", &version),
        ("MIN_SDK_VERSION", catalogue.version("min-sdk")?),
        ("TARGET_SDK_VERSION", catalogue.version("target-sdk")?),
    ] {
        command.arg("--property").arg(format!("{name}={value}"));
    }
    run("the manifest merger", command.args(["--remove-tools-declarations", "--log", "WARNING"])).map(drop)
}

/// The workspace's version.
fn version_of(root: &Path) -> Result<String, String> {
    let text = fs::read_to_string(root.join("Cargo.toml")).map_err(|error| format!("Cargo.toml: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("version = \""));
    line.and_then(|line| line.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| "Cargo.toml has no version".to_owned())
}

/// `1.2.3` as a number that grows with it.
fn code_of(version: &str) -> Result<u32, String> {
    let number = |part: &str| part.parse::<u32>().ok().filter(|number| *number < 1000);
    let parts: Option<Vec<u32>> = version.split('.').map(number).collect();
    match parts.as_deref() {
        Some([major, minor, patch]) => Ok(major * 1_000_000 + minor * 1000 + patch),
        _ => Err(format!("{version} is no version that Android can have")),
    }
}

/// Compiles and links every resource; writes `R`, and what Robolectric looks for.
fn link(root: &Path, kit: &Kit, framework: &Path) -> Result<(), String> {
    let compiled = kit.directory.join("resources");
    fs::create_dir_all(&compiled).map_err(|error| format!("{}: {error}", compiled.display()))?;
    let (mut theirs, mut packages) = (Vec::new(), Vec::new());
    for aar in kit.aars.iter().filter(|aar| aar.join("res").is_dir()) {
        let to = compiled.join(aar.file_name().unwrap_or_default()).with_extension("aar.zip");
        if !to.exists() {
            run("aapt2", Command::new(&kit.aapt2).arg("compile").arg("--dir").arg(aar.join("res")).arg("-o").arg(&to))?;
        }
        theirs.push(to);
    }
    for aar in &kit.aars {
        if fs::metadata(aar.join("R.txt")).is_ok_and(|file| file.len() > 0) {
            packages.push(package_of(&aar.join("AndroidManifest.xml"))?);
        }
    }
    let main = root.join("android/app/src/main");
    let ours = compiled.join("app.zip");
    run("aapt2", Command::new(&kit.aapt2).arg("compile").arg("--dir").arg(main.join("res")).arg("-o").arg(&ours))?;
    let (sources, built) = (kit.directory.join("r-sources"), kit.directory.join("r-classes"));
    empty(&sources)?;
    empty(&built)?;
    let assets = kit.directory.join("assets");
    let made = compiled.join("made.zip");
    let from = kit.directory.join("made");
    run("aapt2", Command::new(&kit.aapt2).arg("compile").arg("--dir").arg(from).arg("-o").arg(&made))?;
    let mut command = Command::new(&kit.aapt2);
    command.arg("link").arg("-I").arg(framework).arg("--manifest").arg(kit.directory.join("merged.xml"));
    // What the app has no texts for, its libraries need none for.
    command.args(["-c", "en,de", "--auto-add-overlay", "--no-resource-removal"]);
    command.args(["--custom-package", NAMESPACE, "--extra-packages", &packages.join(":")]);
    command.arg("--java").arg(&sources).arg("--proguard").arg(kit.manifest_rules()).arg("-A").arg(&assets);
    for zip in &theirs {
        command.arg("-R").arg(zip);
    }
    run("aapt2", command.arg("-R").arg(&ours).arg("-R").arg(&made).arg("-o").arg(kit.base()))?;
    let mut command = Command::new("javac");
    command.args(["--release", "17", "-nowarn", "-d"]).arg(&built).args(under(&sources, "java"));
    run("javac", &mut command)?;
    jar(&kit.r_jar(), &built)?;
    let tests = kit.directory.join("com/android/tools");
    fs::create_dir_all(&tests).map_err(|error| format!("{}: {error}", tests.display()))?;
    let merged = kit.directory.join("merged.xml");
    let text = format!(
        "android_resource_apk={}\nandroid_merged_manifest={}\nandroid_merged_assets={}\nandroid_custom_package={NAMESPACE}\n",
        kit.base().display(),
        merged.display(),
        assets.display()
    );
    write(&tests.join("test_config.properties"), &text)
}

/// The package that a library's manifest names.
fn package_of(manifest: &Path) -> Result<String, String> {
    let text = fs::read_to_string(manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let after = text.split_once("package=\"").map(|(_, rest)| rest.split('"').next().unwrap_or_default());
    after.map(str::to_owned).ok_or_else(|| format!("{} names no package", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_has_a_greater_code() {
        let codes: Vec<_> = ["0.1.0", "0.1.1", "0.2.0", "1.0.0"].iter().map(|text| code_of(text).unwrap()).collect();
        assert!(codes.is_sorted() && codes[0] == 1000 && codes[3] == 1_000_000);
        assert!(["1.0", "1.0.1000", "1.0.x", ""].iter().all(|text| code_of(text).is_err()));
    }
}

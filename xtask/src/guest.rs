//! The virtual machine of `cargo xtask powercut`: Debian's kernel and busybox, the real binary and its
//! twin, the guest's program, and a disk. Downloads go to the cache; no kernel is installed here.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{self, Tool};
use crate::test;

const TOOLS: &[Tool] = &[
    Tool { program: "qemu-system-x86_64", package: "qemu-system-x86", purpose: "the virtual machine" },
    Tool { program: "busybox", package: "busybox-static", purpose: "its first program" },
    Tool { program: "mkfs.ext4", package: "e2fsprogs", purpose: "its disk" },
    Tool { program: "strip", package: "binutils", purpose: "makes its programs small" },
];

/// The kernel's package depends on the newest image. For virtual machines, so it is small.
const KERNEL: &str = "linux-image-cloud-amd64";

/// Drivers of the disk, in the order in which they are loaded; what is built in is not there.
const MODULES: &[&str] =
    &["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_blk"];

const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for module in MODULES; do [ -f /lib/$module.ko ] && $b insmod /lib/$module.ko; done
$b ip link set lo up
$b mount -t ext4 /dev/vda /disk || $b poweroff -f
for word in $($b cat /proc/cmdline); do case $word in pairpin=*) binary=${word#pairpin=};; boot=*) boot=${word#boot=};; esac; done
export PAIRPIN_BIN=/bin/pairpin-$binary PATH=/bin RUST_BACKTRACE=0
/bin/powercut-guest /disk $boot
$b poweroff -f
"#;

/// What the machine is made of.
pub struct Guest {
    place: PathBuf,
    kernel: PathBuf,
    kvm: bool,
}

/// Finds, downloads and builds everything.
///
/// # Errors
/// Something is missing; the text says what to do.
pub fn make(root: &Path, kvm: bool) -> Result<Guest, String> {
    install::ensure(TOOLS)?;
    let place = install::cache()?.join("powercut");
    fs::create_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let unpacked = kernel(&place)?;
    let pairpin = test::build_binary(root, &[])?;
    let program = pairpin.with_file_name("powercut-guest");
    let mut build = test::cargo(root);
    build.args(["build", "--package", "pairpin-tests", "--features", "powercut", "--bin", "powercut-guest"]);
    succeed(&mut build)?;
    let initrd = initrd(&place, &unpacked, &pairpin, &program)?;
    fs::write(place.join("initrd"), initrd).map_err(|error| format!("initrd: {error}"))?;
    let kernel = find(&unpacked.join("boot"), |name| name.starts_with("vmlinuz"))?;
    Ok(Guest { place, kernel, kvm })
}

impl Guest {
    /// A word on how it runs.
    pub fn speed(&self) -> &'static str {
        if self.kvm { "with KVM" } else { "emulated (--kvm is quicker where it works)" }
    }

    /// A new empty disk.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn disk(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.place.join(format!("{name}.img"));
        let file = fs::File::create(&path).and_then(|file| file.set_len(64 << 20));
        file.map_err(|error| format!("{}: {error}", path.display()))?;
        succeed(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&path))?;
        Ok(path)
    }

    /// QEMU with this binary and disk.
    pub fn command(&self, binary: &str, disk: &Path, boot: u64) -> Command {
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-accel", if self.kvm { "kvm" } else { "tcg" }]);
        command.args(["-m", "768", "-smp", "1", "-nographic", "-no-reboot", "-nic", "none"]);
        command.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(self.place.join("initrd"));
        let line = format!(
            "console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check random.trust_cpu=on pairpin={binary} boot={boot}"
        );
        command.arg("-append").arg(line);
        command.arg("-drive").arg(format!("file={},if=virtio,format=raw,cache=writeback", disk.display()));
        command
    }
}

/// Debian's kernel, unpacked in the cache.
fn kernel(place: &Path) -> Result<PathBuf, String> {
    let unpacked = place.join("kernel");
    if unpacked.join("complete").exists() {
        return Ok(unpacked);
    }
    let depends =
        Command::new("apt-cache").args(["depends", KERNEL]).output().map_err(|error| format!("apt-cache: {error}"))?;
    let depends = String::from_utf8_lossy(&depends.stdout).into_owned();
    let image = depends.lines().find_map(|line| line.trim().strip_prefix("Depends: "));
    let image = image.ok_or_else(|| format!("apt-cache knows no {KERNEL}, run: apt-get update"))?;
    eprintln!("xtask: downloading {image} to {} (27 MB, unpacked there 150 MB; it is not installed)", place.display());
    let _ = fs::remove_dir_all(&unpacked);
    fs::create_dir_all(&unpacked).map_err(|error| format!("{}: {error}", unpacked.display()))?;
    succeed(Command::new("apt-get").args(["download", "--quiet", image]).current_dir(&unpacked))?;
    let package = find(&unpacked, |name| name.ends_with(".deb"))?;
    succeed(Command::new("dpkg-deb").arg("--extract").args([&package, &unpacked]))?;
    fs::write(unpacked.join("complete"), "").map_err(|error| format!("{}: {error}", unpacked.display()))?;
    Ok(unpacked)
}

/// The first file system of the guest, as an archive of the kind that kernels unpack.
fn initrd(place: &Path, unpacked: &Path, pairpin: &Path, program: &Path) -> Result<Vec<u8>, String> {
    let mut archive = Archive::default();
    for dir in ["bin", "lib", "lib64", "lib/x86_64-linux-gnu", "proc", "sys", "dev", "disk", "etc", "tmp"] {
        archive.add(dir, 0o040_755, &[]);
    }
    archive.add("init", 0o100_755, INIT.replace("MODULES", &MODULES.join(" ")).as_bytes());
    let busybox = install::find("busybox").ok_or("busybox has vanished")?;
    archive.add("bin/busybox", 0o100_755, &read(&busybox)?);
    for module in MODULES {
        if let Ok(path) = find(&unpacked.join("lib"), |name| name == format!("{module}.ko")) {
            archive.add(&format!("lib/{module}.ko"), 0o100_644, &read(&path)?);
        }
    }
    for library in libraries(&[pairpin, program])? {
        archive.add(library.trim_start_matches('/'), 0o100_755, &read(Path::new(&library))?);
    }
    let full = read(&stripped(place, pairpin)?)?;
    archive.add("bin/pairpin-normal", 0o100_755, &twin(&full)?);
    archive.add("bin/pairpin-full", 0o100_755, &full);
    archive.add("bin/powercut-guest", 0o100_755, &read(&stripped(place, program)?)?);
    Ok(archive.end())
}

/// The same binary, but for SQLite's `synchronous`, which is NORMAL (1).
fn twin(binary: &[u8]) -> Result<Vec<u8>, String> {
    let (full, normal) = (b"PRAGMA synchronous = FULL;", b"PRAGMA synchronous = 1   ;");
    let places: Vec<usize> =
        binary.windows(full.len()).enumerate().filter(|(_, window)| window == full).map(|(at, _)| at).collect();
    let [place] = places.as_slice() else {
        return Err(format!("{} places set `synchronous = FULL` in the binary, not one", places.len()));
    };
    let mut twin = binary.to_vec();
    twin[*place..place + normal.len()].copy_from_slice(normal);
    Ok(twin)
}

/// The shared libraries of programs, by ldd.
fn libraries(programs: &[&Path]) -> Result<Vec<String>, String> {
    let listed = Command::new("ldd").args(programs).output().map_err(|error| format!("ldd: {error}"))?;
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut paths: Vec<String> =
        text.split_whitespace().filter(|word| word.starts_with("/lib")).map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn stripped(place: &Path, program: &Path) -> Result<PathBuf, String> {
    let to = place.join(program.file_name().unwrap_or_default());
    succeed(Command::new("strip").arg("-o").args([&to, program]))?;
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755))
        .map_err(|error| format!("{}: {error}", to.display()))?;
    Ok(to)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The first file below a directory whose name fits.
fn find(dir: &Path, fits: impl Fn(&str) -> bool + Copy) -> Result<PathBuf, String> {
    let missing = || format!("not what is expected in {}", dir.display());
    let entries = fs::read_dir(dir).map_err(|_| missing())?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            if let Ok(found) = find(&path, fits) {
                return Ok(found);
            }
        } else if path.file_name().and_then(|name| name.to_str()).is_some_and(fits) {
            return Ok(path);
        }
    }
    Err(missing())
}

fn succeed(command: &mut Command) -> Result<(), String> {
    match command.stdout(std::io::stderr()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("failed: {command:?}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}

/// An archive in the form "newc" of cpio.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    files: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        self.files += 1;
        let fields = [self.files, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        fields.iter().for_each(|field| self.bytes.extend_from_slice(format!("{field:08x}").as_bytes()));
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn end(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[]);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_differs_in_one_word_and_another_binary_is_refused() {
        let binary = b"..PRAGMA synchronous = FULL; PRAGMA fullfsync..";
        let twin = twin(binary).unwrap();
        assert_eq!(twin, b"..PRAGMA synchronous = 1   ; PRAGMA fullfsync..");
        assert!(super::twin(b"nothing").is_err() && super::twin(&[&binary[..], &binary[..]].concat()).is_err());
    }

    #[test]
    fn an_archive_is_padded_and_ended() {
        let mut archive = Archive::default();
        archive.add("init", 0o100_755, b"hello");
        let bytes = archive.end();
        assert!(bytes.len().is_multiple_of(4) && bytes.starts_with(b"070701"));
        assert!(bytes.windows(10).any(|window| window == b"TRAILER!!!"));
    }
}

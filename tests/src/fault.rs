//! Faults made on purpose: a disk that is full, read-only or broken, and files that have run out.
//! Mounts need root; without it these panic, and nothing passes.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Background, run};

/// A small file system of its own on a directory. It goes when this is dropped.
#[derive(Debug)]
pub struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Puts an empty one on a directory, which is made.
    ///
    /// # Panics
    /// It cannot be mounted: this needs root.
    #[track_caller]
    pub fn on(place: &Path, size: &str) -> Self {
        assert!(rustix::process::geteuid().is_root(), "this test mounts a file system, run it as root");
        fs::create_dir_all(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        let options = format!("size={size},mode=0700");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], place);
        Self { place: place.to_owned() }
    }

    /// Fills it to the last byte.
    ///
    /// # Panics
    /// It does not get full.
    #[track_caller]
    pub fn fill(&self) {
        let mut file = File::create(self.filler()).unwrap_or_else(|error| panic!("{error}"));
        let block = [0; 4096];
        let full = (0..1_000_000).find_map(|_| file.write_all(&block).err());
        assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::StorageFull), "the disk does not get full");
    }

    /// Frees what [`fill`](Self::fill) took.
    pub fn free(&self) {
        let _ = fs::remove_file(self.filler());
    }

    /// Remounts it read-only, or not.
    ///
    /// # Panics
    /// A file on it is open for writing.
    #[track_caller]
    pub fn read_only(&self, so: bool) {
        mount(&["-o", if so { "remount,ro" } else { "remount,rw" }], &self.place);
    }

    fn filler(&self) -> PathBuf {
        self.place.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever still has a file open keeps the disk, and nobody else sees it.
        run(Command::new("umount").arg("-l").arg(&self.place), "");
    }
}

#[track_caller]
fn mount(arguments: &[&str], place: &Path) {
    run(Command::new("mount").args(arguments).arg(place), "").expect(0);
}

/// Makes a directory look read-only, as a file system that was remounted so, while what is open stays open.
#[derive(Debug)]
pub struct LooksReadOnly(PathBuf);

impl LooksReadOnly {
    /// See the type.
    #[track_caller]
    pub fn on(place: &Path) -> Self {
        mount(&["--bind", place.to_str().unwrap_or_default()], place);
        mount(&["-o", "remount,bind,ro"], place);
        Self(place.to_owned())
    }
}

impl Drop for LooksReadOnly {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(&self.0), "");
    }
}

/// System calls of one daemon that fail when told to, by libfiu.
#[derive(Debug)]
pub struct Calls {
    pipe: PathBuf,
}

impl Calls {
    /// The control over daemons whose state is at `state`.
    pub fn of(state: &Path) -> Self {
        Self { pipe: state.with_extension("fiu") }
    }

    /// Variables for such a daemon.
    ///
    /// # Panics
    /// libfiu is not installed.
    #[track_caller]
    pub fn environment(&self) -> Vec<(String, String)> {
        let libraries = ["/usr/lib/fiu/fiu_run_preload.so", "/usr/lib/fiu/fiu_posix_preload.so"];
        for library in libraries {
            assert!(Path::new(library).is_file(), "libfiu is not installed: install what Debian calls fiu-utils");
        }
        let pipe = self.pipe.to_str().unwrap_or_default().to_owned();
        vec![("LD_PRELOAD".to_owned(), libraries.join(" ")), ("FIU_CTRL_FIFO".to_owned(), pipe)]
    }

    /// Lets a kind of call (as `rw/pwrite`) fail with an error number from here on.
    ///
    /// # Panics
    /// The daemon does not take it.
    #[track_caller]
    pub fn fail(&self, daemon: &Background, call: &str, errno: i32) {
        self.tell(daemon, &format!("enable name=posix/io/{call},failinfo={errno}"));
    }

    /// Lets it succeed again.
    ///
    /// # Panics
    /// The daemon does not take it.
    #[track_caller]
    pub fn heal(&self, daemon: &Background, call: &str) {
        self.tell(daemon, &format!("disable name=posix/io/{call}"));
    }

    #[track_caller]
    fn tell(&self, daemon: &Background, command: &str) {
        let mut fiu = Command::new("fiu-ctrl");
        fiu.arg("-f").arg(&self.pipe).args(["-c", command, &daemon.id().to_string()]);
        run(&mut fiu, "").expect(0);
    }
}

/// How many files a program has open.
///
/// # Panics
/// It does not run.
#[track_caller]
pub fn open_files(program: &Background) -> usize {
    fs::read_dir(format!("/proc/{}/fd", program.id())).unwrap_or_else(|error| panic!("{error}")).count()
}

/// Sets how many files a running program may have open.
///
/// # Panics
/// It cannot be set.
#[track_caller]
pub fn limit_files(program: &Background, files: usize) {
    let arguments = [format!("--pid={}", program.id()), format!("--nofile={files}:20000")];
    run(Command::new("prlimit").args(arguments), "").expect(0);
}

/// The processor time that a program has used, in hundredths of a second.
///
/// # Panics
/// It does not run.
#[track_caller]
pub fn ticks(program: &Background) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", program.id())).unwrap_or_else(|error| panic!("{error}"));
    // After the name in brackets; utime and stime are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    field(14) + field(15)
}

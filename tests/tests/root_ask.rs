//! `pairpin ask` as root, of a daemon that is not root's: no word of the daemon is a yes, only the signature of a
//! key in root's own list, over this very ask. Only root can play these users; elsewhere nothing is run here.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pairpin_tests::device::Device;
use pairpin_tests::machine::{Machine, binary};
use pairpin_tests::process::{Background, Output, run};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The user whose daemon it is, and one who is nobody's.
const DAEMON: u32 = 65_534;
const OTHER: u32 = 65_533;

/// A daemon of a user of its own with a phone, and a directory that is root's.
struct Scene {
    machine: Machine,
    phone: Device,
    dir: TempDir,
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

impl Scene {
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("not run: only root can play the users");
            return None;
        }
        // Not below /tmp: that is the point.
        let dir = tempfile::Builder::new().prefix("pairpin-test-").tempdir_in("/run").unwrap();
        mode(dir.path(), 0o755);
        fs::copy(binary(), dir.path().join("pairpin")).unwrap();
        let mut machine = Machine::new();
        chown(machine.home(), Some(DAEMON), Some(DAEMON)).unwrap();
        let copy = dir.path().join("pairpin");
        let become_user = format!("shift; exec setpriv --reuid {DAEMON} --regid {DAEMON} --clear-groups");
        let script = format!("{become_user} {} \"$@\"", copy.display());
        machine.starter = ["sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
        let scene = Self { machine, phone: Device::new(), dir };
        Some(scene.serving())
    }

    fn serving(mut self) -> Self {
        let socket = self.daemons_directory("daemon").join("ask.sock");
        let path = socket.to_str().unwrap();
        self.machine.arguments = ["--ask-group", &DAEMON.to_string(), "--ask-socket", path].map(str::to_owned).to_vec();
        self.machine.start();
        self.phone.join(self.machine.offer(&["--name", "phone"]).link_text()).expect(0);
        self
    }

    /// A directory of the daemon's user, in root's.
    fn daemons_directory(&self, name: &str) -> PathBuf {
        let made = self.dir.path().join(name);
        fs::create_dir(&made).unwrap();
        chown(&made, Some(DAEMON), Some(DAEMON)).unwrap();
        mode(&made, 0o755);
        made
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("daemon/ask.sock")
    }

    fn list(&self) -> PathBuf {
        self.dir.path().join("approvers")
    }

    fn write_list(&self, text: &str) {
        fs::write(self.list(), text).unwrap();
        mode(&self.list(), 0o644);
    }

    /// An ask of root's at a socket; what it lets happen is a file.
    fn ask_at(&self, socket: &Path) -> Command {
        let (socket, list, ran) = (socket.to_str().unwrap(), self.list(), self.ran());
        let (list, ran) = (list.to_str().unwrap(), ran.to_str().unwrap());
        let mut command = self.machine.command(&[
            "ask",
            "--json",
            "--socket",
            socket,
            "--approvers",
            list,
            "--timeout",
            "60s",
            "Let ana in?",
            "--",
            "touch",
            ran,
        ]);
        command.current_dir("/");
        command
    }

    fn ran(&self) -> PathBuf {
        self.dir.path().join("ran")
    }

    /// Asks the real daemon, the phone says yes; what `ask` said.
    fn answered(&self) -> Output {
        let mut ask = Background::start(&mut self.ask_at(&self.socket()), None);
        let asked = ask.event("asked");
        self.phone.run(&["approve", asked["ask"]["id"].as_str().unwrap()]).expect(0);
        ask.end()
    }

    /// Asks a daemon of this user that gives this answer, whatever it is asked.
    fn lied_to(&self, name: &str, user: u32, answer: &Value) -> (Background, PathBuf) {
        let place = self.daemons_directory(name);
        chown(&place, Some(user), Some(user)).unwrap();
        let (socket, file) = (place.join("ask.sock"), place.join("answer"));
        fs::write(&file, json!({ "ok": answer }).to_string()).unwrap();
        let copy = self.dir.path().join("liar");
        if !copy.exists() {
            fs::copy(env!("CARGO_BIN_EXE_liar"), &copy).unwrap();
        }
        let mut command = Command::new(copy);
        command.args([&socket, &file]).current_dir("/").uid(user).gid(user);
        let mut liar = Background::start(&mut command, None);
        liar.line("that it listens", |line| line == "listening");
        (liar, socket)
    }

    #[track_caller]
    fn refused(&self, output: Output, why: &str) {
        let output = output.expect(1).says(why);
        assert!(!output.stdout.contains("answered"), "a yes was told: {output:?}");
        assert!(!self.ran().exists(), "{output:?}");
    }
}

#[test]
fn root_believes_the_signature_of_its_list_and_no_daemon() {
    let Some(scene) = Scene::new() else { return };
    let nobody_asked = |why: &str| {
        scene.refused(run(&mut scene.ask_at(&scene.socket()), ""), why);
        assert!(!scene.machine.audit_kinds().contains(&"asked".to_owned()), "somebody was asked");
    };
    // No list, and one that others can write or put another in place of.
    nobody_asked("devices list --approvers");
    let list = scene.machine.run(&["devices", "list", "--approvers"]).expect(0).stdout;
    assert!(list.starts_with("pairpin-approver-1 ") && list.trim_end().ends_with(" phone"), "{list}");
    assert!(scene.machine.run(&["devices", "show", "phone"]).expect(0).stdout.contains(list.trim()));
    scene.write_list(&list);
    for (path, bad, good) in [(scene.list(), 0o666, 0o644), (scene.dir.path().to_owned(), 0o777, 0o755)] {
        mode(&path, bad);
        nobody_asked("can be written by others");
        mode(&path, good);
    }
    chown(scene.list(), Some(OTHER), None).unwrap();
    nobody_asked("belongs to");
    chown(scene.list(), Some(0), None).unwrap();
    scene.write_list(&format!("{list}what is this\n"));
    nobody_asked("line 2");
    scene.write_list(&list);
    // Whoever would be let through has no daemon here.
    for (name, value) in [("SUDO_UID", DAEMON.to_string()), ("SUDO_USER", "nobody".to_owned())] {
        scene.refused(run(scene.ask_at(&scene.socket()).env(name, value), ""), "would be let through");
    }

    // The true one goes through, and says by whose key.
    let true_yes = scene.answered().expect(0).says("the daemon of user nobody");
    assert!(scene.ran().exists(), "{true_yes:?}");
    fs::remove_file(scene.ran()).unwrap();
    let told: Value = serde_json::from_str(true_yes.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&told["answer"], &told["by"]), (&json!("yes"), &json!("phone")));
    assert!(told["proof"]["signed"]["signature"].is_string(), "{told}");

    // The same daemon, with a list that its phone is not in.
    let (other, words): (Device, Vec<&str>) = (Device::new(), list.split(' ').collect());
    other.join(scene.machine.offer(&["--role", "operator", "--name", "other"]).link_text()).expect(0);
    let both = scene.machine.run(&["devices", "list", "--approvers"]).expect(0).stdout;
    scene.write_list(both.lines().find(|line| !line.contains(words[2])).unwrap());
    scene.refused_yes(&scene.answered(), "not in the list");
    scene.write_list(&list);

    // A yes that is signed, to an ask of before in the very same words.
    let (_liar, socket) = scene.lied_to("replay", DAEMON, &told);
    scene.refused(run(&mut scene.ask_at(&socket), ""), "another ask");
    // A yes without anything.
    let bare = json!({ "event": "answered", "answer": "yes", "by": "phone" });
    let (_liar, socket) = scene.lied_to("bare", DAEMON, &bare);
    scene.refused(run(&mut scene.ask_at(&socket), ""), "no signed answer");
    // The control: another user takes that daemon's word, and that is its own affair.
    let mut other_user = Command::new(scene.dir.path().join("pairpin"));
    other_user.args(["ask", "--socket", socket.to_str().unwrap(), "Let ana in?"]).env_clear().current_dir("/");
    run(other_user.env("PAIRPIN_STATE_DIR", "/nonexistent").uid(OTHER).gid(OTHER), "").expect(0).says("yes, by");
    // A place that somebody else could take, whoever has it now.
    mode(socket.parent().unwrap(), 0o1777);
    scene.refused(run(&mut scene.ask_at(&socket), ""), "somebody else could answer");
}

impl Scene {
    /// The phone said yes, and it was not believed.
    #[track_caller]
    fn refused_yes(&self, output: &Output, why: &str) {
        self.refused(output.clone(), why);
    }
}

#[test]
fn pam_is_answered_as_root_alone_and_by_a_daemon_that_is_named() {
    let Some(scene) = Scene::new() else { return };
    scene.write_list(&scene.machine.run(&["devices", "list", "--approvers"]).expect(0).stdout);
    let pam = |command: &mut Command| {
        let keep: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut bare = Command::new(scene.dir.path().join("pairpin"));
        bare.args(keep).env_clear().current_dir("/");
        bare.envs([("PAM_TYPE", "auth"), ("PAM_SERVICE", "sudo"), ("PAM_USER", "daemon"), ("PAM_RUSER", "daemon")]);
        bare
    };
    let whole = || pam(&mut scene.ask_at(&scene.socket()));
    scene.refused(run(whole().env("PAIRPIN_STATE_DIR", "/srv/ana"), ""), "PAIRPIN_STATE_DIR");
    scene.refused(run(whole().uid(OTHER).gid(OTHER), ""), "seteuid");
    scene.refused(run(whole().env("PAM_RUSER", "nobody"), ""), "would be let through");
    scene.refused(run(whole().env("PAM_RUSER", "no-such-user"), ""), "no user in /etc/passwd");
    scene.refused(run(&mut pam(&mut scene.machine.command(&["ask", "Let ana in?"])), ""), "--socket");
    // The control, with nothing in the environment but what pam_exec says: who answers sees for whom.
    let mut ask = Background::start(&mut whole(), None);
    let asked = ask.event("asked");
    assert!(asked["ask"]["claimed"]["detail"].as_str().unwrap().starts_with("sudo for daemon\ncommand: "), "{asked}");
    scene.phone.run(&["approve", asked["ask"]["id"].as_str().unwrap()]).expect(0);
    ask.end().expect(0);
    assert!(scene.ran().exists());
}

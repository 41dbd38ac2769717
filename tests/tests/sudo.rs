//! sudo by pam_exec, with the files of docs/recipes.md as they stand there: a signed yes makes a user root, and
//! nothing else does.
//!
//! Everything is done in a mount namespace of this test's own (the layer `sudo` of `cargo xtask test` makes
//! it): /etc is a copy, /run and /usr/local/bin are empty, so no file of the system is touched.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use pairpin_tests::device::Device;
use pairpin_tests::machine::{Machine, binary};
use pairpin_tests::process::{Background, Output, run};

/// Who wants to be root, and whose daemon it is.
const ANA: u32 = 4_101;
const DAEMON: u32 = 4_102;
const PASSWORD: &str = "correct horse";

/// A program of the system, which must succeed.
#[track_caller]
fn system(program: &str, arguments: &[&str]) {
    run(Command::new(program).args(arguments), "").expect(0);
}

/// Adds a line to a file of /etc, which is a copy.
fn add(file: &str, line: &str) {
    let text = fs::read_to_string(file).unwrap();
    fs::write(file, format!("{}\n{line}\n", text.trim_end())).unwrap();
}

fn own_etc() {
    let outside = fs::metadata("/proc/1/ns/mnt").map(|found| found.ino()).ok();
    let here = fs::metadata("/proc/self/ns/mnt").unwrap().ino();
    assert_ne!(outside, Some(here), "this would change the system's own files: run cargo xtask test --layer sudo");
    system("mount", &["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"]);
    system("cp", &["-a", "/etc", "/run/etc"]);
    system("mount", &["--bind", "/run/etc", "/etc"]);
    system("mount", &["-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/usr/local/bin"]);
    fs::copy(binary(), "/usr/local/bin/pairpin").unwrap();
    for (name, uid) in [("ana", ANA), ("pairpin", DAEMON)] {
        add("/etc/passwd", &format!("{name}:x:{uid}:{uid}::/nonexistent:/bin/sh"));
        add("/etc/group", &format!("{name}:x:{uid}:"));
        add("/etc/shadow", &format!("{name}:!:20000::::::"));
    }
    let hash = format!("ana:{PASSWORD}\n");
    run(&mut Command::new("chpasswd"), &hash).expect(0);
    fs::write("/etc/sudoers.d/test", "ana ALL=(ALL:ALL) ALL\nDefaults timestamp_timeout=0\n").unwrap();
    fs::set_permissions("/etc/sudoers.d/test", Permissions::from_mode(0o440)).unwrap();
    fs::create_dir("/run/pairpin").unwrap();
    chown("/run/pairpin", Some(DAEMON), Some(DAEMON)).unwrap();
    fs::create_dir("/etc/pairpin").unwrap();
}

/// A file for PAM, by the name in its first line, as the page has it.
fn recipe(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes.md");
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```pam\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    let unindented = |block: &str| block.lines().map(|line| format!("{}\n", line.trim_start())).collect::<String>();
    let mut found = blocks.map(unindented).filter(|block| block.starts_with(&format!("# {name}:")));
    found.next().unwrap_or_else(|| panic!("no {name} on the page"))
}

fn pam(text: &str) {
    fs::write("/etc/pam.d/sudo", text).unwrap();
}

/// `sudo id -u` as ana, who types this.
fn sudo(typed: &str) -> Background {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &ANA.to_string(), "--regid", &ANA.to_string(), "--clear-groups"]);
    command.args(["sudo", "-S", "-p", "password?", "id", "-u"]).current_dir("/");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    Background::start(&mut command, Some(typed))
}

struct Phone {
    device: Device,
    inbox: Background,
}

impl Phone {
    /// Answers what comes in; what was shown of it.
    fn answers(&mut self, verb: &str) -> String {
        let item = self.inbox.event("pending")["item"].clone();
        self.device.run(&[verb, item["id"].as_str().unwrap()]).expect(0);
        item.to_string()
    }
}

#[track_caller]
fn is_root(output: Output) {
    assert_eq!(output.expect(0).stdout.lines().last(), Some("0"));
}

#[track_caller]
fn is_not(output: Output) {
    assert!(output.code != Some(0) && !output.stdout.lines().any(|line| line == "0"), "{output:?}");
}

fn daemon() -> (Machine, Phone) {
    let mut machine = Machine::new();
    chown(machine.home(), Some(DAEMON), Some(DAEMON)).unwrap();
    let script =
        format!("shift; exec setpriv --reuid {DAEMON} --regid {DAEMON} --clear-groups /usr/local/bin/pairpin \"$@\"");
    machine.starter = ["sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    machine.arguments = ["--ask-group", "pairpin"].map(str::to_owned).to_vec();
    machine.start();
    let device = Device::new();
    device.join(machine.offer(&["--name", "phone"]).link_text()).expect(0);
    let mut inbox = device.start(&["inbox", "--follow", "--json"]);
    inbox.event("online");
    (machine, Phone { device, inbox })
}

#[test]
fn sudo_is_answered_on_the_phone_and_by_nothing_else() {
    own_etc();
    let (mut machine, mut phone) = daemon();
    let with_password = format!("{PASSWORD}\n");
    let instead = recipe("sudo-instead");
    pam(&instead);

    // Before there is a list nobody is asked, and the password is.
    is_not(sudo("").end());
    is_root(sudo(&with_password).end());
    let list = machine.run(&["devices", "list", "--approvers"]).expect(0).stdout;
    fs::write("/etc/pairpin/approvers", &list).unwrap();

    let mut asking = sudo("");
    let shown = phone.answers("approve");
    assert!(shown.contains("sudo for ana") && shown.contains("command: sudo -S -p password? id -u"), "{shown}");
    is_root(asking.end());
    // The next one is asked for again.
    let mut asking = sudo("");
    phone.answers("deny");
    is_not(asking.end());
    // A no leaves the password, which is what `sufficient` says.
    let mut asking = sudo(&with_password);
    phone.answers("deny");
    is_root(asking.end());
    // So does silence.
    pam(&instead.replace("--timeout 1m", "--timeout 1s"));
    is_root(sudo(&with_password).end());
    is_not(sudo("").end());
    // What the phone was asked in vain.
    phone.inbox.event("pending");
    phone.inbox.event("pending");
    pam(&instead);

    // A list that others may write is none, though the phone would say yes.
    fs::set_permissions("/etc/pairpin/approvers", Permissions::from_mode(0o666)).unwrap();
    is_not(sudo("").end());
    fs::set_permissions("/etc/pairpin/approvers", Permissions::from_mode(0o644)).unwrap();
    // Nor does ana's own daemon help her, wherever the file for PAM points.
    lies_of_ana(&instead);
    pam(&instead);

    // Both: the password alone is not enough any more, nor is the yes.
    pam(&recipe("sudo-both"));
    for (verb, typed, root) in
        [("deny", &*with_password, false), ("approve", "", false), ("approve", &with_password, true)]
    {
        let mut asking = sudo(typed);
        phone.answers(verb);
        let output = asking.end();
        if root { is_root(output) } else { is_not(output) }
    }
    machine.stop().expect(0);
    is_not(sudo(&with_password).end());
    // The control, and the way back: what the open root shell is for.
    pam(&instead);
    is_root(sudo(&with_password).end());
}

/// A daemon of ana's that says yes to everything.
fn lies_of_ana(instead: &str) {
    let place = PathBuf::from("/run/ana");
    fs::create_dir(&place).unwrap();
    chown(&place, Some(ANA), Some(ANA)).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_liar"), "/run/liar").unwrap();
    let (socket, answer) = (place.join("ask.sock"), place.join("answer"));
    fs::write(&answer, r#"{"ok":{"event":"answered","answer":"yes","by":"phone"}}"#).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &ANA.to_string(), "--regid", &ANA.to_string(), "--clear-groups", "/run/liar"]);
    let mut liar = Background::start(command.args([&socket, &answer]).current_dir("/"), None);
    liar.line("that it listens", |line| line == "listening");
    pam(&instead.replace("/run/pairpin/ask.sock", socket.to_str().unwrap()));
    is_not(sudo("").end());
    // The control: a program that takes the daemon's word makes her root.
    fs::write(
        "/usr/local/bin/believes",
        "#!/bin/sh\nexec setpriv --reuid 65534 --clear-groups /usr/local/bin/pairpin \"$@\"\n",
    )
    .unwrap();
    fs::set_permissions("/usr/local/bin/believes", Permissions::from_mode(0o755)).unwrap();
    let believing = instead.replace("/run/pairpin/ask.sock", socket.to_str().unwrap());
    let believing = believing
        .replace("/usr/local/bin/pairpin ask", "/usr/bin/env -u PAM_TYPE -u PAM_SERVICE /usr/local/bin/believes ask");
    pam(&believing);
    is_root(sudo("").end());
}

//! The scripts of docs/recipes.md, run as they stand there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use pairpin_tests::device::Device;
use pairpin_tests::machine::{Machine, binary};
use pairpin_tests::process::Background;

/// A script of the page, by the name in its second line, written to the machine's home.
#[track_caller]
fn script(machine: &Machine, name: &str) -> PathBuf {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes.md");
    let page = fs::read_to_string(page).unwrap();
    let mut blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    let found = blocks.find(|block| block.lines().nth(1).is_some_and(|line| line.starts_with(&format!("# {name}"))));
    let file = machine.home().join(name);
    fs::write(&file, found.unwrap_or_else(|| panic!("no {name} on the page"))).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// Starts a script at the machine's shell, with `pairpin` on its path.
fn start(machine: &Machine, name: &str, arguments: &[&str], input: Option<&str>) -> Background {
    let like = machine.command(&[]);
    let mut command = Command::new(script(machine, name));
    command.args(arguments).current_dir(machine.home()).env_clear();
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", binary().parent().unwrap().display()));
    Background::start(&mut command, input)
}

fn paired() -> (Machine, Device) {
    let (machine, device) = (Machine::started(), Device::new());
    device.join(machine.offer(&["--name", "phone"]).link_text()).expect(0);
    (machine, device)
}

/// Answers what waits, and gives what was shown of it.
#[track_caller]
fn answer(device: &Device, verb: &str, script: &mut Background) -> String {
    script.note("that it waits", |line| line.contains("waiting"));
    let item = device.run(&["inbox", "--json"]).expect(0).json()["items"][0].clone();
    device.run(&[verb, item["id"].as_str().unwrap()]).expect(0);
    item.to_string()
}

#[test]
fn the_deploy_gate_deploys_on_a_yes_and_not_otherwise() {
    let (machine, device) = paired();
    fs::write(machine.home().join("changes-241.txt"), "fix the login\n".repeat(100)).unwrap();
    fs::write(machine.home().join("deploy.sh"), "#!/bin/sh\necho deployed $1 > deployed\nexit 3\n").unwrap();
    fs::set_permissions(machine.home().join("deploy.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut gate = start(&machine, "deploy-gate", &["241"], None);
    let shown = answer(&device, "deny", &mut gate);
    assert!(shown.contains("fix the login") && shown.contains("./deploy.sh"), "{shown}");
    gate.end().expect(1);
    assert!(!machine.home().join("deployed").exists());
    let mut gate = start(&machine, "deploy-gate", &["241"], None);
    answer(&device, "approve", &mut gate);
    gate.end().expect(3);
    assert_eq!(fs::read_to_string(machine.home().join("deployed")).unwrap(), "deployed 241\n");
}

#[test]
fn the_gate_with_words_lets_only_a_yes_through() {
    let (mut machine, device) = paired();
    let mut gate = start(&machine, "gate-with-words", &[], None);
    answer(&device, "approve", &mut gate);
    assert_eq!(gate.end().expect(0).stdout, "yes: restarting\n");
    let mut gate = start(&machine, "gate-with-words", &[], None);
    answer(&device, "deny", &mut gate);
    gate.end().expect(1).says("no: left alone");
    machine.stop().expect(0);
    start(&machine, "gate-with-words", &[], None).end().expect(1).says("exit code 5");
}

#[test]
fn the_agent_hook_forbids_whatever_is_no_yes() {
    let (mut machine, device) = paired();
    let call = r#"{"tool_name":"Bash","tool_input":{"command":"rm -rf build"}}"#;
    let mut hook = start(&machine, "agent-hook", &[], Some(call));
    let shown = answer(&device, "approve", &mut hook);
    assert!(shown.contains("Let the agent do this?") && shown.contains("rm -rf build"), "{shown}");
    hook.end().expect(0);
    let mut hook = start(&machine, "agent-hook", &[], Some(call));
    answer(&device, "deny", &mut hook);
    hook.end().expect(2);
    let long = call.replace("build", &"x".repeat(1_000));
    start(&machine, "agent-hook", &[], Some(&long)).end().expect(2).says("too long");
    machine.stop().expect(0);
    start(&machine, "agent-hook", &[], Some(call)).end().expect(2).says("pairpin serve");
}

#[test]
fn a_notice_is_sent() {
    let (machine, device) = paired();
    let mut inbox = device.start(&["inbox", "--follow", "--json"]);
    inbox.event("online");
    start(&machine, "backup-done", &[], None).end().expect(0);
    assert!(inbox.event("notice")["text"].as_str().is_some_and(|text| text.starts_with("backup of")));
}

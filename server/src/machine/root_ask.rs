//! What `pairpin ask` looks at itself where it runs as root and the daemon does not: whose daemon that is, and
//! whether the yes bears the signature of a key in a list that is root's. Why and how: docs/decisions/an-answer-for-root.md.
//!
//! Root asks before it lets somebody become root (sudo by pam_exec). Whoever can make `ask` say yes is root
//! then, so neither the daemon's word nor anything that the user chooses may do it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use pairpin_core::host::{Approvers, Question};
use pairpin_core::wire::AnswerProof;

use crate::exit::Failure;
use crate::output::style::printable;
use crate::platform::{self, owned_by};

/// Where the list is unless `--approvers` says otherwise.
const LIST: &str = "/etc/pairpin/approvers";
/// The longest list (bytes).
const LONGEST: u64 = 64 * 1024;
/// The longest command that is shown of who asks for root (bytes): it stands in the ask's detail.
const COMMAND: usize = 700;
const ROOT: u32 = 0;

/// How this process came to ask, as far as it bears on what may be believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Circumstances {
    /// It is asked by PAM.
    pam: bool,
    /// The users who would be let through, by every name that is given.
    names: Vec<String>,
    /// The same, by their numbers.
    uids: Vec<u32>,
    /// Variables of ours in the environment.
    ours: Vec<String>,
    service: Option<String>,
    terminal: Option<String>,
}

impl Circumstances {
    /// Reads an environment as it is, doubles included: pam_exec adds its variables behind those that a user
    /// may have brought, and the first of two would win.
    fn of(environment: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut found = Self::default();
        for (name, value) in environment {
            let (name, value) = (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned());
            let given = !value.is_empty();
            match name.as_str() {
                "PAM_TYPE" => found.pam = true,
                "PAM_SERVICE" => (found.pam, found.service) = (true, Some(value)),
                "PAM_TTY" => found.terminal = Some(value),
                "PAM_USER" | "PAM_RUSER" | "SUDO_USER" | "DOAS_USER" if given => found.names.push(value),
                // A number that is none names nobody known.
                "SUDO_UID" | "PKEXEC_UID" if given => match value.parse() {
                    Ok(uid) => found.uids.push(uid),
                    Err(_) => found.names.push(value),
                },
                _ if name.starts_with("PAIRPIN_") => found.ours.push(name),
                _ => {}
            }
        }
        found
    }
}

/// Asked as root.
#[derive(Debug)]
pub struct RootAsk {
    pam: bool,
    /// Users who would be let through; root itself is none.
    elevated: Vec<u32>,
    /// None: there is no list, at this place.
    approvers: Result<Approvers, PathBuf>,
    detail: Option<String>,
}

impl RootAsk {
    /// Looks at how this process came to ask. `None`: it is not root, and its yes is nobody else's root.
    ///
    /// # Errors
    /// PAM asks in a way that cannot be believed, or the list is not root's alone. Nobody is asked then.
    pub fn look(list: Option<&Path>, socket: Option<&Path>) -> Result<Option<Self>, Failure> {
        let circumstances = Circumstances::of(std::env::vars_os());
        let uid = platform::effective_uid();
        if circumstances.pam {
            for_pam(&circumstances, uid, socket)?;
        }
        if uid != ROOT {
            return Ok(None);
        }
        let list = list.unwrap_or(Path::new(LIST));
        let approvers = read_list(list)?.ok_or_else(|| list.to_owned());
        let real = rustix::process::getuid().as_raw();
        let elevated = elevated(&circumstances, [Some(real), platform::login_user()], platform::user_id)?;
        let detail = circumstances.pam.then(|| pam_detail(&circumstances, &parent_command()));
        Ok(Some(Self { pam: circumstances.pam, elevated, approvers, detail }))
    }

    /// What devices are shown of who asks PAM, where nothing else is said.
    pub fn detail(&self) -> Option<String> {
        self.detail.clone()
    }

    /// Looks at the daemon, on the connection that is used, and at the way there. Says whether its answer is
    /// held against the list; root's own daemon could do whatever a yes of it lets happen.
    ///
    /// # Errors
    /// It is the daemon of somebody who would be let through, others could stand in its place, or there is
    /// no list.
    pub fn daemon(&self, uid: Option<u32>, place: &Path) -> Result<bool, Failure> {
        let uid =
            uid.ok_or_else(|| Failure::failed("the system does not say whose daemon answers, so none is asked"))?;
        if self.elevated.contains(&uid) {
            let user = platform::user_name(uid).unwrap_or_else(|| format!("#{uid}"));
            return Err(Failure::failed(format!(
                "the daemon at {} is {user}'s, who would be let through by its yes: run `pairpin serve` as a user of \
                 its own (docs/recipes.md)",
                place.display()
            )));
        }
        if uid != ROOT || self.pam {
            owned_by(place, &[ROOT, uid], false).map_err(|error| {
                Failure::failed(format!("somebody else could answer at {}: {error}", place.display()))
            })?;
        }
        match &self.approvers {
            Ok(_) => Ok(true),
            Err(_) if uid == ROOT && !self.pam => Ok(false),
            Err(list) => Err(Failure::failed(no_list(list))),
        }
    }

    /// Whose yes it is, by the list.
    ///
    /// # Errors
    /// It is no yes, whatever the daemon says.
    pub fn answer(&self, asked: &Question, proof: Option<&AnswerProof>) -> Result<String, Failure> {
        let refused = |why: &str| Failure::failed(format!("the daemon says yes, and that is not believed: {why}"));
        let approvers = self.approvers.as_ref().map_err(|list| Failure::failed(no_list(list)))?;
        let proof = proof.ok_or_else(|| refused("it hands over no signed answer"))?;
        let approver = approvers.check(asked, proof).map_err(|error| refused(&error.to_string()))?;
        Ok(approver.name.clone())
    }
}

/// PAM asks: only as root, only a daemon that is named, and nothing out of an environment that a user may have
/// had a hand in.
fn for_pam(circumstances: &Circumstances, uid: u32, socket: Option<&Path>) -> Result<(), Failure> {
    if uid != ROOT {
        return Err(Failure::failed(
            "PAM asks, but not as root: the user could then answer for itself; write `pam_exec.so seteuid` \
             (docs/recipes.md)",
        ));
    }
    if let Some(name) = circumstances.ours.first() {
        let name = printable(name);
        return Err(Failure::failed(format!(
            "PAM asks with {name} in its environment, which a user may have brought: say it by a flag instead"
        )));
    }
    if socket.is_none() {
        return Err(Failure::failed(
            "PAM asks, and which daemon is not said: name its second socket with --socket (docs/recipes.md)",
        ));
    }
    if circumstances.names.is_empty() {
        return Err(Failure::failed("PAM does not say for whom it asks, so nobody is asked"));
    }
    Ok(())
}

/// The users who would be let through. One whom the system does not know could be anybody.
fn elevated(
    circumstances: &Circumstances,
    kernel: [Option<u32>; 2],
    id_of: impl Fn(&str) -> Option<u32>,
) -> Result<Vec<u32>, Failure> {
    let mut all: Vec<u32> = kernel.into_iter().flatten().chain(circumstances.uids.iter().copied()).collect();
    for name in &circumstances.names {
        let uid = id_of(name).ok_or_else(|| {
            Failure::failed(format!(
                "{} is no user in /etc/passwd, so whose daemon this is cannot be told from that",
                printable(name)
            ))
        })?;
        all.push(uid);
    }
    all.retain(|uid| *uid != ROOT);
    Ok(all)
}

/// Reads the list. `None` where there is none.
fn read_list(list: &Path) -> Result<Option<Approvers>, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::failed(format!("{} is not believed, so nobody is asked: {why}", list.display()))
    };
    match std::fs::symlink_metadata(list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(&error)),
        Ok(found) if found.is_dir() => return Err(refused(&"it is a directory")),
        Ok(_) => {}
    }
    // Nobody but root can change anything on the way there, so what is opened is what was looked at.
    owned_by(list, &[ROOT], true).map_err(|error| refused(&error))?;
    let mut text = String::new();
    let read = File::open(list).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
    read.map_err(|error| refused(&error))?;
    if text.len() as u64 > LONGEST {
        return Err(refused(&"it is too long"));
    }
    Approvers::parse(&text).map(Some).map_err(|error| refused(&error))
}

fn no_list(list: &Path) -> String {
    let (list, directory) = (list.display(), list.parent().unwrap_or(list).display());
    format!(
        "there is no list of those whose answer root believes, so nobody is asked: make one at the machine's shell, as \
         root: install -d -m 0755 {directory}; sudo -H -u DAEMON-USER pairpin devices list --approvers > {list}"
    )
}

/// The command that has called PAM, as the system has it.
fn parent_command() -> Vec<String> {
    let parent = rustix::process::getppid().and_then(|parent| u32::try_from(parent.as_raw_nonzero().get()).ok());
    parent.and_then(platform::looks).map(|looks| looks.arguments).unwrap_or_default()
}

/// Who wants to be let through, where, and with which command. Cut, and said so, where it is long.
fn pam_detail(circumstances: &Circumstances, command: &[String]) -> String {
    let said = |text: Option<&String>| text.map_or_else(|| "?".to_owned(), |text| first(text, 80));
    let terminal = circumstances.terminal.as_ref().map(|terminal| format!(" on {}", first(terminal, 80)));
    let who = said(circumstances.names.first());
    let mut text = format!("{} for {who}{}", said(circumstances.service.as_ref()), terminal.unwrap_or_default());
    if !command.is_empty() {
        let quoted: Vec<String> = command.iter().map(|word| in_quotes(word)).collect();
        let whole = quoted.join(" ");
        let shown = first(&whole, COMMAND);
        text.push_str(&format!("\ncommand: {shown}"));
        if shown.len() < whole.len() {
            text.push_str(&format!("\nand {} bytes more that do not fit", whole.len() - shown.len()));
        }
    }
    text
}

/// As much as fits into so many bytes.
fn first(text: &str, bytes: usize) -> String {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// A word that would run into the next stands in quotation marks.
fn in_quotes(word: &str) -> String {
    let plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '\'' || c == '"');
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "’")) }
}

/// The place of a daemon: its second socket, or the directory of its state.
pub fn place(socket: Option<&Path>, state_dir: &Path) -> PathBuf {
    let place = socket.unwrap_or(state_dir);
    if place.as_os_str() == OsStr::new("") { state_dir.to_owned() } else { place.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Circumstances {
        Circumstances::of(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    const PAM: [(&str, &str); 4] =
        [("PAM_TYPE", "auth"), ("PAM_SERVICE", "sudo"), ("PAM_USER", "ana"), ("PAM_RUSER", "ana")];

    fn ids(name: &str) -> Option<u32> {
        match name {
            "root" => Some(0),
            "ana" => Some(1000),
            "mallory" => Some(1001),
            _ => None,
        }
    }

    fn asked_by(elevated: Vec<u32>, pam: bool, list: bool) -> RootAsk {
        let line = {
            let key = pairpin_core::identity::PublicKey::from_bytes([4; 65]);
            let machine = pairpin_core::identity::MachineId::from_bytes([2; 16]);
            pairpin_core::host::Approver { machine, key, name: "phone".into() }.line()
        };
        let approvers = if list { Ok(Approvers::parse(&line).unwrap()) } else { Err(PathBuf::from(LIST)) };
        RootAsk { pam, elevated, approvers, detail: None }
    }

    #[test]
    fn everybody_whom_the_environment_or_the_kernel_names_is_let_through_by_a_yes() {
        let of = |variables: &[(&str, &str)]| elevated(&environment(variables), [Some(0), None], ids).unwrap();
        assert_eq!(of(&PAM), [1000, 1000]);
        // `su`: the target is root, who asks is not.
        assert_eq!(of(&[("PAM_USER", "root"), ("PAM_RUSER", "ana")]), [1000]);
        // A name that a user brought does not hide the one that pam_exec adds behind it.
        let doubled = [&[("PAM_RUSER", "mallory"), ("PAM_USER", "root")], &PAM[..]].concat();
        assert_eq!(of(&doubled), [1001, 1000, 1000]);
        assert_eq!(of(&[("SUDO_USER", "ana"), ("SUDO_UID", "1001")]), [1001, 1000]);
        assert_eq!(elevated(&environment(&[]), [Some(1002), Some(1003)], ids).unwrap(), [1002, 1003]);
        assert!(of(&[]).is_empty());
        for unknown in ["nobody-here", "1000", ""] {
            let found = elevated(&environment(&[("PAM_RUSER", unknown)]), [None, None], ids);
            assert_eq!(found.is_err(), !unknown.is_empty(), "{unknown:?} could be anybody");
        }
        assert!(elevated(&environment(&[("SUDO_UID", "-1")]), [None, None], ids).is_err());
    }

    #[test]
    fn pam_is_answered_as_root_alone_by_a_named_daemon_and_without_variables_of_ours() {
        let socket = Some(Path::new("/run/pairpin/ask.sock"));
        let check = |variables: &[(&str, &str)], uid, socket| for_pam(&environment(variables), uid, socket);
        check(&PAM, 0, socket).unwrap();
        let says = |result: Result<(), Failure>, word: &str| {
            let text = result.unwrap_err().message;
            assert!(text.contains(word), "{text}");
        };
        says(check(&PAM, 1000, socket), "seteuid");
        says(check(&PAM, 0, None), "--socket");
        let with = [&PAM[..], &[("PAIRPIN_ASK_APPROVERS", "/srv/ana/list")]].concat();
        says(check(&with, 0, socket), "PAIRPIN_ASK_APPROVERS");
        says(check(&PAM[..2], 0, socket), "for whom");
        assert!(environment(&PAM).pam && !environment(&[("SUDO_USER", "ana")]).pam);
    }

    #[test]
    fn a_daemon_of_who_would_be_let_through_is_none_and_so_is_any_without_a_list() {
        let place = Path::new("/run");
        let says = |ask: &RootAsk, uid, word: &str| {
            let text = ask.daemon(uid, place).unwrap_err().message;
            assert!(text.contains(word), "{text}");
        };
        assert!(asked_by(vec![1000], true, true).daemon(Some(0), place).unwrap(), "held against the list");
        says(&asked_by(vec![1000], true, true), Some(1000), "user of its own");
        says(&asked_by(vec![1000], true, true), None, "whose daemon");
        says(&asked_by(vec![1000], true, false), Some(0), "--approvers");
        says(&asked_by(Vec::new(), false, false), Some(990), "--approvers");
        // Root's own daemon, asked by root itself: whoever could lie is root already.
        assert!(!asked_by(Vec::new(), false, false).daemon(Some(0), place).unwrap());
        assert!(asked_by(Vec::new(), false, true).daemon(Some(0), place).unwrap(), "where there is a list it counts");
        assert!(asked_by(Vec::new(), false, false).answer(&Question::default(), None).is_err());
    }

    #[test]
    fn who_answers_sees_for_whom_and_what_and_what_does_not_fit() {
        let mut circumstances = environment(&PAM);
        circumstances.terminal = Some("/dev/pts/3".into());
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let text = pam_detail(&circumstances, &words(&["sudo", "sh", "-c", "apt update"]));
        assert_eq!(text, "sudo for ana on /dev/pts/3\ncommand: sudo sh -c 'apt update'");
        let long = pam_detail(&circumstances, &words(&["sudo", &"ä".repeat(600), "rm"]));
        assert!(long.contains("bytes more that do not fit") && long.len() < 1_000, "{long}");
    }
}

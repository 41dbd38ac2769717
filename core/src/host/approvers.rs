//! Whose yes somebody believes who does not believe the daemon: a list of approval keys, and a check of the
//! answer's statement against it.
//!
//! `pairpin ask` calls it where it runs as root and the daemon does not (docs/decisions/an-answer-for-root.md).
//! Nothing that the daemon says is taken over: the message must be, byte for byte, what this very ask was, with
//! the number that it made itself, and the signature is looked at here. What the daemon may still do is to
//! say nothing.

use super::answering::stands;
use super::questions::{AskError, Question};
use super::sessions;
use crate::clock::UnixMillis;
use crate::handshake::{Addressee, Stated, Statement, request_hash};
use crate::identity::{DeviceId, MachineId, PublicKey, from_base64url, to_base64url};
use crate::names;
use crate::store::host::devices::DeviceRow;
use crate::wire::{AnswerProof, AskMessage, AskObserved, limits};

/// What each line of the list begins with: the list's version.
const WORD: &str = "pairpin-approver-1";
/// Keys in a list, at most.
const MOST: usize = 256;
/// A line, at most (bytes).
const LINE: usize = 512;

/// One whose yes is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// The machine that the key was made for; a device has another key for each.
    pub machine: MachineId,
    /// Its approval key.
    pub key: PublicKey,
    /// What it is called in the list.
    pub name: String,
}

/// Those whose yes is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvers(Vec<Approver>);

/// The list cannot be read; nobody in it is believed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApproversError {
    /// This line is none of ours.
    #[error("line {0} is not `{WORD} MACHINE KEY NAME`")]
    Line(usize),
    /// It names nobody.
    #[error("it names nobody")]
    Empty,
    /// It is longer than any list.
    #[error("it names more than {MOST} keys")]
    TooLong,
}

/// Why an answer is not believed, although the daemon says yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// There is no statement, or none that can be read.
    #[error("the daemon hands over no signed answer")]
    Unsigned,
    /// It is an answer to another ask.
    #[error("the daemon hands over the answer to another ask")]
    AnotherAsk,
    /// What was shown is not what was asked.
    #[error("the devices were shown something else than was asked here")]
    OtherWords,
    /// The key is not in the list.
    #[error("the key that answered is not in the list")]
    UnknownKey,
    /// The signature does not hold.
    #[error("the answer's signature does not hold")]
    Signature,
}

/// The devices that may answer, as they would stand in a list; `now` is the judged time.
pub(super) fn of(rows: &[DeviceRow], machine: MachineId, now: UnixMillis) -> Vec<(DeviceId, Approver)> {
    let may = |row: &&DeviceRow| stands(row, None) && !sessions::is_expired(row, now);
    let listed = |row: &DeviceRow| {
        let key = row.approval.as_ref()?.key;
        Some((row.id, Approver { machine, key, name: row.name.clone() }))
    };
    rows.iter().filter(may).filter_map(listed).collect()
}

impl Approver {
    /// Its line in the list.
    pub fn line(&self) -> String {
        let (machine, key) = (to_base64url(self.machine.as_bytes()), to_base64url(self.key.as_bytes()));
        format!("{WORD} {machine} {key} {}", names::clean_name(&self.name))
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some(WORD) {
            return None;
        }
        let machine = MachineId::from_bytes(from_base64url(words.next()?)?);
        let key = PublicKey::from_bytes(from_base64url(words.next()?)?);
        let name = words.collect::<Vec<_>>().join(" ");
        Some(Self { machine, key, name: names::clean(&name, limits::NAME)? })
    }
}

impl Approvers {
    /// Reads a list: a line for each key, empty lines, and comments behind `#`.
    ///
    /// # Errors
    /// [`ApproversError`]: a list that is not wholly understood is not used at all.
    pub fn parse(text: &str) -> Result<Self, ApproversError> {
        let mut all = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let approver = if line.len() > LINE { None } else { Approver::parse(line) };
            all.push(approver.ok_or(ApproversError::Line(number + 1))?);
            if all.len() > MOST {
                return Err(ApproversError::TooLong);
            }
        }
        if all.is_empty() { Err(ApproversError::Empty) } else { Ok(Self(all)) }
    }

    /// Those in it.
    pub fn all(&self) -> &[Approver] {
        &self.0
    }

    /// Who said yes to `asked`, which is what this process asked, with what it knows of itself. The daemon may
    /// have seen less of this process than it sees itself, but nothing else.
    ///
    /// # Errors
    /// [`NotApproved`]: it is no yes, whatever the daemon says.
    pub fn check(&self, asked: &Question, proof: &AnswerProof) -> Result<&Approver, NotApproved> {
        let said = AskMessage::decode(&proof.message).map_err(|_| NotApproved::Unsigned)?;
        if asked.fresh.is_none() || said.fresh != asked.fresh {
            return Err(NotApproved::AnotherAsk);
        }
        let expected = expected(asked, &said).map_err(|_| NotApproved::OtherWords)?;
        if expected != proof.message {
            return Err(NotApproved::OtherWords);
        }
        let known = self.0.iter().find(|one| one.key == proof.key && one.machine == proof.machine);
        let approver = known.ok_or(NotApproved::UnknownKey)?;
        let addressee = Addressee { pin: proof.pin, machine: proof.machine, epoch: proof.epoch };
        let stated = Stated::Answer { ask: &said.id, request: request_hash(&proof.message) };
        let held = Statement::check(&addressee, &approver.key, &proof.signed, &stated);
        held.map_err(|_| NotApproved::Signature)?;
        Ok(approver)
    }
}

/// The message that a daemon makes of what was asked, built anew. Its id and its clock are the daemon's; which
/// facts it could see is the daemon's too, what they are is not.
fn expected(asked: &Question, said: &AskMessage) -> Result<String, AskError> {
    let mut own = asked.clone();
    own.known.user = own.known.user.filter(|_| said.known.user.is_some());
    own.known.process = own.known.process.filter(|_| said.known.process.is_some());
    let AskObserved { executable, arguments, arguments_left_out, directory } = &said.observed;
    own.observed.executable = own.observed.executable.filter(|_| executable.is_some());
    own.observed.directory = own.observed.directory.filter(|_| directory.is_some());
    if arguments.is_empty() && *arguments_left_out == 0 {
        own.observed.arguments.clear();
    }
    let time = own.time()?;
    own.shown(said.id.clone(), said.asked_at, time).map(|(_, message)| message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::identity::{KeyPair, Pin};
    use crate::wire::{AskClaimed, AskFresh, AskKnown, Nonce, NonceGiven};

    const MACHINE: MachineId = MachineId::from_bytes([2; 16]);

    fn asked(fresh: u8) -> Question {
        Question {
            known: AskKnown { uid: 0, user: Some("root".into()), process: Some(7) },
            observed: AskObserved {
                executable: Some("/usr/local/bin/pairpin".into()),
                arguments: vec!["pairpin".into(), "ask".into()],
                arguments_left_out: 0,
                directory: Some("/".into()),
            },
            claimed: AskClaimed { text: "Let ana use sudo?".into(), detail: Some("sudo apt update".into()) },
            time: Some(Duration::from_secs(60)),
            fresh: Some(AskFresh::from_bytes([fresh; 16])),
        }
    }

    /// What an honest daemon makes of it and a device signs.
    fn answered(asked: &Question, by: &KeyPair) -> AnswerProof {
        let time = asked.time().unwrap();
        let (shown, message) = asked.clone().shown("k7pq2abc".into(), 1_000, time).unwrap();
        signed(&shown.id, message, by)
    }

    fn signed(id: &str, message: String, by: &KeyPair) -> AnswerProof {
        let addressee = Addressee { pin: Pin::from_bytes([1; 32]), machine: MACHINE, epoch: 3 };
        let given = NonceGiven { nonce: Nonce::from_bytes([4; 16]), expires_at: 9 };
        let stated = Stated::Answer { ask: id, request: request_hash(&message) };
        let statement = Statement::new(&addressee, given, &stated);
        let signed = statement.signed(by.sign(statement.to_sign()).unwrap());
        let key = by.public_key().unwrap();
        AnswerProof { message, pin: addressee.pin, machine: MACHINE, epoch: 3, key, signed }
    }

    fn scene() -> (KeyPair, Approvers) {
        let key = KeyPair::generate().unwrap();
        let approver = Approver { machine: MACHINE, key: key.public_key().unwrap(), name: "Ana's phone".into() };
        let list = format!("# whom root believes\n\n{}\n", approver.line());
        (key, Approvers::parse(&list).unwrap())
    }

    #[test]
    fn a_yes_to_this_ask_by_a_key_of_the_list_is_believed() {
        let (key, approvers) = scene();
        let proof = answered(&asked(1), &key);
        assert_eq!(approvers.check(&asked(1), &proof).unwrap().name, "Ana's phone");
        // A daemon that may not look at a root's process says less, and nothing else.
        let mut less = asked(1);
        less.observed = AskObserved { arguments: less.observed.arguments, ..AskObserved::default() };
        assert!(approvers.check(&asked(1), &answered(&less, &key)).is_ok());
    }

    #[test]
    fn a_replayed_yes_a_yes_to_other_words_and_another_key_are_none() {
        let (key, approvers) = scene();
        let check = |proof: &AnswerProof| approvers.check(&asked(1), proof).map(|_| ());
        let good = answered(&asked(1), &key);
        assert_eq!(check(&good), Ok(()), "the control");
        // An older yes to the very same words.
        assert_eq!(check(&answered(&asked(2), &key)), Err(NotApproved::AnotherAsk));
        let unnumbered = Question { fresh: None, ..asked(1) };
        assert_eq!(check(&answered(&unnumbered, &key)), Err(NotApproved::AnotherAsk));
        assert!(approvers.check(&unnumbered, &answered(&unnumbered, &key)).is_err(), "without a number of its own");
        // The device was shown something else.
        type Change = fn(&mut Question);
        let changes: [Change; 8] = [
            |other| other.claimed.text = "Water the plants?".into(),
            |other| other.claimed.detail = None,
            |other| other.known.uid = 1000,
            |other| other.known.process = Some(8),
            |other| other.observed.arguments.push("--more".into()),
            |other| other.observed.executable = Some("/bin/true".into()),
            |other| other.observed.directory = Some("/home".into()),
            |other| other.time = Some(Duration::from_secs(61)),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut other = asked(1);
            change(&mut other);
            assert_eq!(check(&answered(&other, &key)), Err(NotApproved::OtherWords), "change {number}");
        }
        // The words are right, as JSON of another shape: what a device makes of it nobody knows.
        let shown = AskMessage::decode(&good.message).unwrap();
        let json = serde_json::to_string_pretty(&shown).unwrap();
        assert_eq!(check(&signed(&shown.id, to_base64url(json.as_bytes()), &key)), Err(NotApproved::OtherWords));
        // Another key, with or without the name of ours.
        let other = KeyPair::generate().unwrap();
        assert_eq!(check(&answered(&asked(1), &other)), Err(NotApproved::UnknownKey));
        let named = AnswerProof { key: key.public_key().unwrap(), ..answered(&asked(1), &other) };
        assert_eq!(check(&named), Err(NotApproved::Signature));
        // What the statement is bound to.
        for forged in
            [AnswerProof { pin: Pin::from_bytes([9; 32]), ..good.clone() }, AnswerProof { epoch: 4, ..good.clone() }]
        {
            assert_eq!(check(&forged), Err(NotApproved::Signature));
        }
        let elsewhere = AnswerProof { machine: MachineId::from_bytes([9; 16]), ..good };
        assert_eq!(check(&elsewhere), Err(NotApproved::UnknownKey));
    }

    #[test]
    fn a_list_is_read_whole_or_not_at_all() {
        let (key, approvers) = scene();
        let line = approvers.all()[0].line();
        assert!(line.starts_with("pairpin-approver-1 ") && line.ends_with(" Ana's phone"));
        for (text, error) in [
            (String::new(), ApproversError::Empty),
            ("# nobody\n".into(), ApproversError::Empty),
            (format!("{line}\nssh-ed25519 AAAA ana\n"), ApproversError::Line(2)),
            (line.replace("approver-1", "approver-2"), ApproversError::Line(1)),
            (line.replace(" Ana's phone", ""), ApproversError::Line(1)),
            (line[..line.len() / 2].to_owned(), ApproversError::Line(1)),
            (format!("{line}{}", "x".repeat(LINE)), ApproversError::Line(1)),
            (format!("{line}\n").repeat(MOST + 1), ApproversError::TooLong),
        ] {
            assert_eq!(Approvers::parse(&text), Err(error), "{text:.80}");
        }
        let named = Approver { machine: MACHINE, key: key.public_key().unwrap(), name: "a\nb\u{202E}".into() };
        assert_eq!(Approvers::parse(&named.line()).unwrap().all()[0].name, "a b", "a name makes no line of its own");
    }
}

//! A machine on a disk of its own, with a laptop and a phone; and what must hold while it cannot write,
//! and after.

use pairpin_core::wire::{CloseCode, RefusalCode};
use pairpin_tests::block_on;
use pairpin_tests::device::Device;
use pairpin_tests::fault::Disk;
use pairpin_tests::machine::Machine;
use pairpin_tests::peer::Refused;
use pairpin_tests::phone::Phone;
use pairpin_tests::process::Background;
use pairpin_tests::sqlite;
use rusqlite::Connection;

/// See the module. The disk goes first: nothing may hold on to it.
pub struct Scene {
    pub disk: Disk,
    pub machine: Machine,
    pub laptop: Device,
    pub phone: Phone,
}

/// A pairing that could not be stored: `pair` still waits for it.
pub struct Unstored {
    device: Device,
    link: String,
    waiting: Background,
    before: String,
}

impl Scene {
    /// A machine whose tokens are due for a change: the laptop has its new one already, the phone has not.
    #[track_caller]
    pub fn new(prepare: impl FnOnce(&mut Machine)) -> Self {
        let mut machine = Machine::new();
        let disk = Disk::on(&machine.state(), "4m");
        prepare(&mut machine);
        machine.start();
        let laptop = Device::new();
        laptop.join(machine.offer(&["--name", "laptop"]).link_text()).expect(0);
        let phone = Phone::paired(&machine, "phone");
        machine.stop().expect(0);
        let sql = "UPDATE tokens SET created_at = created_at - 90000000, changed_at = changed_at - 90000000";
        Connection::open(machine.file("machine.db")).unwrap().execute(sql, []).unwrap();
        machine.start();
        assert!(laptop.is_welcome());
        Self { disk, machine, laptop, phone }
    }

    /// Who is paired and who is revoked, by the database.
    #[track_caller]
    pub fn promises(&self) -> String {
        sqlite::promises(&self.machine.file("machine.db"))
    }

    #[track_caller]
    pub fn both_are_welcome(&mut self) {
        assert!(self.laptop.is_welcome(), "the laptop is kept out");
        assert!(self.phone.is_welcome(&self.machine), "the phone is kept out");
    }

    /// While the machine cannot write: `words` say why and what to do, on both sides; who is paired goes on,
    /// and what is not stored is called so.
    #[track_caller]
    pub fn cannot_write(&mut self, words: &[&str]) -> Unstored {
        let before = self.promises();
        self.both_are_welcome();
        // The tokens that are used now could not be noted as used, or were not replaced: they serve on.
        self.both_are_welcome();
        let mut waiting = Background::start(&mut self.machine.command(&["pair"]), None);
        let link = waiting.line("link", |line| line.starts_with("pairpin:"));
        let device = Device::new();
        device.join(&link).expect(1).says("could not store this").says("disk full?").says("try again");
        let said = waiting.either("word of the pairing", |line| line.contains("is NOT paired"));
        says(&said, words);
        self.is_not_revoked(words);
        self.machine.run(&["devices", "rename", "laptop", "other"]).expect(1).says(words[0]);
        // Where the system itself knows of it, doctor does.
        let doctor = self.machine.run(&["doctor"]).expect(1).stdout;
        assert_eq!(doctor.contains("!!  disk"), !words[0].contains("fails"), "{doctor}");
        assert_eq!(self.promises(), before, "something was stored, or is lost");
        assert!(self.laptop.is_welcome(), "the laptop is kept out");
        Unstored { device, link, waiting, before }
    }

    /// A revoke that cannot be stored: said so, and the phone is out all the same, but not told that it
    /// is revoked.
    #[track_caller]
    fn is_not_revoked(&mut self, words: &[&str]) {
        let Self { machine, phone, .. } = self;
        block_on(async {
            let mut connected = phone.connect(machine).await.unwrap();
            let refused = machine.run(&["devices", "revoke", "phone", "--yes"]).expect(1);
            assert_eq!(refused.stdout, "", "a revoke is announced that is not stored");
            says(&refused.stderr, &[words, &["NOT revoked", "kept out meanwhile", "a restart"]].concat());
            let (told, code) = connected.end().await.unwrap();
            assert_eq!((told.map(|told| told.code), code), (Some(CloseCode::Stopping), Some(4000)));
            match phone.connect(machine).await {
                Err(Refused::Told(refusal)) => assert_eq!(refusal.code, RefusalCode::Unavailable),
                other => panic!("the phone was to be revoked, and is told {other:?}"),
            }
        });
    }

    /// The fault has passed: the same daemon goes on, and what could not be done is done when it is
    /// asked for again.
    #[track_caller]
    pub fn goes_on(&mut self, mut unstored: Unstored) {
        unstored.device.join(&unstored.link).expect(0);
        let waited = unstored.waiting.end().expect(0);
        assert!(waited.stdout.contains("paired"), "{waited:?}");
        self.machine.run(&["devices", "revoke", "phone", "--yes"]).expect(0);
        match block_on(self.phone.connect(&self.machine)) {
            Err(Refused::Told(refusal)) => assert_eq!(refusal.code, RefusalCode::Revoked),
            other => panic!("the phone is revoked, and is told {other:?}"),
        }
        assert!(self.laptop.is_welcome() && unstored.device.is_welcome());
        let after = self.promises();
        let (was, is): (Vec<_>, Vec<_>) = (unstored.before.lines().collect(), after.lines().collect());
        let laptop = was.iter().find(|line| line.starts_with("paired laptop")).unwrap();
        assert!(is.contains(laptop), "{after}");
        let counts = (self.machine.devices().len(), is.iter().filter(|line| line.starts_with("revoked phone")).count());
        assert_eq!(counts, (2, 1), "{after}");
        sqlite::sound_in_use(&self.machine.file("machine.db")).unwrap();
        assert!(self.machine.daemon().is_running());
    }
}

/// Every word is there.
#[track_caller]
pub fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not said in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

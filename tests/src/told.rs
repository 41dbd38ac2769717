//! What each side was told, and whether it holds: the judge of `tests/kills`.
//!
//! A pairing that was answered is there; a device whose revoke returned is out, and its key with it,
//! for ever; nobody is locked out; an offer is used by one device; both databases are sound. What was
//! interrupted may have happened or not, but not half.

use pairpin_core::secrets::OfferSecret;
use pairpin_core::wire::{Frame, Grant, RefusalCode};

use crate::block_on;
use crate::device::Device;
use crate::machine::{Machine, Offer};
use crate::peer::{Event, Identity, Peer, Refused, Session};
use crate::process::Output;
use crate::sqlite;

/// What a person, or a device, was told before the kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing: it may have happened or not.
    Nothing,
    /// That the device is paired.
    Paired,
    /// That the device is revoked.
    Revoked,
}

impl Told {
    /// What `join` said.
    pub fn of_join(said: &Output) -> Self {
        if said.code == Some(0) || said.stdout.contains("paired with") { Self::Paired } else { Self::Nothing }
    }

    /// What `devices revoke` said.
    pub fn of_revoke(said: &Output) -> Self {
        if said.code == Some(0) || said.stdout.contains("revoked") { Self::Revoked } else { Self::Nothing }
    }
}

/// Whether the acknowledgement that was sent over this session is answered well.
pub async fn answered(session: &mut Session) -> bool {
    loop {
        match session.next().await {
            Ok(Event::Frame(Frame::Answer { result, .. })) => return result.is_ok(),
            Ok(Event::Frame(_)) => {}
            Ok(Event::Closed(_)) | Err(_) => return false,
        }
    }
}

/// A phone whose key we hold, whatever the machine says about it.
#[derive(Debug)]
pub struct Phone {
    identity: Identity,
    grant: Grant,
    name: String,
}

/// A machine, and all that was promised about it.
#[derive(Debug)]
pub struct World {
    /// The machine.
    pub machine: Machine,
    down: bool,
    restarted: bool,
    broken: Result<(), String>,
    alarms: i64,
    paired: Vec<String>,
    revoked: Vec<Phone>,
}

/// Something that was to hold does not; the text says what.
pub type Verdict = Result<(), String>;

impl World {
    /// A new machine that runs.
    #[track_caller]
    pub fn new() -> Self {
        let machine = Machine::started();
        Self {
            machine,
            down: false,
            restarted: false,
            broken: Ok(()),
            alarms: 0,
            paired: Vec::new(),
            revoked: Vec::new(),
        }
    }

    /// Kills the daemon and looks at what it leaves.
    pub fn crash(&mut self) {
        self.machine.crash();
        (self.down, self.restarted) = (true, true);
        self.broken = sqlite::sound(&self.machine.file("machine.db"));
    }

    /// The machine runs again, and every database is sound.
    ///
    /// # Errors
    /// One is not.
    #[track_caller]
    pub fn stands_again(&mut self, device: Option<&Device>) -> Verdict {
        std::mem::replace(&mut self.broken, Ok(()))?;
        if let Some(device) = device {
            sqlite::sound(&device.state().join("device.db"))?;
        }
        if std::mem::take(&mut self.down) {
            self.machine.start();
        }
        self.sound()
    }

    /// The running machine's database is sound.
    ///
    /// # Errors
    /// It is not.
    pub fn sound(&self) -> Verdict {
        sqlite::sound_in_use(&self.machine.file("machine.db"))
    }

    fn count(&self, table: &str, condition: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table} WHERE {condition}");
        sqlite::count(&self.machine.file("machine.db"), &sql)
    }

    /// Rows of a name; a second device of the name has a suffix.
    fn rows(&self, name: &str) -> i64 {
        self.count("devices", &format!("name LIKE '{name}%'"))
    }

    fn no_alarm(&mut self) -> Verdict {
        let alarms = self.count("audit", "kind = 'alarm'");
        match alarms - std::mem::replace(&mut self.alarms, alarms) {
            0 => Ok(()),
            more => Err(format!("{more} false alarms")),
        }
    }

    /// A pairing by the real device was cut short, or not: what it was told holds, it can be finished,
    /// and its offer is used up.
    ///
    /// # Errors
    /// Something of that is not so.
    pub fn pairing(&mut self, device: &Device, name: &str, told: Told, offer: &Offer) -> Verdict {
        let restarted = std::mem::take(&mut self.restarted);
        let listed = self.rows(name);
        if told == Told::Paired && listed == 0 {
            return Err(format!("lost: {name} was told that it is paired, and the machine does not list it"));
        }
        let link = offer.record["link"].as_str().filter(|_| offer.record["code"].is_null());
        let again = match link {
            Some(link) => device.join(link),
            None => device.join_by_code(&self.machine.address.to_string(), offer.code()),
        };
        let mut used: Vec<OfferSecret> = link.iter().map(|_| offer.link().secret).collect();
        if again.code != Some(0) {
            // A restart has withdrawn the offer. A code is not for a second run.
            if link.is_some() && (!restarted || listed > 0) {
                return Err(format!("locked out: the same link again ended with {again:?}"));
            }
            let fresh = self.machine.offer(&["--name", name]);
            let finished = device.join(fresh.link_text());
            if finished.code != Some(0) {
                return Err(format!("locked out: a fresh offer ended with {finished:?}"));
            }
            used.push(fresh.link().secret);
        }
        self.one_row(name)?;
        self.welcome(device)?;
        self.no_alarm()?;
        self.is_used_up(&used)?;
        self.paired.push(name.to_owned());
        Ok(())
    }

    fn one_row(&self, name: &str) -> Verdict {
        match self.rows(name) {
            1 => Ok(()),
            rows => Err(format!("used twice: {rows} rows of {name} on the machine")),
        }
    }

    /// The real device gets in, and has one machine.
    ///
    /// # Errors
    /// It does not.
    pub fn welcome(&self, device: &Device) -> Verdict {
        let machines = device.machines();
        let live: Vec<_> = machines.iter().filter(|machine| machine["state"] != "revoked").collect();
        match live.as_slice() {
            [machine] if machine["state"] == "online" => Ok(()),
            _ => Err(format!("locked out: not one machine that is online: {machines:#?}")),
        }
    }

    /// Nobody else is let in by these offers; whoever tries rings an alarm, which is not a false one.
    ///
    /// # Errors
    /// Somebody was.
    pub fn is_used_up(&mut self, secrets: &[OfferSecret]) -> Verdict {
        for secret in secrets {
            let stranger = Identity::new("a second device");
            let proven = block_on(async { stranger.prove(Peer::connect(self.machine.address).await?, secret).await });
            if proven.is_ok() {
                return Err("used twice: a second device was granted a used offer".to_owned());
            }
        }
        self.alarms = self.count("audit", "kind = 'alarm'");
        Ok(())
    }

    /// Pairs a phone of our own.
    ///
    /// # Panics
    /// The machine does not let it in.
    #[track_caller]
    pub fn phone(&self, name: &str) -> Phone {
        let secret = self.machine.offer(&["--name", name]).link().secret;
        let identity = Identity::new(name);
        let paired = block_on(async { identity.pair(Peer::connect(self.machine.address).await?, &secret).await });
        let (grant, _) = paired.unwrap_or_else(|refused| panic!("{name} is not paired: {refused:?}"));
        Phone { identity, grant, name: name.to_owned() }
    }

    fn resume(&self, phone: &Phone) -> Result<(), Refused> {
        let resumed = block_on(async {
            let peer = Peer::connect(self.machine.address).await?;
            phone.identity.resume(peer, &phone.grant, &phone.grant.token, &phone.grant.recognition_key).await
        });
        resumed.map(drop)
    }

    /// A phone's acknowledgement was cut short, or not.
    ///
    /// # Errors
    /// What it was told does not hold, or it is locked out.
    pub fn acknowledged(
        &mut self,
        identity: Identity,
        granted: Option<Grant>,
        name: &str,
        told: Told,
        offer: &OfferSecret,
    ) -> Verdict {
        self.restarted = false;
        let listed = self.rows(name);
        let outcome = match granted {
            None => Err(Refused::Stranger),
            Some(grant) => {
                let phone = Phone { identity, grant, name: name.to_owned() };
                let resumed = self.resume(&phone);
                if resumed.is_ok() {
                    self.paired.push(phone.name);
                    self.one_row(name)?;
                    return self.is_used_up(std::slice::from_ref(offer));
                }
                let again = self.pair_again(&phone.identity);
                again.map_err(|refused| format!("locked out: {name} cannot scan again: {refused:?}"))?;
                resumed
            }
        };
        match (told, listed, outcome) {
            (Told::Paired, ..) => Err(format!("lost: {name} was told that it is paired, and is not")),
            (_, 0, Err(Refused::Stranger)) => Ok(()),
            (_, listed, outcome) => Err(format!("half a device: {listed} rows of {name}, and it is told {outcome:?}")),
        }
    }

    fn pair_again(&self, identity: &Identity) -> Result<(), Refused> {
        let offer = self.machine.offer(&[]);
        let secret = offer.link().secret;
        let paired = block_on(async { identity.pair(Peer::connect(self.machine.address).await?, &secret).await });
        if paired.is_err() {
            // Nobody uses it any more, and a machine has room for so many.
            self.machine.run(&["offers", "cancel", &offer.record["number"].to_string()]).expect(0);
        }
        paired.map(drop)
    }

    /// A phone's revoke was cut short, or not: what the shell was told holds, half a revoke there is
    /// none, and the same command again finishes it.
    ///
    /// # Errors
    /// Something of that is not so.
    pub fn revoked_phone(&mut self, phone: Phone, told: Told) -> Verdict {
        self.restarted = false;
        let name = phone.name.clone();
        if self.is_revoked(&name, told)? {
            self.stays_out(&phone)?;
        } else {
            self.resume(&phone).map_err(|refused| format!("locked out: {name} is listed and told {refused:?}"))?;
            self.revoke_again(&name)?;
            self.stays_out(&phone)?;
        }
        // And one of those before.
        if let Some(earlier) = self.revoked.len().checked_sub(1).map(|last| &self.revoked[last / 2]) {
            self.stays_out(earlier)?;
        }
        self.revoked.push(phone);
        Ok(())
    }

    /// The same for a real device, which erases its keys once it is told.
    ///
    /// # Errors
    /// As [`revoked_phone`](Self::revoked_phone).
    pub fn revoked_laptop(&mut self, laptop: &Device, name: &str, told: Told) -> Verdict {
        self.restarted = false;
        if !self.is_revoked(name, told)? {
            self.welcome(laptop)?;
            self.revoke_again(name)?;
        }
        let state = laptop.only_machine()["state"].clone();
        if state == "revoked" { Ok(()) } else { Err(format!("a revoked device is back: {name} sees {state}")) }
    }

    fn is_revoked(&self, name: &str, told: Told) -> Result<bool, String> {
        // In one look: the daemon may be at it.
        let like = format!("WHERE name LIKE '{name}%'");
        let both = format!("(SELECT 10 * count(*) FROM devices {like}) + (SELECT count(*) FROM tombstones {like})");
        let both = sqlite::count(&self.machine.file("machine.db"), &format!("SELECT {both}"));
        let (listed, buried) = (both / 10, both % 10);
        match (told, listed, buried) {
            (_, 0, 1) => Ok(true),
            (Told::Nothing | Told::Paired, 1, 0) => Ok(false),
            (Told::Revoked, ..) => Err(format!(
                "a revoked device is back: the shell was told that {name} is revoked; rows: {listed}, tombstones: {buried}"
            )),
            _ => Err(format!("half a revoke: {listed} rows and {buried} tombstones of {name}")),
        }
    }

    fn revoke_again(&self, name: &str) -> Verdict {
        let again = self.machine.run(&["devices", "revoke", name, "--yes"]);
        if again.code == Some(0) { Ok(()) } else { Err(format!("the same revoke again ended with {again:?}")) }
    }

    /// The phone is told that it was revoked, by its session and with a fresh offer.
    fn stays_out(&self, phone: &Phone) -> Verdict {
        let told = |told: Result<(), Refused>, way: &str| match told {
            Err(Refused::Told(refusal)) if refusal.code == RefusalCode::Revoked => Ok(()),
            other => Err(format!("a revoked device is back: {way}, {} is told {other:?}", phone.name)),
        };
        told(self.resume(phone), "by its session")?;
        told(self.pair_again(&phone.identity), "with a fresh offer")
    }

    /// After all cycles, and once more after another crash: every pairing is there, nobody who was
    /// revoked is.
    ///
    /// # Errors
    /// Somebody is missing, or back.
    #[track_caller]
    pub fn at_the_end(&mut self) -> Verdict {
        self.crash();
        self.stands_again(None)?;
        if let Some(lost) = self.paired.iter().find(|name| self.rows(name) != 1) {
            return Err(format!("lost: {lost} was told that it is paired, and is gone by the end"));
        }
        self.revoked.iter().try_for_each(|phone| self.stays_out(phone))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

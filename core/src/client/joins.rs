//! Flow (c) on an owner's device: who asks to be let in, and deciding it by a scan or by the number.
//!
//! A yes is an [`Act`], prepared, signed and submitted as every other (`acts`); a no is the session key's.

use super::Client;
use super::acts::Act;
use super::error::ClientError;
use super::machines::MachineView;
use super::session::MachineSession;
use crate::join_qr::JoinQr;
use crate::names;
use crate::role::Role;
use crate::store::device::machines::MachineState as RowState;
use crate::wire::{
    ApproveJoin, DenyJoin, DenyThen, JoinAccepted, JoinHow, JoinId, JoinListed, JoinNumber, Method, Signed, limits,
};

/// What the approver chooses for the device that is let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JoinTerms {
    /// Its role, the approver's own at most; operator where it is left out.
    pub role: Option<Role>,
    /// Its name; its own where it is left out.
    pub name: Option<String>,
    /// Seconds that its session may live in all; as every session's where it is left out.
    pub absolute_seconds: Option<u64>,
}

/// A yes to a join: what the person agrees to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinApproval {
    /// The join as the machine lists it.
    pub listed: JoinListed,
    /// What was scanned or typed.
    pub how: JoinHow,
    /// The role it gets.
    pub role: Role,
    /// The name it is given.
    pub name: Option<String>,
    /// Seconds that its session may live in all.
    pub absolute_seconds: Option<u64>,
}

impl JoinApproval {
    pub(super) fn params(&self, signed: Signed) -> ApproveJoin {
        ApproveJoin {
            join: self.listed.join,
            key: self.listed.key,
            how: self.how,
            role: self.role,
            name: self.name.clone(),
            absolute_seconds: self.absolute_seconds,
            signed,
        }
    }
}

impl Client {
    /// The machine that a scanned joiner asks: found by the pin that the joiner saw, and by nothing else.
    ///
    /// # Errors
    /// [`ClientError::NotOurMachine`]: none of this device's has that key.
    pub async fn machine_of_join(&self, qr: &JoinQr) -> Result<MachineView, ClientError> {
        let rows = self.durable(|ledger| ledger.rows()).await?;
        // By the announced key too: this device may have slept through the change to it.
        let mut active = rows.iter().filter(|row| row.state == RowState::Active);
        let found = active.find(|row| [Some(row.pin), row.next_pin].iter().flatten().any(|pin| pin.prefix() == qr.pin));
        found.map(MachineView::of).ok_or(ClientError::NotOurMachine)
    }
}

impl MachineSession {
    /// The devices that ask to be let in, oldest first; names and platforms are what they claim.
    ///
    /// # Errors
    /// [`ClientError::NotAllowed`] unless this device is an owner there; the connection was lost.
    pub async fn joins(&mut self) -> Result<Vec<JoinListed>, ClientError> {
        let all: Vec<JoinListed> = self.ask(Method::Joins, &serde_json::Value::Null).await?;
        Ok(all.into_iter().map(cleaned).collect())
    }

    /// The act that lets a scanned joiner in.
    ///
    /// # Errors
    /// [`ClientError::NotOurMachine`]: it asks another machine. [`ClientError::NotThere`]: it asks no more.
    pub async fn approve_scanned(&mut self, qr: &JoinQr, terms: JoinTerms) -> Result<Act, ClientError> {
        if self.row.pin.prefix() != qr.pin {
            return Err(ClientError::NotOurMachine);
        }
        let listed = self.listed(qr.join).await?;
        Ok(approval(listed, JoinHow::Scan(qr.transcript), terms))
    }

    /// The act that lets a joiner in by the number on its screen.
    ///
    /// # Errors
    /// [`ClientError::NotThere`]: it asks no more. [`ClientError::JoinWithoutNumber`]: it has none.
    pub async fn approve_number(
        &mut self,
        join: JoinId,
        number: JoinNumber,
        terms: JoinTerms,
    ) -> Result<Act, ClientError> {
        let listed = self.listed(join).await?;
        if !listed.number {
            return Err(ClientError::JoinWithoutNumber);
        }
        Ok(approval(listed, JoinHow::Number(number), terms))
    }

    /// Lets it in with this device's software approval key: the command line's way. Gives the four digits to
    /// be typed into the joiner.
    ///
    /// # Errors
    /// [`ClientError::NotThatJoin`]: it is denied by that. Otherwise as [`submit`](Self::submit).
    pub async fn let_in_here(&mut self, act: Act) -> Result<JoinAccepted, ClientError> {
        accepted(self.act_here(act).await?)
    }

    /// Says no; nobody has to be present for that.
    ///
    /// # Errors
    /// [`ClientError::NotThere`]: it asks no more.
    pub async fn deny_join(&mut self, join: JoinId, then: Option<DenyThen>) -> Result<(), ClientError> {
        self.ask::<_, serde_json::Value>(Method::DenyJoin, &DenyJoin { join, then }).await.map(|_| ())
    }

    async fn listed(&mut self, join: JoinId) -> Result<JoinListed, ClientError> {
        let found = self.joins().await?.into_iter().find(|listed| listed.join == join && !listed.before_restart);
        found.ok_or_else(|| ClientError::NotThere { name: self.row.name.clone() })
    }
}

/// Reads the machine's answer to a yes, made safe to show: the digits are digits.
///
/// # Errors
/// [`ClientError::Protocol`].
pub fn accepted(answer: serde_json::Value) -> Result<JoinAccepted, ClientError> {
    let accepted: JoinAccepted = serde_json::from_value(answer).map_err(|_| ClientError::Protocol)?;
    if accepted.digits.len() != 4 || !accepted.digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ClientError::Protocol);
    }
    Ok(JoinAccepted { name: names::clean_name(&accepted.name), ..accepted })
}

/// What a machine said of a joiner, made safe to show.
pub(super) fn cleaned(listed: JoinListed) -> JoinListed {
    JoinListed {
        name: names::clean_name(&listed.name),
        platform: names::clean_platform(&listed.platform),
        from: names::clean(&listed.from, 2 * limits::NAME).unwrap_or_default(),
        revoked_by: listed.revoked_by.and_then(|by| names::clean(&by, limits::NAME)),
        known_as: listed.known_as.and_then(|name| names::clean(&name, limits::NAME)),
        ..listed
    }
}

fn approval(listed: JoinListed, how: JoinHow, terms: JoinTerms) -> Act {
    let JoinTerms { role, name, absolute_seconds } = terms;
    let role = role.unwrap_or(Role::Operator);
    Act::ApproveJoin(Box::new(JoinApproval { listed, how, role, name, absolute_seconds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hostile_machine_answers_to_a_yes_steers_no_screen() {
        let answer = |digits: &str| serde_json::json!({ "digits": digits, "name": "a\x1b[2Jb", "role": "viewer" });
        let accepted_one = accepted(answer("0427")).unwrap();
        assert_eq!((accepted_one.digits.as_str(), accepted_one.name.as_str()), ("0427", "a[2Jb"));
        for digits in ["", "427", "04277", "\x1b[2J", "٠٤٢٧", "04 7"] {
            assert!(matches!(accepted(answer(digits)), Err(ClientError::Protocol)), "{digits:?}");
        }
    }
}

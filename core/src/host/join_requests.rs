//! What owner devices ask for about joins, behind `requests`: the list, a yes by a statement, a no.

use serde_json::Value;

use super::authority::Authority;
use super::joins::LetInAs;
use super::live::Live;
use super::requests::{check, value};
use super::rows::TEN_YEARS;
use super::{Host, HostError};
use crate::handshake::{ApprovedJoin, Stated};
use crate::names::clean_name;
use crate::store::host::devices::DeviceRow;
use crate::wire::{ApproveJoin, DenyJoin, RequestError};

/// What waits.
pub(super) fn list(live: &Live) -> Result<Value, RequestError> {
    value(live.shared.joins_listed())
}

/// The approval key says yes, to what was scanned or typed.
pub(super) async fn approve(live: &mut Live, row: &DeviceRow, asked: ApproveJoin) -> Result<Value, RequestError> {
    let stated = Stated::ApproveJoin(ApprovedJoin {
        join: asked.join,
        key: asked.key,
        how: asked.how,
        role: asked.role,
        name: asked.name.as_deref().unwrap_or_default(),
        absolute_seconds: asked.absolute_seconds,
    });
    check(live, row.approval.as_ref().map(|approval| approval.key), &asked.signed, &stated)?;
    if asked.role > row.role {
        return Err(RequestError::Role);
    }
    if asked.absolute_seconds.is_some_and(|seconds| !(60..=TEN_YEARS).contains(&seconds)) {
        return Err(RequestError::Params);
    }
    // What the person saw is what waits: the key goes with the name.
    let listed = live.shared.join_listed(asked.join).ok_or(RequestError::Gone)?;
    if listed.key != asked.key || listed.before_restart {
        return Err(RequestError::Gone);
    }
    let host = Host { shared: live.shared.clone() };
    let what = LetInAs {
        by: Authority::of(live, row),
        how: asked.how,
        role: asked.role,
        role_by_default: false,
        name: asked.name.as_deref().map(clean_name),
        absolute_seconds: asked.absolute_seconds,
    };
    value(host.let_in(asked.join, what).await.map_err(|error| refusal(&error))?)
}

/// The session key says no: nobody is let in by that.
pub(super) async fn deny(live: &Live, row: &DeviceRow, asked: DenyJoin) -> Result<Value, RequestError> {
    let host = Host { shared: live.shared.clone() };
    let by = Authority::of(live, row);
    host.deny_join_by(asked.join, asked.then, &by).await.map_err(|error| refusal(&error))?;
    Ok(Value::Null)
}

fn refusal(error: &HostError) -> RequestError {
    match error {
        HostError::NoJoin(_) | HostError::JoinBeforeRestart => RequestError::Gone,
        HostError::NotThatJoin => RequestError::NotThatJoin,
        HostError::JoinRevoked(_) => RequestError::KeyRevoked,
        HostError::JoinWithoutNumber => RequestError::Params,
        _ => RequestError::Failed,
    }
}

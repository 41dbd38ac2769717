//! What a paired device may do on a machine.
//!
//! The rules about who may get which role are in `host`; this is the vocabulary.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A device's role, in rising order of what it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the machine's status only.
    Viewer,
    /// Opens services and answers asks.
    Operator,
    /// Approves, revokes, and everything below.
    Owner,
}

impl Role {
    /// The word shown to people, typed on the command line and stored in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }

    /// The role a new device gets when the offer names none: owner while no owner is paired, after
    /// that operator.
    pub fn for_new_device(an_owner_is_paired: bool) -> Self {
        if an_owner_is_paired { Self::Operator } else { Self::Owner }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role, use owner, operator or viewer")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        [Self::Viewer, Self::Operator, Self::Owner].into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_device_is_owner_and_later_ones_are_operators() {
        assert_eq!(Role::for_new_device(false), Role::Owner);
        assert_eq!(Role::for_new_device(true), Role::Operator);
    }

    #[test]
    fn roles_are_ordered_by_what_they_may_do() {
        assert!(Role::Owner > Role::Operator && Role::Operator > Role::Viewer);
    }
}

//! From which networks a device may ask to be let in: `serve --join-from`.

use std::fmt;
use std::str::FromStr;

use crate::wire::AddressKind;

/// See the module. The default is the local network and the tailnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinFrom {
    lan: bool,
    tailnet: bool,
    loopback: bool,
    any: bool,
}

impl Default for JoinFrom {
    fn default() -> Self {
        Self { lan: true, tailnet: true, ..Self::NONE }
    }
}

impl JoinFrom {
    /// Nobody may ask.
    pub const NONE: Self = Self { lan: false, tailnet: false, loopback: false, any: false };

    /// Whether somebody of that network may ask.
    pub(super) fn admits(self, network: AddressKind) -> bool {
        self.any
            || match network {
                AddressKind::Lan => self.lan,
                AddressKind::Tailnet => self.tailnet,
                AddressKind::Loopback => self.loopback,
                AddressKind::Tunnel | AddressKind::Public | AddressKind::Container | AddressKind::Advertised => false,
            }
    }
}

/// The text names no networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use lan, tailnet and loopback with commas between them, or any, or none")]
pub struct UnknownNetworks;

impl FromStr for JoinFrom {
    type Err = UnknownNetworks;

    fn from_str(text: &str) -> Result<Self, UnknownNetworks> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let mut from = Self::NONE;
        for word in &words {
            match (*word, words.len()) {
                ("lan", _) => from.lan = true,
                ("tailnet", _) => from.tailnet = true,
                ("loopback", _) => from.loopback = true,
                ("any", 1) => from.any = true,
                ("none", 1) => {}
                _ => return Err(UnknownNetworks),
            }
        }
        Ok(from)
    }
}

impl fmt::Display for JoinFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [("any", self.any), ("lan", self.lan), ("tailnet", self.tailnet), ("loopback", self.loopback)];
        let words: Vec<&str> = words.iter().filter(|(_, on)| *on).map(|(word, _)| *word).collect();
        f.write_str(if words.is_empty() { "none".to_owned() } else { words.join(",") }.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressKind as K;

    #[test]
    fn each_word_lets_in_its_own_network_and_no_other() {
        let all = [K::Lan, K::Tailnet, K::Tunnel, K::Public, K::Container, K::Loopback, K::Advertised];
        for (text, admitted) in [
            ("lan,tailnet", &[K::Lan, K::Tailnet][..]),
            ("lan", &[K::Lan]),
            ("tailnet", &[K::Tailnet]),
            ("loopback", &[K::Loopback]),
            ("lan, loopback", &[K::Lan, K::Loopback]),
            ("any", &all),
            ("none", &[]),
        ] {
            let from: JoinFrom = text.parse().unwrap();
            let got: Vec<_> = all.into_iter().filter(|kind| from.admits(*kind)).collect();
            assert_eq!(got, admitted, "{text}");
            assert_eq!(from.to_string().parse(), Ok(from));
        }
        assert_eq!(JoinFrom::default().to_string(), "lan,tailnet");
        for wrong in ["", "wan", "any,lan", "none,lan", "lan,"] {
            assert_eq!(wrong.parse::<JoinFrom>(), Err(UnknownNetworks), "{wrong:?}");
        }
    }
}

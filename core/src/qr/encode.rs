//! From a link to modules: the smallest version that scans well. Renderings are next door
//! (`terminal`, `picture`).

use std::fmt;

use qrcode::bits::Bits;
use qrcode::{Color, EcLevel, Version};
use zeroize::Zeroizing;

use super::{QUIET_ZONE, QrError};
use crate::join_qr::JoinQr;
use crate::link::{Link, SCHEME};
use crate::recovery_sheet::RecoverySheet;

/// What is tried, in this order. A version less beats a level of correction more: the modules get
/// larger on the same screen, and version 4 in half blocks fits a terminal of 80×24. Nothing smaller
/// is tried, since no link fits version 3 at M.
const CHOICES: [(i16, EcLevel); 3] = [(4, EcLevel::M), (4, EcLevel::L), (5, EcLevel::M)];

/// A link as a QR. Whoever sees its modules has the offer: it cannot be printed by accident.
#[derive(Clone)]
pub struct QrCode {
    version: u8,
    size: usize,
    /// Row by row, `true` is dark.
    modules: Zeroizing<Vec<bool>>,
}

impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QrCode").field("version", &self.version).finish_non_exhaustive()
    }
}

impl QrCode {
    /// The QR of a link: version 4 at M, else at L, else version 5 at M.
    ///
    /// # Errors
    /// [`QrError::TooLong`]: the link has too many or too long addresses. One that
    /// [`Link::fitting`] made always fits version 4.
    pub fn of_link(link: &Link) -> Result<Self, QrError> {
        let text = link.to_text();
        let body = text.strip_prefix(SCHEME).ok_or(QrError::TooLong)?;
        CHOICES.iter().find_map(|(version, level)| Self::draw(SCHEME, body, *version, *level)).ok_or(QrError::TooLong)
    }

    /// The QR of a device that asks to be let in: always version 4.
    ///
    /// # Errors
    /// [`QrError::TooLong`]: never in practice, its text has one length.
    pub fn of_join(join: &JoinQr) -> Result<Self, QrError> {
        let text = join.to_text();
        CHOICES.iter().find_map(|(version, level)| Self::draw("", &text, *version, *level)).ok_or(QrError::TooLong)
    }

    /// The QR of a recovery sheet, which is printed and not shown: as small a version from 6 to 8 as holds it at M.
    ///
    /// # Errors
    /// [`QrError::TooLong`]: never in practice, a sheet is as long as version 8 at most.
    pub fn of_sheet(sheet: &RecoverySheet) -> Result<Self, QrError> {
        let text = sheet.to_text();
        (6..=8).find_map(|version| Self::draw("", &text, version, EcLevel::M)).ok_or(QrError::TooLong)
    }

    /// `None` where the body does not fit.
    fn draw(scheme: &str, body: &str, version: i16, level: EcLevel) -> Option<Self> {
        let mut bits = Bits::new(Version::Normal(version));
        // Segments by hand: the crate's optimiser cuts a body that has runs of digits into more of
        // them and spills into the next version.
        if !scheme.is_empty() {
            bits.push_byte_data(scheme.as_bytes()).ok()?;
        }
        bits.push_alphanumeric_data(body.as_bytes()).ok()?;
        bits.push_terminator(level).ok()?;
        let code = qrcode::QrCode::with_bits(bits, level).ok()?;
        let size = code.width();
        let modules = code.into_colors().into_iter().map(|color| color == Color::Dark).collect();
        Some(Self { version: u8::try_from(version).ok()?, size, modules: Zeroizing::new(modules) })
    }

    /// 4 or 5.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// Modules on a side, without the quiet zone: 33 for version 4, 37 for version 5.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The modules row by row, `true` is dark, without the quiet zone.
    pub fn modules(&self) -> &[bool] {
        &self.modules
    }

    /// Modules on a side with the quiet zone: 41 or 45.
    pub(super) fn full_size(&self) -> usize {
        self.size + 2 * QUIET_ZONE
    }

    /// Whether the module is dark, counted from the corner of the quiet zone; light outside.
    pub(super) fn is_dark(&self, x: usize, y: usize) -> bool {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET_ZONE), y.checked_sub(QUIET_ZONE)) else { return false };
        x < self.size && y < self.size && self.modules.get(y * self.size + x).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::PinPrefix;
    use crate::link::{BODY_4L, BODY_4M};
    use crate::secrets::OfferSecret;

    fn fits(length: usize, version: i16, level: EcLevel) -> bool {
        // Digits are the body that the crate's optimiser would treat differently.
        QrCode::draw(SCHEME, &"7".repeat(length), version, level).is_some()
    }

    #[test]
    fn the_limits_of_a_body_are_those_of_the_versions() {
        assert!(fits(BODY_4M, 4, EcLevel::M) && !fits(BODY_4M + 1, 4, EcLevel::M));
        assert!(fits(BODY_4L, 4, EcLevel::L) && !fits(BODY_4L + 1, 4, EcLevel::L));
        assert!(fits(108, 5, EcLevel::M) && !fits(109, 5, EcLevel::M));
    }

    #[test]
    fn a_longer_link_takes_the_next_choice_and_one_too_long_is_an_error() {
        let version = |hosts: &[&str]| {
            let link = Link {
                pin: PinPrefix::from_bytes([1; 16]),
                secret: OfferSecret::from_bytes([2; 16]),
                addresses: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            };
            QrCode::of_link(&link).map(|code| (code.version(), code.size()))
        };
        assert_eq!(version(&[]), Ok((4, 33)));
        assert_eq!(version(&["10.0.0.1", "fd00::1", "10.0.0.2"]), Ok((4, 33)));
        assert_eq!(version(&["homebox.homes.example.com", "10.0.0.2"]), Ok((5, 37)));
        assert_eq!(version(&["fd00::1", "fd00::2"]), Err(QrError::TooLong));
    }

    #[test]
    fn a_printed_code_shows_no_modules() {
        let link =
            Link { pin: PinPrefix::from_bytes([1; 16]), secret: OfferSecret::from_bytes([2; 16]), addresses: vec![] };
        assert_eq!(format!("{:?}", QrCode::of_link(&link).unwrap()), "QrCode { version: 4, .. }");
    }
}

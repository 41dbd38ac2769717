//! The steps of a reconnect: what `client::resume` and `reconnect` on the machine do, one after the other.

use super::super::disk::{Change, Went, id};
use super::super::{hash_of, number_of};
use super::state::{At, Device, State, key, numbers, record};
use super::{Add, Pairing};
use crate::host::sessions::Verdict;
use crate::token::TokenHash;

impl Pairing {
    /// The next step of a reconnect.
    pub(super) fn reconnect(&self, state: &State, number: usize, add: Add<'_>) {
        let line = &state.lines[number];
        let (of, disk) = (line.of, &state.disks[line.of]);
        let device = key(of);
        match &line.at {
            At::Dial => {
                let refused: Vec<_> = line.refused.iter().map(|number| hash_of(*number)).collect();
                let next = record(&state.devices[of]).token_to_try(&refused).map(|it| number_of(&TokenHash::of(it)));
                add(format!("device {of} asks with {next:?}"), true, false, &|to| match next {
                    Some(token) => to.go(number, At::Asked(token)),
                    None => to.end(number),
                });
            }
            At::Asked(token) => add(format!("the machine judges {token}"), true, false, &|to| {
                if disk.revoked {
                    return to.go(number, At::Revoked);
                }
                let claim = to.offers.claim_of(id(device), &hash_of(*token), to.now);
                let granted =
                    claim.filter(|(_, claim)| claim.granted.as_ref().is_some_and(|it| it.token == hash_of(*token)));
                if let Some((offer, _)) = granted
                    && let Some(taken) = to.offers.acknowledge(offer, &hash_of(*token), to.now)
                {
                    return to.go(number, At::Writing { taken: Box::new(taken), token: *token, resume: true });
                }
                let Some(r) = disk.row else { return to.go(number, At::Refused(*token)) };
                match self.sqlite.judge(device, disk, *token) {
                    Verdict::Welcome { .. } => to.go(number, At::Welcome { token: *token, r }),
                    Verdict::Promote => to.go(number, At::Promoting(*token)),
                    Verdict::Theft => Some("an honest device was suspended".into()),
                    Verdict::Refuse(_) => to.go(number, At::Refused(*token)),
                }
            }),
            At::Promoting(token) => add(format!("the machine promotes {token}"), true, false, &|to| {
                let (disk, went) = self.sqlite.run(device, &to.disks[of], &Change::Promote(*token));
                to.disks[of] = disk;
                let Some(r) = to.disks[of].row.filter(|_| went == Went::Well) else {
                    return to.go(number, At::Refused(*token));
                };
                to.go(number, At::Welcome { token: *token, r })
            }),
            At::Welcome { token, r } if line.owned => add(format!("device {of} is welcome"), true, of == 0, &|to| {
                if to.devices[of].gone {
                    return to.end(number);
                }
                let mut record = record(&to.devices[of]);
                let refused: Vec<_> = line.refused.iter().map(|number| hash_of(*number)).collect();
                record.welcomed(&hash_of(*token), &refused, None);
                let (tokens, device) = (numbers(&record), &mut to.devices[of]);
                let copied = device.r != *r;
                (device.tokens, device.active) = (tokens, true);
                to.end(number);
                copied.then(|| "an honest machine is taken for a thief".into())
            }),
            At::Refused(token) if line.owned => add(format!("device {of} is refused"), true, false, &|to| {
                to.lines[number].refused.push(*token);
                to.go(number, At::Dial)
            }),
            At::Revoked if line.owned => add(format!("device {of} is told that it is revoked"), true, false, &|to| {
                to.devices[of] = Device { gone: true, ..Device::default() };
                to.end(number)
            }),
            At::Unavailable if line.owned => {
                add(format!("device {of} is to come again"), true, false, &|to| to.end(number));
            }
            // On its way to nobody.
            At::Welcome { .. } | At::Refused(_) | At::Unavailable | At::Revoked => {}
            other => unreachable!("{other:?} is no step of a reconnect"),
        }
    }
}

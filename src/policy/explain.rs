//! Why an endpoint was chosen and why an attempt was retried, in words that a report can use.
//!
//! *Knows* what the rules of choice look at while they choose, and which conditions an outcome meets.
//! *Does not know* any rule: the balancer tells a `Watch` what it does, and most of the time nobody
//! listens, which costs nothing. Start reading at [`Router::explain`](super::Router::explain).

use super::EndpointId;
use super::Outcome;
use super::config::LbPolicy;
use super::config::RetryOn;
use super::retry;
use super::retry::Rules;
use super::view::Source;

/// Why an endpoint was chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// Who.
    pub endpoint: EndpointId,
    /// The rule that chose.
    pub rule: LbPolicy,
    /// Turns went by weight.
    pub by_weight: bool,
    /// The list that was chosen from.
    pub list: List,
    /// Endpoints in that list.
    pub among: u32,
    /// Its priority.
    pub priority: u8,
    /// Only endpoints of this zone were in it.
    pub zone: Option<u8>,
    /// Requests that the chosen one had under way.
    pub active: u32,
    /// One that was drawn with it and had as many or more under way, and how many.
    pub other: Option<(EndpointId, u32)>,
    /// Picks that were turned down because the request had been there before.
    pub rejected: u8,
    /// It had been there before all the same: the extra picks were used up.
    pub again: bool,
}

/// Which list a choice was made from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum List {
    /// The healthy.
    Healthy,
    /// The degraded, because too few are healthy.
    Degraded,
    /// Everybody: too few are healthy to believe in health (panic).
    Everybody,
}

impl From<Source> for List {
    fn from(source: Source) -> List {
        match source {
            Source::Healthy | Source::ZoneHealthy(_) => List::Healthy,
            Source::Degraded | Source::ZoneDegraded(_) => List::Degraded,
            Source::All => List::Everybody,
        }
    }
}

/// The conditions among `on` that an outcome meets, for a policy with such `retriable_status_codes`.
pub fn conditions_met(on: RetryOn, codes: &[u16], outcome: Outcome) -> RetryOn {
    RetryOn::NAMES
        .into_iter()
        .filter(|(_, one)| on.any(*one) && retry::retriable(&Rules { on: *one, codes: [codes, &[]] }, outcome))
        .fold(RetryOn::NONE, |met, (_, one)| met.with(one))
}

/// Is told what a choice looks at.
pub(super) trait Watch {
    /// The list, and how many are in it.
    #[inline]
    fn list(&mut self, _priority: usize, _source: Source, _among: usize) {}
    /// Turns go by weight.
    #[inline]
    fn by_weight(&mut self) {}
    /// An endpoint was looked at, with what it has under way.
    #[inline]
    fn drawn(&mut self, _slot: u32, _active: u32) {}
    /// A pick was turned down.
    #[inline]
    fn rejected(&mut self) {}
}

/// Nobody listens.
pub(super) struct Unwatched;

impl Watch for Unwatched {}

/// Remembers what it was told.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) list: Option<(usize, Source, usize)>,
    pub(super) by_weight: bool,
    /// Of the last pick.
    pub(super) draws: Vec<(u32, u32)>,
    pub(super) rejected: u8,
}

impl Watch for Seen {
    fn list(&mut self, priority: usize, source: Source, among: usize) {
        self.list = Some((priority, source, among));
        self.draws.clear();
    }
    fn by_weight(&mut self) {
        self.by_weight = true;
    }
    fn drawn(&mut self, slot: u32, active: u32) {
        self.draws.push((slot, active));
    }
    fn rejected(&mut self) {
        self.rejected = self.rejected.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Answer;
    use crate::policy::Trouble;

    #[test]
    fn the_conditions_that_an_outcome_meets_are_named_one_by_one() {
        let on = RetryOn::GATEWAY_ERROR.with(RetryOn::CONNECT_FAILURE).with(RetryOn::RETRIABLE_STATUS_CODES);
        let met = |codes: &[u16], outcome| conditions_met(on, codes, outcome);
        let answered = |status| Outcome::Answered(Answer::of(status));
        assert_eq!(met(&[], answered(503)), RetryOn::GATEWAY_ERROR);
        assert_eq!(met(&[503], answered(503)), RetryOn::GATEWAY_ERROR.with(RetryOn::RETRIABLE_STATUS_CODES));
        assert_eq!(met(&[], answered(500)), RetryOn::NONE, "only what is configured");
        let refused = Outcome::Failed(Trouble::ConnectRefused);
        assert_eq!(met(&[], refused), RetryOn::GATEWAY_ERROR.with(RetryOn::CONNECT_FAILURE));
    }
}

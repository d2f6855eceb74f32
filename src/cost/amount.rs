//! An amount of money, as sure as it is.
//!
//! *Knows* sums and means over replications. *Does not know* what is paid for.

use std::iter::Sum;

use crate::measure::estimate::Bad;
use crate::measure::estimate::Estimator;
use crate::units::Money;

/// Money for a month.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Amount {
    /// The same whatever happens.
    Fixed(Money),
    /// One value per replication.
    Each(Vec<Money>),
    /// At least so much, because something in it is not known; the reason.
    AtLeast(Vec<Money>, String),
    /// Nobody can tell; the reason.
    Unknown(String),
}

/// Mean and interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spread {
    /// Mean over replications, to the nearest nano-dollar.
    pub mean: Money,
    /// Lower end of the confidence interval; `None` where nothing varies or one replication cannot say.
    pub low: Option<Money>,
    /// Upper end.
    pub high: Option<Money>,
}

impl Amount {
    /// Why it is not known in full.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Amount::AtLeast(_, why) | Amount::Unknown(why) => Some(why),
            Amount::Fixed(_) | Amount::Each(_) => None,
        }
    }
    /// What is known of it, by replication; one value where nothing varies, none where nothing is known.
    pub fn known(&self) -> &[Money] {
        match self {
            Amount::Fixed(money) => std::slice::from_ref(money),
            Amount::Each(each) | Amount::AtLeast(each, _) => each,
            Amount::Unknown(_) => &[],
        }
    }
    /// Mean and interval of what is known; `None` where nothing is.
    pub fn spread(&self, confidence: f64) -> Option<Spread> {
        let known = self.known();
        let first = *known.first()?;
        let mean = known.iter().copied().sum::<Money>().part(1, known.len() as u128);
        if known.iter().all(|money| *money == first) {
            let certain = (known.len() > 1).then_some(first);
            return Some(Spread { mean, low: certain, high: certain });
        }
        let values: Vec<f64> = known.iter().map(|money| money.as_f64()).collect();
        let estimate = Estimator::new(confidence).estimate(&values, Bad::Up)?;
        let bound = |x: Option<f64>| x.map(|x| Money::from_f64(x.max(0.0)));
        Some(Spread { mean, low: bound(estimate.low), high: bound(estimate.high) })
    }
    /// Its value in one replication, as far as it is known.
    pub fn in_replication(&self, at: usize) -> Option<Money> {
        let known = self.known();
        known.get(at).or_else(|| known.first().filter(|_| known.len() == 1)).copied()
    }
}

impl<'a> Sum<&'a Amount> for Amount {
    fn sum<I: Iterator<Item = &'a Amount>>(amounts: I) -> Amount {
        let (mut fixed, mut each, mut why) = (Money::ZERO, Vec::<Money>::new(), Vec::<&str>::new());
        for amount in amounts {
            if let Some(reason) = amount.unknown()
                && !why.contains(&reason)
            {
                why.push(reason);
            }
            match amount.known() {
                [] => {}
                [one] => fixed += *one,
                many => {
                    each.resize(many.len().max(each.len()), Money::ZERO);
                    for (sum, money) in each.iter_mut().zip(many) {
                        *sum += *money;
                    }
                }
            }
        }
        for sum in &mut each {
            *sum += fixed;
        }
        if each.is_empty() {
            each.push(fixed);
        }
        match (why.is_empty(), each.len()) {
            (true, 1) => Amount::Fixed(each[0]),
            (true, _) => Amount::Each(each),
            (false, _) => Amount::AtLeast(each, why.join("; ")),
        }
    }
}

/// A quantity for people: six significant digits, no exponent.
pub fn plain(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let magnitude = libm::log10(value.abs()).floor();
    let decimals = (5.0 - magnitude).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(n: i64) -> Money {
        Money::from_cents(n)
    }

    #[test]
    fn sums_keep_what_varies_and_what_is_not_known() {
        let (fixed, each) = (Amount::Fixed(cents(5)), Amount::Each(vec![cents(1), cents(3)]));
        let unknown = Amount::Unknown("no price".to_owned());
        assert_eq!([&fixed, &fixed].into_iter().sum::<Amount>(), Amount::Fixed(cents(10)));
        assert_eq!([&fixed, &each].into_iter().sum::<Amount>(), Amount::Each(vec![cents(6), cents(8)]));
        let all: Amount = [&fixed, &unknown, &each].into_iter().sum();
        assert_eq!(all, Amount::AtLeast(vec![cents(6), cents(8)], "no price".to_owned()));
        assert_eq!(all.spread(0.95).unwrap().mean, cents(7));
        assert_eq!(std::iter::empty::<&Amount>().sum::<Amount>(), Amount::Fixed(Money::ZERO));
    }

    #[test]
    fn a_mean_is_rounded_once() {
        let thirds = Amount::Each(vec![Money::from_nanos(1), Money::from_nanos(1), Money::ZERO]);
        assert_eq!(thirds.spread(0.95).unwrap().mean, Money::from_nanos(1));
        assert_eq!(Amount::Unknown(String::new()).spread(0.95), None);
    }

    #[test]
    fn quantities_have_six_digits() {
        for (value, text) in
            [(0.0, "0"), (30.0, "30"), (1_234_567.8, "1234568"), (0.062_5, "0.0625"), (6.083_333_3, "6.08333")]
        {
            assert_eq!(plain(value), text);
        }
    }
}

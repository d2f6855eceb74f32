//! Cases, made from a seed.
//!
//! *Knows* which configurations and timelines are worth trying, and that nothing may happen close
//! to a timer of Envoy's. *Does not know* what comes of them.
//! Bursts begin at 22 % and at 60 % of an interval and last a quarter of it at the most. Ejections
//! therefore begin in the middle of an interval, or at a sweep where rates eject.

use super::case::Burst;
use super::case::Case;
use super::case::Family;
use super::case::Host;
use super::envoy::upstreams::Act;
use super::envoy::upstreams::Answer;
use scsim::policy::PolicyConfig;
use scsim::policy::config::CircuitBreakers;
use scsim::policy::config::HeaderMatch;
use scsim::policy::config::LbPolicy;
use scsim::policy::config::OutlierDetection;
use scsim::policy::config::Panic;
use scsim::policy::config::RetryBudget;
use scsim::policy::config::RetryOn;
use scsim::policy::config::RetryPolicy;
use scsim::policy::config::Timeouts;
use scsim::units::Ratio;
use scsim::units::Span;
use std::time::Duration;

/// How many cases there are of each family.
const MIX: [(Family, usize); 20] = [
    (Family::Consecutive, 60),
    (Family::Local, 24),
    (Family::Rates, 40),
    (Family::Merge, 20),
    (Family::Panic, 20),
    (Family::Retry, 50),
    (Family::RetryAndEject, 30),
    (Family::Timeout, 24),
    (Family::Breaker, 24),
    (Family::RetryBreaker, 24),
    (Family::Weighted, 20),
    (Family::Hashed, 24),
    (Family::Headers, 20),
    (Family::Grpc, 24),
    (Family::IdleTimeout, 10),
    (Family::FailOnPanic, 10),
    (Family::Degraded, 20),
    (Family::Priorities, 24),
    (Family::Hedge, 20),
    (Family::Worn, 12),
];

/// All cases of a seed. A case depends on the seed and its own number only.
pub fn cases(seed: u64) -> Vec<Case> {
    let families = MIX.iter().flat_map(|&(family, count)| std::iter::repeat_n(family, count));
    families.enumerate().map(|(nth, family)| Maker::new(seed, nth).make(family)).collect()
}

/// Choices in a row (SplitMix64).
struct Maker {
    state: u64,
    nth: usize,
}

const fn ms(n: u64) -> Span {
    Span::from_millis(n)
}

fn answer(status: u16) -> Act {
    Act::Answer(Answer::of(status))
}

impl Maker {
    fn new(seed: u64, nth: usize) -> Maker {
        let mut maker = Maker { state: seed ^ (nth as u64).wrapping_mul(0xD1B5_4A32_D192_ED03), nth };
        maker.next();
        maker
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform from `low` to `high`, both included.
    fn from(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.from(1, 100) <= percent
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.from(0, of.len() as u64 - 1) as usize]
    }

    fn make(mut self, family: Family) -> Case {
        let interval = ms(self.one(&[1400, 1600, 1800]));
        let hosts = match family {
            Family::Rates => self.from(3, 6),
            Family::Timeout | Family::RetryBreaker | Family::Hedge | Family::Worn => self.from(1, 4),
            Family::Breaker => self.from(1, 3),
            Family::Panic | Family::FailOnPanic => self.from(3, 10),
            Family::Weighted => self.from(2, 4),
            Family::Degraded => self.from(2, 6),
            Family::Priorities => self.from(2, 8),
            _ => self.one(&[1, 2, 3, 4, 5, 6, 8, 10]),
        };
        let mut case = Case {
            nth: self.nth,
            family,
            config: PolicyConfig {
                circuit_breakers: CircuitBreakers::UNLIMITED,
                timeouts: Timeouts { request: ms(30_000), ..PolicyConfig::envoy_default().timeouts },
                update_merge_window: Span::ZERO,
                strict_envoy: true,
                ..PolicyConfig::envoy_default()
            },
            hosts: vec![Host { refuses: false, weight: 1, priority: 0 }; hosts as usize],
            bursts: Vec::new(),
            interval,
        };
        match family {
            Family::Consecutive => self.consecutive(&mut case),
            Family::Local => self.local(&mut case),
            Family::Rates => self.rates(&mut case),
            Family::Merge => self.merge(&mut case),
            Family::Panic => self.panic(&mut case),
            Family::Retry => self.retry(&mut case),
            Family::RetryAndEject => self.retry_and_eject(&mut case),
            Family::Timeout => self.timeout(&mut case),
            Family::Breaker => self.breaker(&mut case),
            Family::RetryBreaker => self.retry_breaker(&mut case),
            Family::Weighted => self.weighted(&mut case),
            Family::Hashed => self.hashed(&mut case),
            Family::Headers => self.headers(&mut case),
            Family::Grpc => self.grpc(&mut case),
            Family::IdleTimeout => self.idle_timeout(&mut case),
            Family::FailOnPanic => {
                self.panic(&mut case);
                case.config.fail_traffic_on_panic = true;
            }
            Family::Degraded => self.degraded(&mut case),
            Family::Priorities => self.priorities(&mut case),
            Family::Hedge => self.hedge(&mut case),
            Family::Worn => self.worn(&mut case),
        }
        assert_eq!(case.config.check(), Ok(()), "case {}", case.nth);
        case
    }

    // ---- passive ejection ------------------------------------------------------------------

    /// Detectors of failures in a row; rates are off.
    fn detection(&mut self, interval: Span) -> OutlierDetection {
        let base = if self.chance(20) { Span::from_nanos(interval.as_nanos() / 100) } else { interval };
        let base = base.times(self.one(&[1, 1, 1, 2]));
        let at_most = base.times(self.one(&[1, 2, 3, 10]));
        OutlierDetection {
            consecutive_5xx: self.one(&[0, 1, 2, 2, 3, 3, 4, 5]) as u32,
            consecutive_gateway_failure: self.one(&[0, 1, 2, 3, 4, 5]) as u32,
            enforcing_consecutive_5xx: self.one(&[100, 100, 100, 0]),
            enforcing_consecutive_gateway_failure: self.one(&[0, 100]),
            enforcing_success_rate: 0,
            enforcing_local_origin_success_rate: 0,
            success_rate_minimum_hosts: 100,
            failure_percentage_minimum_hosts: 100,
            interval,
            base_ejection_time: base,
            max_ejection_time: at_most,
            max_ejection_percent: self.one(&[10, 20, 34, 50, 67, 100, 100]),
            always_eject_one_host: self.chance(30),
            ..OutlierDetection::envoy_default()
        }
    }

    fn failure(&mut self) -> Act {
        match self.from(0, 9) {
            0 => Act::Reset(Duration::ZERO),
            1 => Act::Close,
            2..=4 => answer(500),
            5 => answer(502),
            6..=7 => answer(503),
            8 => answer(504),
            _ => Act::Answer(Answer { body: true, ..Answer::of(503) }),
        }
    }

    fn success(&mut self) -> Act {
        let body = self.chance(30);
        Act::Answer(Answer { body, ..Answer::of(self.one(&[200, 200, 200, 201, 404, 429])) })
    }

    /// What one host does in one burst: well, badly, or by turns.
    fn conduct(&mut self, bad: bool) -> Vec<Act> {
        if !bad {
            return vec![self.success()];
        }
        if self.chance(60) {
            let act = self.failure();
            return vec![act];
        }
        (0..self.from(2, 6)).map(|_| if self.chance(75) { self.failure() } else { self.success() }).collect()
    }

    /// Two bursts in most intervals, in which the bad are bad most of the time.
    fn bursts(&mut self, case: &mut Case, intervals: u64, requests: (u64, u64)) {
        let hosts = case.hosts.len();
        let percent = self.one(&[20, 40, 60, 100]);
        let bad: Vec<bool> = (0..hosts).map(|_| self.chance(percent)).collect();
        let steady = self.one(&[60, 85, 100]);
        for i in 0..intervals * 2 {
            if self.chance(12) {
                continue;
            }
            let acts = bad.iter().map(|&bad| bad && self.chance(steady)).collect::<Vec<_>>();
            let acts = acts.into_iter().map(|bad| self.conduct(bad)).collect();
            let at = Maker::place(case, i);
            let requests = self.from(requests.0, requests.1) as usize;
            case.bursts.push(Burst { at, requests, apart: None, acts });
        }
    }

    /// The beginning of half an interval's burst.
    fn place(case: &Case, half: u64) -> Span {
        let interval = case.interval.as_nanos();
        Span::from_nanos(half / 2 * interval + interval * if half.is_multiple_of(2) { 22 } else { 60 } / 100)
    }

    fn consecutive(&mut self, case: &mut Case) {
        case.config.outlier_detection = Some(self.detection(case.interval));
        case.config.panic = self.threshold();
        let most = (case.hosts.len() as u64 * 4).clamp(6, 18);
        self.bursts(case, 6, (3, most));
    }

    fn threshold(&mut self) -> Panic {
        let percent = self.one(&[0, 0, 30, 50, 50, 80]);
        if percent == 0 { Panic::Never } else { Panic::Below(Ratio::from_percent(percent)) }
    }

    fn local(&mut self, case: &mut Case) {
        let mut detection = self.detection(case.interval);
        detection.split_external_local_origin_errors = self.chance(75);
        detection.consecutive_local_origin_failure = self.from(1, 4) as u32;
        detection.enforcing_consecutive_local_origin_failure = self.one(&[100, 100, 0]);
        case.config.outlier_detection = Some(detection);
        case.config.panic = self.threshold();
        for host in &mut case.hosts {
            host.refuses = self.chance(35);
        }
        self.bursts(case, 6, (3, 14));
    }

    /// Rates eject at a sweep; durations are no multiples of the interval, so that a return is not
    /// due exactly at one.
    fn rates(&mut self, case: &mut Case) {
        let hosts = case.hosts.len() as u32;
        let base = Span::from_nanos(case.interval.as_nanos() * 7 / 10);
        let mut detection = self.detection(case.interval);
        detection.consecutive_5xx = 0;
        detection.consecutive_gateway_failure = 0;
        detection.base_ejection_time = base;
        detection.max_ejection_time = base.times(self.one(&[1, 2, 3]));
        detection.enforcing_success_rate = self.one(&[100, 100, 0]);
        detection.success_rate_minimum_hosts = self.from(2, u64::from(hosts)) as u32;
        detection.success_rate_request_volume = self.from(1, 4) as u32;
        detection.success_rate_stdev_factor = self.one(&[500, 900, 1300, 1900]);
        detection.enforcing_failure_percentage = self.one(&[0, 100]);
        detection.failure_percentage_minimum_hosts = self.from(2, u64::from(hosts)) as u32;
        detection.failure_percentage_request_volume = self.from(1, 4) as u32;
        detection.failure_percentage_threshold = self.one(&[30, 50, 67, 85, 100]);
        if self.chance(40) {
            detection.split_external_local_origin_errors = true;
            detection.consecutive_local_origin_failure = 0;
            detection.enforcing_local_origin_success_rate = self.one(&[0, 100]);
            detection.enforcing_failure_percentage_local_origin = self.one(&[0, 100]);
            for host in &mut case.hosts {
                host.refuses = self.chance(20);
            }
        }
        case.config.outlier_detection = Some(detection);
        case.config.panic = self.threshold();
        self.bursts(case, 6, (u64::from(hosts), (u64::from(hosts) * 4).min(18)));
    }

    /// Few requests in a burst: it must be over before the window is.
    fn merge(&mut self, case: &mut Case) {
        let mut detection = self.detection(case.interval);
        detection.consecutive_5xx = self.from(1, 2) as u32;
        detection.enforcing_consecutive_5xx = 100;
        detection.max_ejection_percent = self.one(&[50, 100]);
        case.config.outlier_detection = Some(detection);
        case.config.update_merge_window = Span::from_nanos(case.interval.as_nanos() / 10);
        case.config.panic = self.threshold();
        self.bursts(case, 6, (3, 5));
    }

    fn panic(&mut self, case: &mut Case) {
        let mut detection = self.detection(case.interval);
        detection.consecutive_5xx = self.from(1, 2) as u32;
        detection.enforcing_consecutive_5xx = 100;
        detection.max_ejection_percent = 100;
        case.config.outlier_detection = Some(detection);
        case.config.panic = Panic::Below(Ratio::from_percent(self.one(&[10, 30, 50, 66, 71, 72, 90, 100])));
        self.bursts(case, 6, (4, 18));
    }

    // ---- retries ---------------------------------------------------------------------------

    fn policy(&mut self) -> RetryPolicy {
        let all = [
            RetryOn::FIVE_XX,
            RetryOn::GATEWAY_ERROR,
            RetryOn::RESET,
            RetryOn::CONNECT_FAILURE,
            RetryOn::REFUSED_STREAM,
            RetryOn::RETRIABLE_4XX,
            RetryOn::RETRIABLE_STATUS_CODES,
            RetryOn::RESET_BEFORE_REQUEST,
        ];
        let mut retry_on = self.one(&all);
        while self.chance(40) {
            retry_on = retry_on.with(self.one(&all));
        }
        RetryPolicy {
            retry_on,
            retriable_status_codes: vec![self.one(&[404, 429, 500, 503]), 418],
            num_retries: self.from(0, 3) as u32,
            base_interval: ms(30),
            max_interval: ms(self.one(&[30, 60])),
            previous_hosts: self.chance(50),
            host_selection_retry_max_attempts: self.from(1, 4) as u32,
            ..RetryPolicy::envoy_default()
        }
    }

    fn retry(&mut self, case: &mut Case) {
        case.config.retry_policy = Some(self.policy());
        if self.chance(40) {
            for host in &mut case.hosts {
                host.refuses = self.chance(30);
            }
        }
        let hosts = case.hosts.len();
        for i in 0..10 {
            let acts = (0..hosts)
                .map(|_| {
                    let many = self.from(1, 4);
                    (0..many).map(|_| self.any_act()).collect()
                })
                .collect();
            case.bursts.push(Burst { at: ms(200 + 1000 * i), requests: 6, apart: None, acts });
        }
    }

    /// Something worth a retry, or not.
    fn any_act(&mut self) -> Act {
        match self.from(0, 3) {
            0 => self.success(),
            1 => answer(self.one(&[400, 404, 409, 418, 429, 500, 501])),
            _ => self.failure(),
        }
    }

    fn retry_and_eject(&mut self, case: &mut Case) {
        let mut policy = self.policy();
        policy.retry_on = self.one(&[RetryOn::FIVE_XX, RetryOn::GATEWAY_ERROR.with(RetryOn::RESET)]);
        policy.num_retries = self.from(1, 2) as u32;
        case.config.retry_policy = Some(policy);
        case.config.outlier_detection = Some(self.detection(case.interval));
        case.config.panic = self.threshold();
        if self.chance(30) {
            for host in &mut case.hosts {
                host.refuses = self.chance(25);
            }
        }
        self.bursts(case, 6, (2, 4));
    }

    // ---- time-outs -------------------------------------------------------------------------

    fn timeout(&mut self, case: &mut Case) {
        case.interval = ms(2400);
        let timeouts = &mut case.config.timeouts;
        let mut retries = RetryPolicy { base_interval: ms(20), max_interval: ms(20), ..self.policy() };
        retries.retry_on = self.one(&[RetryOn::FIVE_XX, RetryOn::RESET, RetryOn::RETRIABLE_STATUS_CODES]);
        let mut detects = true;
        match self.from(0, 3) {
            // The request's time-out alone.
            0 => timeouts.request = ms(150),
            // The attempts' time-out, and time for all of them.
            1 | 2 => {
                retries.num_retries = self.from(0, 1) as u32;
                timeouts.per_try = ms(90);
                timeouts.request = ms(300);
            }
            // The request's time-out in the middle of the second attempt, which must begin at once.
            _ => {
                retries = RetryPolicy { base_interval: ms(4), max_interval: ms(4), num_retries: 2, ..retries };
                timeouts.per_try = ms(100);
                timeouts.request = ms(160);
                detects = false;
            }
        }
        case.config.retry_policy = Some(retries);
        if detects && self.chance(70) {
            let mut detection = self.detection(case.interval);
            detection.split_external_local_origin_errors = self.chance(40);
            detection.consecutive_local_origin_failure = self.from(1, 3) as u32;
            case.config.outlier_detection = Some(detection);
        }
        let hosts = case.hosts.len();
        for i in 0..8 {
            let acts = (0..hosts)
                .map(|_| {
                    (0..self.from(1, 3)).map(|_| if self.chance(50) { Act::Hang } else { self.any_act() }).collect()
                })
                .collect();
            let at = Maker::place(case, i);
            case.bursts.push(Burst { at, requests: 2, apart: None, acts });
        }
    }

    // ---- breakers --------------------------------------------------------------------------

    /// Everybody answers after a while, so that requests pile up.
    fn pile(&mut self, case: &mut Case, statuses: &[u16], apart: Span) {
        let hosts = case.hosts.len();
        for i in 0..6 {
            let status = self.one(statuses);
            let after = Duration::from_millis(200);
            let slow = match status {
                0 => Act::Hang,
                1 => Act::Reset(after),
                status => Act::Answer(Answer { after, body: self.chance(30), ..Answer::of(status) }),
            };
            let requests = self.from(3, 14) as usize;
            case.bursts.push(Burst {
                at: ms(200 + 2000 * i),
                requests,
                apart: Some(apart),
                acts: vec![vec![slow]; hosts],
            });
        }
    }

    fn breaker(&mut self, case: &mut Case) {
        let ceiling = |maker: &mut Maker, most| if maker.chance(60) { maker.from(1, most) as u32 } else { u32::MAX };
        case.config.circuit_breakers = CircuitBreakers {
            max_connections: ceiling(self, 6),
            max_pending_requests: ceiling(self, 4),
            max_requests: ceiling(self, 8),
            ..CircuitBreakers::UNLIMITED
        };
        self.pile(case, &[200], ms(8));
    }

    fn retry_breaker(&mut self, case: &mut Case) {
        let budget = RetryBudget {
            budget_percent: Ratio::from_percent(self.one(&[10, 20, 25, 50, 80])),
            min_retry_concurrency: self.from(0, 3) as u32,
        };
        case.config.circuit_breakers = CircuitBreakers {
            max_retries: self.from(0, 4) as u32,
            retry_budget: self.chance(60).then_some(budget),
            ..CircuitBreakers::UNLIMITED
        };
        // A back-off that is never over before the request is, or none.
        let back_off = if self.chance(50) { ms(1_000_000_000) } else { ms(1) };
        case.config.retry_policy = Some(RetryPolicy {
            retry_on: RetryOn::FIVE_XX,
            num_retries: self.from(1, 2) as u32,
            base_interval: back_off,
            max_interval: back_off,
            ..RetryPolicy::envoy_default()
        });
        case.config.timeouts.request = ms(1200);
        // 0 is a hang, ended by the attempt's time-out, and 1 a reset.
        case.config.timeouts.per_try = ms(230);
        self.pile(case, &[200, 503, 503, 503, 0, 1], ms(8));
    }

    // ---- choices by weight, hash, header, priority -------------------------------------------

    /// The hosts of two priorities, and what ejects them. Picks in both are checked, the roll between
    /// them is taken from Envoy.
    fn priorities(&mut self, case: &mut Case) {
        let first = self.from(1, case.hosts.len() as u64 - 1) as usize;
        for host in &mut case.hosts[first..] {
            host.priority = 1;
        }
        let mut detection = self.detection(case.interval);
        detection.consecutive_5xx = self.from(1, 2) as u32;
        detection.enforcing_consecutive_5xx = 100;
        detection.max_ejection_percent = self.one(&[67, 100, 100]);
        case.config.outlier_detection = Some(detection);
        case.config.panic = self.threshold();
        self.bursts(case, 6, (4, 14));
    }

    /// Attempts that are too slow and go on beside their retries.
    fn hedge(&mut self, case: &mut Case) {
        case.interval = ms(2400);
        case.config.hedge_on_per_try_timeout = true;
        case.config.timeouts.per_try = ms(150);
        case.config.timeouts.request = ms(self.one(&[250, 540]));
        case.config.retry_policy = Some(RetryPolicy {
            retry_on: self.one(&[RetryOn::FIVE_XX, RetryOn::RESET, RetryOn::GATEWAY_ERROR]),
            num_retries: self.from(1, 2) as u32,
            base_interval: ms(1),
            max_interval: ms(1),
            previous_hosts: self.chance(50),
            ..RetryPolicy::envoy_default()
        });
        let hosts = case.hosts.len();
        for i in 0..8 {
            let acts = (0..hosts).map(|_| (0..self.from(1, 3)).map(|_| self.slow()).collect()).collect();
            let at = Maker::place(case, i);
            case.bursts.push(Burst { at, requests: 1, apart: None, acts });
        }
    }

    /// An answer at once, after the attempt's time-out, or never.
    fn slow(&mut self) -> Act {
        let after = Duration::from_millis(self.one(&[0, 60, 230, 230, 330]));
        match self.from(0, 5) {
            0 => Act::Hang,
            1 => Act::Reset(after),
            2 => Act::Answer(Answer { after, body: self.chance(30), ..Answer::of(self.one(&[500, 503])) }),
            _ => Act::Answer(Answer { after, ..Answer::of(200) }),
        }
    }

    /// Connections that carry a few requests only; some requests overlap.
    fn worn(&mut self, case: &mut Case) {
        case.config.pool.max_requests_per_connection = self.from(1, 5) as u32;
        let hosts = case.hosts.len();
        for i in 0..6 {
            let apart = self.chance(50).then_some(ms(8));
            let after = Duration::from_millis(if apart.is_some() { 200 } else { 0 });
            let slow = Act::Answer(Answer { after, body: self.chance(30), ..Answer::of(200) });
            let requests = self.from(3, 12) as usize;
            case.bursts.push(Burst { at: ms(200 + 1000 * i), requests, apart, acts: vec![vec![slow]; hosts] });
        }
    }

    /// Weights whose sum is ten at the most: 2520 starts can be told apart then.
    fn weighted(&mut self, case: &mut Case) {
        let mut left = 10 - case.hosts.len() as u64;
        for host in &mut case.hosts {
            let more = self.from(0, left.min(5));
            host.weight = 1 + more as u32;
            left -= more;
        }
        self.consecutive(case);
    }

    fn hashed(&mut self, case: &mut Case) {
        case.config.lb_policy = if self.chance(50) {
            LbPolicy::RingHash { minimum_ring_size: self.one(&[1, 64, 1024]), maximum_ring_size: 8 << 20 }
        } else {
            LbPolicy::Maglev { table_size: self.one(&[65_537, 251, 4099]) }
        };
        for host in &mut case.hosts {
            host.weight = self.one(&[1, 1, 2, 3, 5]);
        }
        if self.chance(40) {
            case.config.retry_policy = Some(self.policy());
            self.bursts(case, 6, (3, 6));
        } else {
            self.consecutive(case);
        }
    }

    fn headers(&mut self, case: &mut Case) {
        let mut policy = self.policy();
        for condition in [RetryOn::RETRIABLE_HEADERS, RetryOn::ENVOY_RATELIMITED] {
            if self.chance(60) {
                policy.retry_on = policy.retry_on.with(condition);
            }
        }
        let header =
            |name: &str, exact: Option<&str>| HeaderMatch { name: name.to_owned(), exact: exact.map(str::to_owned) };
        policy.retriable_headers = vec![header("x-again", None), header("x-mood", Some("bad"))];
        case.config.retry_policy = Some(policy);
        let hosts = case.hosts.len();
        for i in 0..10 {
            let acts = (0..hosts).map(|_| (0..self.from(1, 4)).map(|_| self.marked()).collect()).collect();
            case.bursts.push(Burst { at: ms(200 + 1000 * i), requests: 6, apart: None, acts });
        }
    }

    /// An answer with a header that matters, or not.
    fn marked(&mut self) -> Act {
        let lines =
            ["x-again: yes", "x-mood: bad", "x-mood: good", "x-envoy-ratelimited: true", "x-envoy-overloaded: true"];
        let headers = if self.chance(70) { vec![self.one(&lines).to_owned()] } else { Vec::new() };
        let status = self.one(&[200, 200, 409, 429, 500, 503]);
        Act::Answer(Answer { headers, body: self.chance(30), ..Answer::of(status) })
    }

    /// Answers without a body carry their status with the headers, as Envoy wants it for retries.
    fn grpc(&mut self, case: &mut Case) {
        let conditions = [
            RetryOn::GRPC_CANCELLED,
            RetryOn::GRPC_DEADLINE_EXCEEDED,
            RetryOn::GRPC_INTERNAL,
            RetryOn::GRPC_RESOURCE_EXHAUSTED,
            RetryOn::GRPC_UNAVAILABLE,
        ];
        if self.chance(70) {
            let mut retry_on = self.one(&conditions);
            while self.chance(50) {
                retry_on = retry_on.with(self.one(&conditions));
            }
            let policy = self.policy();
            case.config.retry_policy = Some(RetryPolicy { retry_on, num_retries: policy.num_retries.min(2), ..policy });
        }
        case.config.outlier_detection = Some(self.detection(case.interval));
        let hosts = case.hosts.len();
        for i in 0..12 {
            let acts = (0..hosts)
                .map(|_| {
                    let many = self.from(1, 3);
                    (0..many)
                        .map(|_| {
                            let code = self.one(&[0, 0, 1, 2, 4, 5, 8, 12, 13, 14, 15]);
                            let headers =
                                vec!["content-type: application/grpc".to_owned(), format!("grpc-status: {code}")];
                            Act::Answer(Answer { headers, ..Answer::of(200) })
                        })
                        .collect()
                })
                .collect();
            let at = Maker::place(case, i);
            case.bursts.push(Burst { at, requests: 4, apart: None, acts });
        }
    }

    fn idle_timeout(&mut self, case: &mut Case) {
        self.timeout(case);
        case.config.timeouts.per_try = Span::MAX;
        case.config.timeouts.per_try_idle = ms(90);
        case.config.timeouts.request = ms(300);
        if let Some(policy) = &mut case.config.retry_policy {
            policy.num_retries = policy.num_retries.min(1);
            policy.base_interval = ms(20);
            policy.max_interval = ms(20);
        }
    }

    fn degraded(&mut self, case: &mut Case) {
        let mut detection = self.detection(case.interval);
        detection.detect_degraded_hosts = true;
        case.config.outlier_detection = Some(detection);
        self.bursts(case, 6, (3, 12));
        for burst in &mut case.bursts {
            for act in burst.acts.iter_mut().flatten() {
                if let Act::Answer(answer) = act
                    && answer.status < 500
                    && self.chance(25)
                {
                    answer.headers.push("x-envoy-degraded: true".to_owned());
                }
            }
        }
    }
}

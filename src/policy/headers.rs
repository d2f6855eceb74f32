//! Real headers, read into the marks that decisions are made of.
//!
//! *Knows* Envoy's header names and how their values are read (envoy.md 2.1, 2.4, 2.7). *Does not
//! know* sockets or what follows from a mark. Names are in lower case, as HTTP/2 has them and as a
//! driver gets them from its parser. What cannot be read is passed over, as Envoy does.

use super::Answer;
use super::config::HeaderMatch;
use super::config::ResetFormat;
use super::config::RetryOn;
use super::config::RetryPolicy;
use crate::units::Span;

/// `grpc-status` of a value that is no status; it is mapped to 500.
const GRPC_INVALID: u8 = u8::MAX;
/// The largest status that gRPC knows.
const GRPC_MAX: u8 = 16;

/// What a request's own headers change, for an internal caller (envoy.md 2.7).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// `x-envoy-retry-on` and `x-envoy-retry-grpc-on`: conditions besides the route's.
    pub retry_on: RetryOn,
    /// `x-envoy-max-retries`: in place of `num_retries`.
    pub max_retries: Option<u32>,
    /// `x-envoy-retriable-status-codes`: codes besides the route's.
    pub retriable_status_codes: Vec<u16>,
    /// `x-envoy-retriable-header-names`: headers besides the route's.
    pub retriable_headers: Vec<String>,
    /// `x-envoy-upstream-rq-timeout-ms`: in place of the route's; [`Span::MAX`] is none.
    pub timeout: Option<Span>,
    /// `x-envoy-upstream-rq-per-try-timeout-ms`: likewise.
    pub per_try_timeout: Option<Span>,
    /// `x-envoy-hedge-on-per-try-timeout`: likewise.
    pub hedge_on_per_try_timeout: Option<bool>,
    /// `x-envoy-upstream-rq-timeout-alt-response`: 204 in place of 504.
    pub timeout_alt_response: bool,
    /// `x-envoy-upstream-stream-duration-ms`: the longest time of an attempt's stream.
    pub stream_duration: Option<Span>,
}

/// The request headers that [`Overrides`] are read from. None of them goes further: they are taken
/// from an internal caller's request once read, and from everybody else's unread.
pub const CONTROL: [&str; 10] = [
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-stream-duration-ms",
];

/// The request header that says which attempt this is, 1 for the first: [`Try::count`](super::Try::count).
/// In the answer it is the number of attempts made.
pub const ATTEMPT_COUNT: &str = "x-envoy-attempt-count";
/// The request header that says how long the endpoint has, in ms: [`Try::expected`](super::Try::expected).
pub const EXPECTED_TIMEOUT: &str = "x-envoy-expected-rq-timeout-ms";

/// Reads a request's headers; `None` if the caller is not internal or asks for nothing, and then
/// nothing is allocated.
pub fn overrides<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>, internal: bool) -> Option<Box<Overrides>> {
    if !internal {
        return None;
    }
    let mut read: Option<Box<Overrides>> = None;
    for (name, value) in headers {
        if !CONTROL.contains(&name) {
            continue;
        }
        let own = read.get_or_insert_default();
        let value = value.trim();
        let all = RetryOn::NAMES.iter().fold(RetryOn::NONE, |set, (_, one)| set.with(*one));
        match name {
            "x-envoy-retry-on" => own.retry_on = own.retry_on.with(RetryOn::listed(value, all.without(RetryOn::GRPC))),
            "x-envoy-retry-grpc-on" => own.retry_on = own.retry_on.with(RetryOn::listed(value, RetryOn::GRPC)),
            "x-envoy-max-retries" => own.max_retries = value.parse().ok().or(own.max_retries),
            "x-envoy-retriable-status-codes" => {
                own.retriable_status_codes.extend(value.split(',').filter_map(|code| code.trim().parse::<u16>().ok()));
            }
            "x-envoy-retriable-header-names" => {
                let names = value.split(',').map(str::trim).filter(|name| !name.is_empty());
                own.retriable_headers.extend(names.map(str::to_ascii_lowercase));
            }
            "x-envoy-upstream-rq-timeout-ms" => own.timeout = milliseconds(value).or(own.timeout),
            "x-envoy-upstream-rq-per-try-timeout-ms" => {
                own.per_try_timeout = milliseconds(value).or(own.per_try_timeout);
            }
            "x-envoy-hedge-on-per-try-timeout" => own.hedge_on_per_try_timeout = Some(value == "true"),
            "x-envoy-upstream-rq-timeout-alt-response" => own.timeout_alt_response = true,
            _ => own.stream_duration = milliseconds(value).or(own.stream_duration),
        }
    }
    read
}

/// A time limit; 0 is none.
fn milliseconds(value: &str) -> Option<Span> {
    let ms: u64 = value.parse().ok()?;
    // What is beyond the range of a span is no limit either.
    Some(if ms == 0 || ms > u64::MAX / 1_000_000 { Span::MAX } else { Span::from_millis(ms) })
}

/// True if the request has one of the policy's `retriable_request_headers`, for `Ask::retriable_header`.
pub fn retriable_request<'a>(policy: &RetryPolicy, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
    headers.into_iter().any(|(name, value)| matches_any(&policy.retriable_request_headers, name, value))
}

fn matches_any(wanted: &[HeaderMatch], name: &str, value: &str) -> bool {
    wanted.iter().any(|one| one.name == name && one.exact.as_deref().is_none_or(|exact| exact == value))
}

/// Reads an answer's headers. `unix` is the time of day in seconds since 1970, where the driver has
/// one; without it a reset header that names an instant is passed over.
pub fn answer<'a>(
    policy: Option<&RetryPolicy>,
    own: Option<&Overrides>,
    status: u16,
    body_follows: bool,
    unix: Option<u64>,
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Answer {
    let mut answer = Answer::of(status).with_body(body_follows);
    let back_off = policy.and_then(|policy| policy.rate_limited_retry_back_off.as_ref());
    // The policy's order counts, not the answer's.
    let mut first = usize::MAX;
    for (name, value) in headers {
        match name {
            "grpc-status" => answer.grpc_status = Some(grpc_status(value)),
            "x-envoy-ratelimited" => answer.ratelimited = true,
            "x-envoy-degraded" => answer.degraded = true,
            _ => {}
        }
        answer.retriable_header |= policy.is_some_and(|policy| matches_any(&policy.retriable_headers, name, value))
            || own.is_some_and(|own| own.retriable_headers.iter().any(|wanted| wanted == name));
        let Some(back_off) = back_off else { continue };
        for (i, reset) in back_off.reset_headers.iter().enumerate().take(first) {
            if reset.name == name
                && let Some(wait) = reset_after(reset.format, value, unix)
                && wait <= back_off.max_interval
            {
                (first, answer.reset_after) = (i, Some(wait));
                break;
            }
        }
    }
    answer
}

fn grpc_status(value: &str) -> u8 {
    value.trim().parse().ok().filter(|status| *status <= GRPC_MAX).unwrap_or(GRPC_INVALID)
}

fn reset_after(format: ResetFormat, value: &str, unix: Option<u64>) -> Option<Span> {
    let seconds: u64 = value.trim().parse().ok()?;
    let wait = match format {
        ResetFormat::Seconds => seconds,
        // An instant that has passed says nothing.
        ResetFormat::UnixTimestamp => seconds.checked_sub(unix?)?,
    };
    (wait <= u64::MAX / 2_000_000_000).then(|| Span::from_secs(wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::config::RateLimitedBackOff;
    use crate::policy::config::ResetHeader;

    #[test]
    fn an_internal_callers_headers_are_read_and_others_are_not() {
        let headers = [
            ("accept", "*/*"),
            ("x-envoy-retry-on", "5xx, nonsense,retriable-headers,unavailable"),
            ("x-envoy-retry-grpc-on", "cancelled,5xx"),
            ("x-envoy-max-retries", "3"),
            ("x-envoy-retriable-status-codes", "418, x,404"),
            ("x-envoy-retriable-header-names", "X-Again, "),
            ("x-envoy-upstream-rq-timeout-ms", "150"),
            ("x-envoy-upstream-rq-per-try-timeout-ms", "0"),
            ("x-envoy-hedge-on-per-try-timeout", "true"),
            ("x-envoy-upstream-rq-timeout-alt-response", "1"),
            ("x-envoy-upstream-stream-duration-ms", "soon"),
        ];
        assert_eq!(overrides(headers, false), None);
        assert_eq!(overrides([("accept", "*/*")], true), None);
        let expected = Overrides {
            retry_on: RetryOn::FIVE_XX.with(RetryOn::RETRIABLE_HEADERS).with(RetryOn::GRPC_CANCELLED),
            max_retries: Some(3),
            retriable_status_codes: vec![418, 404],
            retriable_headers: vec!["x-again".to_owned()],
            timeout: Some(Span::from_millis(150)),
            per_try_timeout: Some(Span::MAX),
            hedge_on_per_try_timeout: Some(true),
            timeout_alt_response: true,
            stream_duration: None,
        };
        assert_eq!(overrides(headers, true).as_deref(), Some(&expected));
    }

    fn policy() -> RetryPolicy {
        let reset = |name: &str, format| ResetHeader { name: name.to_owned(), format };
        RetryPolicy {
            retriable_headers: vec![
                HeaderMatch { name: "x-any".to_owned(), exact: None },
                HeaderMatch { name: "x-one".to_owned(), exact: Some("1".to_owned()) },
            ],
            rate_limited_retry_back_off: Some(RateLimitedBackOff {
                reset_headers: vec![
                    reset("retry-after", ResetFormat::Seconds),
                    reset("x-reset", ResetFormat::UnixTimestamp),
                ],
                max_interval: Span::from_secs(300),
            }),
            ..RetryPolicy::envoy_default()
        }
    }

    #[test]
    fn an_answers_marks() {
        let policy = policy();
        let read = |headers: &[(&str, &str)]| answer(Some(&policy), None, 200, false, None, headers.iter().copied());
        assert_eq!(read(&[("content-type", "text/plain"), ("x-one", "2")]), Answer::of(200));
        assert!(read(&[("x-one", "1")]).retriable_header && read(&[("x-any", "")]).retriable_header);
        assert!(read(&[("x-envoy-ratelimited", "true")]).ratelimited);
        assert!(read(&[("x-envoy-degraded", "")]).degraded);
        assert_eq!(read(&[("grpc-status", "14")]).grpc_status, Some(14));
        assert_eq!(read(&[("grpc-status", "17")]).grpc_status, Some(GRPC_INVALID));
        let own = Overrides { retriable_headers: vec!["x-mine".to_owned()], ..Overrides::default() };
        assert!(answer(None, Some(&own), 200, false, None, [("x-mine", "")]).retriable_header);
    }

    #[test]
    fn a_time_beyond_what_a_span_holds_is_no_limit() {
        let most = u64::MAX / 1_000_000;
        assert_eq!(milliseconds("1"), Some(Span::from_millis(1)));
        assert_eq!(milliseconds(&most.to_string()), Some(Span::from_millis(most)));
        assert_eq!(milliseconds(&(most + 1).to_string()), Some(Span::MAX));
        let longest = u64::MAX / 2_000_000_000;
        let wait = |seconds: u64| reset_after(ResetFormat::Seconds, &seconds.to_string(), None);
        assert_eq!(wait(longest), Some(Span::from_secs(longest)));
        assert_eq!(wait(longest + 1), None);
    }

    #[test]
    fn the_first_reset_header_that_fits_counts() {
        let policy = policy();
        let read = |headers: &[(&str, &str)], unix| {
            answer(Some(&policy), None, 429, false, unix, headers.iter().copied()).reset_after
        };
        let both = [("x-reset", "1005"), ("retry-after", "2")];
        assert_eq!(read(&both, Some(1000)), Some(Span::from_secs(2)));
        let long = [("retry-after", "301"), ("x-reset", "1005")];
        assert_eq!(read(&long, Some(1000)), Some(Span::from_secs(5)));
        assert_eq!(read(&long, None), None);
        assert_eq!(read(&[("x-reset", "999")], Some(1000)), None);
        assert_eq!(read(&[("retry-after", "300")], None), Some(Span::from_secs(300)));
        assert_eq!(read(&[("retry-after", "99999999999999999999")], None), None);
    }
}

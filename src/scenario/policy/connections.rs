//! Pools and buffers in Envoy's fields: protocol options, preconnecting, `tcp_proxy`.
//!
//! *Knows* in which of Envoy's tables each field stands. *Does not know* what a callee speaks.

use crate::policy::config::PoolProtocol;
use crate::scenario::policy::Patch;
use crate::scenario::policy::envoy_fields;
use crate::scenario::policy::finish;
use crate::scenario::policy::not_modelled;
use crate::scenario::policy::unlimited;
use crate::scenario::table::Problems;
use crate::scenario::table::Reader;
use crate::scenario::tree::Node;
use crate::scenario::tree::Value;
use crate::scenario::value;

pub fn read(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    requests_per_connection(reader, patch, problems);
    streams(reader, patch, problems);
    attempts(reader, patch, problems);
    if let Some(node) = reader.get("common_http_protocol_options")
        && let Some(mut inner) = Reader::of(node, "common_http_protocol_options", problems)
    {
        if let Some(span) = inner.span("idle_timeout", problems) {
            patch.push(move |config| config.timeouts.idle = unlimited(span));
        }
        requests_per_connection(&mut inner, patch, problems);
        finish(&inner, &[&envoy_fields::COMMON_HTTP], "common_http_protocol_options.", problems);
    }
    if let Some(node) = reader.get("http2_protocol_options")
        && let Some(mut inner) = Reader::of(node, "http2_protocol_options", problems)
    {
        streams(&mut inner, patch, problems);
        finish(&inner, &[&envoy_fields::HTTP2], "http2_protocol_options.", problems);
    }
    if let Some(node) = reader.get("tcp_proxy")
        && let Some(mut inner) = Reader::of(node, "tcp_proxy", problems)
    {
        attempts(&mut inner, patch, problems);
        finish(&inner, &[&envoy_fields::TCP_PROXY], "tcp_proxy.", problems);
    }
    if let Some(node) = reader.get("preconnect_policy")
        && let Some(mut inner) = Reader::of(node, "preconnect_policy", problems)
    {
        preconnect(&mut inner, patch, problems);
        finish(&inner, &[&envoy_fields::PRECONNECT], "preconnect_policy.", problems);
    }
    // One limit under its old name and its new one.
    for key in ["per_request_buffer_limit_bytes", "request_body_buffer_limit"] {
        if let Some(bytes) = reader.get(key).and_then(|node| size(node, problems)) {
            patch.push(move |config| config.per_request_buffer_limit_bytes = bytes);
        }
    }
}

fn requests_per_connection(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(n) = reader.count("max_requests_per_connection", 0..=u64::from(u32::MAX), problems) {
        patch.push(move |config| config.pool.max_requests_per_connection = n as u32);
    }
}

fn streams(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(n) = reader.count("max_concurrent_streams", 0..=2_147_483_647, problems) {
        patch.push(move |config| {
            if let PoolProtocol::Http2 { max_concurrent_streams } = &mut config.pool.protocol {
                *max_concurrent_streams = n as u32;
            }
        });
    }
}

fn attempts(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    if let Some(n) = reader.count("max_connect_attempts", 0..=u64::from(u32::MAX), problems) {
        patch.push(move |config| {
            if let PoolProtocol::Tcp(tcp) = &mut config.pool.protocol {
                tcp.max_connect_attempts = n as u32;
            }
        });
    }
}

fn preconnect(reader: &mut Reader<'_>, patch: &mut Patch, problems: &mut Problems<'_>) {
    let field = reader.get("per_upstream_preconnect_ratio");
    if let Some(ratio) = field.and_then(|node| value::number(node, 0.0..=1e6, problems)) {
        // Rounding must not carry a ratio over Envoy's bounds.
        let percent = match ratio {
            r if r < 1.0 => (r * 100.0) as u32,
            r if r > 3.0 => 301,
            r => (r * 100.0 + 0.5) as u32,
        };
        patch.push(move |config| config.pool.preconnect_percent = percent);
    }
    if let Some(node) = reader.get("predictive_preconnect_ratio")
        && let Some(ratio) = value::number(node, 0.0..=1e6, problems)
        && (ratio - 1.0).abs() > f64::EPSILON
    {
        not_modelled(&node.place, "preconnect_policy.predictive_preconnect_ratio other than 1.0", problems);
    }
}

/// Bytes: Envoy's bare count, or a size with its unit.
fn size(node: &Node, problems: &mut Problems<'_>) -> Option<u64> {
    match &node.value {
        Value::Whole(_) => value::count(node, 0..=u64::MAX, problems),
        _ => value::bytes(node, problems).map(crate::units::Bytes::get),
    }
}

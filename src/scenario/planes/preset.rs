//! The policy that a caller starts from on each plane, and what plain TCP takes away from it.
//!
//! *Knows* which preset belongs to which plane. *Does not know* what the file changes in it.

use crate::policy::PolicyConfig;
use crate::policy::config::Affinity;
use crate::policy::config::Discovery;
use crate::policy::config::LbPolicy;
use crate::policy::config::LocalityRouting;
use crate::policy::config::PoolProtocol;
use crate::policy::config::RetryOn;
use crate::policy::config::TcpProxy;
use crate::scenario::Protocol;
use crate::scenario::Service;
use crate::scenario::planes::Base;
use crate::scenario::presets::Preset;
use crate::units::Span;

/// What the policies of a plane start from.
pub struct Start {
    /// What the plane is built upon.
    pub base: Base,
    /// The preset that the file asks for, in place of the plane's own.
    pub chosen: Option<Preset>,
    /// Zones of the scenario.
    pub zones: usize,
}

/// The policy of a caller before anything is changed.
pub fn preset(start: &Start, callee: &Service) -> PolicyConfig {
    let http2 = PoolProtocol::Http2 { max_concurrent_streams: 1024 };
    let multiplexed = matches!(callee.protocol, Protocol::Http2 | Protocol::Grpc);
    let client = PolicyConfig::dns_client();
    let proxy = |own: Preset| start.chosen.unwrap_or(own).policy();
    let mut config = match start.base {
        Base::Direct => return PolicyConfig::direct(),
        // No proxy can be put in front of it, so the client has its own limits and nothing else.
        _ if callee.external => PolicyConfig {
            timeouts: client.timeouts,
            replies: client.replies,
            pool: client.pool,
            ..PolicyConfig::direct()
        },
        Base::ServiceConnect => proxy(Preset::ServiceConnect),
        Base::Envoy => proxy(Preset::EnvoyDefault),
        Base::AppMesh => proxy(Preset::AppMesh),
        Base::CloudMapDns => client,
        // The members are the nodes of the ALB, whose addresses change rarely.
        Base::InternalAlb => PolicyConfig { discovery: Discovery::Pushed, lb_policy: LbPolicy::Random, ..client },
    };
    if let LocalityRouting::ZoneAware(zones) = &mut config.locality {
        // Off below two endpoints per zone (aws.md 1.3).
        zones.min_cluster_size = 2 * start.zones as u64;
    }
    if multiplexed {
        config.pool.protocol = http2;
    }
    if proxies_tcp(start.base, callee) {
        config.pool.protocol = PoolProtocol::Tcp(TcpProxy { max_connect_attempts: 1 });
    }
    config
}

/// A proxy beside the caller carries plain TCP to it.
fn proxies_tcp(base: Base, callee: &Service) -> bool {
    let sidecar = matches!(base, Base::ServiceConnect | Base::Envoy | Base::AppMesh);
    sidecar && !callee.external && callee.protocol == Protocol::Tcp
}

/// What a proxy cannot do for a callee that speaks plain TCP. Applications keep such connections and
/// use them again, unless `one_call_each`: then each call is a connection of its own.
pub fn restrict(config: &mut PolicyConfig, base: Base, callee: &Service, one_call_each: bool) {
    if !proxies_tcp(base, callee) {
        return;
    }
    if one_call_each {
        // Attempts at the connection are all there is (envoy.md 4.4).
        config.retry_policy = None;
    } else {
        config.pool.protocol = PoolProtocol::Http1;
        config.affinity = Affinity::Connection { age_max: None };
    }
    if let Some(retry) = &mut config.retry_policy {
        // Only the connection can be tried again (aws.md 1.4).
        retry.retry_on = RetryOn::CONNECT_FAILURE;
    }
    if let Some(od) = &mut config.outlier_detection {
        // There is no status; failed connections are all that counts.
        od.split_external_local_origin_errors = true;
        od.consecutive_local_origin_failure = od.consecutive_5xx.max(1);
        od.consecutive_5xx = 0;
        od.consecutive_gateway_failure = 0;
    }
    config.timeouts.request = Span::MAX;
    config.timeouts.per_try = Span::MAX;
    config.timeouts.idle = config.timeouts.idle.max(Span::from_secs(3600));
}

//! What a driver says of an endpoint. Addresses are values of `core`; there are no sockets here.

use super::MemberKey;
use core::net::IpAddr;
use core::net::Ipv4Addr;
use core::net::SocketAddr;

/// One entry of a membership list: Envoy's `LbEndpoint` with its locality and priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// The driver's name for it.
    pub key: MemberKey,
    /// Its address, of which ring hash and maglev make its place. A value, nobody connects to it here.
    pub address: SocketAddr,
    /// `load_balancing_weight`, 1 and above. Default 1.
    pub weight: u32,
    /// `priority`: 0 is used first. Default 0.
    pub priority: u8,
    /// The locality, which is a zone here. Default 0.
    pub zone: u8,
    /// The weight of its locality, for locality-weighted balancing; the first of a locality's members
    /// says it for all. 0 gets nothing. Default 1.
    pub locality_weight: u32,
    /// What the control plane says of its health. Default healthy.
    pub health: EdsHealth,
}

/// `health_status` of an `LbEndpoint` (envoy.md 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EdsHealth {
    /// `HEALTHY` or `UNKNOWN`.
    Healthy,
    /// `DEGRADED`: second choice.
    Degraded,
    /// `UNHEALTHY` or `TIMEOUT`: gets nothing, counts in every percentage.
    Unhealthy,
    /// `DRAINING`: gets nothing and counts in no percentage.
    Draining,
}

impl Member {
    /// A healthy endpoint of weight 1 in priority 0 and zone 0, with an address made of its key.
    pub const fn of(key: MemberKey) -> Member {
        // 10.0.0.0/8, as tasks in a VPC have.
        let address = Ipv4Addr::new(10, (key.0 >> 16) as u8, (key.0 >> 8) as u8, key.0 as u8);
        Member {
            key,
            address: SocketAddr::new(IpAddr::V4(address), 8080),
            weight: 1,
            priority: 0,
            zone: 0,
            locality_weight: 1,
            health: EdsHealth::Healthy,
        }
    }
}

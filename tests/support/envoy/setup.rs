//! Clusters and virtual hosts in Envoy's JSON.
//!
//! *Knows* the names of Envoy's fields. *Does not know* what they do.

use serde_json::Value;
use serde_json::json;
use std::net::SocketAddr;

/// A static cluster with those endpoints, round robin, and nothing else configured.
pub fn cluster(name: &str, hosts: &[SocketAddr]) -> Value {
    let endpoints: Vec<Value> = hosts.iter().map(|&host| endpoint(host)).collect();
    json!({
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
    })
}

/// An entry of `lb_endpoints`.
pub fn endpoint(host: SocketAddr) -> Value {
    let socket = json!({"address": host.ip().to_string(), "port_value": host.port()});
    json!({"endpoint": {"address": {"socket_address": socket}}})
}

/// A virtual host for that authority, which sends everything to the cluster of that name.
pub fn virtual_host(name: &str, retry_policy: Option<Value>, timeout: Option<&str>) -> Value {
    let mut action = json!({"cluster": name});
    if let Some(retry_policy) = retry_policy {
        action["retry_policy"] = retry_policy;
    }
    if let Some(timeout) = timeout {
        action["timeout"] = json!(timeout);
    }
    json!({"name": name, "domains": [name], "routes": [{"match": {"prefix": "/"}, "route": action}]})
}

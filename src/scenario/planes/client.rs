//! What DNS clients of common platforms do with an answer: how long they keep it, whom they pick, how
//! long they keep a connection (aws.md 2.1).
//!
//! *Knows* each client's habits and where they are written down. *Does not know* how a look-up is
//! simulated.
//! DNS is asked for a new connection only, so that a kept connection outlives every cache.

use crate::policy::PolicyConfig;
use crate::policy::config::Affinity;
use crate::policy::config::Discovery;
use crate::policy::config::LbPolicy;
use crate::policy::config::Stale;
use crate::scenario::Confidence;
use crate::scenario::ResolverCache;
use crate::units::Span;

/// A platform's usual client.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Client {
    /// Its name in scenarios.
    pub name: &'static str,
    /// How long it keeps an answer.
    pub cache: ResolverCache,
    /// How long it keeps "no such name", where that is its own doing and not the zone's.
    pub negative: Option<Span>,
    /// Whom of an answer it takes.
    pub pick: LbPolicy,
    /// How long it keeps an idle connection.
    pub idle: Span,
    /// It balances each request over all it knows, and what it knows outlives a failed look-up. Otherwise
    /// it stays on the connection that it has.
    pub balances: bool,
    /// Where this is written down.
    pub source: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
}

const fn sticky(name: &'static str, cache: ResolverCache, idle: Span, source: &'static str) -> Client {
    let confidence = Confidence::Memory;
    Client { name, cache, negative: None, pick: LbPolicy::FirstListed, idle, balances: false, source, confidence }
}

const NONE: ResolverCache = ResolverCache::For(Span::ZERO);
const JAVA: &str = "AWS SDK for Java Developer Guide, jvm-ttl-dns; java.security; jdk.httpclient.keepalive.timeout";

/// Every client that has a name.
pub const CLIENTS: [Client; 9] = [
    Client {
        negative: Some(Span::from_secs(10)),
        confidence: Confidence::Documented,
        ..sticky("jvm", ResolverCache::For(Span::from_secs(30)), Span::from_secs(30), JAVA)
    },
    Client {
        negative: Some(Span::from_secs(10)),
        confidence: Confidence::Documented,
        ..sticky("jvm-security-manager", ResolverCache::Forever, Span::from_secs(30), JAVA)
    },
    sticky("go", NONE, Span::from_secs(90), "Go net and net/http.Transport: no cache, IdleConnTimeout 90 s"),
    sticky("node", NONE, Span::from_secs(5), "Node dns.lookup: no cache; http.globalAgent since v19, 5 s"),
    sticky("python", NONE, Span::MAX, "urllib3: no cache, a pool per host without an idle limit"),
    sticky("dotnet", NONE, Span::from_secs(60), ".NET SocketsHttpHandler: PooledConnectionIdleTimeout 1 min"),
    Client {
        pick: LbPolicy::RoundRobin,
        balances: true,
        ..sticky(
            "nginx",
            ResolverCache::Forever,
            Span::from_secs(60),
            "nginx upstream: names are resolved at start only",
        )
    },
    Client {
        pick: LbPolicy::RoundRobin,
        balances: true,
        confidence: Confidence::ThirdParty,
        ..sticky(
            "envoy-strict-dns",
            ResolverCache::For(Span::from_secs(5)),
            Span::from_secs(3600),
            "aws/aws-app-mesh-roadmap#151: asks every 5 s, whatever the TTL",
        )
    },
    sticky(
        "grpc",
        ResolverCache::For(Span::from_secs(30)),
        Span::from_secs(1800),
        "gRPC name resolution: pick_first, at least 30 s between look-ups",
    ),
];

/// The names of the platforms.
pub fn names() -> Vec<&'static str> {
    CLIENTS.iter().map(|client| client.name).collect()
}

impl Client {
    /// Makes a policy this client's.
    pub fn apply(&self, config: &mut PolicyConfig) {
        config.lb_policy = self.pick;
        config.timeouts.idle = self.idle;
        if self.balances {
            config.affinity = Affinity::Request;
            config.discovery = Discovery::Resolved { on_failure: Stale::Serve { at_most: Span::MAX } };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_makes_a_policy_that_can_be_built() {
        for client in CLIENTS {
            let mut config = PolicyConfig::dns_client();
            client.apply(&mut config);
            assert_eq!(config.check(), Ok(()), "{}", client.name);
        }
    }
}

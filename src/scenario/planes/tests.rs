//! What the planes of a file come to, field by field.

use std::path::Path;

use super::*;
use crate::policy::config::Affinity;
use crate::policy::config::LbPolicy;
use crate::policy::config::LeastRequest;
use crate::policy::config::LocalityRouting;
use crate::policy::config::Panic;
use crate::policy::config::PoolProtocol;
use crate::policy::config::RetryOn;
use crate::policy::config::TcpProxy;
use crate::policy::config::ZoneAware;
use crate::scenario::Enrolment;
use crate::scenario::LoadOptions;
use crate::scenario::Mechanism;
use crate::scenario::ResolverCache;
use crate::scenario::parse;
use crate::units::Bytes;
use crate::units::Ratio;

const SHOP: &str = "compare = [\"service-connect\", \"cloud-map-dns\", \"internal-alb\", \"direct\", \"envoy\", \"app-mesh\"]\n\
    [service.web]\ncalls = [\"cart\", \"db\", \"bank\"]\n[service.cart]\nprotocol = \"grpc\"\n\
    [service.db]\nprotocol = \"tcp\"\n[service.bank]\nexternal = true\n[load]\nrate = \"1/s\"\n";

fn planes(more: &str) -> Vec<Plane> {
    let text = format!("{SHOP}{more}");
    let loaded = parse("t", &text, Path::new("."), &LoadOptions::default());
    loaded.unwrap_or_else(|found| panic!("{found:#?}")).scenario.planes
}

#[test]
fn protocols_and_outsiders_change_the_policy() {
    let planes = planes("");
    let [cart, db, bank] = &planes[0].edge_policies[..] else { panic!("three edges") };
    assert_eq!(cart.pool.protocol, PoolProtocol::Http2 { max_concurrent_streams: 1024 });
    assert_eq!(db.affinity, Affinity::Connection { age_max: None });
    assert_eq!(db.retry_policy.as_ref().map(|retry| retry.retry_on), Some(RetryOn::CONNECT_FAILURE));
    assert_eq!((&bank.retry_policy, bank.outlier_detection), (&None, None));
    assert_eq!(bank.timeouts.request, Span::from_secs(15));
    assert!(planes[2].not_applicable.is_some());
    assert!(planes[5].warning.is_some());
    assert_eq!(planes[3].network.same_zone, Distribution::Constant(Span::ZERO));
}

#[test]
fn the_shared_policy_reaches_proxies_and_the_ideal_only() {
    let planes = planes("[policy]\nlb_policy = \"LEAST_REQUEST\"\nretry_policy = { num_retries = 7 }\n");
    let balanced: Vec<bool> =
        planes.iter().map(|plane| matches!(plane.edge_policies[0].lb_policy, LbPolicy::LeastRequest(_))).collect();
    assert_eq!(balanced, [true, false, false, true, true, true]);
    assert!(planes[0].warning.as_ref().is_some_and(|warning| warning.starts_with("tuned")));
    assert_eq!(planes[1].edge_policies[0].retry_policy, None);
}

#[test]
fn a_time_limit_on_an_arrow_holds_everywhere_and_tunes_nothing() {
    let planes = planes("[edge.\"web->cart\"]\ntimeout = \"2s\"\n");
    for plane in &planes {
        assert_eq!(plane.edge_policies[0].timeouts.request, Span::from_secs(2), "{}", plane.name);
    }
    assert_eq!(planes[0].warning, None);
    let retries = "[edge.\"web->cart\"]\nretry_policy = { num_retries = 5 }\n";
    assert_eq!(self::planes(retries)[1].edge_policies[0].retry_policy, None);
}

#[test]
fn variants_change_what_they_name() {
    let planes = planes(
        "[network]\nsame_zone = \"1ms\"\n[plane.envoy]\npolicy.outlier_detection.consecutive_5xx = 3\n\
         [plane.cloud-map-dns]\nclient_retries = 2\npick = \"random\"\nkeep_alive = \"5s\"\n",
    );
    let ejection = planes[4].edge_policies[0].outlier_detection.expect("written down");
    assert_eq!((ejection.consecutive_5xx, ejection.max_ejection_percent), (3, 10));
    let client = &planes[1].edge_policies[0];
    assert_eq!((client.lb_policy, client.timeouts.idle), (LbPolicy::Random, Span::from_secs(5)));
    assert_eq!(client.retry_policy.as_ref().map(|retry| retry.num_retries), Some(2));
    assert_eq!(planes[3].network.same_zone, Distribution::Constant(Span::from_millis(1)));
}

#[test]
fn zones_matter_on_service_connect_from_two_endpoints_per_zone_on() {
    let zone_aware =
        |min_cluster_size| LocalityRouting::ZoneAware(ZoneAware { routing_enabled: 100, min_cluster_size });
    let locality = |planes: Vec<Plane>| planes[0].edge_policies[0].locality;
    let plain = planes("");
    assert_eq!(plain[0].edge_policies[0].locality, zone_aware(6));
    for other in &plain[1..] {
        assert_eq!(other.edge_policies[0].locality, LocalityRouting::None, "{}", other.name);
    }
    let off = planes("[plane.service-connect]\nzone_aware = false\n");
    assert_eq!((locality(off.clone()), &off[0].warning), (LocalityRouting::None, &None));
    let text = SHOP.replace("[service.cart]\n", "[service.cart]\nzones = [\"x\", \"y\", \"z\", \"u\"]\n");
    let text = text.replace("[service.web]\n", "[service.web]\nzones = [\"x\"]\n");
    let text = text.replace("[service.db]\n", "[service.db]\nzones = [\"x\"]\n");
    let text = text.replace("[service.bank]\n", "[service.bank]\nzones = [\"x\"]\n");
    let loaded = parse("t", &text, Path::new("."), &LoadOptions::default());
    assert_eq!(locality(loaded.unwrap_or_else(|found| panic!("{found:#?}")).scenario.planes), zone_aware(8));
    let policy = "[policy]\ncommon_lb_config.zone_aware_lb_config = { routing_enabled = \"50%\" }\n";
    let half = ZoneAware { routing_enabled: 50, min_cluster_size: 6 };
    assert_eq!(locality(planes(policy)), LocalityRouting::ZoneAware(half));
}

#[test]
fn attempts_at_a_connection_make_each_call_one() {
    let planes = planes("[policy]\nmax_connect_attempts = 3\n");
    let [cart, db, _] = &planes[4].edge_policies[..] else { panic!("three edges") };
    assert_eq!(db.pool.protocol, PoolProtocol::Tcp(TcpProxy { max_connect_attempts: 3 }));
    assert_eq!((&db.retry_policy, db.affinity), (&None, Affinity::Request));
    assert_eq!(cart.pool.protocol, PoolProtocol::Http2 { max_concurrent_streams: 1024 });
}

#[test]
fn presets_are_chosen_by_name() {
    let planes = planes(
        "[plane.service-connect]\npreset = \"envoy-default\"\n[plane.envoy]\npreset = \"service-connect@2026-01\"\n\
         [edge.\"web->bank\"]\npreset = \"app-mesh\"\n",
    );
    let envoy = Preset::EnvoyDefault.policy();
    assert_eq!(planes[0].edge_policies[0].retry_policy, envoy.retry_policy);
    assert!(planes[0].warning.as_ref().is_some_and(|warning| warning.starts_with("tuned")));
    assert_eq!(planes[4].edge_policies[0].retry_policy, Preset::ServiceConnect.policy().retry_policy);
    let all = self::planes("[policy]\npreset = \"service-connect@2026-01\"\n");
    assert_eq!(all[4].edge_policies[0].outlier_detection, Preset::ServiceConnect.policy().outlier_detection);
    assert_eq!(all[4].edge_policies[0].pool.protocol, PoolProtocol::Http2 { max_concurrent_streams: 1024 });
}

#[test]
fn an_alb_has_rules_of_its_own() {
    let alb = |fields: &str| {
        let text = format!("{SHOP}[plane.internal-alb]\n{fields}\n");
        parse("t", &text, Path::new("."), &LoadOptions::default())
    };
    let node = |fields: &str| {
        let mut planes = alb(fields).unwrap_or_else(|found| panic!("{found:#?}")).scenario.planes;
        let Mechanism::Alb(alb) = planes.swap_remove(2).mechanism else { panic!("the third is the ALB") };
        alb.node_policy
    };
    let rule = |fields: &str| node(fields).lb_policy;
    assert_eq!(rule("algorithm = \"weighted_random\""), LbPolicy::WeightedRandom { anomaly_mitigation: false });
    assert_eq!(
        rule("algorithm = \"weighted_random\"\nanomaly_mitigation = \"on\""),
        LbPolicy::WeightedRandom { anomaly_mitigation: true }
    );
    assert_eq!(
        rule("algorithm = \"least_outstanding_requests\"\nanomaly_mitigation = false"),
        LbPolicy::LeastRequest(LeastRequest::FullScan)
    );
    for fields in ["slow_start = \"45s\"", "slow_start.duration_seconds = 45"] {
        let slow = node(fields).slow_start.map(|slow| (slow.window, slow.min_weight_percent));
        assert_eq!(slow, Some((Span::from_secs(45), 10)), "{fields}");
    }
    assert_eq!(node("slow_start.duration_seconds = 0").slow_start, None);
    for (fields, message) in [
        ("anomaly_mitigation = true", "weighted_random only"),
        ("algorithm = \"round_robin\"\nanomaly_mitigation = \"on\"", "weighted_random only"),
        ("slow_start = \"29s\"", "no slow start of 29s"),
        ("slow_start.duration_seconds = 901", "no slow start of 15m1s"),
        ("algorithm = \"weighted_random\"\nslow_start = \"60s\"", "round_robin only"),
        ("algorithm = \"least_request\"", "cannot be"),
        ("preset = \"envoy-default\"", "does not fit"),
    ] {
        let found = alb(fields).expect_err(fields);
        assert!(found.iter().any(|found| found.message.contains(message)), "{fields}: {found:#?}");
    }
}

#[test]
fn without_a_request_timeout_service_connect_still_ends_what_is_silent_for_its_idle_timeout() {
    let limits = |fields: &str| {
        let planes = planes(&format!("[edge.\"web->cart\"]\n{fields}\n"));
        [0, 4].map(|plane: usize| planes[plane].edge_policies[0].timeouts.request)
    };
    let secs = Span::from_secs;
    assert_eq!(limits(""), [secs(15), secs(15)]);
    assert_eq!(limits("timeout = \"0s\""), [secs(300), Span::MAX]);
    assert_eq!(limits("timeout = \"0s\"\nidle_timeout = \"0s\""), [Span::MAX, Span::MAX]);
    assert_eq!(limits("timeout = \"60s\"\nidle_timeout = \"10s\""), [secs(10), secs(60)]);
    // Only that edge.
    let text = SHOP.replace("[service.cart]\n", "[service.cart]\ncalls = [\"mail\"]\n[service.mail]\n");
    let text = format!("{text}[edge.\"web->cart\"]\ntimeout = \"0s\"\n");
    let loaded = parse("t", &text, Path::new("."), &LoadOptions::default());
    let planes = loaded.unwrap_or_else(|found| panic!("{found:#?}")).scenario.planes;
    let of = planes[0].edge_policies.iter().map(|policy| policy.timeouts.request);
    // web->cart, web->db (TCP), web->bank (not on ECS), cart->mail.
    assert_eq!(of.collect::<Vec<_>>(), [secs(300), Span::MAX, secs(15), secs(15)]);
}

#[test]
fn dns_clients_have_the_habits_of_their_platform() {
    let dns = |fields: &str| {
        let mut planes = planes(&format!("[plane.cloud-map-dns]\n{fields}\n"));
        let plane = planes.swap_remove(1);
        let Mechanism::Dns(dns) = plane.mechanism else { panic!("the second is DNS") };
        (dns, plane.edge_policies[0].clone())
    };
    let secs = Span::from_secs;
    let (jvm, policy) = dns("client = \"jvm\"");
    assert_eq!((jvm.resolver_cache, jvm.negative_ttl), (ResolverCache::For(secs(30)), secs(10)));
    assert_eq!((policy.lb_policy, policy.timeouts.idle), (LbPolicy::FirstListed, secs(30)));
    let (own, policy) = dns("client = \"go\"\nresolver_cache = \"5s\"\nkeep_alive = \"7s\"\npick = \"random\"");
    assert_eq!(own.resolver_cache, ResolverCache::For(secs(5)));
    assert_eq!((policy.lb_policy, policy.timeouts.idle), (LbPolicy::Random, secs(7)));
    let (nginx, policy) = dns("client = \"nginx\"");
    assert_eq!((nginx.resolver_cache, policy.affinity), (ResolverCache::Forever, Affinity::Request));
    assert_eq!(dns("client = \"jvm-security-manager\"").0.resolver_cache, ResolverCache::Forever);
    assert_eq!(dns("resolver_cache = \"jvm\"").0.resolver_cache, ResolverCache::For(secs(30)));
    assert_eq!(dns("resolver_cache = \"none\"").0.resolver_cache, ResolverCache::For(Span::ZERO));
    assert_eq!((dns("").0.max_answers, dns("routing = \"weighted\"").0.max_answers), (8, 1));
    assert!(!dns("custom_health = false").0.custom_health);
}

#[test]
fn limits_of_a_sidecar_and_roles_are_read_and_checked() {
    let sidecar = |fields: &str| {
        let mut planes = planes(&format!("[plane.service-connect]\n{fields}\n"));
        let Mechanism::Sidecar(sidecar) = planes.swap_remove(0).mechanism else { panic!("the first has sidecars") };
        sidecar
    };
    let plain = sidecar("");
    assert_eq!((plain.memory_growth, plain.restart, plain.restarts), (Bytes::new(0), Span::from_secs(1), 3));
    let own = sidecar("sidecar = { memory = \"128MiB\", memory_growth = \"1KiB\", restart = \"3s\", restarts = 0 }");
    assert_eq!((own.memory, own.memory_base), (Bytes::new(128 << 20), Bytes::new(40 << 20)));
    assert_eq!((own.memory_growth, own.restart, own.restarts), (Bytes::new(1024), Span::from_secs(3), 0));
    let panic = |fields: &str| {
        let mut planes = planes(&format!("[plane.internal-alb]\n{fields}\n"));
        let Mechanism::Alb(alb) = planes.swap_remove(2).mechanism else { panic!("the third is the ALB") };
        (alb.node_policy.panic, alb.node_policy.overprovisioning_factor)
    };
    assert_eq!(panic("minimum_healthy_targets = 1"), (Panic::NoneHealthy, 140));
    assert_eq!(panic("minimum_healthy_targets = 3"), (Panic::FewerThan(3), 100));
    assert_eq!(panic("minimum_healthy_targets = \"50%\""), (Panic::Below(Ratio::from_percent(50)), 100));
    let service = |fields: &str| {
        let text = SHOP.replace("[service.cart]\n", &format!("[service.cart]\n{fields}\n"));
        parse("t", &text, Path::new("."), &LoadOptions::default())
    };
    let cart = |fields: &str| {
        let loaded = service(fields).unwrap_or_else(|found| panic!("{found:#?}"));
        (loaded.scenario.services[1].keep_alive, loaded.scenario.services[1].service_connect)
    };
    assert_eq!(cart(""), (None, Enrolment::ClientServer));
    assert_eq!(cart("keep_alive = \"5s\"\nservice_connect = \"none\""), (Some(Span::from_secs(5)), Enrolment::None));
    assert_eq!(cart("service_connect = \"client\"").1, Enrolment::Client);
    for (fields, message) in [
        ("keep_alive = \"0s\"", "`keep_alive` is zero"),
        ("service_connect = \"server\"", "no server-only role"),
        ("service_connect = \"both\"", "cannot be"),
    ] {
        let found = service(fields).expect_err(fields);
        assert!(found.iter().any(|found| found.message.contains(message)), "{fields}: {found:#?}");
    }
    for (fields, message) in [
        ("sidecar = { memory = \"32MiB\", memory_growth = \"1KiB\" }", "needs more than its"),
        ("sidecar = { restarts = 11 }", "out of range"),
    ] {
        let text = format!("{SHOP}[plane.service-connect]\n{fields}\n");
        let found = parse("t", &text, Path::new("."), &LoadOptions::default()).expect_err(fields);
        assert!(found.iter().any(|found| found.message.contains(message)), "{fields}: {found:#?}");
    }
}

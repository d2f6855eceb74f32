//! The live driver end to end: real requests over loopback sockets.
#![cfg(feature = "live")]

use scsim::live::Backend;
use scsim::live::Driver;
use scsim::live::OsEntropy;
use scsim::live::Request;
use scsim::live::TcpBackend;
use scsim::policy::Fact;
use scsim::policy::FactSink;
use scsim::policy::MemberKey;
use scsim::policy::PolicyConfig;
use scsim::policy::Router;
use scsim::units::Span;
use scsim::units::Time;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A server that answers every request with one status, or (0) never.
struct Server {
    address: SocketAddr,
    hits: Arc<AtomicU32>,
    hit: Arc<Notify>,
}

async fn serve(status: u16) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (hits, hit) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let server = Server { address, hits: hits.clone(), hit: hit.clone() };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (hits, hit) = (hits.clone(), hit.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while stream.read_buf(&mut seen).await.is_ok_and(|n| n > 0) {
                    while let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
                        seen.drain(..end + 4);
                        hits.fetch_add(1, Ordering::Relaxed);
                        hit.notify_one();
                        if status != 0 {
                            let answer = format!("HTTP/1.1 {status} Text\r\ncontent-length: 4\r\n\r\nbody");
                            stream.write_all(answer.as_bytes()).await.unwrap();
                        }
                    }
                }
            });
        }
    });
    server
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[derive(Clone, Default)]
struct Facts(Arc<Mutex<Vec<Fact>>>);

impl FactSink for Facts {
    fn emit(&mut self, _at: Time, fact: Fact) {
        self.0.lock().unwrap().push(fact);
    }
}

impl Facts {
    fn count(&self, which: impl Fn(&Fact) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|fact| which(fact)).count()
    }
}

/// Service Connect's policy, with health changes delivered at once.
fn policy() -> PolicyConfig {
    PolicyConfig { update_merge_window: Span::ZERO, ..PolicyConfig::service_connect() }
}

fn drive(config: PolicyConfig, addresses: &[SocketAddr]) -> (Arc<Driver<TcpBackend>>, Facts) {
    let facts = Facts::default();
    let driver = Driver::start(
        Arc::new(config),
        TcpBackend::new().probing("/health"),
        Box::new(OsEntropy::new()),
        Box::new(facts.clone()),
    );
    let members: Vec<_> = addresses.iter().map(|&address| driver.backend().member(address)).collect();
    if !members.is_empty() {
        driver.set_members(&members, None);
    }
    (Arc::new(driver), facts)
}

#[tokio::test]
async fn a_wedged_server_is_retried_past_and_ejected_after_five() {
    let servers = [serve(200).await, serve(503).await, serve(200).await];
    let (driver, facts) = drive(policy(), &servers.each_ref().map(|server| server.address));
    for _ in 0..30 {
        let done = driver.request(&Request::get("/"), None, true).await;
        assert_eq!(done.verdict.status, 200);
        assert_eq!(done.answer.unwrap().body, b"body");
    }
    assert_eq!(servers[1].hits.load(Ordering::Relaxed), 5);
    assert_eq!(facts.count(|fact| matches!(fact, Fact::Ejected { .. })), 1);
    assert_eq!(facts.count(|fact| matches!(fact, Fact::Retrying { .. })), 5);
    assert_eq!(driver.inspect(|router| (router.active(), router.pending(), router.retries())), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_all_see_a_200() {
    let servers = [serve(200).await, serve(503).await, serve(200).await];
    let mut config = policy();
    if let Some(retry) = &mut config.retry_policy {
        // With 16 at once, two picks may both land on a host that was tried.
        retry.host_selection_retry_max_attempts = 8;
    }
    let (driver, facts) = drive(config, &servers.each_ref().map(|server| server.address));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let driver = driver.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    assert_eq!(driver.request(&Request::get("/"), None, true).await.verdict.status, 200);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(facts.count(|fact| matches!(fact, Fact::Ejected { .. })), 1);
    assert_eq!(driver.inspect(|router| (router.active(), router.pending(), router.retries())), (0, 0, 0));
}

#[tokio::test]
async fn a_closed_port_is_retried_past_and_ejected() {
    let servers = [serve(200).await, serve(200).await];
    let (driver, facts) = drive(policy(), &[servers[0].address, nobody().await, servers[1].address]);
    for _ in 0..30 {
        assert_eq!(driver.request(&Request::get("/"), None, false).await.verdict.status, 200);
    }
    assert_eq!(facts.count(|fact| matches!(fact, Fact::Ejected { .. })), 1);
    assert_eq!(facts.count(|fact| matches!(fact, Fact::Failed { .. })), 5);
}

#[tokio::test]
async fn a_dropped_request_returns_what_it_held() {
    let server = serve(0).await;
    let (driver, _) = drive(policy(), &[server.address]);
    let request = Request::get("/");
    tokio::select! {
        biased;
        done = driver.request(&request, None, true) => panic!("{done:?}"),
        () = server.hit.notified() => {}
    }
    let held = driver.inspect(|router| (router.active(), router.pending(), router.connections()));
    assert_eq!(held, (0, 0, 0));
}

#[tokio::test]
async fn a_silent_server_costs_the_request_its_time() {
    let server = serve(0).await;
    let (driver, _) = drive(policy(), &[server.address]);
    let done = driver.request(&Request::get("/"), Some(Span::from_millis(20)), true).await;
    assert_eq!((done.verdict.status, done.answer), (504, None));
    assert!(done.verdict.flags.has(scsim::policy::fact::Flag::Ut));
}

#[tokio::test]
async fn a_dns_client_looks_its_names_up_and_keeps_its_connection() {
    let server = serve(200).await;
    let facts = Facts::default();
    let backend = TcpBackend::new().resolving(&server.address.to_string(), Span::from_secs(60));
    let config = Arc::new(PolicyConfig::dns_client());
    let driver = Driver::start(config, backend, Box::new(OsEntropy::new()), Box::new(facts.clone()));
    for _ in 0..3 {
        assert_eq!(driver.request(&Request::get("/"), None, true).await.verdict.status, 200);
    }
    assert_eq!(facts.count(|fact| matches!(fact, Fact::Members { live: 1 })), 1);
    assert_eq!(driver.inspect(Router::connections), 1);
}

#[tokio::test]
async fn a_probe_passes_with_a_200_only() {
    let (good, bad, gone) = (serve(200).await.address, serve(503).await.address, nobody().await);
    let backend = TcpBackend::new().probing("/health");
    for (address, passes) in [(good, true), (bad, false), (gone, false)] {
        let member = backend.member(address).key;
        assert_eq!(backend.probe(member).await, passes);
    }
    assert!(!backend.probe(MemberKey(77)).await, "nobody has that name");
}

//! One Envoy process: its bootstrap, its beginning, its statistics, its logs, its end.
//!
//! *Knows* the command line, the admin page and where the files lie. *Does not know* clusters and
//! routes beyond where they stand in the bootstrap.
//! The process is ended by its own handle when the value is dropped; files go with it.

use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

/// The binary to test against, if the environment names one.
pub fn binary() -> Option<PathBuf> {
    std::env::var_os("SCSIM_ENVOY").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// What an Envoy is started with.
pub struct Setup {
    /// `static_resources.clusters`.
    pub clusters: Vec<Value>,
    /// Virtual hosts of the one listener.
    pub virtual_hosts: Vec<Value>,
    /// Zone of Envoy's own node; empty for none.
    pub zone: String,
    /// `cluster_manager.local_cluster_name`; empty for none.
    pub local_cluster: String,
}

impl Setup {
    /// Clusters and virtual hosts in no zone.
    pub fn of(clusters: Vec<Value>, virtual_hosts: Vec<Value>) -> Setup {
        Setup { clusters, virtual_hosts, zone: String::new(), local_cluster: String::new() }
    }
}

/// A running Envoy with one worker thread and one listener.
pub struct Envoy {
    child: Child,
    dir: PathBuf,
    /// Its own page, which its main thread serves.
    pub admin: SocketAddr,
    /// Where requests go.
    pub listener: SocketAddr,
    /// When its listener was seen to work.
    pub ready: Instant,
}

/// One line of the access log.
#[derive(Clone, Debug)]
pub struct Access {
    /// `:authority`.
    pub authority: String,
    /// `:path`.
    pub path: String,
    /// The status the caller got.
    pub status: u16,
    /// Response flags, sorted.
    pub flags: Vec<String>,
    /// Attempts, as Envoy counts them.
    pub attempts: u32,
    /// How long the request took, ms.
    pub took_ms: u64,
}

/// One line of the outlier event log.
#[derive(Clone, Debug)]
pub struct OutlierEvent {
    pub cluster: String,
    /// `ip:port`.
    pub host: String,
    /// True for EJECT.
    pub eject: bool,
    /// The detector in Envoy's words.
    pub kind: String,
    pub enforced: bool,
    /// Ejections of that host so far.
    pub count: u32,
    pub at: SystemTime,
}

static STARTED: AtomicU32 = AtomicU32::new(0);

impl Envoy {
    /// Starts Envoy and waits until it serves.
    ///
    /// # Panics
    /// If it does not serve within 30 s; what it logged last is in the message.
    pub fn start(binary: &Path, setup: &Setup) -> Envoy {
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("scsim-envoy-{}-{nth}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory for Envoy's files can be made");
        let config = dir.join("bootstrap.json");
        fs::write(&config, bootstrap(&dir, setup).to_string()).expect("the bootstrap can be written");
        let log = fs::File::create(dir.join("envoy.log")).expect("a log can be made");
        let child = Command::new(binary)
            .arg("-c")
            .arg(&config)
            .args(["--concurrency", "1", "--use-dynamic-base-id", "--disable-hot-restart"])
            .args(["--file-flush-interval-msec", "50", "--drain-time-s", "1"])
            // Cluster additions are logged with their instants, which are those of the timers' beginning.
            .args(["-l", "warning", "--component-log-level", "upstream:debug", "--log-format", "%E.%e %v"])
            .arg("--admin-address-path")
            .arg(dir.join("admin.txt"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.display()));
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut envoy = Envoy { child, dir, admin: nowhere, listener: nowhere, ready: Instant::now() };
        let patience = Instant::now() + Duration::from_secs(30);
        while !envoy.find_addresses() {
            let ended = envoy.child.try_wait().ok().flatten();
            assert!(
                ended.is_none() && Instant::now() < patience,
                "Envoy does not serve ({ended:?}):\n{}",
                tail(&envoy.dir.join("envoy.log"))
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        envoy.ready = Instant::now();
        envoy
    }

    fn find_addresses(&mut self) -> bool {
        let Ok(text) = fs::read_to_string(self.dir.join("admin.txt")) else { return false };
        let Ok(admin) = text.trim().parse() else { return false };
        self.admin = admin;
        let live = self.admin("GET", "/ready").is_some_and(|text| text.contains("LIVE"));
        let listeners = self.admin("GET", "/listeners?format=json").and_then(|text| serde_json::from_str(&text).ok());
        let port = listeners.and_then(|listeners: Value| {
            listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"].as_u64()
        });
        match port {
            Some(port) if live && port > 0 => {
                self.listener = SocketAddr::from((Ipv4Addr::LOCALHOST, port as u16));
                true
            }
            _ => false,
        }
    }

    /// The body of an admin page.
    pub fn admin(&self, method: &str, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.admin, Duration::from_secs(2)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let head = "host: admin\r\nconnection: close\r\ncontent-length: 0";
        write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        if chunked { joined(body) } else { Some(body.to_owned()) }
    }

    /// Counters and gauges whose names begin with `cluster.`, without that word.
    pub fn statistics(&self) -> BTreeMap<String, u64> {
        let text = self.admin("GET", "/stats?filter=^cluster%5C.").unwrap_or_default();
        let line = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.strip_prefix("cluster.")?.to_owned(), value.trim().parse().ok()?))
        };
        text.lines().filter_map(line).collect()
    }

    /// When each cluster was made, which is when its sweeps began to be timed; good to some ms.
    pub fn cluster_births(&self) -> BTreeMap<String, SystemTime> {
        let text = fs::read_to_string(self.dir.join("envoy.log")).unwrap_or_default();
        let birth = |line: &str| {
            let (at, rest) = line.split_once(' ')?;
            let name = rest.split_once("cm init: adding: cluster=")?.1.split_whitespace().next()?;
            let (secs, ms) = at.split_once('.')?;
            let since = Duration::from_millis(secs.parse::<u64>().ok()? * 1000 + ms.parse::<u64>().ok()?);
            Some((name.to_owned(), SystemTime::UNIX_EPOCH + since))
        };
        text.lines().filter_map(birth).collect()
    }

    /// Sends the process a signal, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// What it wrote to its own log, for a message about something strange.
    pub fn last_words(&self) -> String {
        tail(&self.dir.join("envoy.log"))
    }

    /// The access log so far.
    pub fn accesses(&self) -> Vec<Access> {
        let text = fs::read_to_string(self.dir.join("access.log")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).map(|line| access(&line)).collect()
    }

    /// The outlier event log so far.
    pub fn outlier_events(&self) -> Vec<OutlierEvent> {
        let text = fs::read_to_string(self.dir.join("outlier.log")).unwrap_or_default();
        let event = |line: &str| {
            let value = serde_json::from_str(line).ok();
            value.and_then(|value| outlier_event(&value)).unwrap_or_else(|| panic!("no outlier event: {line}"))
        };
        text.lines().map(event).collect()
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::env::var_os("SCSIM_ENVOY_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// A chunked body without its seams.
fn joined(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = body.split_once("\r\n")?;
        let length = usize::from_str_radix(length.trim(), 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..length)?);
        body = rest.get(length..)?.strip_prefix("\r\n")?;
    }
}

fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

fn access(line: &Value) -> Access {
    let text = |key: &str| line[key].as_str().unwrap_or("").to_owned();
    let list = |key: &str| -> Vec<String> {
        text(key).split(',').filter(|item| !item.is_empty() && *item != "-").map(str::to_owned).collect()
    };
    let number = |key: &str| line[key].as_u64().or_else(|| line[key].as_str()?.parse().ok()).unwrap_or(0);
    let mut flags = list("flags");
    flags.sort();
    Access {
        authority: text("authority"),
        path: text("path"),
        status: number("status") as u16,
        flags,
        attempts: number("attempts") as u32,
        took_ms: number("took"),
    }
}

fn outlier_event(line: &Value) -> Option<OutlierEvent> {
    Some(OutlierEvent {
        cluster: line["cluster_name"].as_str()?.to_owned(),
        host: line["upstream_url"].as_str()?.to_owned(),
        eject: line["action"].as_str()? == "EJECT",
        kind: line["type"].as_str()?.to_owned(),
        enforced: line["enforced"].as_bool()?,
        count: line["num_ejections"].as_u64()? as u32,
        at: instant(line["timestamp"].as_str()?)?,
    })
}

/// `2026-01-31T12:34:56.789Z`; the fraction is missing where it is nothing.
fn instant(text: &str) -> Option<SystemTime> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days since 1970 of the civil calendar; March is the first month of its year.
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = shifted_year * 365 + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + day_of_year - 719_468;
    let secs = days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let ms = if text.get(19..20) == Some(".") { number(20..23)? } else { 0 };
    Some(SystemTime::UNIX_EPOCH + Duration::from_millis(secs * 1000 + ms))
}

fn bootstrap(dir: &Path, setup: &Setup) -> Value {
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let socket = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    let line = json!({
        "authority": "%REQ(:AUTHORITY)%", "path": "%REQ(:PATH)%", "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%", "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "took": "%DURATION%",
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": setup.virtual_hosts},
        "access_log": [{
            "name": "file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": path("access.log"),
                "log_format": {"json_format": line},
            },
        }],
        "http_filters": [{
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        }],
    });
    let mut cluster_manager = json!({"outlier_detection": {"event_log_path": path("outlier.log")}});
    if !setup.local_cluster.is_empty() {
        cluster_manager["local_cluster_name"] = json!(setup.local_cluster);
    }
    json!({
        "node": {"id": "scsim", "cluster": "scsim", "locality": {"zone": setup.zone}},
        "admin": {"address": socket},
        "cluster_manager": cluster_manager,
        "static_resources": {
            "listeners": [{
                "name": "in",
                "address": socket,
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager,
                }]}],
            }],
            "clusters": setup.clusters,
        },
    })
}

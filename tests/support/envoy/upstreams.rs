//! HTTP/1.1 servers that do what a script says.
//!
//! *Knows* how to answer, hang up, reset, refuse and say nothing, and writes down who was asked
//! what. *Does not know* why: the script is a function of the request and its host.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;

/// What a host does with a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Answers.
    Answer(Answer),
    /// Sends RST after that time.
    Reset(Duration),
    /// Closes without a word.
    Close,
    /// Says nothing until the other side has gone.
    Hang,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    /// It has a body of some bytes; otherwise `content-length: 0`.
    pub body: bool,
    pub after: Duration,
    /// Lines of further headers, `name: value`.
    pub headers: Vec<String>,
}

impl Answer {
    /// At once and without a body.
    pub fn of(status: u16) -> Answer {
        Answer { status, body: false, after: Duration::ZERO, headers: Vec::new() }
    }
}

/// A request as a script sees it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Index of the host that got it.
    pub host: usize,
    pub authority: String,
    pub path: String,
    /// Which connection it came on; every connection has its own number.
    pub conn: u64,
    pub at: Instant,
}

/// The servers. They end with the runtime that they were started on.
pub struct Upstreams {
    /// Addresses of the hosts that listen.
    pub hosts: Vec<SocketAddr>,
    /// Addresses where connections are refused, as many.
    pub refusing: Vec<SocketAddr>,
    hits: Arc<Mutex<Vec<Request>>>,
    /// Bound and never listening: whoever connects is refused, and nobody else gets the port.
    bound: Vec<TcpSocket>,
}

impl Upstreams {
    /// Starts `count` hosts on loopback addresses of their own. Requests to all are answered by `script`.
    pub async fn start(
        count: usize,
        script: impl Fn(&Request) -> Act + Send + Sync + 'static,
    ) -> io::Result<Upstreams> {
        let script = Arc::new(script);
        let hits = Arc::new(Mutex::new(Vec::new()));
        let conns = Arc::new(AtomicU64::new(0));
        let mut all = Upstreams { hosts: Vec::new(), refusing: Vec::new(), hits: Arc::clone(&hits), bound: Vec::new() };
        for host in 0..count {
            let address = Ipv4Addr::new(127, 0, 1, host as u8 + 1);
            let listener = TcpListener::bind((address, 0)).await?;
            all.hosts.push(listener.local_addr()?);
            let closed = TcpSocket::new_v4()?;
            closed.bind(SocketAddr::from((address, 0)))?;
            all.refusing.push(closed.local_addr()?);
            all.bound.push(closed);
            let (script, hits, conns) = (Arc::clone(&script), Arc::clone(&hits), Arc::clone(&conns));
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let conn = conns.fetch_add(1, Ordering::Relaxed);
                    let (script, hits) = (Arc::clone(&script), Arc::clone(&hits));
                    // Whatever goes wrong on one connection is seen by its client.
                    tokio::spawn(async move { serve(stream, host, conn, &*script, &hits).await.ok() });
                }
            });
        }
        Ok(all)
    }

    /// Every request so far, in the order of arrival.
    pub fn hits(&self) -> Vec<Request> {
        self.hits.lock().expect("nobody panics while writing down").clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    host: usize,
    conn: u64,
    script: &(impl Fn(&Request) -> Act + Send + Sync),
    hits: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let Some(end) = read_head(&mut stream, &mut buffer).await? else { return Ok(()) };
        let request = parse(&buffer[..end], host, conn);
        buffer.drain(..end);
        hits.lock().expect("nobody panics while writing down").push(request.clone());
        match script(&request) {
            Act::Answer(answer) => {
                if !answer.after.is_zero() && gone_within(&mut stream, answer.after).await {
                    return Ok(());
                }
                stream.write_all(text(&answer).as_bytes()).await?;
            }
            Act::Reset(after) => {
                let _ = !after.is_zero() && gone_within(&mut stream, after).await;
                return stream.set_zero_linger();
            }
            Act::Close => return Ok(()),
            Act::Hang => {
                let _ = gone_within(&mut stream, Duration::from_secs(60)).await;
                return Ok(());
            }
        }
    }
}

/// True if the other side hung up before the time was over. It sends nothing meanwhile.
async fn gone_within(stream: &mut TcpStream, time: Duration) -> bool {
    let mut byte = [0];
    tokio::time::timeout(time, stream.read(&mut byte)).await.is_ok()
}

/// Reads until the end of a head; `None` if the other side has gone.
pub(super) async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(Some(at + 4));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn parse(head: &[u8], host: usize, conn: u64) -> Request {
    let head = String::from_utf8_lossy(head);
    let path = head.split(' ').nth(1).unwrap_or("").to_owned();
    let authority = head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or("").trim().to_owned();
    Request { host, authority, path, conn, at: Instant::now() }
}

fn text(answer: &Answer) -> String {
    let body = if answer.body { "said at some length" } else { "" };
    let mut text = format!("HTTP/1.1 {} Said\r\ncontent-length: {}\r\n", answer.status, body.len());
    for header in &answer.headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text + "\r\n" + body
}

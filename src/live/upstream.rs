//! What attempts are made of: connections, exchanges, probes, look-ups.
//!
//! *Knows* sockets and just enough HTTP/1.1 to carry one request and read one answer. It alone
//! maps sockets to [`ConnKey`] and errors to [`Outcome`]. *Does not know* which endpoint is
//! chosen, for how long anything is waited for, or what a failure leads to.
//! Start reading at [`Backend`]; [`TcpBackend`] is the one on real sockets.

use crate::policy::ConnKey;
use crate::policy::Member;
use crate::policy::MemberKey;
use crate::policy::Outcome;
use crate::policy::Trouble;
use crate::policy::Try;
use crate::policy::config::RetryPolicy;
use crate::policy::headers;
use crate::units::Span;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::MutexGuard;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What the driver needs from the world. Every future may be dropped before it is done: that is
/// how a time limit reaches it, and its connection must then be given up.
pub trait Backend: Send + Sync + 'static {
    /// What is sent.
    type Request: Send + Sync;
    /// What comes back.
    type Answer: Send;

    /// Opens a connection and keeps it under that name.
    fn dial(&self, member: MemberKey, conn: ConnKey) -> impl Future<Output = Result<(), Trouble>> + Send;
    /// Sends a request on the attempt's connection and waits for the answer.
    fn send(&self, attempt: &Try, request: &Self::Request) -> impl Future<Output = Exchange<Self::Answer>> + Send;
    /// Closes a connection, if it still stands. Called under the driver's lock: must not wait.
    fn close(&self, conn: ConnKey);
    /// Whether a health check passes.
    fn probe(&self, member: MemberKey) -> impl Future<Output = bool> + Send;
    /// Looks the name up.
    fn resolve(&self) -> impl Future<Output = Option<Names>> + Send;
}

/// How an attempt went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange<A> {
    /// For the policy.
    pub outcome: Outcome,
    /// For the caller.
    pub answer: Option<A>,
    /// False if the peer closed the connection, or said that it will.
    pub reusable: bool,
}

impl<A> Exchange<A> {
    /// An attempt without an answer. The policy decides what becomes of the connection.
    pub const fn failed(trouble: Trouble) -> Exchange<A> {
        Exchange { outcome: Outcome::Failed(trouble), answer: None, reusable: true }
    }
}

/// An answer to a look-up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    /// The endpoints, in the order of the answer.
    pub list: Vec<Member>,
    /// How long the answer is good for.
    pub valid_for: Span,
}

/// An HTTP/1.1 request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names and values, without `host`, `content-length` and `connection`.
    pub headers: Vec<(String, String)>,
    /// Sent with its length.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn get(target: &str) -> Request {
        Request { method: "GET".to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    fn encode(&self, host: SocketAddr) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        if !self.body.is_empty() || !matches!(self.method.as_str(), "GET" | "HEAD") {
            head.push_str("content-length: ");
            head.push_str(&self.body.len().to_string());
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An HTTP/1.1 answer, read to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, transfer codings undone.
    pub body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
    fn has_token(&self, name: &str, token: &str) -> bool {
        self.header(name).is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
    }
}

/// Endpoints behind TCP addresses that speak HTTP/1.1 without TLS.
#[derive(Debug)]
pub struct TcpBackend {
    name: Option<(String, Span)>,
    probe_target: String,
    /// Whose headers are looked for in answers.
    policy: Option<RetryPolicy>,
    sockets: Mutex<Sockets>,
}

#[derive(Debug, Default)]
struct Sockets {
    addresses: Vec<SocketAddr>,
    /// Connections that carry no request now.
    idle: BTreeMap<ConnKey, TcpStream>,
}

impl TcpBackend {
    /// A backend whose endpoints are told to it by [`TcpBackend::member`].
    pub fn new() -> TcpBackend {
        TcpBackend { name: None, probe_target: "/".to_owned(), policy: None, sockets: Mutex::default() }
    }

    /// Looks up `name` ("payments:8080") with the system's resolver, which does not tell how long
    /// its answers are good for; they count as good for `valid_for`.
    #[must_use]
    pub fn resolving(mut self, name: &str, valid_for: Span) -> TcpBackend {
        self.name = Some((name.to_owned(), valid_for));
        self
    }

    /// Probes ask for `target` and pass with a 200.
    #[must_use]
    pub fn probing(mut self, target: &str) -> TcpBackend {
        target.clone_into(&mut self.probe_target);
        self
    }

    /// Answers are read for the headers that this policy knows. A reset header that names an instant is
    /// passed over: nothing here knows the time of day.
    #[must_use]
    pub fn reading_for(mut self, policy: RetryPolicy) -> TcpBackend {
        self.policy = Some(policy);
        self
    }

    /// The member of that address, the same one each time.
    pub fn member(&self, address: SocketAddr) -> Member {
        let mut sockets = self.lock();
        let index = sockets.addresses.iter().position(|&known| known == address).unwrap_or_else(|| {
            sockets.addresses.push(address);
            sockets.addresses.len() - 1
        });
        Member { address, ..Member::of(MemberKey(index as u64)) }
    }

    /// The address of a member.
    pub fn address(&self, member: MemberKey) -> Option<SocketAddr> {
        self.lock().addresses.get(usize::try_from(member.0).ok()?).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().expect("nothing panics under this lock")
    }

    async fn connect(&self, member: MemberKey) -> Result<TcpStream, Trouble> {
        let address = self.address(member).ok_or(Trouble::ConnectRefused)?;
        let stream = TcpStream::connect(address).await.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Trouble::ConnectTimeout,
            _ => Trouble::ConnectRefused,
        })?;
        // Small requests must not wait for each other's acknowledgements; without the option the
        // connection is slower, not wrong.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

impl Default for TcpBackend {
    fn default() -> Self {
        TcpBackend::new()
    }
}

impl Backend for TcpBackend {
    type Request = Request;
    type Answer = Answer;

    async fn dial(&self, member: MemberKey, conn: ConnKey) -> Result<(), Trouble> {
        let stream = self.connect(member).await?;
        self.lock().idle.insert(conn, stream);
        Ok(())
    }

    async fn send(&self, attempt: &Try, request: &Request) -> Exchange<Answer> {
        // Taken out while it is in use: a dropped attempt drops its socket.
        let taken = self.lock().idle.remove(&attempt.conn);
        let (Some(mut stream), Some(host)) = (taken, self.address(attempt.member)) else {
            return Exchange::failed(Trouble::Reset { sent: false });
        };
        if closed_while_idle(&stream) {
            return Exchange::failed(Trouble::Reset { sent: false });
        }
        let bytes = request.encode(host);
        match stream.write(&bytes).await {
            Ok(0) | Err(_) => return Exchange::failed(Trouble::Reset { sent: false }),
            // An early answer may come with a refusal to read on: what was said is still read.
            Ok(n) => drop(stream.write_all(&bytes[n..]).await),
        }
        match read_answer(&mut stream, request.method == "HEAD").await {
            Ok((answer, reusable)) => {
                if reusable {
                    self.lock().idle.insert(attempt.conn, stream);
                }
                // It was read to its end, so that a retry does not cost the connection.
                let pairs = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                let marks = headers::answer(self.policy.as_ref(), None, answer.status, false, None, pairs);
                let outcome = Outcome::Answered(marks);
                Exchange { outcome, answer: Some(answer), reusable }
            }
            Err(_) => Exchange::failed(Trouble::Reset { sent: true }),
        }
    }

    fn close(&self, conn: ConnKey) {
        self.lock().idle.remove(&conn);
    }

    async fn probe(&self, member: MemberKey) -> bool {
        let (Ok(mut stream), Some(host)) = (self.connect(member).await, self.address(member)) else { return false };
        let request = Request::get(&self.probe_target).encode(host);
        if stream.write_all(&request).await.is_err() {
            return false;
        }
        matches!(read_answer(&mut stream, false).await, Ok((answer, _)) if answer.status == 200)
    }

    async fn resolve(&self) -> Option<Names> {
        let (name, valid_for) = self.name.as_ref()?;
        let addresses = tokio::net::lookup_host(name).await.ok()?;
        let list: Vec<Member> = addresses.map(|address| self.member(address)).collect();
        (!list.is_empty()).then_some(Names { list, valid_for: *valid_for })
    }
}

/// The peer hung up, or talked out of turn, which leaves the connection as useless.
fn closed_while_idle(stream: &TcpStream) -> bool {
    !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// Reads one answer. True with it if the connection can carry another request.
async fn read_answer(stream: &mut TcpStream, to_head: bool) -> io::Result<(Answer, bool)> {
    let mut input = Input { stream, buffer: Vec::new() };
    let (mut answer, version_1_1) = loop {
        let (answer, version_1_1) = parse_head(&input.take_head().await?)?;
        // Interim answers announce the final one; 101 is an answer to a question never asked.
        if answer.status == 101 {
            return Err(malformed("unexpected upgrade"));
        }
        if answer.status >= 200 {
            break (answer, version_1_1);
        }
    };
    let keeps = version_1_1 && !answer.has_token("connection", "close");
    let length = match answer.header("content-length") {
        Some(text) => Some(text.parse::<usize>().map_err(|_| malformed("content-length"))?),
        None => None,
    };
    let mut delimited = true;
    if to_head || answer.status == 204 || answer.status == 304 {
        // No body, whatever the headers say.
    } else if answer.has_token("transfer-encoding", "chunked") {
        answer.body = input.take_chunks().await?;
    } else if let Some(length) = length {
        answer.body = input.take(length).await?;
    } else {
        delimited = false;
        answer.body = input.take_all().await?;
    }
    let reusable = keeps && delimited && input.buffer.is_empty();
    Ok((answer, reusable))
}

/// Bytes as they come, and those read too early.
struct Input<'a> {
    stream: &'a mut TcpStream,
    buffer: Vec<u8>,
}

impl Input<'_> {
    /// Reads more; the end of the stream is an error.
    async fn fill(&mut self) -> io::Result<()> {
        if self.buffer.len() > ANSWER_MAX {
            return Err(malformed("answer too long"));
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Everything up to and without `end`, which is taken too.
    async fn take_until(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                let mut taken: Vec<u8> = self.buffer.drain(..at + end.len()).collect();
                taken.truncate(at);
                return Ok(taken);
            }
            if self.buffer.len() > HEAD_MAX {
                return Err(malformed("head too long"));
            }
            self.fill().await?;
        }
    }

    async fn take_head(&mut self) -> io::Result<Vec<u8>> {
        self.take_until(b"\r\n\r\n").await
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > ANSWER_MAX {
            return Err(malformed("answer too long"));
        }
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn take_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_until(b"\r\n").await?;
            let line = std::str::from_utf8(&line).map_err(|_| malformed("chunk"))?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
            if size == 0 {
                // Trailers end with an empty line.
                while !self.take_until(b"\r\n").await?.is_empty() {}
                return Ok(body);
            }
            if size > ANSWER_MAX - body.len() {
                return Err(malformed("answer too long"));
            }
            body.append(&mut self.take(size).await?);
            if !self.take_until(b"\r\n").await?.is_empty() {
                return Err(malformed("chunk end"));
            }
        }
    }

    async fn take_all(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.fill().await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.buffer));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Status line and headers, and whether the peer speaks HTTP/1.1.
fn parse_head(head: &[u8]) -> io::Result<(Answer, bool)> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("head"))?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().splitn(3, ' ');
    let version_1_1 = match words.next() {
        Some("HTTP/1.1") => true,
        Some("HTTP/1.0") => false,
        _ => return Err(malformed("version")),
    };
    let status = words
        .next()
        .and_then(|word| word.parse().ok())
        .filter(|status| (100..600).contains(status))
        .ok_or_else(|| malformed("status"))?;
    let headers = lines
        .map(|line| {
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("header"))?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect::<io::Result<_>>()?;
    Ok((Answer { status, headers, body: Vec::new() }, version_1_1))
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Longest head read.
const HEAD_MAX: usize = 64 << 10;
/// Longest body read; answers are kept whole.
const ANSWER_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// What the reader makes of `raw` from a peer that then closes.
    async fn read(raw: &[u8]) -> io::Result<(Answer, bool)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let raw = raw.to_vec();
        let peer = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            stream.write_all(&raw).await
        });
        let result = read_answer(&mut TcpStream::connect(address).await?, false).await;
        peer.await??;
        result
    }

    #[tokio::test]
    async fn bodies_end_where_the_peer_says() {
        for (raw, body, reusable) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", "hi", true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", "hi", false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", "hi", false),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", false),
            ("HTTP/1.1 204 No Content\r\n\r\n", "", true),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx", "x", true),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n",
                "abcde",
                true,
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nxtoo much", "x", false),
        ] {
            let (answer, kept) = read(raw.as_bytes()).await.unwrap();
            assert_eq!((answer.body.as_slice(), kept), (body.as_bytes(), reusable), "{raw:?}");
        }
    }

    #[tokio::test]
    async fn half_an_answer_is_none() {
        for raw in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 twohundred\r\n\r\n",
        ] {
            assert!(read(raw.as_bytes()).await.is_err(), "{raw:?}");
        }
    }
}

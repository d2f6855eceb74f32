//! A client that keeps its connections.
//!
//! *Knows* GET, and answers with a length or in chunks. *Does not know* what they mean.

use super::upstreams::read_head;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Connections to one address.
pub struct Client {
    to: SocketAddr,
    idle: Mutex<Vec<TcpStream>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// The head as it came.
    pub head: String,
}

impl Client {
    pub fn new(to: SocketAddr) -> Client {
        Client { to, idle: Mutex::new(Vec::new()) }
    }

    /// Sends a GET and reads the whole answer. `headers` are lines that end in `\r\n`.
    pub async fn get(&self, authority: &str, path: &str, headers: &str) -> io::Result<Reply> {
        let kept = self.idle.lock().expect("nobody panics in here").pop();
        let mut stream = if let Some(stream) = kept {
            stream
        } else {
            let stream = TcpStream::connect(self.to).await?;
            stream.set_nodelay(true)?;
            stream
        };
        let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = Vec::new();
        let gone = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = read_head(&mut stream, &mut buffer).await?.ok_or_else(gone)?;
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(gone)?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
        let chunked = head.contains("\r\ntransfer-encoding: chunked");
        let whole = |buffer: &[u8]| {
            if chunked { buffer[end..].ends_with(b"0\r\n\r\n") } else { buffer.len() >= end + length }
        };
        while !whole(&buffer) {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(gone());
            }
        }
        if !head.contains("\r\nconnection: close") {
            self.idle.lock().expect("nobody panics in here").push(stream);
        }
        Ok(Reply { status, head })
    }
}

//! Whoever is told of runs over HTTP: a stand-in that keeps what it was told, and may be dead, slow or lying.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::process::LIMIT;

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Answers(u16),
    /// It accepts the connection, and says nothing for ever.
    Silent,
    /// One byte a second.
    Drips,
    /// A good answer with a body that does not end.
    Endless,
    /// It leads to itself.
    Redirects,
    /// It closes the connection.
    HangsUp,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Told {
    /// With the query.
    pub path: String,
    pub headers: String,
    pub body: String,
}

impl Told {
    /// The last part of the path.
    pub fn last(&self) -> &str {
        let path = self.path.split('?').next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }
}

/// It ends with the test's process.
pub struct Receiver {
    port: u16,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Receiver {
    pub fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let of_thread = Arc::clone(&told);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let told = Arc::clone(&of_thread);
                // Whoever has gone away wants no answer.
                thread::spawn(move || serve(client, manner, port, &told).ok());
            }
        });
        Self { port, told }
    }

    /// An address of it, with something secret in it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// What it was told so far.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

fn serve(
    mut client: TcpStream,
    manner: Manner,
    port: u16,
    told: &Mutex<Vec<Told>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut headers = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let line = line.to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        headers.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    told.lock().unwrap().push(Told {
        path,
        headers,
        body: String::from_utf8(body).unwrap(),
    });
    match manner {
        Manner::Answers(status) => {
            write!(
                client,
                "HTTP/1.1 {status} Whatever\r\nContent-Length: 2\r\n\r\nOK"
            )
        }
        Manner::Silent => {
            // Until the client has gone away.
            client.set_read_timeout(Some(LIMIT))?;
            client.read(&mut [0]).map(drop)
        }
        Manner::Drips => loop {
            client.write_all(b"H")?;
            thread::sleep(Duration::from_secs(1));
        },
        Manner::Endless => {
            client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")?;
            loop {
                client.write_all(&[b'x'; 4096])?;
            }
        }
        Manner::Redirects => write!(
            client,
            "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:{port}/there\r\nContent-Length: 0\r\n\r\n"
        ),
        Manner::HangsUp => Ok(()),
    }
}

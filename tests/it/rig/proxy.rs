//! A TCP proxy between a process and a database server, which can be cut and can fall silent.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::process::LIMIT;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    /// Connections end, and none comes about.
    Cut,
    /// What is sent is kept back, on new connections as well, and nobody is told.
    Silent,
}

struct State {
    way: Way,
    /// Where new connections lead.
    port: u16,
    /// Both ends of each connection.
    ends: Vec<TcpStream>,
    /// So often something was kept back in this silence, or turned away in this cut.
    stopped: u64,
}

/// The way to a server. It ends with the test.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Proxy {
    /// A way to `port` of the loopback address, which is open.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                way: Way::Open,
                port,
                ends: Vec::new(),
                stopped: 0,
            }),
            changed: Condvar::new(),
        });
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                of_thread.connect(&client);
            }
        });
        Self { port: own, shared }
    }

    /// `address`, which leads to the server directly, by this way.
    pub fn address(&self, address: &str) -> String {
        let (before, rest) = address.rsplit_once(':').unwrap();
        let (_, database) = rest.split_once('/').unwrap();
        format!("{before}:{}/{database}", self.port)
    }

    /// Leads new connections to `port` from now on.
    pub fn lead_to(&self, port: u16) {
        self.shared.state.lock().unwrap().port = port;
    }

    /// Where it is.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends all connections, and lets none come about.
    pub fn cut(&self) {
        self.set(Way::Cut);
    }

    /// Keeps back what is sent, without a word.
    pub fn silence(&self) {
        self.set(Way::Silent);
    }

    /// Lets everything through again; what was kept back goes first.
    pub fn open(&self) {
        self.set(Way::Open);
    }

    /// Waits until somebody has noticed that the way is not open.
    pub fn wait_until_it_stops_somebody(&self) {
        let state = self.shared.state.lock().unwrap();
        let nobody = |state: &mut State| state.stopped == 0;
        let waited = self.shared.changed.wait_timeout_while(state, LIMIT, nobody);
        assert!(!waited.unwrap().1.timed_out(), "nobody comes this way");
    }

    fn set(&self, way: Way) {
        let mut state = self.shared.state.lock().unwrap();
        state.way = way;
        state.stopped = 0;
        if way == Way::Cut {
            for end in state.ends.drain(..) {
                // One that has ended already needs no end.
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: &TcpStream) {
        let mut state = self.state.lock().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], state.port));
        // A server that is down refuses, as it would without a proxy.
        let server = (state.way != Way::Cut).then(|| TcpStream::connect(address));
        let Some(Ok(server)) = server else {
            state.stopped += 1;
            self.changed.notify_all();
            return;
        };
        for (from, to) in [(client, &server), (&server, client)] {
            from.set_nodelay(true).unwrap();
            state.ends.push(from.try_clone().unwrap());
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let shared = Arc::clone(self);
            thread::spawn(move || shared.pass_on(from, to));
        }
    }

    /// Hands on what comes until one side has ended.
    fn pass_on(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            self.wait_while_silent();
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        // That somebody has left is not heard in a silence either.
        self.wait_while_silent();
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    fn wait_while_silent(&self) {
        let mut state = self.state.lock().unwrap();
        if state.way == Way::Silent {
            state.stopped += 1;
            self.changed.notify_all();
        }
        let is_silent = |state: &mut State| state.way == Way::Silent;
        drop(self.changed.wait_while(state, is_silent).unwrap());
    }
}

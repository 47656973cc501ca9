//! A headless Chromium, spoken to over the plain HTTP of `WebDriver`.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Nothing that the browser is asked for may take longer.
const LIMIT: Duration = Duration::from_mins(1);

/// A browser with one window. Dropping it ends it.
pub struct Browser {
    driver: Child,
    /// Read to its end, so that the driver never waits for a reader.
    _said: BufReader<ChildStdout>,
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    session: String,
    /// Where both keep their files, which they do not take away.
    _folder: tempfile::TempDir,
}

impl Browser {
    /// `None`: there is no driver on this machine, and nobody demands one (`REFLEET_BROWSER=1`).
    pub fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let spawned = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match spawned {
            Ok(driver) => driver,
            Err(error) => {
                let is_demanded =
                    std::env::var_os("REFLEET_BROWSER").is_some_and(|word| word == "1");
                assert!(!is_demanded, "chromedriver: {error}");
                return None;
            }
        };
        let mut said = BufReader::new(driver.stdout.take().expect("it is piped"));
        let Some(port) = port(&mut said) else {
            // It ends where somebody else has taken the port that it had chosen.
            let _ = driver.wait();
            return Self::start();
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let mut browser = Self {
            driver,
            _said: said,
            runtime,
            client: client(),
            session: format!("http://127.0.0.1:{port}/session"),
            _folder: folder,
        };
        let started = browser.post("", &capabilities());
        let id = started["sessionId"].as_str().expect("a session");
        browser.session = format!("{}/{id}", browser.session);
        Some(browser)
    }

    /// Opens a file, and waits until it is loaded.
    pub fn open(&self, path: &Path) {
        self.post(
            "/url",
            &json!({"url": format!("file://{}", path.display())}),
        );
    }

    /// What `script` returns.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Types into what has the focus, as a keyboard does.
    pub fn keys(&self, keys: &str) {
        let actions: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
            })
            .collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.post("/actions", &json!({"actions": [keyboard]}));
    }

    /// Clicks on what `selector` finds first.
    pub fn click(&self, selector: &str) {
        let found = self.post(
            "/element",
            &json!({"using": "css selector", "value": selector}),
        );
        let id = found
            .as_object()
            .and_then(|found| found.values().next())
            .and_then(Value::as_str);
        let id = id.unwrap_or_else(|| panic!("{selector}: {found}"));
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// The window has this width, and that height.
    pub fn resize(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    /// The reader prefers `dark` or `light`.
    pub fn prefer(&self, scheme: &str) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    /// The page looks as it is printed by a reader who prefers dark pages.
    pub fn on_paper(&self) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}),
        );
    }

    /// The page as it is printed: a PDF in base 64.
    pub fn printed(&self) -> String {
        let printed = self.post("/print", &json!({}));
        printed.as_str().expect("a document").to_owned()
    }

    /// The reader's clocks are those of this time zone.
    pub fn live_in(&self, zone: &str) {
        self.devtools(
            "Emulation.setTimezoneOverride",
            &json!({"timezoneId": zone}),
        );
    }

    /// A picture of the window, as `WebP` in base 64.
    pub fn picture(&self) -> String {
        let taken = self.devtools(
            "Page.captureScreenshot",
            &json!({"format": "webp", "quality": 85}),
        );
        taken["data"].as_str().expect("a picture").to_owned()
    }

    /// What was written to this log since it was read last: `browser`, or `performance`.
    pub fn log(&self, kind: &str) -> Vec<Value> {
        let log = self.post("/se/log", &json!({"type": kind}));
        log.as_array().expect("a log").clone()
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.client.post(url).body(body.to_string()).timeout(LIMIT);
        let answer = self
            .runtime
            .block_on(async { request.send().await?.bytes().await });
        let answer: Value = serde_json::from_slice(&answer.expect("an answer")).expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{path}: {answer:#}");
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with it. Whatever goes wrong here, it is over.
        let quit = self.client.delete(&self.session).timeout(LIMIT);
        let _ = self.runtime.block_on(async { quit.send().await });
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Plain HTTP needs no certificates, and reqwest a provider all the same.
fn client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions that it has")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls);
    client.build().expect("a client")
}

fn capabilities() -> Value {
    // The shared memory of containers is small.
    let mut arguments = vec![
        "--headless=new",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--lang=en-US",
        "--force-prefers-reduced-motion",
    ];
    // Chromium has no sandbox for root, and does not start.
    if std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0) {
        arguments.push("--no-sandbox");
    }
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": {"args": arguments},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }}})
}

/// The port on which the driver says that it listens; `None`: it has ended.
fn port(said: &mut BufReader<ChildStdout>) -> Option<u16> {
    let began = Instant::now();
    let mut line = String::new();
    while began.elapsed() < LIMIT {
        if said.read_line(&mut line).expect("its output") == 0 {
            return None;
        }
        let words = line.trim_end().trim_end_matches('.');
        let port = words
            .rsplit_once("successfully on port ")
            .and_then(|(_, port)| port.parse().ok());
        if port.is_some() {
            return port;
        }
        line.clear();
    }
    panic!("chromedriver did not say on which port it listens");
}

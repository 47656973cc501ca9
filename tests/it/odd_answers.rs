//! Answers as the field has them: of another request, of half a session, in another charset, and for
//! ever the same.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::rig::{FIRST, Rig, finish};
use refleet::simulator::{Call, Fault, FaultKind, Script};

/// From now on every call of this kind meets `fault`.
fn always(rig: &Rig, call: Option<Call>, fault: impl Into<Fault>) {
    rig.simulator.script(Script {
        call,
        elid: None,
        skip: 0,
        times: u64::MAX,
        fault: fault.into(),
    });
}

/// How often the first service was submitted, and what its job came to.
fn outcome(rig: &Rig) -> (u64, String, String) {
    let row = rig.report().remove(0);
    let text = |field: &str| row[field].as_str().unwrap().to_owned();
    let submissions = rig.record().services[&FIRST].submissions;
    (submissions, text("state"), text("executed"))
}

// Field cases A5, A6 and A7.
#[test]
fn an_answer_that_is_not_surely_ours_is_neither_done_nor_sent_again() {
    for kind in [
        FaultKind::OkAndError,
        FaultKind::OtherFunc,
        FaultKind::OtherElid,
        FaultKind::Form,
        FaultKind::OkElsewhere,
    ] {
        for executed in [true, false] {
            let rig = Rig::new(1);
            rig.fault(
                0,
                Fault {
                    executed: Some(executed),
                    ..Fault::new(kind)
                },
            );
            let run = rig.run(&["--settle", "200ms"]);
            let (submissions, state, executed_by_ledger) = outcome(&rig);
            assert_eq!(submissions, 1, "{kind}: {}", run.err);
            if executed {
                run.exit(0);
                assert_eq!(
                    (state.as_str(), executed_by_ledger.as_str()),
                    ("done", "yes")
                );
            } else {
                run.exit(3);
                assert_eq!(
                    (state.as_str(), executed_by_ledger.as_str()),
                    ("in_doubt", "maybe")
                );
            }
            rig.assert_truth(1);
        }
    }
}

// Field case A7.
#[test]
fn a_pending_second_factor_ends_the_run_at_once_and_touches_nothing() {
    for options in [&[][..], &["--no-wait"]] {
        let rig = Rig::new(3);
        always(&rig, None, FaultKind::SecondFactor);
        let mut command = rig.order("fleet.csv", options);
        command
            .env("ZOMRO_AUTH", "0123456789abcdef76543210")
            .env_remove("ZOMRO_USERNAME")
            .env_remove("ZOMRO_PASSWORD");
        let run = finish(command).exit(7).says("a second factor");
        assert!(rig.calls() <= 5, "{} calls: {}", rig.calls(), run.err);
        assert_eq!(rig.states()["queued"].len(), 3);
    }
    for options in [&[][..], &["--no-wait"]] {
        let rig = Rig::new(3);
        // The login itself works, as it does in the field.
        for call in Call::ALL.into_iter().filter(|call| *call != Call::Auth) {
            always(&rig, Some(call), FaultKind::SecondFactor);
        }
        let run = rig.run(options).exit(7).says("a second factor");
        assert!(rig.calls() <= 8, "{} calls: {}", rig.calls(), run.err);
        assert_eq!(rig.record().calls.get(&Call::Auth).copied(), Some(1));
        assert_eq!(rig.states()["queued"].len(), 3);
    }
}

// Field case A7.
#[test]
fn a_second_factor_that_only_one_answer_names_is_a_doubt() {
    let rig = Rig::new(1);
    rig.fault(0, FaultKind::SecondFactor);
    rig.run(&["--settle", "200ms"]).exit(3);
    assert_eq!(outcome(&rig), (1, "in_doubt".into(), "maybe".into()));
}

// Field case D3.
#[test]
fn broken_and_foreign_characters_in_names_hide_no_instance() {
    for kind in [
        FaultKind::HalfSurrogate,
        FaultKind::CutUtf8,
        FaultKind::ControlCharacters,
        FaultKind::Windows1251,
        FaultKind::Koi8R,
        FaultKind::UnnamedCharset,
        FaultKind::Gzip,
        FaultKind::HeaderNoise,
    ] {
        let rig = Rig::new(2);
        always(&rig, None, kind);
        let run = rig.run(&[]);
        assert_eq!(run.code, 0, "{kind}: {}", run.err);
        assert_eq!(rig.wiped(), [1, 1], "{kind}");
        rig.assert_truth(1);
    }
}

// Field case D3.
#[test]
fn a_refusal_in_another_charset_is_a_refusal_in_words() {
    for kind in [FaultKind::Windows1251, FaultKind::Koi8R] {
        let rig = Rig::new(1);
        // The image is not one of its own: the API refuses for good, in Russian.
        rig.write(
            "fleet.csv",
            format!("service_id,image,zone,password\n{FIRST},00000000-0000-4000-8000-000000000000,pub,Sesame-Xyzzy-4711\n"),
        );
        always(&rig, Some(Call::Submission), kind);
        rig.run(&[]).exit(1);
        let row = rig.report().remove(0);
        assert_eq!(
            (&row["executed"], &row["error_kind"]),
            (&"no".into(), &"value".into()),
            "{row}"
        );
        let error = row["error"].as_str().unwrap();
        assert!(error.chars().any(|c| ('а'..='я').contains(&c)), "{error}");
    }
}

// Field case D3.
#[test]
fn a_row_that_cannot_be_read_makes_nobody_absent() {
    let rig = Rig::with(2, |config| config.odd.alien_rows = 7);
    rig.fleet(2);
    rig.run(&[]).exit(0);
    rig.assert_truth(1);
}

// Field case D1.
#[test]
fn an_api_that_only_asks_for_patience_ends_the_run_and_is_not_hammered() {
    for (call, retry_after) in [
        (None, "0"),
        (None, "3600"),
        (Some(Call::Submission), "0"),
        (Some(Call::Submission), "Mon, 23 Nov 2020 02:00:00 GMT"),
    ] {
        let rig = Rig::new(2);
        let busy = Fault {
            retry_after: Some(retry_after.to_owned()),
            ..Fault::new(FaultKind::TooManyRequests)
        };
        always(&rig, call, busy);
        let options = [
            "-q",
            "--outage-timeout",
            "700ms",
            "--backoff-initial",
            "100ms",
            "--poll-interval",
            "20ms",
        ];
        let run = rig.run(&options).exit(4).says("to slow down");
        let submissions = rig
            .record()
            .calls
            .get(&Call::Submission)
            .copied()
            .unwrap_or(0);
        assert!(submissions <= 8, "{submissions} submissions: {}", run.err);
        assert_eq!(rig.states()["queued"].len(), 2, "it is nobody's fault");
    }
}

// Field case D2.
#[test]
fn an_overloaded_api_pauses_the_run_and_its_submission_stays_a_doubt() {
    for kind in [FaultKind::Unavailable, FaultKind::Maintenance] {
        let rig = Rig::new(3);
        let overloaded = Fault {
            retry_after: Some("3600".to_owned()),
            ..Fault::new(kind)
        };
        always(&rig, Some(Call::Submission), overloaded);
        let options = ["--workers", "1", "--outage-timeout", "500ms"];
        rig.run(&options).exit(4).says("to slow down");
        assert_eq!(
            rig.record().calls[&Call::Submission],
            1,
            "nothing more was sent"
        );
        assert_eq!(rig.states()["in_doubt"].len(), 1);
    }
}

/// The address of `rig`'s API, as far away as `way`: what is sent arrives so much later, here and
/// there. Over it, a connection that was closed looks alive for a while.
fn far(rig: &Rig, way: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let behind = rig.simulator.url().trim_start_matches("http://");
    let behind = behind.trim_end_matches('/').to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&behind).unwrap());
            for side in [&client, &server] {
                side.set_nodelay(true).unwrap();
            }
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            carry(client, server, way);
            carry(back.0, back.1, way);
        }
    });
    url
}

/// Carries over what is read, and the end of it, later.
fn carry(mut from: TcpStream, mut to: TcpStream, way: Duration) {
    let (sender, pieces) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        loop {
            let mut bytes = vec![0; 8192];
            let count = from.read(&mut bytes).unwrap_or(0);
            bytes.truncate(count);
            if sender.send((Instant::now() + way, bytes)).is_err() || count == 0 {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, bytes) in pieces {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if bytes.is_empty() || to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}

// Field case A14.
#[test]
fn connections_that_close_soon_after_each_answer_cost_nothing() {
    let rig = Rig::new(6);
    always(&rig, None, FaultKind::CloseSoon);
    // 100 ms after its answer a connection closes. The next call is due about 85 ms after the answer
    // has come, and what is sent then over the same connection arrives too late.
    let far = far(&rig, Duration::from_millis(15));
    let options = ["--workers", "2", "--rate", "8.7", "--api-url", &far];
    rig.run(&options).exit(0);
    for row in rig.report() {
        assert_eq!(row["attempts"], 1, "{row}");
    }
    rig.assert_truth(1);
}

// Field case A12.
#[test]
fn a_page_of_links_stops_nothing() {
    let rig = Rig::new(1);
    // Each of these links goes on to the end of the page.
    let endless = Fault {
        body: Some(format!("<html>{}", "href=".repeat(200_000))),
        ..Fault::new(FaultKind::Html)
    };
    for call in [Call::Instances, Call::Submission] {
        for storm in [Fault::new(FaultKind::LinkStorm), endless.clone()] {
            rig.simulator.script(Script::next(call, storm));
        }
    }
    rig.run(&[]).exit(0);
    rig.assert_truth(1);
}

// Field case D4.
#[test]
fn what_no_retry_can_cure_ends_the_run_at_its_first_call() {
    for (kind, says) in [
        (FaultKind::Moved, "only leads elsewhere (HTTP 301)"),
        (FaultKind::NotFound, "no API answers at this address"),
        (
            FaultKind::MethodNotAllowed,
            "no API answers at this address",
        ),
    ] {
        let rig = Rig::new(1);
        always(&rig, None, kind);
        rig.run(&[]).exit(2).says(says).says("--api-url");
        assert_eq!(rig.calls(), 1, "{kind}");
        assert_eq!(rig.states()["queued"].len(), 1);
        // Later in a run the same is an outage.
        let rig = Rig::new(1);
        for call in [
            Call::Instances,
            Call::Submission,
            Call::Keepalive,
            Call::Preview,
        ] {
            always(&rig, Some(call), kind);
        }
        rig.run(&["--outage-timeout", "300ms"]).exit(4);
    }
}

// Field case D4.
#[test]
fn a_refused_login_is_not_tried_again_whatever_the_reason_is_called() {
    let rig = Rig::new(1);
    always(&rig, Some(Call::Auth), FaultKind::Captcha);
    rig.run(&[]).exit(7).says("does not accept the credentials");
    assert_eq!(rig.calls(), 1);
}

// Field case D4.
#[test]
fn a_host_that_does_not_exist_and_a_proxy_that_does_not_work_are_named() {
    let rig = Rig::new(1);
    let far = "https://no-such-host.invalid/";
    let call = |url: &str, proxy: &str| {
        let mut command = rig.order("fleet.csv", &["--outage-timeout", "300ms"]);
        command.env("REFLEET_API_URL", url);
        if !proxy.is_empty() {
            command.env("ALL_PROXY", proxy);
        }
        finish(command)
    };
    call(far, "")
        .exit(2)
        .says("there is no host `no-such-host.invalid`")
        .says("--api-url");
    call(far, "socks5h://127.0.0.1:1")
        .exit(2)
        .says("ALL_PROXY names a proxy of the kind `socks5h`")
        .says("NO_PROXY");
    // Port 1 is nobody's.
    let run = call(far, "http://me:Secret77@127.0.0.1:1")
        .exit(4)
        .says("through the proxy 127.0.0.1:1");
    assert!(!run.err.contains("Secret77"), "{}", run.err);
}

/// A TLS server with a certificate of its own for `localhost`, valid until `year`. Returns its port and
/// the certificate as PEM.
fn tls_server(year: i32) -> (u16, String) {
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let name = format!("authority until {year}, {}", std::process::id());
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let pem = certificate.pem();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            // The client goes away within the handshake.
            let _ = rustls::Stream::new(&mut tls, &mut stream).read(&mut [0; 1 << 14]);
        }
    });
    (port, pem)
}

// Field case D4.
#[test]
fn a_certificate_that_is_not_accepted_ends_the_run_with_the_reason() {
    let rig = Rig::new(1);
    let (valid, pem) = tls_server(2099);
    let (expired, expired_pem) = tls_server(2021);
    fs::write(rig.path("known.pem"), format!("{pem}{expired_pem}")).unwrap();
    let (unknown, _) = tls_server(2098);
    for (host, port, says) in [
        ("localhost", unknown, "nobody whom this machine trusts"),
        ("127.0.0.1", valid, "it belongs to another name"),
        ("localhost", expired, "it has expired"),
    ] {
        let mut command = rig.order("fleet.csv", &[]);
        command
            .env("REFLEET_API_URL", format!("https://{host}:{port}/"))
            .env("SSL_CERT_FILE", rig.path("known.pem"));
        finish(command)
            .exit(2)
            .says("the server's certificate is not accepted")
            .says(says)
            .says("SSL_CERT_FILE");
    }
    assert_eq!(rig.states()["queued"].len(), 1);
}

//! Start, end, and what is no request.

use super::*;

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let error = Simulator::start(config(), address.parse().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}");
    }
}

#[tokio::test]
async fn a_shutdown_frees_the_port_even_while_a_call_hangs() {
    let simulator = slow().await;
    let address: SocketAddr = simulator.url()["http://".len()..]
        .trim_end_matches('/')
        .parse()
        .unwrap();
    next(&simulator, FaultKind::TimeoutAfter);
    leave(&simulator, Duration::ZERO).await;
    next(&simulator, FaultKind::TimeoutBefore);
    let body = multipart(&[REBUILD, ("sok", "ok"), ("out", "json"), ("elid", "5113119")]);
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\n\r\n{body}"
    );
    let mut hanging = TcpStream::connect(address).await.unwrap();
    hanging.write_all(request.as_bytes()).await.unwrap();
    until("the arrival", async || truth(&simulator).submissions == 2).await;
    let record = simulator.shutdown().await;
    assert_eq!(record.services[&SERVICE].wiped, 1);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_dropped_simulator_stops_listening() {
    let simulator = slow().await;
    let address: SocketAddr = simulator.url()["http://".len()..]
        .trim_end_matches('/')
        .parse()
        .unwrap();
    drop(simulator);
    until("the port to be free", async || {
        TcpStream::connect(address).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn what_is_no_form_is_refused_and_remembered() {
    let simulator = slow().await;
    for (kind, body) in [
        ("text/plain", "func=auth"),
        ("multipart/form-data; boundary=x", "--x\r\n"),
        ("application/json", "{}"),
    ] {
        assert_eq!(
            send(&simulator, "POST", "/", kind, body)
                .await
                .unwrap()
                .status,
            400
        );
    }
    assert_eq!(
        send(&simulator, "PUT", "/", "text/plain", "")
            .await
            .unwrap()
            .status,
        405
    );
    assert_eq!(simulator.record().violations.len(), 3);
}

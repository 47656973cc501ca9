//! Looks at whatever may answer on a port.

use std::net::IpAddr;
use std::time::Instant;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Look, PATIENCE, Unseen, can_be_looked_at, look};

/// What a look finds at a port where `answer` takes each connection.
async fn found<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> Unseen
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream).await;
    });
    let began = Instant::now();
    let unseen = look(&Look::first(address)).await.unwrap_err();
    assert!(began.elapsed() < PATIENCE * 2, "{:?}", began.elapsed());
    unseen
}

async fn until_it_leaves(mut stream: TcpStream) {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
}

#[tokio::test]
async fn whatever_answers_a_look_ends() {
    let unreachable = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    assert_eq!(
        look(&Look::first(unreachable)).await,
        Err(Unseen::Unreachable)
    );
    let says = |bytes: &'static [u8]| {
        found(move |mut stream| async move {
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            until_it_leaves(stream).await;
        })
    };
    assert_eq!(says(b"").await, Unseen::NoKey);
    assert_eq!(
        says(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
        Unseen::NoKey
    );
    assert_eq!(says(b"SSH-2.0-OpenSSH_9.2\r\n").await, Unseen::NoKey);
    assert_eq!(
        says(b"SSH-2.0-x\r\n\xff\xff\xff\xff\x00\x00").await,
        Unseen::NoKey
    );
}

#[tokio::test]
async fn what_never_ends_is_left() {
    let (silent, lines, letters, letter_by_letter) = tokio::join!(
        found(until_it_leaves),
        found(|mut stream| async move { while stream.write_all(b"welcome\r\n").await.is_ok() {} }),
        found(
            |mut stream| async move { while stream.write_all(b"xxxxxxxxxxxxxxxx").await.is_ok() {} }
        ),
        found(|mut stream| async move {
            let mut ticks = tokio::time::interval(PATIENCE / 60);
            while stream.write_all(b"S").await.is_ok() {
                ticks.tick().await;
            }
        }),
    );
    assert_eq!(silent, Unseen::Late);
    for unseen in [lines, letters, letter_by_letter] {
        assert!(matches!(unseen, Unseen::NoKey | Unseen::Late), "{unseen:?}");
    }
}

#[tokio::test]
async fn a_kind_of_key_that_nobody_knows_is_not_asked_for() {
    let look = Look {
        address: "127.0.0.1:1".parse().unwrap(),
        algorithm: Some("ssh-dss".to_owned()),
    };
    assert!(super::look(&look).await.is_err());
}

#[test]
fn only_where_an_instance_may_stand_is_looked_at() {
    let can = |address: &str, is_local| can_be_looked_at(address.parse().unwrap(), is_local);
    for address in [
        "8.8.4.4",
        "10.0.0.7",
        "192.168.3.4",
        "2a01:4f8::1",
        "fd00::7",
    ] {
        assert!(can(address, false), "{address}");
    }
    for address in [
        "127.0.0.1",
        "127.66.0.9",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "224.0.0.1",
        "169.254.169.254",
        "fe80::1",
        "192.0.2.1",
        "198.51.100.7",
        "203.0.113.9",
        "2001:db8::1",
        "ff02::1",
    ] {
        assert!(!can(address, false), "{address}");
    }
    assert!(can("127.66.0.9", true));
    assert!(!can("10.0.0.7", true));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_look_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let answer = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await;
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                until_it_leaves(stream).await;
            });
            let found = look(&Look::first(address)).await;
            answer.abort();
            assert!(found.is_err());
        });
    }

    #[test]
    fn any_address_is_judged(bytes in any::<[u8; 16]>()) {
        let _ = can_be_looked_at(IpAddr::from(bytes), false);
    }
}

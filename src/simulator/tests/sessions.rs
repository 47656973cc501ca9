//! Logins and sessions.

use super::*;

#[tokio::test]
async fn a_login_gives_a_session_that_works_for_every_encoding() {
    let simulator = started(config()).await;
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", STRONG),
    ];
    let doc = call(&simulator, &login).await.unwrap().doc();
    let token = doc["auth"]["$id"].as_str().unwrap();
    assert_eq!(token.len(), 24);
    assert!(
        token
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    );
    assert_eq!(doc["auth"]["$"], *token);
    assert_eq!(doc["tparams"]["password"]["$"], STRONG);

    let query = format!("func=keepalive&out=json&auth={token}");
    let form = "application/x-www-form-urlencoded";
    for (method, path, body) in [
        ("POST", "/".to_owned(), &*query),
        ("POST", "/billmgr".to_owned(), &query),
        ("GET", format!("/billmgr?{query}"), ""),
        ("GET", format!("/?{query}"), ""),
    ] {
        let reply = send(&simulator, method, &path, form, body).await.unwrap();
        assert!(reply.is_ok(), "{method} {path}");
    }
    assert!(
        call(&simulator, &[("func", "keepalive"), ("auth", token)])
            .await
            .unwrap()
            .is_ok()
    );
    assert_eq!(simulator.record().violations, [""; 0]);
}

#[tokio::test]
async fn wrong_credentials_and_dead_sessions_are_refused_as_documented() {
    let simulator = started(config()).await;
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", "wrong"),
    ];
    let reply = call(&simulator, &login).await.unwrap();
    assert_eq!(reply.error(), pair("auth", "badpassword"));
    for fields in [
        &[("func", "keepalive")][..],
        &[("func", "keepalive"), ("auth", "beef")],
    ] {
        assert_eq!(
            call(&simulator, fields).await.unwrap().error(),
            pair("access", "keepalive")
        );
    }
    let info = [("func", "keepalive"), ("authinfo", "simulator:Simulator1")];
    assert!(call(&simulator, &info).await.unwrap().is_ok());
    let info = [("func", "keepalive"), ("authinfo", "simulator:wrong")];
    assert_eq!(call(&simulator, &info).await.unwrap().error().0, "access");
}

#[tokio::test]
async fn sessions_expire_once_or_for_good_and_logins_can_be_refused() {
    let simulator = started(config()).await;
    let keepalive = [("func", "keepalive")];
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", STRONG),
    ];
    let set = |sessions| {
        simulator.set(AccountChange {
            sessions: Some(sessions),
            ..AccountChange::default()
        });
    };
    set(Sessions::Expire);
    assert_eq!(
        authorised(&simulator, &keepalive).await.unwrap().error().0,
        "access"
    );
    let doc = call(&simulator, &login).await.unwrap().doc();
    let renewed = [
        ("func", "keepalive"),
        ("auth", doc["auth"]["$id"].as_str().unwrap()),
    ];
    assert!(call(&simulator, &renewed).await.unwrap().is_ok());
    set(Sessions::Refuse);
    assert_eq!(
        call(&simulator, &renewed).await.unwrap().error().0,
        "access"
    );
    set(Sessions::Accept);
    assert!(call(&simulator, &renewed).await.unwrap().is_ok());
    simulator.set(AccountChange {
        login: Some(Login::BlockLogon),
        session_ttl_ms: Some(0),
        ..AccountChange::default()
    });
    assert_eq!(
        call(&simulator, &login).await.unwrap().error(),
        pair("auth", "blocklogon")
    );
    assert_eq!(
        call(&simulator, &renewed).await.unwrap().error().0,
        "access"
    );
}

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

#[tokio::test]
async fn a_session_that_waits_for_a_code_answers_everything_alike_until_it_has_it() {
    let simulator = started(Config {
        code: Some("246810".to_owned()),
        ..config()
    })
    .await;
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", STRONG),
    ];
    let doc = call(&simulator, &login).await.unwrap().doc();
    let waiting = doc["auth"]["$id"].as_str().unwrap();
    for func in [
        "whoami",
        "keepalive",
        "instances",
        "instances.fleio.rebuild",
    ] {
        let doc = call(&simulator, &[("func", func), ("auth", waiting)])
            .await
            .unwrap()
            .doc();
        assert_eq!(doc["ok"]["$"], "func=totp.confirm", "{func}");
        assert!(doc.get("elem").is_none(), "{func}");
    }
    let confirm = |code| {
        [
            ("func", "totp.confirm"),
            ("auth", waiting),
            ("qrcode", code),
            ("sok", "ok"),
        ]
    };
    let reply = call(&simulator, &confirm("111111")).await.unwrap();
    assert_eq!(reply.error(), pair("auth", "badcode"));
    let doc = call(&simulator, &confirm("246810")).await.unwrap().doc();
    let whole = doc["auth"]["$id"].as_str().unwrap();
    assert_ne!(whole, waiting);
    let keepalive = [("func", "keepalive"), ("auth", whole)];
    assert!(call(&simulator, &keepalive).await.unwrap().is_ok());
    let old = [("func", "keepalive"), ("auth", waiting)];
    assert_eq!(
        call(&simulator, &old).await.unwrap().error(),
        pair("access", "keepalive")
    );
    // Without a session nobody gets past the code.
    let info = [("func", "keepalive"), ("authinfo", "simulator:Simulator1")];
    assert_eq!(
        call(&simulator, &info).await.unwrap().error(),
        pair("access", "keepalive")
    );
}

#[tokio::test]
async fn an_account_may_take_name_and_password_on_each_call_and_nothing_else() {
    let simulator = started(Config {
        authinfo_only: true,
        session: Some("feed".to_owned()),
        ..config()
    })
    .await;
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", STRONG),
    ];
    assert_eq!(
        call(&simulator, &login).await.unwrap().error(),
        pair("auth", "badip")
    );
    let token = [("func", "keepalive"), ("auth", "feed")];
    assert_eq!(
        call(&simulator, &token).await.unwrap().error(),
        pair("access", "keepalive")
    );
    let info = [("func", "keepalive"), ("authinfo", "simulator:Simulator1")];
    assert!(call(&simulator, &info).await.unwrap().is_ok());
}

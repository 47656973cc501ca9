//! Standing oddities: what the list, the forms and the answers show, beside an exact record.

use super::*;

/// Rebuilds of 40 ms on an account with these oddities.
async fn odd(words: &[&str]) -> Simulator {
    started(Config {
        odd: Oddities::parse(words.iter().copied()).unwrap(),
        ..config()
    })
    .await
}

/// Submits, and waits until the rebuild is over in truth.
async fn rebuilt(simulator: &Simulator) -> ServiceRecord {
    assert!(submit(simulator).await.unwrap().is_ok());
    let over = async || {
        let record = truth(simulator);
        record.wiped == 0
            || (record.status != "rebuilding" && record.image != "CentOS-7")
            || record.status == "error"
    };
    until("the end", over).await;
    truth(simulator)
}

async fn shown(simulator: &Simulator) -> (String, String) {
    listed(simulator, SERVICE).await.unwrap()
}

async fn page(simulator: &Simulator, number: &str) -> Value {
    let fields = [("func", "instances"), ("p_num", number)];
    authorised(simulator, &fields).await.unwrap().doc()
}

fn set(simulator: &Simulator, words: &[&str]) {
    simulator.set(AccountChange {
        odd: Some(Oddities::parse(words.iter().copied()).unwrap()),
        ..AccountChange::default()
    });
}

// ---- lists -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_list_may_never_show_a_rebuild() {
    let simulator = odd(&["never-shown"]).await;
    let record = rebuilt(&simulator).await;
    assert_eq!((record.wiped, record.completed), (1, 1));
    assert_eq!(record.image, "AlmaLinux-8");
    assert_eq!(shown(&simulator).await, pair("active", "CentOS-7"));
    // What somebody else does is shown all the same.
    let change = InstanceChange {
        status: Some("stopped".to_owned()),
        ..InstanceChange::default()
    };
    assert!(simulator.change(id(SERVICE), &change));
    assert_eq!(shown(&simulator).await.0, "stopped");
}

#[tokio::test]
async fn a_list_may_freeze_when_it_first_shows_something_and_thaw_again() {
    let simulator = odd(&["freeze=renamed"]).await;
    rebuilt(&simulator).await;
    assert_eq!(shown(&simulator).await, pair("active", "AlmaLinux-8"));
    let other = (SERVICE + 1).to_string();
    assert!(
        submit_with(&simulator, &[("elid", &other)])
            .await
            .unwrap()
            .is_ok()
    );
    let done = async || simulator.service(id(SERVICE + 1)).unwrap().completed == 1;
    until("the second rebuild", done).await;
    let second = listed(&simulator, SERVICE + 1).await.unwrap();
    assert_eq!(second, pair("active", "CentOS-7"));
    // Oddities that are given later replace those before.
    set(&simulator, &[]);
    let second = listed(&simulator, SERVICE + 1).await.unwrap();
    assert_eq!(second, pair("active", "AlmaLinux-8"));
    set(&simulator, &["freeze=0s", "thaw=30ms"]);
    let other = (SERVICE + 2).to_string();
    assert!(
        submit_with(&simulator, &[("elid", &other)])
            .await
            .unwrap()
            .is_ok()
    );
    let thawed = async || listed(&simulator, SERVICE + 2).await.unwrap().1 == "AlmaLinux-8";
    until("it thaws", thawed).await;
}

#[tokio::test]
async fn a_list_may_freeze_while_it_shows_a_rebuild_and_page_by_page() {
    let slow = Duration::from_millis(150);
    let simulator = started(Config {
        rebuild_duration: slow,
        odd: Oddities::parse(["freeze=rebuilding", "freeze-pages"]).unwrap(),
        ..config()
    })
    .await;
    let elsewhere = (SERVICE + 7).to_string();
    assert!(
        submit_with(&simulator, &[("elid", &elsewhere)])
            .await
            .unwrap()
            .is_ok()
    );
    assert_eq!(shown(&simulator).await.0, "active", "the first page lives");
    let on_second = async || {
        let doc = page(&simulator, "2").await;
        let row = &doc["elem"][2];
        assert_eq!(row["id"]["$"], *elsewhere);
        row["instance_status"]["$"]
            .as_str()
            .unwrap()
            .trim()
            .to_lowercase()
    };
    assert_eq!(on_second().await, "rebuilding");
    let record = async || simulator.service(id(SERVICE + 7)).unwrap().completed == 1;
    until("the rebuild", record).await;
    assert_eq!(on_second().await, "rebuilding", "frozen");
    rebuilt(&simulator).await;
    assert_eq!(
        shown(&simulator).await.1,
        "AlmaLinux-8",
        "the first page lives"
    );
}

#[tokio::test]
async fn one_row_alone_may_freeze_or_lose_its_id() {
    let simulator = odd(&[]).await;
    let frozen = |frozen| InstanceChange {
        frozen: Some(frozen),
        ..InstanceChange::default()
    };
    assert!(simulator.change(id(SERVICE), &frozen(true)));
    rebuilt(&simulator).await;
    assert_eq!(shown(&simulator).await, pair("active", "CentOS-7"));
    assert!(simulator.change(id(SERVICE), &frozen(false)));
    assert_eq!(shown(&simulator).await, pair("active", "AlmaLinux-8"));
    let change = InstanceChange {
        readable: Some(false),
        ..InstanceChange::default()
    };
    assert!(simulator.change(id(SERVICE), &change));
    let doc = page(&simulator, "1").await;
    assert_eq!(doc["elem"].as_array().unwrap().len(), 5);
    assert_eq!(doc["elem"][0].get("id"), None);
}

#[tokio::test]
async fn status_and_name_may_lag_apart() {
    let simulator = odd(&["name-lag=1h"]).await;
    assert!(submit(&simulator).await.unwrap().is_ok());
    let seen = async || shown(&simulator).await.0 == "rebuilding";
    until("the status", seen).await;
    let over = async || shown(&simulator).await.0 == "active";
    until("the end", over).await;
    assert_eq!(shown(&simulator).await.1, "CentOS-7");
    set(&simulator, &["status-lag=1h"]);
    assert_eq!(shown(&simulator).await.1, "AlmaLinux-8");
}

#[tokio::test]
async fn a_list_may_spell_images_otherwise_than_the_form() {
    let simulator = odd(&["names=family"]).await;
    assert_eq!(shown(&simulator).await.1, "CentOS");
    assert_eq!(rebuilt(&simulator).await.image, "AlmaLinux-8");
    assert_eq!(shown(&simulator).await.1, "AlmaLinux");
    set(&simulator, &["names=broken"]);
    let fields = [("func", "instances")];
    let reply = authorised(&simulator, &fields).await.unwrap();
    let text = String::from_utf8(reply.body).unwrap();
    assert!(text.contains("\"AlmaLinux-8\\ud83d\""), "{text}");
}

#[tokio::test]
async fn an_instance_may_have_two_rows_while_it_is_rebuilt() {
    let rebuild_duration = Duration::from_hours(1);
    let simulator = started(Config {
        rebuild_duration,
        odd: Oddities::parse(["double-rows"]).unwrap(),
        ..config()
    })
    .await;
    assert_eq!(page_ids(&simulator, &[]).await.len(), 5);
    assert!(submit(&simulator).await.unwrap().is_ok());
    let (doc, service) = (page(&simulator, "1").await, SERVICE.to_string());
    let rows = doc["elem"].as_array().unwrap();
    let statuses: Vec<_> = rows
        .iter()
        .filter(|row| row["id"]["$"] == *service)
        .map(|row| {
            row["instance_status"]["$"]
                .as_str()
                .unwrap()
                .trim()
                .to_lowercase()
        })
        .collect();
    assert_eq!(statuses, ["rebuilding", "active"]);
}

#[tokio::test]
async fn a_page_may_hold_rows_that_nobody_can_read() {
    let simulator = odd(&["alien-rows=7"]).await;
    let doc = page(&simulator, "1").await;
    let rows = doc["elem"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    let ids = rows.iter().filter(|row| {
        let id = row["id"]["$"].as_str();
        id.is_some_and(|id| id.parse::<i64>().is_ok())
    });
    assert_eq!(ids.count(), 5);
    // Beyond the end there are still those.
    assert_eq!(
        page(&simulator, "9").await["elem"]
            .as_array()
            .unwrap()
            .len(),
        7
    );
}

#[tokio::test]
async fn a_list_may_have_no_end() {
    let simulator = odd(&["endless=100000"]).await;
    for number in ["4", "5", "100000"] {
        let fields = [("func", "instances"), ("p_num", number)];
        let reply = authorised(&simulator, &fields).await.unwrap();
        assert!(reply.body.len() > 100_000);
        let doc = reply.doc();
        assert_eq!(doc["elem"].as_array().unwrap().len(), 5);
        assert_eq!(doc["p_elems"]["$"], "1000000000");
    }
    let first = page_ids(&simulator, &[("p_num", "4")]).await;
    assert_ne!(first, page_ids(&simulator, &[("p_num", "5")]).await);
}

#[tokio::test]
async fn a_filter_may_hide_services_from_the_start() {
    let hidden = format!("unlisted={SERVICE}");
    let damaged = format!("unreadable={}", SERVICE + 1);
    let simulator = odd(&[&hidden, &damaged, "shift=2"]).await;
    let rows = page(&simulator, "1").await["elem"].clone();
    assert_eq!(rows[0].get("id"), None);
    assert_eq!(listed(&simulator, SERVICE).await, None);
    simulator.set(AccountChange {
        odd: Some(Oddities::parse([&*hidden, "shift=2"]).unwrap()),
        ..AccountChange::default()
    });
    let whole = InstanceChange {
        readable: Some(true),
        ..InstanceChange::default()
    };
    assert!(simulator.change(id(SERVICE + 1), &whole));
    assert_eq!(page(&simulator, "1").await["p_elems"]["$"], "11");
    let one = page_ids(&simulator, &[]).await;
    assert_ne!(one, page_ids(&simulator, &[]).await, "the order moves");
}

// ---- instances ---------------------------------------------------------------------------------

#[tokio::test]
async fn a_rebuild_may_fail_at_once_under_the_old_name() {
    let simulator = odd(&["baseline=error", "fails-at-once=1"]).await;
    assert_eq!(shown(&simulator).await, pair("error", "CentOS-7"));
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(shown(&simulator).await, pair("error", "CentOS-7"));
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.completed), (1, 0));
    // And again, as often as somebody asks.
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(truth(&simulator).wiped, 2);
}

#[tokio::test]
async fn a_rebuild_may_be_rolled_back_ignored_or_end_under_a_third_name() {
    let simulator = odd(&["rolls-back=1"]).await;
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(truth(&simulator).status, "rebuilding");
    until("it is back", async || truth(&simulator).status == "active").await;
    let record = truth(&simulator);
    assert_eq!((record.wiped, record.completed), (1, 0));
    assert_eq!(record.image, "CentOS-7");

    let simulator = odd(&["ignored=1"]).await;
    let record = rebuilt(&simulator).await;
    assert_eq!((record.accepted, record.wiped), (1, 0));

    let simulator = odd(&["third-name=1"]).await;
    let record = rebuilt(&simulator).await;
    assert_eq!((record.wiped, record.completed), (1, 1));
    assert_eq!(record.image, "AlmaLinux-8-custom");
    assert_eq!(record.wipes[0].image, "AlmaLinux-8");
}

// ---- forms -------------------------------------------------------------------------------------

#[tokio::test]
async fn a_form_may_lack_every_image_or_fail_and_a_zone_be_asked_for() {
    let (lacks, fails) = (format!("preview-lacks={SERVICE}"), SERVICE + 1);
    let fails_word = format!("preview-fails={fails}");
    let simulator = odd(&[&lacks, &fails_word, "zone=own", "strict-zone"]).await;
    let form = async |service: i64| {
        let elid = service.to_string();
        authorised(&simulator, &[REBUILD, ("elid", &elid)])
            .await
            .unwrap()
    };
    let images = |doc: &Value| {
        let values = doc["slist"][1]["val"].as_array().unwrap();
        values
            .iter()
            .filter(|value| value["$key"] != "null")
            .count()
    };
    assert_eq!(images(&form(SERVICE).await.doc()), 0);
    assert_eq!(form(fails).await.error(), pair("cloud_error", "images"));
    assert_eq!(images(&form(SERVICE + 2).await.doc()), 3);
    assert_eq!(
        submit(&simulator).await.unwrap().error(),
        pair("value", "zone")
    );
    assert!(
        submit_with(&simulator, &[("zone", "own")])
            .await
            .unwrap()
            .is_ok()
    );
}

// ---- sessions and answers ----------------------------------------------------------------------

#[tokio::test]
async fn a_session_may_last_for_a_few_calls_only() {
    let simulator = odd(&["session-calls=2"]).await;
    for ok in [true, true, false, false] {
        let reply = authorised(&simulator, &[("func", "keepalive")])
            .await
            .unwrap();
        assert_eq!(reply.is_ok(), ok);
    }
}

#[tokio::test]
async fn every_call_may_meet_the_same_fault_for_a_while() {
    let simulator = odd(&[
        "always=429@submission",
        "retry-after=past",
        "always=second-factor",
    ])
    .await;
    for _ in 0..2 {
        let reply = submit(&simulator).await.unwrap();
        assert_eq!(reply.status, 429);
        assert!(reply.header("retry-after").unwrap().contains("2015"));
        let doc = authorised(&simulator, &[("func", "keepalive")])
            .await
            .unwrap()
            .doc();
        assert_eq!(doc["ok"]["$"], "func=totp.confirm");
    }
    let login = [
        ("func", "auth"),
        ("username", "simulator"),
        ("password", STRONG),
    ];
    assert!(call(&simulator, &login).await.unwrap().doc()["auth"].is_object());
    assert_eq!(simulator.record().faults[&FaultKind::TooManyRequests], 2);
    // A script goes before.
    next(&simulator, FaultKind::Busy);
    assert_eq!(
        submit(&simulator).await.unwrap().error().1,
        "runningoperation"
    );
    set(&simulator, &["always=460:0s..30ms"]);
    assert_eq!(submit(&simulator).await.unwrap().status, 460);
    until("the block's end", async || {
        submit(&simulator).await.unwrap().status == 200
    })
    .await;
}

#[tokio::test]
async fn another_process_can_say_what_is_odd() {
    let simulator = odd(&[]).await;
    let odd = json!({"odd": ["names=case", "always=gzip@keepalive"]});
    assert_eq!(post(&simulator, "config", odd).await, 200);
    assert_eq!(shown(&simulator).await.1, "CENTOS-7");
    let odd = json!({"odd": ["names=roman"]});
    assert_eq!(post(&simulator, "config", odd).await, 422);
}

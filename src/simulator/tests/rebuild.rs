//! Preview and submission.

use super::*;
use crate::job::Action;

#[tokio::test]
async fn the_preview_names_images_zones_and_keys_and_touches_nothing() {
    let simulator = started(config()).await;
    let service = SERVICE.to_string();
    let doc = authorised(&simulator, &[REBUILD, ("elid", &service)])
        .await
        .unwrap()
        .doc();
    assert!(doc.get("ok").is_none());
    assert_eq!(doc["elid"]["$"], *service);
    let list = |name: &str| {
        let lists = doc["slist"].as_array().unwrap();
        let list = lists.iter().find(|list| list["$name"] == name).unwrap();
        list["val"].as_array().unwrap().clone()
    };
    let images = list("select_rebuild");
    assert_eq!(
        images[0],
        json!({"$key": IMAGE, "$": "AlmaLinux-8", "$depend": "pub"})
    );
    assert_eq!(images.last().unwrap()["$key"], "null");
    assert_eq!(list("ssh_keys"), [json!({"$key": "490", "$": "laptop"})]);
    assert_eq!(list("zone")[0]["$"], "pub");
    let record = truth(&simulator);
    assert_eq!((record.submissions, record.wiped), (0, 0));
    assert_eq!(simulator.record().calls[&Call::Preview], 1);
}

#[tokio::test]
async fn an_account_without_keys_offers_a_lone_none() {
    let simulator = started(Config {
        ssh_keys: Vec::new(),
        ..config()
    })
    .await;
    let service = SERVICE.to_string();
    let doc = authorised(&simulator, &[REBUILD, ("elid", &service)])
        .await
        .unwrap()
        .doc();
    assert_eq!(doc["slist"][2]["val"][0]["$key"], "none");
}

#[tokio::test]
async fn the_list_shows_how_far_a_rebuild_is() {
    let simulator = started(config()).await;
    for (offset, accept_lag_ms, duration_ms, shown) in [
        (0, 3_600_000, 0, pair("active", "CentOS-7")),
        (1, 0, 3_600_000, pair("rebuilding", "CentOS-7")),
        (2, 0, 0, pair("active", "AlmaLinux-8")),
    ] {
        let service = SERVICE + offset;
        let next = Some(Behaviour {
            accept_lag_ms: Some(accept_lag_ms),
            duration_ms: Some(duration_ms),
            ..Behaviour::default()
        });
        let change = InstanceChange {
            next,
            ..InstanceChange::default()
        };
        assert!(simulator.change(id(service), &change));
        let elid = service.to_string();
        let doc = submit_with(&simulator, &[("elid", &elid)])
            .await
            .unwrap()
            .doc();
        assert_eq!(doc["ok"], json!({}));
        assert_eq!(doc["tparams"]["password"]["$"], STRONG);
        assert_eq!(listed(&simulator, service).await, Some(shown));
    }
}

#[tokio::test]
async fn a_rebuild_comes_back_with_the_new_image_and_is_recorded() {
    let simulator = started(config()).await;
    assert!(submit(&simulator).await.unwrap().is_ok());
    let back = Some(pair("active", "AlmaLinux-8"));
    until("the new image", async || {
        listed(&simulator, SERVICE).await == back
    })
    .await;
    let record = truth(&simulator);
    let counts = (
        record.accepted,
        record.wiped,
        record.answered,
        record.completed,
    );
    assert_eq!(counts, (1, 1, 1, 1));
    assert_eq!(
        (record.executed, record.wipes[0].action),
        (1, Action::Rebuild)
    );
    assert_eq!(record.wipes[0].image_id, IMAGE);
    let completed_ms = record.wipes[0].completed_ms.unwrap();
    assert_eq!(completed_ms - record.wipes[0].at_ms, 40);
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(truth(&simulator).wiped, 2);
}

#[tokio::test]
async fn a_rebuild_during_a_rebuild_is_a_running_operation() {
    let simulator = slow().await;
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(
        submit(&simulator).await.unwrap().error().1,
        "runningoperation"
    );
    let record = truth(&simulator);
    assert_eq!(
        (record.submissions, record.accepted, record.wiped),
        (2, 1, 1)
    );
    assert_eq!(simulator.record().executions_max, 1);
}

#[tokio::test]
async fn every_field_of_a_submission_is_validated() {
    let simulator = slow().await;
    for (changes, field) in [
        (&[("zone", "")][..], "zone"),
        (&[("zone", "own")], "zone"),
        (&[("select_rebuild", "")], "select_rebuild"),
        (
            &[("select_rebuild", "00000000-0000-4000-8000-000000000000")],
            "select_rebuild",
        ),
        (&[("enablessh", "")], "enablessh"),
        (&[("enablessh", "yes")], "enablessh"),
        (&[("password", "Short1")], "password"),
        (&[("password", "simulator1")], "password"),
        (&[("password", "Simulator")], "password"),
        (&[("ssh_keys", "490")], "ssh_keys"),
        (&[("enablessh", "on"), ("ssh_keys", "490")], "password"),
        (&[("enablessh", "on"), ("password", "")], "ssh_keys"),
        (
            &[("enablessh", "on"), ("password", ""), ("ssh_keys", "491")],
            "ssh_keys",
        ),
        (
            &[
                ("select_rebuild", WINDOWS),
                ("enablessh", "on"),
                ("password", ""),
                ("ssh_keys", "490"),
            ],
            "enablessh",
        ),
    ] {
        let reply = submit_with(&simulator, changes).await.unwrap();
        assert_eq!(reply.error(), pair("value", field), "{changes:?}");
    }
    for (elid, kind) in [
        ("", "missed"),
        ("4", "missed"),
        ("5, 6", "missed"),
        ("77", "access"),
    ] {
        let reply = submit_with(&simulator, &[("elid", elid)]).await.unwrap();
        assert_eq!(reply.error().0, kind, "{elid}");
    }
    let reply = submit_with(&simulator, &[("auth", "dead")]).await.unwrap();
    assert_eq!(reply.error().0, "access");
    assert_eq!(truth(&simulator).wiped, 0);
}

#[tokio::test]
async fn every_documented_way_of_access_is_accepted() {
    let simulator = slow().await;
    for (index, changes) in [
        &[("zone", "pub")][..],
        &[("password", "")],
        &[("enablessh", "on"), ("password", ""), ("ssh_keys", "490")],
        &[("select_rebuild", WINDOWS), ("zone", "own")],
        &[("select_rebuild", WINDOWS), ("zone", "image")],
        &[("select_rebuild", "18D0EE2E-4D57-4F40-9B56-03C1773B5831")],
    ]
    .into_iter()
    .enumerate()
    {
        let service = (SERVICE + i64::try_from(index).unwrap()).to_string();
        let changes = [changes, &[("elid", &*service)]].concat();
        assert!(
            submit_with(&simulator, &changes).await.unwrap().is_ok(),
            "{changes:?}"
        );
    }
    assert_eq!(simulator.record().executions_max, 6);
}

#[tokio::test]
async fn states_decide_whether_a_rebuild_is_taken() {
    let simulator = slow().await;
    for (index, (status, error)) in [
        ("stopped", None),
        ("error", None),
        ("rebuilding", Some("runningoperation")),
        ("processing", Some("runningoperation")),
        ("rescued", Some("instance_status")),
        ("suspended", Some("instance_status")),
    ]
    .into_iter()
    .enumerate()
    {
        let service = SERVICE + i64::try_from(index).unwrap();
        let change = InstanceChange {
            status: Some(status.to_owned()),
            ..InstanceChange::default()
        };
        assert!(simulator.change(id(service), &change));
        let reply = submit_with(&simulator, &[("elid", &service.to_string())])
            .await
            .unwrap();
        match error {
            None => assert!(reply.is_ok(), "{status}"),
            Some(object) => assert_eq!(reply.error().1, object, "{status}"),
        }
    }
}

#[tokio::test]
async fn the_next_rebuild_can_be_told_how_to_go() {
    let simulator = started(config()).await;
    let next = |behaviour| {
        let next = Some(behaviour);
        let change = InstanceChange {
            next,
            ..InstanceChange::default()
        };
        assert!(simulator.change(id(SERVICE), &change));
    };
    next(Behaviour {
        duration_ms: Some(0),
        image_after: Some("Somebody's".to_owned()),
        ..Behaviour::default()
    });
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("active", "Somebody's"))
    );
    next(Behaviour {
        outcome: Some(Outcome::Ignored),
        ..Behaviour::default()
    });
    assert!(submit(&simulator).await.unwrap().is_ok());
    let record = truth(&simulator);
    assert_eq!(
        (record.accepted, record.wiped, record.image.as_str()),
        (2, 1, "Somebody's")
    );
    next(Behaviour {
        accept_lag_ms: Some(3_600_000),
        image_at: Some(ImageAt::Accept),
        ..Behaviour::default()
    });
    assert!(submit(&simulator).await.unwrap().is_ok());
    // The name is new while the disk is still being written.
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("active", "AlmaLinux-8"))
    );
    assert_eq!(
        submit(&simulator).await.unwrap().error().1,
        "runningoperation"
    );
}

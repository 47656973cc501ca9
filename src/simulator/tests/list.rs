//! The list of instances.

use super::*;

#[tokio::test]
async fn the_list_comes_in_pages_and_ends_with_an_empty_one() {
    let simulator = started(config()).await;
    let doc = authorised(&simulator, &[("func", "instances")])
        .await
        .unwrap()
        .doc();
    assert_eq!(doc["p_cnt"]["$"], "5");
    assert_eq!(doc["p_num"]["$"], "1");
    assert_eq!(doc["p_elems"]["$"], "12");
    let row = &doc["elem"][0];
    assert_eq!(row["id"]["$"], SERVICE.to_string());
    assert_eq!(row["servername"]["$"], "web-01");
    assert_eq!(row["ip"]["$"], "127.66.0.1");
    assert_eq!(row["instances_os"]["$"], "CentOS-7");
    let mut all = Vec::new();
    for (page, rows) in [("1", 5), ("2", 5), ("3", 2), ("4", 0)] {
        let ids = page_ids(&simulator, &[("p_num", page)]).await;
        assert_eq!(ids.len(), rows, "page {page}");
        all.extend(ids);
    }
    assert_eq!(all, (SERVICE..SERVICE + 12).collect::<Vec<_>>());
    let last_first = page_ids(&simulator, &[("p_col", "-id")]).await;
    assert_eq!(last_first[0], SERVICE + 11);
    assert_eq!(simulator.record().violations, [""; 0]);
}

#[tokio::test]
async fn the_list_says_where_each_instance_stands_if_it_knows() {
    let mut config = config();
    config.instances[1].datacenter = "NL-1".to_owned();
    config.instances[2].datacenter.clear();
    let simulator = started(config).await;
    let doc = authorised(&simulator, &[("func", "instances")])
        .await
        .unwrap()
        .doc();
    assert_eq!(doc["elem"][0]["datacentername"]["$"], "Simulated");
    assert_eq!(doc["elem"][1]["datacentername"]["$"], "NL-1");
    assert_eq!(doc["elem"][2]["datacentername"], json!({}));
}

#[tokio::test]
async fn a_shifting_list_moves_rows_between_two_calls() {
    let simulator = started(config()).await;
    simulator.set(AccountChange {
        list_shift: Some(3),
        ..AccountChange::default()
    });
    let first = page_ids(&simulator, &[]).await;
    let second = page_ids(&simulator, &[("p_num", "2")]).await;
    assert_eq!(first[0], SERVICE);
    // Three rows were passed over.
    assert_eq!(second[0], SERVICE + 8);
}

#[tokio::test]
async fn a_filtered_instance_is_missing_and_comes_back() {
    let simulator = started(config()).await;
    let change = |listed| InstanceChange {
        listed: Some(listed),
        ..InstanceChange::default()
    };
    assert!(simulator.change(id(SERVICE), &change(false)));
    assert_eq!(page_ids(&simulator, &[]).await[0], SERVICE + 1);
    let doc = authorised(&simulator, &[("func", "instances")])
        .await
        .unwrap()
        .doc();
    assert_eq!(doc["p_elems"]["$"], "11");
    assert_eq!(page_ids(&simulator, &[("p_num", "3")]).await.len(), 1);
    assert!(simulator.change(id(SERVICE), &change(true)));
    assert_eq!(page_ids(&simulator, &[]).await[0], SERVICE);
    assert!(!simulator.change(id(4), &change(true)));
}

#[tokio::test]
async fn what_the_panel_would_remember_is_a_violation() {
    let simulator = started(config()).await;
    authorised(&simulator, &[("func", "instances"), ("p_cnt", "7")])
        .await
        .unwrap();
    assert_eq!(page_ids(&simulator, &[]).await.len(), 7);
    let filter = [("func", "instances.filter"), ("sok", "ok"), ("id", "5")];
    assert_eq!(
        authorised(&simulator, &filter).await.unwrap().error().0,
        "nofunc"
    );
    let violations = simulator.record().violations;
    assert_eq!(violations.len(), 2, "{violations:?}");
    assert!(violations[0].contains("p_cnt") && violations[1].contains("instances.filter"));
}

#[tokio::test]
async fn a_list_that_lags_shows_what_was_while_the_truth_goes_on() {
    let simulator = slow().await;
    simulator.set(AccountChange {
        list_lag_ms: Some(300_000),
        ..AccountChange::default()
    });
    assert!(submit(&simulator).await.unwrap().is_ok());
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("active", "CentOS-7"))
    );
    assert_eq!(truth(&simulator).status, "rebuilding");
    simulator.set(AccountChange {
        list_lag_ms: Some(0),
        ..AccountChange::default()
    });
    assert_eq!(
        listed(&simulator, SERVICE).await,
        Some(pair("rebuilding", "CentOS-7"))
    );
}

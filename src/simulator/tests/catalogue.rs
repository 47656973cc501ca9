//! What may be ordered, and the account's own images and keys.

use super::*;

const PRICELIST: (&str, &str) = ("func", "v2.instances.order.pricelist");
const PARAM: (&str, &str) = ("func", "v2.instances.order.param");

async fn read(simulator: &Simulator, fields: &[(&str, &str)]) -> Value {
    authorised(simulator, fields).await.unwrap().doc()
}

#[tokio::test]
async fn a_name_has_another_id_in_each_data_centre() {
    let mut config = config();
    config.spread_over(&["NL-1", "US-1"]);
    let first = config.images[0].clone();
    let simulator = started(config).await;
    let tariffs = read(&simulator, &[PRICELIST]).await;
    assert_eq!(tariffs["datacenter"]["$"], "1");
    assert_eq!(tariffs["slist"][0]["val"][1]["$"], "US-1");
    let mut ids = Vec::new();
    for (centre, service) in [("1", SERVICE), ("2", SERVICE + 1)] {
        let tariffs = read(&simulator, &[PRICELIST, ("datacenter", centre)]).await;
        let tariff = tariffs["list"][0]["elem"][0]["id"]["$"].as_str().unwrap();
        let form = read(&simulator, &[PARAM, ("pricelist", tariff)]).await;
        let offered = &form["slist"][0]["val"][0];
        assert_eq!(offered["$"], first.name);
        let of_order = offered["$key"].as_str().unwrap().to_owned();
        // The instances that stand there are offered the same, and nothing else is taken for them.
        let elid = service.to_string();
        let rebuild = [("func", "instances.fleio.rebuild"), ("elid", &*elid)];
        let form = read(&simulator, &rebuild).await;
        assert_eq!(form["slist"][1]["val"][0]["$key"], of_order);
        ids.push(of_order);
    }
    assert_eq!(ids[0], first.id.to_string());
    assert_ne!(ids[0], ids[1]);
    let missed = read(&simulator, &[PARAM, ("pricelist", "7")]).await;
    assert_eq!(missed["error"]["$type"], "missed");
    assert_eq!(simulator.record().violations, [""; 0]);
}

#[tokio::test]
async fn an_order_of_a_server_is_counted_and_is_a_violation() {
    let simulator = started(config()).await;
    let tariffs = read(&simulator, &[PRICELIST]).await;
    let tariff = tariffs["list"][0]["elem"][0]["id"]["$"].as_str().unwrap();
    assert_eq!(simulator.record().orders, 0);
    let order = [PARAM, ("pricelist", tariff), ("sok", "ok")];
    assert_eq!(read(&simulator, &order).await["ok"], json!({}));
    read(&simulator, &[("func", "sshkeys"), ("sok", "no")]).await;
    let record = simulator.record();
    assert_eq!(record.orders, 1);
    assert!(record.violations[0].contains("orders a server"));
    let of_keys = |text: &String| text == "func=sshkeys with `sok`";
    assert!(record.violations.iter().any(of_keys), "{record:?}");
}

#[tokio::test]
async fn own_images_and_keys_come_in_pages_and_one_alone_is_no_array() {
    let mut config = config();
    config.page_size = 2;
    let image = config.images[0].clone();
    for nth in 0..2 {
        let name = format!("golden-{nth}");
        let zone = "own".to_owned();
        config.images.push(Image {
            name,
            zone,
            ..image.clone()
        });
    }
    let simulator = started(config).await;
    let first = read(&simulator, &[("func", "image")]).await;
    assert_eq!(first["p_elems"]["$"], "3");
    assert_eq!(first["elem"].as_array().unwrap().len(), 2);
    let last = read(&simulator, &[("func", "image"), ("p_num", "2")]).await;
    assert_eq!(last["elem"]["name"]["$"], "golden-1");
    let keys = read(&simulator, &[("func", "sshkeys")]).await;
    assert_eq!(keys["elem"]["elid"]["$"], "490");
    let stranger = call(&simulator, &[("func", "image"), ("out", "json")]);
    assert_eq!(stranger.await.unwrap().doc()["error"]["$type"], "access");
}

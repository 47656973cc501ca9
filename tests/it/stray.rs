//! What was sent and may still take effect: it binds its instance, whoever orders that anew.

use sqlx::Row as _;

use crate::rig::{FIRST, Rig, manifest, quick};

/// What a proxy still holds may take effect after another submission, whoever ordered that.
#[test]
fn what_was_sent_binds_its_instance_until_settle_has_passed() {
    let rig = Rig::new(1);
    rig.doubt(0);
    rig.run(&["--no-wait", "--settle", "1h"]).exit(3);
    let first = FIRST.to_string();
    let resolve = |word| rig.call(&["resolve", &first, "--as", word, "--reason", "looked"]);
    resolve("requeue")
        .exit(2)
        .says("is not sent again yet: what was sent may still take effect until");
    resolve("failed").exit(0);
    rig.call(&["retry", "--wiped", &first])
        .exit(2)
        .says("may still take effect until");
    rig.write("again.csv", manifest(1));
    rig.call(&["load", "again.csv", "--again"]).exit(0);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    let bound = &status["held_back"]["bound"][0];
    assert_eq!(bound["service_id"], FIRST);
    assert_eq!(bound["by_batch"], 1);
    assert!(bound["until"]["at"].is_string(), "{bound}");
    rig.call(&["list"])
        .exit(0)
        .says_out("held back by what batch 1 submitted (what was sent may still take effect until");
    rig.call(&["show", &first])
        .exit(0)
        .says_out("goes on with it from");
    // The run waits, and goes on by itself.
    rig.call(&quick("again.csv", &["--settle", "3s"])).exit(0);
    let apart =
        rig.sql("SELECT max(intent_ms) - min(submitted_ms) FROM job WHERE intent_ms IS NOT NULL");
    let apart: i64 = apart[0].get(0);
    assert!(apart >= 3000, "{apart}");
    assert_eq!(rig.wiped(), [1]);
}

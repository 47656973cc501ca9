//! What webhooks read, and when.

use serde_json::Value;

use super::{Monitored, prepared, refusal};
use crate::rig::{FIRST, Told, finish};
use refleet::simulator::InstanceChange;

/// The webhook's last message.
fn last(monitored: &Monitored) -> Told {
    monitored.notify.told().pop().unwrap()
}

/// What must not be read in a channel of many: names, addresses, hosts, paths, the account.
fn assert_public(monitored: &Monitored, text: &str) {
    let folder = monitored.rig.folder.path().display().to_string();
    let service = FIRST.to_string();
    let host = rustix::system::uname();
    let host = host.nodename().to_str().unwrap();
    for name in [
        "fleet.csv",
        "operator",
        "customer-web",
        "127.66.0",
        "70001",
        &service,
        &folder,
        host,
    ] {
        assert!(!text.contains(name), "{name}: {text}");
    }
}

#[test]
fn channels_of_many_read_numbers_and_what_to_type_and_nobodys_name() {
    for format in ["slack", "teams", "ntfy"] {
        let monitored = prepared(|rig| {
            rig.fault(0, refusal());
            let named = InstanceChange {
                name: Some("customer-web".to_owned()),
                ..InstanceChange::default()
            };
            rig.change(0, &named);
        });
        let mut command = monitored.order(&[]);
        command.env("REFLEET_NOTIFY_FORMAT", format);
        finish(command).exit(1);
        let told = last(&monitored);
        assert_public(&monitored, &told.body);
        let json = || serde_json::from_str::<Value>(&told.body).unwrap();
        let text = match format {
            "slack" => {
                assert!(
                    told.headers.contains("content-type: application/json"),
                    "{told:?}"
                );
                json()["text"].as_str().unwrap().to_owned()
            }
            "teams" => {
                let message = json();
                assert_eq!(message["type"], "message");
                let card = &message["attachments"][0];
                assert_eq!(
                    card["contentType"],
                    "application/vnd.microsoft.card.adaptive"
                );
                assert_eq!(card["content"]["type"], "AdaptiveCard");
                let blocks = card["content"]["body"].as_array().unwrap();
                let lines = blocks.iter().map(|block| {
                    assert_eq!(block["type"], "TextBlock");
                    block["text"].as_str().unwrap()
                });
                lines.collect::<Vec<_>>().join("\n")
            }
            _ => {
                assert!(told.headers.contains("priority: high\r\n"), "{told:?}");
                assert!(told.headers.contains("title: refleet\r\n"), "{told:?}");
                told.body.clone()
            }
        };
        let mut lines = text.lines();
        let head = "refleet run: it came to the end, and some jobs failed (exit code 1)";
        assert_eq!(lines.next(), Some(head), "{format}");
        assert_eq!(
            lines.next(),
            Some("batch 1: 2 done, 1 failed of 3"),
            "{format}"
        );
        assert!(
            text.ends_with("next: `refleet list --state failed`"),
            "{format}: {text}"
        );
    }
}

#[test]
fn a_webhook_hears_of_problems_or_of_changes_or_of_every_end() {
    let monitored = prepared(|_| ());
    let count = |when: &str, more: &[&str], code: i32| {
        let before = monitored.notify.told().len();
        let mut command = monitored.order(more);
        command.env("REFLEET_NOTIFY_WHEN", when);
        finish(command).exit(code);
        monitored.notify.told().len() - before
    };
    assert_eq!(count("problem", &["-q"], 0), 0);
    assert_eq!(count("problem", &["--bogus"], 2), 1);
    assert_eq!(count("always", &["-q"], 0), 1);
    // The first time nobody knows what it was before.
    assert_eq!(count("change", &["-q"], 0), 1);
    assert_eq!(count("change", &["-q"], 0), 0);
    let broken = ["--no-wait", "--canary", "1"];
    let broken: Vec<&str> = ["--again"].into_iter().chain(broken).collect();
    assert_eq!(count("change", &broken, 2), 1);
    assert_eq!(count("change", &broken, 2), 0);
    assert_eq!(count("change", &["-q"], 0), 1);
}

#[test]
fn a_change_that_did_not_arrive_is_told_again() {
    let mut monitored = prepared(|_| ());
    let order = |monitored: &Monitored| {
        let mut command = monitored.order(&["-q"]);
        command.env("REFLEET_NOTIFY_WHEN", "change");
        command
    };
    let there = std::mem::replace(
        &mut monitored.notify,
        crate::rig::Receiver::new(crate::rig::Manner::Answers(503)),
    );
    for _ in 0..2 {
        finish(order(&monitored)).exit(0).says("--notify");
    }
    assert_eq!(monitored.notify.told().len(), 2);
    monitored.notify = there;
    finish(order(&monitored)).exit(0);
    assert_eq!(monitored.notify.told().len(), 1);
}

#[test]
fn what_applies_is_shown_without_the_addresses() {
    let monitored = prepared(|_| ());
    let shown = finish(monitored.watched(monitored.rig.refleet(&["config", "show"]))).exit(0);
    let shown = shown
        .says_out("http://127.0.0.1/…")
        .says_out("REFLEET_PING")
        .says_out("REFLEET_NOTIFY_WHEN");
    assert!(!shown.out.contains(super::SECRET), "{shown}");
    assert!(!shown.out.contains("cat > "), "{shown}");
}

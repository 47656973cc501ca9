//! How much a new order may be, and how far it may differ from the last one: the caps for cron.

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, Rig, manifest};

#[test]
fn a_new_order_of_more_instances_than_allowed_is_refused() {
    let rig = Rig::new(3);
    for command in ["run", "load"] {
        rig.refused(
            command,
            &["--max-wipes", "2"],
            &["3 instances", "--max-wipes 3"],
        );
    }
    rig.run(&["--max-wipes", "3"]).exit(0);
    assert_eq!(rig.wiped(), [1, 1, 1]);
    // What is ordered already is no new order.
    rig.run(&["--max-wipes", "1"]).exit(0).says("nothing to do");
}

#[test]
fn a_sheet_that_differs_too_much_from_the_last_one_is_refused_and_told_row_by_row() {
    let rig = Rig::new(10);
    let whole = manifest(10);
    // The first order has nothing to be compared with, and that is always said.
    rig.run(&["--max-change", "0%", "-q"])
        .exit(0)
        .says("nothing to compare with: --max-change did not apply");
    // One row is missing, one gets another image, one is new.
    let last = (FIRST + 9).to_string();
    let rows: Vec<String> = whole
        .lines()
        .filter(|line| !line.starts_with(&(FIRST + 1).to_string()))
        .map(|line| {
            if line.starts_with(&last) {
                line.replace(IMAGE, OTHER_IMAGE)
            } else {
                line.to_owned()
            }
        })
        .collect();
    rig.write("fleet.csv", rows.join("\n") + "\n");
    let told = [
        "differs in 2 services from batch 1",
        &format!("with another image: 1 ({last})"),
        &format!("not in it any more: 1 ({})", FIRST + 1),
        " plan` shows each difference",
    ];
    for command in ["run", "load"] {
        rig.refused(command, &["--again", "--max-change", "19%"], &told);
    }
    rig.run(&["--again", "--max-change", "20%"]).exit(0);
    assert_eq!(rig.wiped()[1], 1);
    // The same sheet again does not differ at all.
    let same = rig.run(&["--again", "--max-change", "0%"]).exit(0);
    assert!(!same.err.contains("did not apply"), "{same}");
    let truth = rig.wiped();
    assert_eq!((truth[0], truth[1], truth[9]), (3, 1, 3));
}

/// Loaded by mistake and cancelled: it says nothing of what is right.
#[test]
fn an_order_that_was_cancelled_is_no_measure_of_the_next_one() {
    let rig = Rig::new(4);
    rig.run(&[]).exit(0);
    let other = manifest(4).replace(IMAGE, OTHER_IMAGE) + "\n";
    rig.write("fleet.csv", &other);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.call(&["cancel", "--all"]).exit(0);
    rig.refused(
        "run",
        &["--again", "--max-change", "50%"],
        &["differs in 4 services from batch 1"],
    );
    // Of an order that was cancelled in part, the rest counts.
    rig.call(&["load", "fleet.csv", "--again"]).exit(0);
    rig.call(&["cancel", &FIRST.to_string()]).exit(0);
    rig.run(&[]).exit(0);
    rig.refused(
        "run",
        &["--again", "--max-change", "25%"],
        &["differs in 1 service from batch 3", "new in it: 1"],
    );
    rig.run(&["--again", "--max-change", "34%"]).exit(0);
    // Where nothing else was ever ordered, there is nothing to compare with.
    let rig = Rig::new(2);
    rig.load();
    rig.call(&["cancel", "--all"]).exit(0);
    rig.run(&["--again", "--max-change", "0%"])
        .exit(0)
        .says("--max-change did not apply");
}

#[test]
fn an_order_by_the_clock_is_compared_with_the_whole_sheet_of_the_nights_before() {
    let rig = Rig::new(4);
    let whole = manifest(4);
    rig.run(&["--every", "20h"]).exit(0);
    // A fifth of the sheet is due on the second night only.
    rig.sql("UPDATE job SET intent_ms = intent_ms - 86400000, submitted_ms = submitted_ms - 86400000, completed_ms = completed_ms - 86400000 WHERE line = 2");
    rig.run(&["--every", "20h", "--max-change", "0%"]).exit(0);
    assert_eq!(rig.wiped(), [2, 1, 1, 1]);
    rig.run(&["--every", "20h", "--max-change", "0%"]).exit(0);
    // An old export: half of the rows are gone.
    let half: Vec<&str> = whole.lines().take(3).collect();
    rig.write("fleet.csv", half.join("\n") + "\n");
    rig.sql("UPDATE job SET intent_ms = intent_ms - 86400000, submitted_ms = submitted_ms - 86400000, completed_ms = completed_ms - 86400000");
    rig.refused(
        "run",
        &["--every", "20h", "--max-change", "10%"],
        &["not in it any more: 2"],
    );
    assert_eq!(rig.wiped(), [2, 1, 1, 1]);
}

#[test]
fn a_share_that_is_none_is_explained() {
    let rig = Rig::new(1);
    for share in ["5", "101%", "-1%", "x%", "%"] {
        rig.run(&[&format!("--max-change={share}")])
            .exit(2)
            .says("no share from 0% to 100%");
    }
}

impl Rig {
    /// `command` on the manifest is refused with these words; nothing is queued, nothing is sent.
    fn refused(&self, command: &str, options: &[&str], words: &[&str]) {
        let before = (self.batches(), self.submissions());
        let ended = match command {
            "run" => self.run(options),
            command => self.call(&[&[command, "fleet.csv"], options].concat()),
        }
        .exit(2)
        .says("nothing was queued, nothing was sent");
        words.iter().fold(ended, |ended, word| ended.says(word));
        assert_eq!((self.batches(), self.submissions()), before);
    }

    fn batches(&self) -> usize {
        if self.database().exists() {
            self.sql("SELECT id FROM batch").len()
        } else {
            0
        }
    }
}

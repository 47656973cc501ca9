//! The question before anything is destroyed, on a real terminal: what it says, and what counts as
//! an answer.

use std::fmt::Write as _;

use crate::rig::{
    FIRST, IMAGE, OTHER_IMAGE, PASSWORD, Rig, Size, Typed, on_a_terminal, quick, services, wrapped,
};
use refleet::simulator::{Call, Fault, FaultKind, InstanceChange, Script};

/// The end of the prompt.
const PROMPT: &str = "instances: ";

fn ask(rig: &Rig, size: Size, more: &[&str], typed: &[Typed<'_>]) -> (i32, String) {
    ask_in(rig, size, more, &[], typed)
}

fn ask_in(
    rig: &Rig,
    size: Size,
    more: &[&str],
    env: &[(&str, &str)],
    typed: &[Typed<'_>],
) -> (i32, String) {
    let mut args = quick("fleet.csv", more);
    args.retain(|arg| *arg != "--yes");
    let mut command = rig.refleet(&args);
    command.envs(env.iter().copied());
    on_a_terminal(command, size, typed)
}

fn wiped(rig: &Rig) -> u64 {
    rig.wiped().iter().sum()
}

/// The last screen of 24 rows before `text`.
fn screen_before<'a>(said: &'a str, text: &str) -> Vec<&'a str> {
    let (before, _) = said.split_once(text).expect(said);
    // What was overwritten is not on the screen.
    let before = before
        .rsplit_once("\x1b[K")
        .map_or(before, |(_, rest)| rest);
    let lines: Vec<&str> = before.lines().collect();
    lines[lines.len().saturating_sub(24)..].to_vec()
}

// Field case B8.
#[test]
fn what_was_typed_before_the_question_is_no_answer_to_it() {
    for early in [
        // Typed before the process reads anything, while the list is read, as a paste, and as half a line.
        &[("", &b"3\n"[..])][..],
        &[("reading", b"3\n3\n3\n")],
        &[("", b"3")],
        &[("", &[b"3\n".repeat(1500).as_slice()].concat())],
    ] {
        let rig = Rig::new(3);
        let typed: Vec<Typed<'_>> = early
            .iter()
            .copied()
            .chain([(PROMPT, &b"\n"[..])])
            .collect();
        let (code, said) = ask(&rig, Size::USUAL, &[], &typed);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("not confirmed"), "{said}");
        assert_eq!(wiped(&rig), 0, "{said}");
    }
    // What is typed after the question appeared is an answer.
    let rig = Rig::new(3);
    let (code, said) = ask(&rig, Size::USUAL, &[], &[("", b"9\n"), (PROMPT, b"3\n")]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(wiped(&rig), 3);
}

#[test]
fn ctrl_c_and_an_end_of_file_and_anything_else_mean_no() {
    let rig = Rig::new(3);
    for (keys, code) in [
        (&b"\x03"[..], 130),
        (b"\x04", 2),
        (b"yes\n", 2),
        (b"y\n", 2),
        (b"03\n", 2),
        (b"30\n", 2),
        (b"\n", 2),
    ] {
        let (ended, said) = ask(&rig, Size::USUAL, &[], &[(PROMPT, keys)]);
        assert_eq!(ended, code, "{keys:?}: {said}");
        assert_eq!(wiped(&rig), 0, "{said}");
    }
}

#[test]
fn after_ctrl_z_and_fg_the_prompt_is_there_again() {
    let rig = Rig::new(3);
    let mut args = quick("fleet.csv", &[]);
    args.retain(|arg| *arg != "--yes");
    let refleet = rig.refleet(&args);
    // A shell with job control, that types `fg` as soon as it has the terminal back.
    let shell = wrapped(&["sh", "-mc", "\"$0\" \"$@\"; fg"], &refleet);
    let typed = [(PROMPT, &b"\x1a"[..]), (PROMPT, b"3\n")];
    let (code, said) = on_a_terminal(shell, Size::USUAL, &typed);
    assert_eq!(code, 0, "{said}");
    assert_eq!(wiped(&rig), 3, "{said}");
}

// Field case E2.
#[test]
#[expect(clippy::too_many_lines, reason = "one screen, line by line")]
fn the_last_screen_before_the_answer_says_what_is_lost_and_what_is_not_sent() {
    const COUNT: usize = 40;
    let rig = Rig::with(COUNT, |config| {
        // Two more, so that there are four; the last one is offered to nobody.
        let mut third = config.images[0].clone();
        third.id = "a95d4c18-72be-4d61-8f30-6b1e07d924cb".parse().unwrap();
        third.name = "Debian-12".to_owned();
        config.images.push(third);
        // A filter hides the first two.
        config.instances.drain(..2);
    });
    let unknown = "a95d4c18-72be-4d61-8f30-6b1e07d924cc";
    let suspended = InstanceChange {
        status: Some("suspended".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(2, &suspended);
    let same = InstanceChange {
        image: Some("AlmaLinux 8".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(4, &same);
    let mut manifest = "service_id,image,password,ssh_key\n".to_owned();
    for service in services(COUNT) {
        let image = [
            IMAGE,
            OTHER_IMAGE,
            "a95d4c18-72be-4d61-8f30-6b1e07d924cb",
            unknown,
        ][usize::try_from(service - FIRST).unwrap() % 4];
        let access = match service - FIRST {
            5 => ",",
            6..10 => ",490",
            _ => &format!("{PASSWORD},"),
        };
        writeln!(manifest, "{service},{image},{access}").unwrap();
    }
    rig.write("fleet.csv", manifest);

    // The number to type is not that of the rows.
    let (code, said) = ask(&rig, Size::USUAL, &[], &[(PROMPT, b"40\n")]);
    assert_eq!(code, 2, "{said}");
    let screen = screen_before(&said, "l shows the whole list");
    let text = screen.join("\n");
    for words in [
        "ALL DATA on 37 instances will be DESTROYED",
        "NOT SENT: 2 are not in the account's list",
        "5113119, 5113120",
        "NOT SENT unless that ends within 1m 0s: 1 is suspended: 5113121",
        "UNKNOWN IMAGE: 10 are to get one that the API does not offer",
        "Same image again: 1 of them",
        "32 by the manifest's password, 4 by SSH key, 1 ONLY WITH WHAT",
        "x AlmaLinux-8",
        "x Debian-12",
        "… and ",
    ] {
        assert!(
            text.contains(words),
            "{words:?} is not on the screen:\n{text}"
        );
    }
    assert!(
        said.contains("Type 37 to destroy all data on 37 instances: "),
        "{said}"
    );
    assert!(
        screen.iter().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert_eq!(wiped(&rig), 0);

    // Everything can be looked at, with a pager and without.
    for pager in ["cat", "no-such-pager-anywhere"] {
        let (code, said) = ask_in(
            &rig,
            Size::USUAL,
            &[],
            &[("PAGER", pager)],
            &[(PROMPT, b"l\n"), (PROMPT, b"no\n")],
        );
        assert_eq!(code, 2, "{said}");
        let (_, list) = said.split_once(PROMPT).unwrap();
        for service in services(COUNT) {
            assert!(list.contains(&service.to_string()), "{service}: {list}");
        }
        for words in ["the same again", "NOT SENT: suspended", "not in the list"] {
            assert!(list.contains(words), "{words:?}: {list}");
        }
        assert!(
            screen_before(list, "l shows")
                .join("\n")
                .contains("ALL DATA on 37")
        );
    }
}

// `less` starts a shell for whoever types `!`.
#[test]
fn the_pager_gets_none_of_the_secrets_and_speaks_for_no_service() {
    let rig = Rig::new(3);
    let environment = [
        ("PAGER", "env > seen; cat"),
        ("NOTIFY_SOCKET", "/nobody/listens/here"),
    ];
    let typed: [Typed<'_>; 2] = [(PROMPT, b"l\n"), (PROMPT, b"no\n")];
    let (code, said) = ask_in(&rig, Size::USUAL, &[], &environment, &typed);
    assert_eq!(code, 2, "{said}");
    let seen = std::fs::read_to_string(rig.path("seen")).unwrap();
    assert!(seen.contains("PAGER="), "{seen}");
    for name in ["ZOMRO_", "NOTIFY_SOCKET"] {
        assert!(!seen.contains(name), "{seen}");
    }
}

// Field case E2.
#[test]
fn where_nothing_can_be_rebuilt_nothing_is_asked_or_queued() {
    let rig = Rig::with(3, |config| config.instances.clear());
    rig.fleet(3);
    let (code, said) = ask(&rig, Size::USUAL, &[], &[]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("none of these instances can be rebuilt now"),
        "{said}"
    );
    assert!(!rig.database().exists() || rig.call(&["status"]).code == 2);
}

// Field case E2.
#[test]
fn the_question_before_a_resumed_batch_speaks_of_what_is_left() {
    let rig = Rig::new(6);
    let mut run = rig.watch(&["--workers", "1"]);
    run.wait_for(2, "done");
    run.signal("INT");
    run.end().exit(130);
    let left = rig.states()["queued"].len();
    let (code, said) = ask(&rig, Size::USUAL, &[], &[(PROMPT, b"\n")]);
    assert_eq!(code, 2, "{said}");
    for words in [
        format!("Batch 1 goes on: {left} of 6 are still to be sent"),
        format!("Way in afterwards: {left} by the manifest's password"),
        format!("Type {left} to destroy all data on {left} instances"),
    ] {
        assert!(said.contains(&words), "{words:?}: {said}");
    }
}

// Field case E12.
#[test]
fn a_dumb_terminal_gets_no_escape_sequence() {
    let rig = Rig::new(3);
    rig.simulator
        .script(Script::next(Call::Submission, Fault::new(FaultKind::Error)));
    for term in ["dumb", ""] {
        let (code, said) = ask_in(
            &rig,
            Size::USUAL,
            &["--again"],
            &[("TERM", term)],
            &[(PROMPT, b"l\n"), (PROMPT, b"3\n")],
        );
        assert!(code <= 1, "{said}");
        assert!(!said.contains('\x1b'), "{said:?}");
        for words in [
            &["list"][..],
            &["status"],
            &["report"],
            &["show", "5113119"],
        ] {
            let mut command = rig.refleet(words);
            command.env("TERM", term);
            let (_, said) = on_a_terminal(command, Size::USUAL, &[]);
            assert!(!said.contains('\x1b'), "{words:?}: {said:?}");
        }
    }
}

#[test]
fn what_the_question_has_shown_is_what_must_stand_there_in_a_new_order_and_in_a_resumed_one() {
    for resumed in [false, true] {
        let rig = Rig::new(3);
        if resumed {
            rig.load();
        }
        let (code, said) = ask(&rig, Size::USUAL, &[], &[(PROMPT, b"3\n")]);
        assert_eq!(code, 0, "{said}");
        let bound = "SELECT id FROM job WHERE json_extract(expected, '$.image') = 'CentOS-7'
                     AND json_extract(expected, '$.seen')";
        assert_eq!(rig.sql(bound).len(), 3, "resumed: {resumed}");
    }
}

#[test]
fn whoever_does_not_wait_is_bound_to_nothing_and_everything_is_sent() {
    let rig = Rig::new(3);
    let (code, said) = ask(&rig, Size::USUAL, &["--no-wait"], &[(PROMPT, b"3\n")]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(wiped(&rig), 3);
}

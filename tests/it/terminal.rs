//! What reaches a real terminal when the account and the manifest hold text that wants to steer it.

use std::fmt::Write as _;

use crate::rig::{IMAGE, Rig, Size, Typed, manifest, on_a_terminal, quick};
use refleet::simulator::{Fault, FaultKind, InstanceChange};

/// Texts that set the title, clear the screen, ring the bell, do so with C1 controls, break the line,
/// turn the reading direction, or are invisible.
const HOSTILE: [&str; 8] = [
    "\x1b]0;HOSTILE\x07",
    "\x1b[2JHOSTILE",
    "\x07HOSTILE",
    "\u{9b}2JHOSTILE",
    "\rHOSTILE",
    "\nHOSTILE",
    "\u{202e}HOSTILE",
    "\u{200b}HOSTILE",
];
/// How these texts may be shown, wherever they stand.
const HARMLESS: [&str; 8] = [
    "left\\u{1b}]0;HOSTILE",
    "left\\u{1b}[2JHOSTILE",
    "left\\u{7}HOSTILE",
    "left\\u{9b}2JHOSTILE",
    "left HOSTILE",
    "left HOSTILE",
    "left\\u{202e}HOSTILE",
    "left\\u{200b}HOSTILE",
];
/// In names and messages of the API each control character becomes a replacement character.
fn as_the_api_gives_it(harmless: &str) -> String {
    ["\\u{1b}", "\\u{7}", "\\u{9b}"]
        .iter()
        .fold(harmless.to_owned(), |text, escape| {
            text.replace(escape, "\u{fffd}")
        })
}

/// Nothing of [`HOSTILE`] has come through, and each of `harmless` is there.
#[track_caller]
fn assert_harmless(said: &str, harmless: &[&str]) {
    for mark in ['\x07', '\u{9b}', '\u{202e}', '\u{200b}'] {
        assert!(!said.contains(mark), "{mark:?} came through: {said:?}");
    }
    // The bar moves the cursor and erases lines; nobody sets a title or clears the screen.
    for escape in ["\x1b]", "\x1b[2J", "left\x1b"] {
        assert!(!said.contains(escape), "{escape:?} came through: {said:?}");
    }
    for split in ["left\r", "left\n"] {
        assert!(!said.contains(split), "the line was split: {said:?}");
    }
    for words in harmless {
        assert!(
            said.contains(words) || said.contains(&as_the_api_gives_it(words)),
            "{words:?} is not in {said:?}"
        );
    }
}

#[test]
fn no_foreign_text_steers_the_terminal_of_any_command() {
    let count = HOSTILE.len();
    let names = HOSTILE.map(|hostile| format!("left{hostile}"));
    let rig = Rig::with(count, |config| {
        for (instance, name) in config.instances.iter_mut().zip(&names) {
            instance.name.clone_from(name);
            instance.image.clone_from(name);
        }
        for image in &mut config.images {
            if image.id.to_string() == IMAGE {
                image.name = names[0].clone();
            }
        }
    });
    // The first has a status that nobody knows, and is never sent; of the others every second one
    // is refused, the rest is rebuilt.
    let strange = InstanceChange {
        status: Some(names[0].clone()),
        image: Some("CentOS-7".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(0, &strange);
    let refused = Fault {
        message: Some(names.join(" ")),
        error_object: Some(names[1].clone()),
        ..Fault::new(FaultKind::Error)
    };
    for nth in (1..count).step_by(2) {
        rig.fault(nth, refused.clone());
    }

    // A note may hold invisible characters but no control characters; a file's name may hold both.
    let fleet = format!("fleet-{}.csv", names[..4].concat());
    let note = format!("{}{}", names[6], names[7]);
    rig.write(&fleet, manifest(count).replace("row of", &note));

    let on_terminal =
        |args: &[&str], typed: &[Typed<'_>]| on_a_terminal(rig.refleet(args), Size::WIDE, typed);
    let (code, said) = on_terminal(&["check", &fleet], &[]);
    assert_eq!(code, 0, "{said}");
    assert_harmless(&said, &HARMLESS[..4]);

    // Without `--yes`: the question shows the account's names, and the bar what is refused.
    let mut args = quick(&fleet, &["--progress", "bar", "--rebuild-timeout", "2s"]);
    args.retain(|arg| *arg != "--yes");
    // The first one has a status that nobody knows, so the number does not count it.
    let answer = format!("{}\n", count - 1);
    let (code, said) = on_terminal(&args, &[("instances: ", answer.as_bytes())]);
    assert_eq!(code, 1, "{said}");
    let (asked, answered) = said.split_once("to destroy all data on").expect(&said);
    assert_harmless(asked, &HARMLESS);
    assert!(answered.contains("\x1b["), "there was no bar: {answered:?}");
    assert_harmless(answered, &HARMLESS);
    let truth: u64 = rig.wiped().iter().sum();
    assert_eq!(truth, 3, "some are rebuilt, and some are not: {said}");

    for (words, harmless) in [
        (&["show", "5113120"][..], &HARMLESS[..]),
        (&["show", "5113121"], &HARMLESS[6..]),
        (&["list"], &HARMLESS[..5]),
        (&["status"], &HARMLESS[..2]),
        (&["report"], &HARMLESS),
        (&["report", "--format", "csv"], &HARMLESS),
    ] {
        let (code, said) = on_terminal(words, &[]);
        assert_eq!(code, 0, "{words:?}: {said}");
        assert_harmless(&said, harmless);
    }

    // Cells with control characters are refused, and the message shows them harmlessly.
    let mut bad = format!("service_id,image,{},{}\n", names[1], names[6]);
    for name in [0, 1, 2, 3, 6].map(|nth| &names[nth]) {
        writeln!(bad, "{name},{IMAGE},,\n7,{name},,").unwrap();
    }
    rig.write("bad.csv", bad);
    let (code, said) = on_terminal(&["check", "bad.csv"], &[]);
    assert_eq!(code, 2, "{said}");
    assert_harmless(
        &said,
        &[
            HARMLESS[0],
            HARMLESS[1],
            HARMLESS[2],
            HARMLESS[3],
            HARMLESS[6],
        ],
    );
}

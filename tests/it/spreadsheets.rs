//! What spreadsheets, and the people at them, do to a manifest: understood, or refused with the
//! cause and the remedy. Nobody is locked out, and nobody's row is taken for another one.

use crate::rig::{Ended, FIRST, IMAGE, PASSWORD, Rig, quick};

const HEADER: &str = "service_id,image,password\n";

fn row(nth: i64) -> String {
    format!("{},{IMAGE},{PASSWORD}{nth}\n", FIRST + nth)
}

/// `check`, `load` and `run` say the same: exit 2, these words, no cell that may be a password; and
/// nothing was queued or sent.
#[track_caller]
fn refused(rig: &Rig, name: &str, content: impl AsRef<[u8]>, says: &[&str]) -> String {
    rig.write("fleet.csv", content);
    let mut told: Vec<String> = Vec::new();
    for args in [
        vec!["check", "fleet.csv"],
        vec!["load", "fleet.csv", "-q"],
        quick("fleet.csv", &["--again"]),
    ] {
        let ended = rig.call(&args);
        assert_eq!(ended.code, 2, "{name}: {}{}", ended.out, ended.err);
        for words in says {
            assert!(
                ended.err.contains(words),
                "{name}: {words:?} is not in\n{}",
                ended.err
            );
        }
        assert!(!ended.err.contains(PASSWORD), "{name}: {}", ended.err);
        told.push(ended.err);
    }
    assert!(told.iter().all(|text| *text == told[0]), "{name}: {told:?}");
    assert_eq!(rig.calls(), 0, "{name}");
    assert!(!rig.database().exists(), "{name}");
    told.swap_remove(0)
}

/// `check` finds it sound; what it says of the plan.
#[track_caller]
fn sound(rig: &Rig, name: &str, content: impl AsRef<[u8]>, more: &[&str]) -> Ended {
    rig.write("fleet.csv", content);
    let args = [&["check", "fleet.csv"], more].concat();
    let ended = rig.call(&args);
    assert_eq!(ended.code, 0, "{name}: {}", ended.err);
    ended
}

// Field cases C1 and C2.
#[test]
fn a_column_that_looks_like_a_way_in_is_not_ignored_unless_told() {
    let rig = Rig::new(3);
    for (name, meant) in [
        ("Пароль", "password"),
        ("root_pw", "password"),
        ("root_password", "password"),
        ("secret", "password"),
        ("hasło", "password"),
        ("contraseña", "password"),
        ("Root-Kennwort", "password"),
        ("şifre", "password"),
        ("pubkey", "ssh_key"),
        ("SSH public key", "ssh_key"),
        ("Ключ", "ssh_key"),
    ] {
        let content = format!("service_id,image,{name}\n{FIRST},{IMAGE},{PASSWORD}1\n");
        let said = refused(
            &rig,
            name,
            &content,
            &[&format!("was `{meant}` meant?"), "--ignore-column"],
        );
        // The hint works as it stands.
        let (_, option) = said.split_once("(or `").unwrap();
        let (option, _) = option.split_once("`)").unwrap();
        let typed = option.strip_prefix("--ignore-column ").unwrap();
        let told = ["--ignore-column", typed.trim_matches('\'')];
        let ended = sound(&rig, name, &content, &told);
        assert!(
            ended.out.contains(&format!("ignored `{name}`")),
            "{}",
            ended.out
        );
        assert_eq!(ended.err, "", "{name}");
    }
    let innocent = "service_id,image,name,keyboard,monkey,Passau,primary_key,last_login,ssh_port";
    let content = format!("{innocent}\n{FIRST},{IMAGE},web,,,,,,22\n");
    let ended = sound(&rig, "innocent", content, &[]);
    assert!(ended.out.contains("`primary_key`"), "{}", ended.out);
}

#[test]
fn ignore_column_is_matched_like_a_column_and_must_name_one() {
    let rig = Rig::new(2);
    let content = format!("id,service_id,image,Root PW\n7,{FIRST},{IMAGE},{PASSWORD}1\n");
    let both = ["--ignore-column", "ID", "--ignore-column", "root-pw"];
    rig.write("fleet.csv", &content);
    rig.call(&[&["load", "fleet.csv"], &both[..]].concat())
        .exit(0)
        .says("ignored columns: `id`, `Root PW`");
    let ended = rig.call(&["check", "fleet.csv", "--ignore-column", "owner"]);
    assert_eq!(ended.code, 2);
    for words in ["names a column that is not there", "`owner`", "`Root PW`"] {
        assert!(ended.err.contains(words), "{}", ended.err);
    }
    // Without a manifest the option would do nothing.
    rig.call(&["run", "--ignore-column", "id"]).exit(2);
}

#[test]
fn load_and_run_name_what_they_ignore_once_and_quiet_ones_only_what_may_lock_out() {
    let rig = Rig::new(2);
    let names = format!("service_id,image,name,owner\n{FIRST},{IMAGE},web,me\n");
    rig.write("fleet.csv", &names);
    for args in [vec!["load", "fleet.csv"], quick("fleet.csv", &[])] {
        let ended = rig.call(&args).exit(0);
        let said = "ignored columns: `name`, `owner`";
        assert_eq!(ended.err.matches(said).count(), 1, "{}", ended.err);
    }
    rig.call(&["load", "fleet.csv", "-q"])
        .exit(0)
        .said_nothing();

    let cells = format!(
        "service_id,image,new\n{},{IMAGE},Abcdefg1\n{},{IMAGE},Abcdefg2\n",
        FIRST,
        FIRST + 1
    );
    for args in [["check", "fleet.csv"], ["load", "fleet.csv"]] {
        rig.write("fleet.csv", &cells);
        let ended = rig
            .call(&[&args[..], &["-q", "--db", "other.db"]].concat())
            .exit(0);
        assert!(ended.err.contains("look like passwords"), "{}", ended.err);
        assert!(ended.err.contains("--ignore-column new"), "{}", ended.err);
        assert!(!ended.err.contains("Abcdefg"), "{}", ended.err);
    }
    // No suspicion: the same cell on each row, an empty one beside a real password, an ordinary word.
    for other in [
        cells.replace("Abcdefg2", "Abcdefg1"),
        cells.replace("Abcdefg2", "web-2"),
        cells
            .replace("new", "new,password")
            .replace("Abcdefg1", "Abcdefg1,Xbcdefg1")
            .replace("Abcdefg2", "Abcdefg2,"),
    ] {
        let ended = sound(&rig, &other, &other, &[]);
        assert_eq!(ended.err, "", "{other}");
    }
}

// Field case C3.
#[test]
fn letters_that_only_look_like_latin_ones_are_named() {
    // Known names, aliases, near misses; Cyrillic, Greek, fullwidth.
    let rig = Rig::new(1);
    for (name, meant) in [
        ("zonе", "zone"),
        ("раssword", "password"),
        ("раsswrd", "password"),
        ("ѕѕh_kеуs", "ssh_key"),
        ("nοte", "note"),
        ("ｚｏｎｅ", "zone"),
        ("ΝΟΤΕ", "note"),
    ] {
        let content = format!("service_id,image,{name}\n{FIRST},{IMAGE},own\n");
        let says = format!("`{meant}` in letters that only look like Latin ones");
        refused(&rig, name, content, &[&says]);
    }
    let content = format!("ѕervice_id,image\n{FIRST},{IMAGE}\n");
    refused(
        &rig,
        "required",
        content,
        &["`service_id` in letters that only"],
    );
}

// Field case C4.
#[test]
fn a_password_that_a_spreadsheet_reshaped_is_suspected_and_never_quoted() {
    let rig = Rig::new(1);
    for (password, says) in [
        ("1.23E+16", "scientific notation"),
        ("\"1,23E+16\"", "scientific notation"),
        ("1-Mar-24", "a date"),
        ("1-мар-24", "a date"),
        ("01.03.2024", "a date"),
        ("2024-03-01 00:00:00", "a date"),
        ("#REF!", "an error value"),
        ("#ССЫЛКА!", "an error value"),
        ("1234567890123450000", "rounded to 15 digits"),
        ("TRUE", "a truth value"),
        ("ИСТИНА", "a truth value"),
        ("'Mypassword1", "an apostrophe"),
        ("EUR 12345678", "an amount"),
        ("=\"Mypassword1\"", "a formula"),
    ] {
        let password_cell = if password.contains('"') && !password.starts_with('"') {
            format!("\"{}\"", password.replace('"', "\"\""))
        } else {
            password.to_owned()
        };
        let content = format!("{HEADER}{FIRST},{IMAGE},{password_cell}\n");
        let help = "format the column as text";
        let said = refused(
            &rig,
            password,
            content,
            &[says, help, "line 2, column `password`"],
        );
        let bare = password.trim_matches('"');
        assert!(!said.contains(bare), "{said}");
    }
}

// Field case C6.
#[test]
fn rows_that_a_person_took_out_are_taken_out_and_counted() {
    let rig = Rig::new(4);
    let second = FIRST + 1;
    let content = format!(
        "# Fleet of March, for the \"night\n{HEADER}{}#{second},{IMAGE},do not touch\n\
         # web servers\n\"#{second}\",\"{IMAGE}\",\"x, y\"\n #{second},too,many,cells,\"here\"x\n\
         ###########\n{}",
        row(0),
        row(2)
    );
    let ended = sound(&rig, "comments", &content, &[]);
    assert!(
        ended.out.contains("2 instances to rebuild"),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("5 rows are taken out with `#`"),
        "{}",
        ended.out
    );
    rig.call(&quick("fleet.csv", &[]))
        .exit(0)
        .says("5 rows are taken out with `#`");
    assert_eq!(rig.wiped().into_iter().sum::<u64>(), 2);
    assert_eq!(rig.states()["done"], [FIRST, FIRST + 2]);

    // The order is the same one with and without them.
    let without = format!("{HEADER}{}{}", row(0), row(2));
    rig.write("fleet.csv", without);
    rig.call(&["load", "fleet.csv"]).exit(0).says("has ended");
}

#[test]
fn a_mark_that_takes_no_row_out_is_said() {
    let rig = Rig::new(2);
    // A row with a spreadsheet's error is refused: left out, nobody would miss its instance.
    for cell in ["#REF!", "#N/A", "#ССЫЛКА!", "########"] {
        let content = format!("{HEADER}{}{cell},{IMAGE},{PASSWORD}\n", row(0));
        refused(
            &rig,
            cell,
            content,
            &["line 3, column `service_id`", "error instead"],
        );
    }
    // A mark in the first column, which is not the service here: the file is refused, in case somebody
    // meant to take the row out.
    let numbers = format!(
        "name,service_id,image\nweb,{FIRST},{IMAGE}\n#db,{},{IMAGE}\n",
        FIRST + 1
    );
    refused(
        &rig,
        "name first",
        &numbers,
        &["line 3", "is it to be left out?"],
    );
    let content = format!(
        "image,service_id\n{IMAGE},{FIRST}\n{IMAGE},#{}\n",
        FIRST + 1
    );
    refused(
        &rig,
        "service last",
        &content,
        &["line 3", "is the row to be left out?"],
    );
    let ended = sound(&rig, "numbers", &numbers, &["--ignore-column", "name"]);
    assert!(ended.out.contains("2 instances"), "{}", ended.out);
    // A header may begin with the mark.
    let numbered = format!("#,service_id,image\n1,{FIRST},{IMAGE}\n");
    sound(&rig, "numbered", numbered, &[]);
    // An open quote in a remark might swallow the next row.
    let open = format!("{HEADER}#{FIRST},{IMAGE},\"do not\ntouch\"\n{}", row(1));
    refused(&rig, "open", open, &["line 2"]);
}

// Field case E1.
#[test]
fn what_spreadsheets_write_is_understood() {
    let rig = Rig::new(2);
    let plain = format!("{HEADER}{}{}", row(0), row(1));
    let semicolons = plain.replace(',', ";");
    for (name, content) in [
        ("sep", format!("sep=;\n{semicolons}")),
        ("sep after a mark", format!("\u{feff}sep=;\r\n{semicolons}")),
        ("quoted sep", format!("\"sep=;\"\n{semicolons}")),
        ("sep filled up", format!("sep=;;;\n{semicolons}")),
        (
            "sep is a tab",
            format!("sep=\t\n{}", plain.replace(',', "\t")),
        ),
        (
            "sep is another one",
            format!("sep=|\n{}", plain.replace(',', "|")),
        ),
        ("empty rows above", format!("\n,,\n{plain}")),
        (
            "remarks above",
            format!("# from the panel\n\"# zone, eu\",,\n{plain}"),
        ),
        ("end of text", format!("{plain}\x1a")),
        (
            "end of text behind the row",
            format!("{}\x1a\x1a", plain.trim_end()),
        ),
        ("end of text with a line end", format!("{plain}\x1a\r\n")),
        ("old Mac", plain.replace('\n', "\r")),
    ] {
        let ended = sound(&rig, name, content, &[]);
        assert!(
            ended.out.contains("2 instances to rebuild"),
            "{name}: {}",
            ended.out
        );
        assert_eq!(ended.err, "", "{name}");
    }
}

// Field case E1.
#[test]
fn short_rows_are_filled_up_and_never_shifted() {
    let rig = Rig::new(3);
    let (second, third) = (FIRST + 1, FIRST + 2);
    let header = "service_id,image,zone,password,note";
    let content =
        format!("{header}\n{FIRST},{IMAGE}\n{second},{IMAGE},pub\n{third},{IMAGE},,{PASSWORD}\n");
    let ended = sound(&rig, "short", content, &[]);
    for words in [
        "3 instances",
        "pub",
        "password                                          1",
    ] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    let cases = [
        (
            "required",
            format!("{header}\n{FIRST}\n"),
            "1 cell instead of 5",
        ),
        (
            "required later",
            format!("service_id,name,image\n{FIRST},{PASSWORD}\n"),
            "2 cells instead of 3",
        ),
        (
            "too long",
            format!("{HEADER}{FIRST},{IMAGE},{PASSWORD},\n"),
            "4 cells instead of 3",
        ),
        (
            "shifted",
            format!("{header}\n{FIRST},{IMAGE},{PASSWORD}\n"),
            "wrong column",
        ),
        (
            "shifted key",
            format!("service_id,image,zone,ssh_key,note\n{FIRST},{IMAGE},490\n"),
            "wrong column",
        ),
        (
            "glued",
            format!("{HEADER}{FIRST},{IMAGE} {PASSWORD}\n"),
            "neither an image id",
        ),
        (
            "another delimiter",
            format!("{HEADER}{}{}", row(0), row(1).replace(',', ";")),
            "`;` instead of `,`",
        ),
    ];
    for (name, content, says) in cases {
        refused(&rig, name, content, &[says]);
    }
}

// Field case E1.
#[test]
fn a_header_that_is_elsewhere_and_files_that_were_joined_are_named() {
    let rig = Rig::new(3);
    let plain = format!("{HEADER}{}", row(0));
    let joined = "were two files joined?";
    for (name, content, says) in [
        (
            "title",
            format!("Fleet of March,,\n,,\n{plain}"),
            ["line 3", "a later one seems to"],
        ),
        (
            "sorted",
            format!("{}{HEADER}{}", row(1), row(0)),
            ["line 2", "if the sheet was sorted"],
        ),
        (
            "joined",
            format!("{plain}{HEADER}{}", row(1)),
            ["line 3", joined],
        ),
        (
            "joined with a mark",
            format!("{plain}\u{feff}{HEADER}{}", row(1)),
            ["line 3", joined],
        ),
        (
            "joined, other columns",
            format!("{plain}image;elid\n{IMAGE};{}\n", FIRST + 1),
            ["line 3", joined],
        ),
        (
            "joined rows",
            format!("{plain}\u{feff}{}", row(1)),
            ["line 3", "a byte order mark stands in the middle"],
        ),
        (
            "joined in a line",
            format!("{}\u{feff}{HEADER}{}", plain.trim_end(), row(1)),
            ["line 2", joined],
        ),
        ("pipes", plain.replace(',', "|"), ["line 1: `|`", "sep=|"]),
    ] {
        refused(&rig, name, content, &says);
    }
}

// Field case E1.
#[test]
fn what_is_no_csv_is_called_by_its_name() {
    let rig = Rig::new(1);
    let zip = |entry: &str| {
        [
            b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0".as_slice(),
            entry.as_bytes(),
            &[7; 99],
        ]
        .concat()
    };
    let text = |text: &str| text.as_bytes().to_vec();
    let cyrillic = |bytes: &[u8]| [HEADER.as_bytes(), b"1,x,", bytes, b"\n"].concat();
    let utf16 = format!("Имя;{HEADER}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let utf32: Vec<u8> = format!("\u{feff}{HEADER}")
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    let cases: [(&str, Vec<u8>); 14] = [
        (
            "the workbook is damaged",
            zip("[Content_Types].xml…xl/workbook.xml"),
        ),
        (
            "an old Excel workbook (.xls)",
            [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &[0; 600]].concat(),
        ),
        ("a PDF", text("%PDF-1.7\n%âãÏÓ\n")),
        ("a web page", text("\r\n<!DOCTYPE html>\n<html><body>Login")),
        ("a web page", text("<table><tr><td>service_id")),
        (
            "XML",
            text("<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel.Sheet\"?>"),
        ),
        ("JSON", text("[{\"service_id\": 1}]")),
        ("a compressed file", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
        (
            "a SQLite database",
            text("SQLite format 3\0\u{10}\0\u{1}\u{1}\0@  \0\0"),
        ),
        ("UTF-16 without a byte order mark", utf16),
        ("UTF-32", utf32),
        ("windows-1251", cyrillic(b"\xd1\xe5\xf0\xe2\xe5\xf0")),
        ("another Cyrillic", cyrillic(b"\xf3\xc5\xd2\xd7\xc5\xd2")),
        ("Windows-1252, Windows-1250", cyrillic(b"has\xb3o")),
    ];
    for (what, bytes) in cases {
        refused(&rig, what, bytes, &[what]);
    }
}

// Field case B5.
#[test]
fn a_report_is_no_manifest_however_it_was_saved() {
    let rig = Rig::new(2);
    rig.write("orders.csv", format!("{HEADER}{}{}", row(0), row(1)));
    rig.call(&quick("orders.csv", &[])).exit(0);
    let wiped = rig.wiped();
    let calls = rig.calls();
    for format in ["csv", "table", "json"] {
        rig.call(&["report", "--format", format, "--output", format])
            .exit(0);
    }
    let report = std::fs::read_to_string(rig.path("csv")).unwrap();
    let mut columns: Vec<Vec<&str>> = report
        .lines()
        .map(|line| line.split(',').collect())
        .collect();
    for row in &mut columns {
        row.reverse();
        row.truncate(11);
    }
    let lines = |delimiter: &str| {
        let lines: Vec<String> = columns.iter().map(|row| row.join(delimiter)).collect();
        lines.join("\r\n")
    };
    rig.write("excel", format!("\u{feff}sep=;\r\n{}\r\n", lines(";")));
    rig.write("reversed", lines(","));
    for name in ["csv", "table", "json", "excel", "reversed"] {
        for args in [
            quick(name, &["--again"]),
            quick(name, &["--again", "--ignore-column", "executed"]),
            vec!["load", name, "--again"],
            vec!["check", name],
        ] {
            let ended = rig.call(&args);
            assert_eq!(ended.code, 2, "{name}: {}", ended.err);
            assert!(
                ended.err.contains("this is a report of refleet"),
                "{name}: {}",
                ended.err
            );
            assert!(ended.err.contains("run the sheet"), "{name}: {}", ended.err);
        }
    }
    assert_eq!(rig.wiped(), wiped);
    assert_eq!(rig.calls(), calls);
}

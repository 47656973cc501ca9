mod looked_up;
mod workbooks;

use std::io;

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::diagnostic::DiagnosticKind;
use super::reader::Reader;
use super::*;
use crate::job::{Access, AccessKind, Action, NewJob, Order};

const A: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
const B: &str = "7c2f9a54-61d3-4e0b-8a17-2f5d90b6c3e8";
const HEADER: &str = "service_id,image,zone,password,ssh_key,enablessh,note";

fn source(bytes: impl AsRef<[u8]>) -> Source {
    Source::from_bytes(Action::Rebuild, "fleet.csv", bytes.as_ref()).unwrap()
}

fn surveyed(bytes: impl AsRef<[u8]>) -> Validated {
    validated(&source(bytes)).unwrap_or_else(|error| panic!("{error}"))
}

fn jobs(bytes: impl AsRef<[u8]>) -> Vec<NewJob> {
    let rows = rows(&source(bytes)).unwrap_or_else(|error| panic!("{error}"));
    rows.collect::<Result<_, _>>().unwrap()
}

/// What a person reads about a bad manifest.
fn complaint(bytes: impl AsRef<[u8]>) -> String {
    validated(&source(bytes)).unwrap_err().to_string()
}

fn diagnostics(bytes: impl AsRef<[u8]>) -> Vec<(DiagnosticKind, Vec<u64>)> {
    match validated(&source(bytes)) {
        Ok(_) => Vec::new(),
        Err(ManifestError::Invalid(diagnostics)) => diagnostics
            .groups
            .iter()
            .map(|group| (group.kind, group.listed_lines().collect()))
            .collect(),
        Err(error) => panic!("{error}"),
    }
}

fn utf16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

/// A manifest of this header and these rows.
fn manifest(header: &str, rows: impl IntoIterator<Item = String>) -> String {
    let lines: Vec<_> = [header.to_owned()].into_iter().chain(rows).collect();
    lines.join("\n")
}

/// One snapshot of everything that is said about these manifests.
fn complaints(cases: &[(&str, &[u8])]) -> String {
    let said = cases
        .iter()
        .map(|(name, bytes)| format!("### {name}\n{}", complaint(bytes)));
    said.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_valid_and_begins_with_the_vendors_own() {
    let bytes = include_bytes!("../../examples/fleet.csv");
    let validated = surveyed(bytes);
    assert!(validated.warnings.is_empty(), "{}", validated.warnings);
    assert!(validated.plan.rows >= 12);
    assert_eq!(validated.plan.access.counts.len(), 3);

    let jobs = jobs(bytes);
    assert_eq!(jobs.len() as u64, validated.plan.rows);
    let first = &jobs[0];
    assert_eq!((first.line, first.service.get()), (2, 5_113_119));
    let Order::Rebuild(rebuild) = &first.order;
    assert_eq!(rebuild.image.to_string(), A);
    let Access::Password(password) = &rebuild.access else {
        panic!("{:?}", rebuild.access);
    };
    assert_eq!(password.expose_secret(), "Mypassword1");
    assert_eq!(
        jobs.last().and_then(|job| job.note.as_deref()),
        Some("called \"the old one\"")
    );
    insta::assert_snapshot!(validated.plan);
}

#[test]
fn files_that_are_no_manifest_are_explained() {
    let mut tail = format!("service_id,image\n5113119,{A}\n").into_bytes();
    tail.extend([0; 4096]);
    let latin1 = format!("service_id,image,note\n5113119,{A},");
    let latin1 = [latin1.as_bytes(), b"K\xf6ln\n"].concat();
    let plain_utf16 = utf16(
        &format!("service_id,image\n5113119,{A}\n"),
        u16::to_le_bytes,
    );
    let long = format!(
        "service_id,image,note\n5113119,{A},{}\n",
        "x".repeat(10_000_000)
    );
    insta::assert_snapshot!(complaints(&[
        ("empty", b""),
        ("blank lines only", b"\n\r\n  \n"),
        ("byte order mark only", b"\xef\xbb\xbf"),
        ("header only", b"service_id,image\n"),
        ("header and empty rows", b"service_id,image\n,\n ,\n"),
        (
            "every row taken out",
            b"service_id,image\n#5113119,x\n# 5113120,x\n"
        ),
        ("UTF-16 without a mark", &plain_utf16),
        ("zero bytes at the end", &tail),
        ("Latin-1", &latin1),
        ("Latin-1 in the header", b"service_id,image,gr\xf6\xdfe\n"),
        ("a cell of 10 MB", long.as_bytes()),
    ]));
}

#[test]
fn headers_that_are_wrong_are_explained() {
    let many = (0..10_000)
        .map(|n| format!("c{n}"))
        .collect::<Vec<_>>()
        .join(",");
    let wide = (0..30)
        .map(|n| format!("c{n}"))
        .collect::<Vec<_>>()
        .join(",");
    insta::assert_snapshot!(complaints(&[
        ("no header", format!("5113119,{A},Mypassword1\n").as_bytes()),
        (
            "no header, and damaged ids",
            b"5.113119E+06,AlmaLinux-8,Mypassword1\n"
        ),
        ("missing", b"name,image\nweb,x\n"),
        ("both missing", b"name;owner\n"),
        ("missing among many", wide.as_bytes()),
        ("too many", many.as_bytes()),
        (
            "twice",
            format!("elid,Service ID,image,OS\n1,2,{A},{A}\n").as_bytes()
        ),
        (
            "near misses",
            format!("service_id,image,pasword,enable_shh,psswrod,commemt\n7,{A},,,,\n").as_bytes()
        ),
        ("unclosed quote", b"service_id,\"image\n"),
        (
            "terminal escape",
            b"service_id,\x1b[2Jimge,\xe2\x80\xaeimagee\n"
        ),
    ]));
}

#[test]
fn rows_that_are_wrong_are_explained_and_never_quoted() {
    let text = format!(
        "service_id,image,password,note\n\
         1,{A},Secret001\n\
         2,{A},Secret002,x,y\n\
         3,{A},Secret003,\"note\n\
         4,{A},Secret004,\"first\n\
         second\"\n\
         5,{A},\"Secret\"005,x\n\
         6,{A}, \"Secret006\",x\n\
         7,{A},Secret007,x\n\
         7,{B},Secret008,x\n\
         8,{A},Secret009,x\n\
         7,{B},Secret010,x\n\
         9,{A},\"Secret011,x\n"
    );
    let complaint = complaint(&text);
    assert!(!complaint.contains("Secret"), "{complaint}");
    insta::assert_snapshot!(complaint);
}

#[test]
fn cells_that_are_wrong_are_explained() {
    let services = [
        "",
        "5.113119E+06",
        "5,113119e6",
        "5113119.0",
        "\"5,113,119\"",
        "5 113 119",
        "5113119000000000000",
        "51131190000000000000000",
        "#REF!",
        "#N/A",
        "=A2",
        "'5113119",
        "511\u{200b}3119",
        "\u{202e}5113119",
        "5113\u{fffd}19",
        "05113119",
        "9223372036854775809",
        "-5",
        "５１１３１１９",
        "web-1",
        "\x1b[31m5",
    ];
    let images = [
        "",
        "null",
        "None",
        "AlmaLinux-8",
        "#VALUE!",
        "18d0ee2e4d574f409b5603c1773b5831",
    ];
    let rests = [
        "a zone,,,,",
        "#REF!,,,,",
        ",,490.0,,",
        ",,\"490, 491\",,",
        ",,none,,",
        ",,4.9E+02,,",
        ",,ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI a@b,,",
        ",,,yes,",
        ",,,on,",
        ",,490,off,",
        ",Mypassword1,490,,",
        ",Mypassword1,,on,",
        ",,,,tab\there",
        ",,,,\x1b]0;owned\x07",
    ];
    let long_note = format!(",,,,{}", "n".repeat(1001));
    let rests = rests.into_iter().chain([long_note.as_str()]);
    let services = services.map(|service| format!("{service},{A},,,,,"));
    let images = (100..)
        .zip(images)
        .map(|(id, image)| format!("{id},{image},,,,,"));
    let rests = (200..)
        .zip(rests)
        .map(|(id, rest)| format!("{id},{A},{rest}"));
    let rows = services.into_iter().chain(images).chain(rests);
    insta::assert_snapshot!(complaint(manifest(HEADER, rows)));
}

#[test]
fn passwords_that_are_wrong_are_explained_without_a_word_of_them() {
    let passwords = [
        "Short1",
        "nouppercase1",
        "Nodigitshere",
        "weak",
        "Zero\u{200b}width1",
        "Lost\u{fffd}char1",
        "   ",
    ];
    let long = format!("A1{}", "x".repeat(300));
    let rows = (1..)
        .zip(passwords.into_iter().chain([long.as_str()]))
        .map(|(id, password)| format!("{id},{A},{password}"));
    let complaint = complaint(manifest("service_id,image,password", rows));
    for password in passwords {
        assert!(password.trim().is_empty() || !complaint.contains(password));
    }
    insta::assert_snapshot!(complaint);
}

#[test]
fn what_the_panel_would_refuse_is_only_a_warning() {
    let validated = surveyed(format!(
        "service_id,image,password\n\
         1,{A},Mypassword1\n\
         2,{A},MYPASSWORD1\n\
         3,{A},My#password1\n\
         4,{A},My password 1\n\
         5,{A},Mypässword1\n\
         6,{A},My1{}\n",
        "x".repeat(50)
    ));
    assert_eq!(validated.plan.rows, 6);
    insta::assert_snapshot!(validated.warnings);
}

#[test]
fn one_mistake_made_on_500_rows_reads_as_one() {
    let rows = (0..500).map(|row| format!("5.11{row:03}E+06,{A},short{row}"));
    let text = manifest("service_id,image,password", rows);
    insta::assert_snapshot!(complaint(text));
}

#[test]
fn after_100_places_faults_are_only_counted() {
    let rows = (1..=1000).map(|row| {
        let image = if row % 2 == 0 { A } else { &A[1..] };
        format!("{row},{image}")
    });
    let rows = rows.chain([format!("none,{A}")]);
    let text = manifest("service_id,image", rows);
    let Err(ManifestError::Invalid(diagnostics)) = validated(&source(&text)) else {
        panic!("it is not valid");
    };
    let count: u64 = diagnostics.groups.iter().map(|group| group.count).sum();
    assert_eq!(count, 501);
    let listed: usize = diagnostics
        .groups
        .iter()
        .map(|group| group.listed_lines().count())
        .sum();
    assert_eq!(listed, 101); // 100, and the first one of the next mistake
    insta::assert_snapshot!(diagnostics);
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let text = format!("\nservice_id,image\n\n1,{A}\n\n\nx,{A}\n");
    let expected = vec![(DiagnosticKind::ServiceInvalid, vec![7])];
    let crlf = text.replace('\n', "\r\n");
    assert_eq!(diagnostics(&text), expected);
    assert_eq!(diagnostics(&crlf), expected);
    assert_eq!(diagnostics(text.replace('\n', "\r")), expected);
    assert_eq!(diagnostics(format!("\u{feff}{text}")), expected);
    assert_eq!(diagnostics(format!("\u{feff}{crlf}")), expected);
    assert_eq!(diagnostics(format!("\u{feff}\u{feff}{text}")), expected);
    assert_eq!(
        diagnostics(utf16(&format!("\u{feff}{crlf}"), u16::to_le_bytes)),
        expected
    );
    assert_eq!(
        diagnostics(utf16(&format!("\u{feff}{text}"), u16::to_be_bytes)),
        expected
    );
    assert_eq!(diagnostics(text.trim_end()), expected);
}

#[test]
fn an_unclosed_quote_stays_on_its_line() {
    let text =
        format!("service_id,image,note\n1,{A},\"open\n2,{A},fine\nx,{A},\"quoted, and wrong\"\n");
    assert_eq!(
        diagnostics(text),
        [
            (DiagnosticKind::UnclosedQuote, vec![2]),
            (DiagnosticKind::ServiceInvalid, vec![4])
        ]
    );
}

#[test]
fn faults_leave_one_by_one_even_if_every_line_opens_a_quote() {
    let source = source(format!("id,image,note\n{}", "5,\"a\n\"\n".repeat(1000)));
    let mut reader = Reader::open(&source).unwrap();
    let mut count = 0;
    while let Some(row) = reader.next().unwrap() {
        assert!(row.diagnostics.len() <= 2, "{:?}", row.diagnostics);
        count += row.diagnostics.len();
    }
    assert!(count >= 1000, "{count}");
}

#[test]
fn a_cell_of_several_lines_is_one_fault() {
    let text =
        format!("service_id,image,note\n1,{A},\"one\n\ntwo, \"\"three\"\"\nfour\"\nx,{A},\n");
    assert_eq!(
        diagnostics(text),
        [
            (DiagnosticKind::NewlineInField, vec![2]),
            (DiagnosticKind::ServiceInvalid, vec![6])
        ]
    );
}

#[test]
fn names_are_matched_without_case_blanks_and_punctuation() {
    for header in [
        "service_id;image;ssh_key",
        "ELID\tSelect Rebuild\tSSH-Keys",
        " Service ID , \"Image-ID\" , SSH Key ID",
        "id,OS,\u{feff}ssh_keys",
    ] {
        let delimiter = header
            .chars()
            .find(|character| matches!(character, ',' | ';' | '\t'))
            .unwrap();
        let row = ["5113119", A, "490"].join(&delimiter.to_string());
        let jobs = jobs(format!("{header}\n{row}\n").replace(" , \"Image-ID\" ", ",\"Image-ID\""));
        assert_eq!(jobs.len(), 1, "{header}");
        assert!(matches!(jobs[0].order.access(), Some(Access::SshKey(key)) if key == "490"));
    }
}

#[test]
fn a_column_whose_name_hides_something_is_refused_even_if_it_would_be_ignored() {
    let refused = [
        "pass\u{200b}word",
        "password\u{200b}",
        "pass\u{feff}word",
        "\u{202e}drowssap",
        "pass\u{ad}word",
        "\x1b[2Jpassword",
        "owner\u{200e}",
    ];
    for name in refused {
        let text = format!("service_id,image,{name}\n7,{A},Mypassword1\n");
        let found = diagnostics(&text);
        assert!(
            found.contains(&(DiagnosticKind::Invisible, vec![1])),
            "{name:?}: {found:?}"
        );
        let complaint = complaint(&text);
        assert!(!complaint.contains(name), "{complaint}");
        assert!(complaint.contains("\\u{"), "{complaint}");
    }
    for name in [
        "\u{a0}password\u{a0}",
        "\u{feff}password",
        "\u{feff} password\t",
        "pass\u{a0}word",
        "pass\tword",
    ] {
        let text = format!("\u{feff}service_id;image;{name}\n7;{A};Mypassword1\n");
        let jobs = jobs(text);
        let kind = jobs[0].order.access_kind();
        assert_eq!(kind, Some(AccessKind::Password), "{name:?}");
    }
}

#[test]
fn cells_are_trimmed_and_passwords_are_not() {
    let jobs = jobs(format!(
        "service_id,image,zone,password,note\n\u{a0}7 ,{} , pub\t, Mypassword1 ,\u{a0}x\n",
        A.to_uppercase()
    ));
    let job = &jobs[0];
    assert_eq!(job.service.get(), 7);
    let Order::Rebuild(rebuild) = &job.order;
    assert_eq!(rebuild.image.to_string(), A);
    assert_eq!(rebuild.zone.as_deref(), Some("pub"));
    assert_eq!(job.note.as_deref(), Some("x"));
    let Access::Password(password) = &rebuild.access else {
        panic!("{:?}", rebuild.access);
    };
    assert_eq!(password.expose_secret(), " Mypassword1 ");
}

#[test]
fn the_switch_agrees_with_what_it_switches() {
    for (password, key, switch, kind) in [
        ("Mypassword1", "", "", AccessKind::Password),
        ("Mypassword1", "", "off", AccessKind::Password),
        ("", "490", "", AccessKind::SshKey),
        ("", "490", "ON", AccessKind::SshKey),
        ("", "", "", AccessKind::Image),
        ("", "", "off", AccessKind::Image),
    ] {
        let jobs = jobs(format!("{HEADER}\n7,{A},,{password},{key},{switch},\n"));
        let found = jobs[0].order.access_kind();
        assert_eq!(found, Some(kind), "{password} {key} {switch}");
    }
}

#[test]
fn ordinary_names_of_other_columns_are_no_near_misses() {
    let header = "service_id,image,name,ip,owner,stage,device,usage,price,host,region,node,zones2";
    let cells = ",".repeat(11);
    let validated = surveyed(format!("{header}\n7,{A}{cells}\n"));
    assert_eq!(validated.plan.ignored.len(), 11);
    assert!(validated.warnings.is_empty());
}

#[test]
fn the_same_order_has_the_same_identity_however_it_is_written() {
    let text = format!(
        "service_id,image,zone,password,ssh_key,note\n\
         1,{A},pub,Mypassword1,,x\n2,{B},,,490,y\n3,{A},,,,z\n"
    );
    let identity = surveyed(&text).identity;
    let quoted = format!("\"{}\"", text.trim_end().replace(',', "\",\""));
    let quoted = quoted.replace('\n', "\"\n\"");
    for (what, other) in [
        ("CRLF", text.replace('\n', "\r\n").into_bytes()),
        ("semicolons", text.replace(',', ";").into_bytes()),
        ("tabs", text.replace(',', "\t").into_bytes()),
        ("quotes", quoted.into_bytes()),
        ("blank lines", text.replace('\n', "\n\n").into_bytes()),
        ("no last line end", text.trim_end().into()),
        (
            "password",
            text.replace("Mypassword1", "Another22").into_bytes(),
        ),
        ("key", text.replace("490", "491").into_bytes()),
        ("note", text.replace(",z\n", ",\n").into_bytes()),
        ("case", text.replace(A, &A.to_uppercase()).into_bytes()),
        (
            "UTF-16",
            utf16(&format!("\u{feff}{text}"), u16::to_le_bytes),
        ),
        (
            "order of rows and columns",
            format!(
                "image,note,elid,password,ssh key,zone,owner\n\
                 {A},,3,,,,me\n{B},,2,,1,,me\n{A},,1,Mypassword1,,pub,me\n"
            )
            .into_bytes(),
        ),
    ] {
        assert_eq!(surveyed(other).identity, identity, "{what}");
    }
    for (what, other) in [
        ("service", text.replace("\n3,", "\n4,")),
        ("image", text.replace(B, A)),
        ("zone", text.replace(",pub,", ",own,")),
        ("no zone", text.replace(",pub,", ",,")),
        ("kind of access", text.replace("Mypassword1", "")),
        ("a row less", text.replace(&format!("3,{A},,,,z\n"), "")),
        (
            "swapped images",
            text.replace(&format!("2,{B}"), "2,_")
                .replace(&format!("3,{A}"), &format!("3,{B}"))
                .replace("2,_", &format!("2,{A}")),
        ),
    ] {
        assert_ne!(surveyed(other).identity, identity, "{what}");
    }
    // Batches are found by it: it must not change from one release to the next.
    insta::assert_snapshot!(identity);
}

#[test]
fn the_second_pass_gives_the_first_ones_identity() {
    let source = source(include_bytes!("../../examples/fleet.csv"));
    let validated = validated(&source).unwrap();
    let mut rows = rows(&source).unwrap();
    assert!(rows.by_ref().all(|row| row.is_ok()));
    assert_eq!(rows.identity(), validated.identity);
}

#[test]
fn a_file_that_changes_between_the_passes_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fleet.csv");
    let write = |text: String| std::fs::write(&path, text).unwrap();
    write(format!("service_id,image\n1,{A}\n2,{A}\n"));
    let source = Source::open(Action::Rebuild, &path).unwrap();
    let validated = validated(&source).unwrap();

    write(format!("service_id,image\n1,{A}\n2,{B}\n"));
    let mut changed = rows(&source).unwrap();
    assert_eq!(changed.by_ref().flatten().count(), 2);
    assert_ne!(changed.identity(), validated.identity);

    write(format!("service_id,image\n1,{A}\nx,{A}\n3,{A}\n"));
    let mut broken = rows(&source).unwrap();
    assert!(broken.next().is_some_and(|row| row.is_ok()));
    let error = broken.next().and_then(Result::err).unwrap();
    assert!(matches!(
        error,
        ManifestError::Changed { line: Some(3), .. }
    ));
    assert!(broken.next().is_none());

    write("image\n".to_owned());
    assert!(matches!(
        rows(&source).err(),
        Some(ManifestError::Changed { line: Some(1), .. })
    ));

    std::fs::remove_file(&path).unwrap();
    assert!(matches!(
        rows(&source).err(),
        Some(ManifestError::Unreadable { .. })
    ));
}

#[test]
fn what_cannot_be_opened_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Source::open(Action::Rebuild, &directory.path().join("no.csv")).unwrap_err();
    assert!(missing.hint().is_some_and(|hint| hint.contains("path")));
    assert!(missing.to_string().starts_with("cannot read the manifest"));
    let error = Source::open(Action::Rebuild, directory.path()).unwrap_err();
    assert!(error.to_string().ends_with("is a directory"), "{error}");
}

#[test]
fn a_pipe_is_read_once_and_held() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    let (reader, mut writer) = io::pipe().unwrap();
    let path = format!("/dev/fd/{}", reader.as_raw_fd());
    writer
        .write_all(format!("service_id,image\n1,{A}\n").as_bytes())
        .unwrap();
    drop(writer);
    let source = Source::open(Action::Rebuild, path.as_ref()).unwrap();
    assert_eq!(validated(&source).unwrap().plan.rows, 1);
    assert_eq!(rows(&source).unwrap().count(), 1);
}

#[test]
fn rows_may_move_to_another_thread_and_errors_are_ordinary() {
    fn is_send<T: Send>() {}
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_send::<rows::Rows>();
    is_send::<Source>();
    is_error::<ManifestError>();
}

/// What a spreadsheet, a shell or a broken disk may make of a manifest.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"service_id,image,password\n".to_vec()),
        Just(b"1,18d0ee2e-4d57-4f40-9b56-03c1773b5831,Mypassword1\n".to_vec()),
        Just(b"2;7c2f9a54-61d3-4e0b-8a17-2f5d90b6c3e8;\r\n".to_vec()),
        Just(b"\"".to_vec()),
        Just(b",".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\xff\xfe".to_vec()),
        Just(b"\xef\xbb\xbf".to_vec()),
        Just(vec![0; 3]),
        proptest::collection::vec(any::<u8>(), 0..20),
        "\\PC{0,12}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_panic_and_both_passes_agree(bytes in hostile(), headed in any::<bool>()) {
        let bytes = if headed {
            [b"service_id,image,password\n".as_slice(), &bytes].concat()
        } else {
            bytes
        };
        let source = source(&bytes);
        let second = rows(&source).and_then(|mut rows| {
            let count = rows.by_ref().try_fold(0, |count, row| row.map(|_| count + 1))?;
            Ok((count, rows.identity()))
        });
        match validated(&source) {
            Ok(validated) => {
                prop_assert_eq!(second.ok(), Some((validated.plan.rows, validated.identity)));
            }
            Err(ManifestError::Invalid(diagnostics)) => {
                let complaint = diagnostics.to_string();
                prop_assert!(!complaint.is_empty());
                prop_assert!(!complaint.chars().any(|c| c != '\n' && crate::text::is_unsafe(c)));
                // A repeated service, or no row at all, is left to whoever takes the rows.
                let only_survey_knows = diagnostics.groups.iter().all(|group| {
                    matches!(group.kind, DiagnosticKind::ServiceTwice | DiagnosticKind::NoRows | DiagnosticKind::NoRowsLeft)
                });
                prop_assert_eq!(second.is_ok(), only_survey_knows);
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_a_csv_writer_writes_is_read_as_it_was(
        cells in proptest::collection::vec(("[1-9][0-9]{0,17}", "[^\\p{C}\u{fffd}]{0,40}"), 1..10),
        delimiter in proptest::sample::select(vec![b',', b';', b'\t']),
        quote in proptest::sample::select(vec![csv::QuoteStyle::Necessary, csv::QuoteStyle::Always]),
        crlf in any::<bool>(),
    ) {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .quote_style(quote)
            .terminator(if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') })
            .from_writer(Vec::new());
        writer.write_record(["service_id", "image", "note"]).unwrap();
        for (service, note) in &cells {
            writer.write_record([service.as_str(), A, note]).unwrap();
        }
        let read: Vec<_> = rows(&source(writer.into_inner().unwrap()))
            .unwrap()
            .map(|row| row.map(|job| (job.line, job.service.to_string(), job.note.unwrap_or_default())))
            .collect::<Result<_, _>>()
            .unwrap_or_default();
        let written: Vec<_> = (2..)
            .zip(&cells)
            .map(|(line, (service, note))| (line, service.clone(), note.trim().to_owned()))
            .collect();
        let is_rounded = cells.iter().any(|(service, _)| service.len() > 15 && service[15..].bytes().all(|b| b == b'0'));
        prop_assert!(is_rounded || read == written, "{read:?} {written:?}");
    }
}

//! What a file may say, and how its faults read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;

fn known() -> Vec<KnownOption> {
    let option = |name: &str, takes, refused| KnownOption {
        name: name.to_owned(),
        takes,
        refused,
    };
    vec![
        option("workers", Takes::One, None),
        option("rate", Takes::One, None),
        option("max-failures", Takes::One, None),
        option("no-wait", Takes::Nothing, None),
        option("events", Takes::Path, None),
        option("ignore-column", Takes::Many, None),
        option("yes", Takes::Nothing, Some("is no default")),
    ]
}

/// No worker, and what does not go together.
fn refused(given: &Given) -> Option<String> {
    let has = |wanted: &str| given.iter().any(|(name, _)| name == wanted);
    if given
        .iter()
        .any(|(name, values)| name == "workers" && values == &["0"])
    {
        return Some("0 is too few".to_owned());
    }
    (has("rate") && has("no-wait")).then(|| "rate and no-wait exclude each other".to_owned())
}

/// What comes of a file that holds `content`, which only its owner can read.
fn read_text(content: impl AsRef<[u8]>) -> Result<Config, String> {
    read_with_mode(content, 0o600)
}

fn read_with_mode(content: impl AsRef<[u8]>, mode: u32) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    let config = read(
        &path,
        Options {
            known: &known(),
            refused: &refused,
        },
    );
    let folder = format!("{}/", folder.path().display());
    config.map_err(|error| error.to_string().replace(&folder, ""))
}

fn faults(content: &str) -> String {
    read_text(content).unwrap_err()
}

#[test]
fn an_account_says_how_it_logs_in_and_what_its_runs_do() {
    let config = read_text(
        "\u{feff}# the fleet of the shop\n\
         [account.shop]\n\
         username = 'you@example.com'\n\
         password_file = \"secret/password\"\n\
         login = \"authinfo\"\n\
         api-url = \"https://api.example/\"\n\
         db = \"/srv/shop.db\"\n\
         workers = 4\n\
         max_failures = \"5%\"\n\
         no-wait = true\n\
         events = \"events.ndjson\"\n\
         ignore_column = [\"root_pw\"]\n\
         \n\
         [account.lab]\n\
         auth = \"0123456789abcdef76543210\"\n",
    );
    let config = config.unwrap();
    let [shop, lab] = config.accounts.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!((shop.name.as_str(), shop.line), ("shop", 2));
    let username = shop.username.as_ref().unwrap();
    assert_eq!(
        (username.value.as_str(), username.line),
        ("you@example.com", 3)
    );
    let folder = config.path.parent().unwrap();
    let Secret::File(path) = &shop.password.as_ref().unwrap().value else {
        panic!("{shop:?}");
    };
    assert_eq!(*path, folder.join("secret/password"));
    assert_eq!(shop.login.as_ref().unwrap().value, LoginBy::AuthInfo);
    assert_eq!(shop.api_url.as_ref().unwrap().value, "https://api.example/");
    assert_eq!(shop.db.as_ref().unwrap().value, Path::new("/srv/shop.db"));
    let options: Vec<(&str, &str, usize)> = shop
        .options
        .iter()
        .map(|one| (one.name.as_str(), one.values[0].as_str(), one.line))
        .collect();
    let events = folder.join("events.ndjson");
    assert_eq!(
        options,
        [
            ("workers", "4", 8),
            ("max-failures", "5%", 9),
            ("no-wait", "true", 10),
            ("events", events.to_str().unwrap(), 11),
            ("ignore-column", "root_pw", 12),
        ]
    );
    let Secret::Inline(token) = &lab.session.as_ref().unwrap().value else {
        panic!("{lab:?}");
    };
    assert_eq!(token.expose_secret(), "0123456789abcdef76543210");
    assert!(
        !format!("{config:?}").contains("0123456789abcdef"),
        "it is shown"
    );
    assert_eq!(read_text("").unwrap().accounts.len(), 0);
}

#[test]
fn all_faults_of_a_file_are_told_with_their_lines() {
    assert_eq!(
        faults(
            "workers = 4\n\
             [acount.shop]\n\
             [account.shop]\n\
             user_name = \"you\"\n\
             pasword_file = \"p\"\n\
             max-failure = 3\n\
             frobnicate = 1\n\
             login = \"cookie\"\n\
             workers = true\n\
             no_wait = \"yes\"\n\
             db = \"~/shop.db\"\n\
             yes = true\n\
             api_url = \"\"\n\
             [account.shop2]\n\
             workers = 0\n\
             [account.shop3]\n\
             rate = 0.5\n\
             no-wait = true\n\
             [account.\"../etc\"]\n\
             [account.simulation]\n"
        ),
        "config.toml:1: `workers` stands in no account: put it below a line [account.NAME]\n\
         config.toml:2: there is no [acount]: accounts are written [account.NAME]\n\
         config.toml:4: there is no key `user_name`: did you mean `username`?\n\
         config.toml:5: there is no key `pasword_file`: did you mean `password_file`?\n\
         config.toml:6: there is no key `max-failure`: did you mean `max_failures`?\n\
         config.toml:7: there is no key `frobnicate`: take it out; `refleet run --help` has the options\n\
         config.toml:8: `login` is neither \"session\" nor \"authinfo\": write one of them, or leave it out\n\
         config.toml:9: `workers` is true or false: write one value\n\
         config.toml:10: `no_wait` is a text: write true or false\n\
         config.toml:11: `db`: ~ and variables mean nothing in this file; write the whole path, from the / on\n\
         config.toml:12: `yes` is no default\n\
         config.toml:13: `api_url` is empty: fill it in, or take it out\n\
         config.toml:15: `workers`: 0 is too few\n\
         config.toml:16: account `shop3`: rate and no-wait exclude each other\n\
         config.toml:19: `../etc` is no name of an account: write letters a-z, digits, - and _, at most 64, a letter or digit first\n\
         config.toml:20: an account cannot be called `simulation`, because simulation.db is another queue: choose another name"
    );
}

#[test]
fn two_ways_for_one_thing_are_a_fault() {
    for (lines, fault) in [
        (
            "username = 'u'\npassword_file = 'p'\npassword_command = 'c'",
            "config.toml:4: `password_command`: line 3 says already where the password comes from; keep one of them",
        ),
        (
            "auth = 'a'\nauth_file = 'a'",
            "config.toml:3: `auth_file`: line 2 says already where the session's token comes from; keep one of them",
        ),
        (
            "max-failures = 3\nmax_failures = 4",
            "config.toml:3: `max_failures` stands on line 2 already: keep one of them",
        ),
        (
            "auth_file = 'a'\nusername = 'u'",
            "config.toml:2: an account logs in by one way: keep the login of line 3 or the session's token",
        ),
        (
            "password_file = 'p'",
            "config.toml:2: account `a` has a password and no `username`: add it",
        ),
        (
            "username = 'u'\nlogin = 'authinfo'\ntotp_command = 'c'",
            "config.toml:4: the API takes no second factor beside login = \"authinfo\": take one of them out",
        ),
        (
            "username = 'u:v'\nlogin = 'authinfo'",
            "config.toml:2: a `username` with a colon cannot be sent by login = \"authinfo\": the API takes what follows for the password",
        ),
        (
            "auth_file = 'a'\nlogin = 'authinfo'",
            "config.toml:3: login = \"authinfo\" sends a name and a password: give these instead of the session's token",
        ),
        (
            "db = 'q.db'\n[account.b]\ndb = './q.db'",
            "config.toml:4: this is the queue of line 2's account: each account needs one of its own",
        ),
        (
            "[account.A]",
            "config.toml:2: `A` differs from the account of line 1 only in upper and lower case: choose another name",
        ),
    ] {
        assert_eq!(faults(&format!("[account.a]\n{lines}\n")), fault);
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused_and_a_path_to_one_is_not() {
    let inline = "[account.a]\nusername = 'u'\npassword = 'Sesame-4711'\n";
    let by_path = "[account.a]\nusername = 'u'\npassword_file = 'p'\n";
    assert!(read_with_mode(inline, 0o600).is_ok());
    for mode in [0o604, 0o640] {
        assert_eq!(
            read_with_mode(inline, mode).unwrap_err(),
            "config.toml:3: others can read this password: `chmod 600 config.toml`"
        );
        assert!(read_with_mode(by_path, mode).is_ok());
    }
    let token = read_with_mode("[account.a]\nauth = 'abc'\n", 0o644);
    assert!(token.unwrap_err().contains("others can read this token"));
    assert_eq!(
        read_with_mode(by_path, 0o666).unwrap_err(),
        "config.toml:1: everybody may write this file, which can name commands: `chmod o-w config.toml`"
    );
}

#[test]
fn a_command_that_others_can_write_is_refused() {
    for (line, key) in [
        ("password_command = 'pass show it'", 3),
        ("password_file = 'p'\ntotp_command = 'oathtool'", 4),
    ] {
        let text = format!("[account.a]\nusername = 'u'\n{line}\n");
        assert!(read_with_mode(&text, 0o644).is_ok());
        for mode in [0o620, 0o664] {
            assert_eq!(
                read_with_mode(&text, mode).unwrap_err(),
                format!(
                    "config.toml:{key}: the file's group may write this command, which is carried out as you: `chmod g-w config.toml`"
                )
            );
        }
        // Who owns it may write it, whatever its mode says.
        let config = read_text(&text).unwrap();
        let told = |users| {
            let mut faults = fault::Faults::default();
            rules::check_owner(&config.path, users, &config.accounts, &mut faults);
            faults.to_string()
        };
        assert_eq!((told([1000, 1000]), told([0, 1000])), <_>::default());
        assert!(
            told([1001, 1000]).contains("as you (user 1000), and the file is user 1001's: `chown"),
            "{}",
            told([1001, 1000])
        );
    }
    let harmless = "[account.a]\nusername = 'u'\npassword_file = 'p'\n";
    assert!(read_with_mode(harmless, 0o664).is_ok());
}

#[test]
fn what_is_no_such_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str| {
        read(
            &folder.path().join(name),
            Options {
                known: &known(),
                refused: &refused,
            },
        )
        .unwrap_err()
        .to_string()
    };
    assert!(error(".").contains("is a folder, and no configuration"));
    assert!(error("missing").contains("cannot read the configuration"));
    assert_eq!(
        read_text(b"[account.a]\n# \xe4\n").unwrap_err(),
        "config.toml:2: this is no UTF-8: save the file as UTF-8"
    );
    let huge = " ".repeat(2 << 20);
    assert!(
        read_text(huge)
            .unwrap_err()
            .contains("is larger than 1 MiB")
    );
    let deep = format!("[account.a]\nx = {}", "[".repeat(100_000));
    assert!(faults(&deep).contains("config.toml:2: this is no TOML"));
}

#[test]
fn a_fault_never_quotes_a_password() {
    const SECRET: &str = "Sesame4711Xyzzy";
    for lines in [
        format!("password = \"{SECRET}"),
        format!("password = {SECRET}"),
        format!("password = \"{SECRET}\" junk"),
        format!("password = \"a\\q{SECRET}\""),
        format!("password \"{SECRET}\""),
        format!("password = '''\n{SECRET}\n'''"),
        format!("password = [\"{SECRET}\"]"),
        format!("password = 1\nworkers = \"{SECRET}\"\npassword = \"{SECRET}\""),
    ] {
        let text = faults(&format!("[account.a]\nusername = 'u'\n{lines}\n"));
        assert!(text.starts_with("config.toml:"), "{text}");
        assert!(!text.contains("4711"), "{lines}: {text}");
    }
}

proptest! {
    #[test]
    fn no_file_panics(text in r#"(\[account\.[ab".]{1,3}\]|[a-z_]{1,9} ?= ?['"\[\]{}a-z0-9.]{0,9}|[^a]{0,5})(\n(password|db|auth|workers) = ['"a0]{0,4}){0,4}"#) {
        let _ = read_text(text);
    }
}

//! `config.toml`: accounts, how one is chosen, and what its file says of a run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::rig::{Ended, LOGIN_PASSWORD, Rig, USERNAME, bare, finish, quick};

/// Two accounts of two fleets, each on a simulator of its own, and one folder with the configuration.
struct Two {
    shop: Rig,
    lab: Rig,
}

impl Two {
    fn new() -> Self {
        let (shop, lab) = (Rig::new(2), Rig::new(3));
        lab.fleet(3);
        let two = Self { shop, lab };
        two.shop.write("password", format!("{LOGIN_PASSWORD}\n"));
        fs::copy(two.lab.path("fleet.csv"), two.shop.path("lab.csv")).unwrap();
        let url = |rig: &Rig| rig.simulator.url().to_owned();
        two.configure(&format!(
            "[account.shop]\n\
             username = \"{USERNAME}\"\n\
             password_file = \"../../password\"\n\
             api_url = \"{}\"\n\
             \n\
             [account.lab]\n\
             username = \"{USERNAME}\"\n\
             password = \"{LOGIN_PASSWORD}\"\n\
             api_url = \"{}\"\n",
            url(&two.shop),
            url(&two.lab),
        ));
        two
    }

    fn configure(&self, text: &str) {
        configure(&self.shop, text);
    }

    fn call(&self, args: &[&str]) -> Ended {
        finish(bare(self.shop.folder.path()).with(args))
    }
}

/// Writes the operator's own file.
fn configure(rig: &Rig, text: &str) {
    fs::create_dir_all(rig.path(".config/refleet")).unwrap();
    let path = rig.path(".config/refleet/config.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A configuration of one account on the rig's API, with these lines more.
fn only(rig: &Rig, lines: &str) {
    configure(
        rig,
        &format!(
            "[account.only]\nusername = \"{USERNAME}\"\npassword = \"{LOGIN_PASSWORD}\"\napi_url = \"{}\"\n{lines}\n",
            rig.simulator.url()
        ),
    );
}

fn call(rig: &Rig, args: &[&str]) -> Ended {
    finish(bare(rig.folder.path()).with(args))
}

/// A command with arguments, or variables, more.
trait With {
    fn with(self, args: &[&str]) -> Command;
    fn set(self, name: &str, value: &str) -> Command;
}

impl With for Command {
    fn with(mut self, args: &[&str]) -> Command {
        self.args(args);
        self
    }

    fn set(mut self, name: &str, value: &str) -> Command {
        self.env(name, value);
        self
    }
}

#[test]
fn each_account_has_its_own_login_api_and_queue() {
    let two = Two::new();
    let run = |manifest, account| {
        let args = quick(manifest, &["--account", account]);
        two.call(&args).exit(0)
    };
    run("fleet.csv", "shop").says("done 2");
    run("lab.csv", "lab").says("done 3");
    assert_eq!(two.shop.submissions(), 2);
    assert_eq!(two.lab.submissions(), 3);
    for name in ["shop.db", "lab.db"] {
        assert!(
            two.shop
                .path(&format!(".local/state/refleet/{name}"))
                .exists()
        );
    }
    assert!(!two.shop.path(".local/state/refleet/refleet.db").exists());
    let total =
        |account| two.call(&["status", "--json", "--account", account]).json()["total"].clone();
    assert_eq!((total("shop"), total("lab")), (2.into(), 3.into()));
}

#[test]
fn of_several_accounts_none_is_taken_unless_it_is_named() {
    let two = Two::new();
    for args in [
        &quick("fleet.csv", &[])[..],
        &["load", "fleet.csv"],
        &["status"],
        &["report"],
        &["cancel", "--all"],
    ] {
        two.call(args)
            .exit(2)
            .says("config.toml has 2 accounts, and none was named: shop, lab\n")
            .says("hint: name it: --account shop, or REFLEET_ACCOUNT=shop");
    }
    two.call(&["status", "--account", "shpo"])
        .exit(2)
        .says("config.toml has no account `shpo`, but shop, lab");
    assert_eq!(two.shop.calls() + two.lab.calls(), 0);
    // What works with no account needs none.
    two.call(&["check", "fleet.csv"]).exit(0);
    // And of a database that is named, its account need not be.
    let named = bare(two.shop.folder.path()).set("REFLEET_ACCOUNT", "lab");
    finish(named.with(&["load", "lab.csv"])).exit(0);
    let database = two.shop.path(".local/state/refleet/lab.db");
    two.call(&["status", "--db", database.to_str().unwrap()])
        .exit(0)
        .says_out("lab.csv");
}

#[test]
fn an_account_without_a_file_is_refused() {
    let rig = Rig::new(1);
    finish(rig.refleet(&["run", "fleet.csv", "--yes", "--account", "shop"]))
        .exit(2)
        .says("there is no configuration file, so there is no account `shop`");
    finish(rig.refleet(&["status", "--config", "none.toml"]))
        .exit(2)
        .says("cannot read the configuration none.toml")
        .says("--config or REFLEET_CONFIG");
    assert_eq!(rig.calls(), 0);
}

#[test]
fn the_command_line_counts_before_the_environment_and_that_before_the_file() {
    let rig = Rig::new(1);
    let workers = |more: &[&str], lines: &str| {
        only(&rig, lines);
        let folder = rig.path(".local");
        let _ = fs::remove_dir_all(folder);
        let mut args = quick("fleet.csv", &["--events", "-"]);
        args.extend_from_slice(more);
        let run = call(&rig, &args).exit(0);
        let first = run.out.lines().next().unwrap().to_owned();
        serde_json::from_str::<serde_json::Value>(&first).unwrap()["workers"].clone()
    };
    assert_eq!(workers(&[], ""), 8);
    assert_eq!(workers(&[], "workers = 3"), 3);
    assert_eq!(workers(&["--workers", "2"], "workers = 3"), 2);

    // Of the addresses and the databases.
    let nowhere = "http://127.0.0.1:1/";
    only(&rig, "db = \"../../own.db\"");
    let path = rig.path(".config/refleet/config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace(rig.simulator.url(), nowhere);
    fs::write(&path, text).unwrap();
    let load = || bare(rig.folder.path()).with(&["load", "fleet.csv"]);
    let url = |database: &str| {
        let status = call(&rig, &["status", "--json", "--db", database]);
        status.exit(0).json()["api_url"].clone()
    };
    finish(load()).exit(0);
    assert_eq!(url("own.db"), nowhere);
    finish(
        load()
            .set("REFLEET_API_URL", "http://127.0.0.1:2/")
            .set("REFLEET_DB", "variable.db"),
    )
    .exit(0);
    assert_eq!(url("variable.db"), "http://127.0.0.1:2/");
    let flags = ["--api-url", "http://127.0.0.1:3/", "--db", "flag.db"];
    finish(
        load()
            .set("REFLEET_API_URL", nowhere)
            .set("REFLEET_DB", "no.db")
            .with(&flags),
    )
    .exit(0);
    assert_eq!(url("flag.db"), "http://127.0.0.1:3/");
}

#[test]
fn an_option_that_is_typed_puts_those_of_the_file_aside_that_it_excludes() {
    let rig = Rig::new(1);
    only(&rig, "quiet = true\nskip-done = true");
    let run = call(&rig, &quick("fleet.csv", &[])).exit(0);
    assert!(!run.err.contains("1/1"), "{}", run.err);
    call(&rig, &quick("fleet.csv", &["-v", "--again"]))
        .exit(0)
        .says("done 1");
    assert_eq!(rig.submissions(), 2);
}

#[test]
fn every_fault_of_the_file_is_told_with_its_line_and_nothing_is_done() {
    let rig = Rig::new(1);
    only(
        &rig,
        "worker = 3\nworkers = 0\nprogress = \"loud\"\nrate = \"quick\"\nyes = true\nfault_rate = 0.5\naccount = \"x\"\nno-wait = true\ninclude-hidden = true",
    );
    let ended = call(&rig, &quick("fleet.csv", &[])).exit(2);
    let said: Vec<&str> = ended
        .err
        .lines()
        .map(|line| line.split_once("config.toml:").unwrap().1)
        .collect();
    assert_eq!(
        said,
        [
            "5: there is no key `worker`: did you mean `workers`?",
            "6: `workers`: invalid value '0' for '--workers <N>': 0 is not in 1..=100000",
            "7: `progress`: invalid value 'loud' for '--progress <KIND>' [possible values: auto, bar, plain, none]",
            "8: `rate`: invalid value 'quick' for '--rate <N>': write a number of calls per second, 0 (no limit) up to 100000",
            "9: `yes` is an operator's word on one order, and no default: give it on the command line",
            "10: `fault_rate` belongs to a rehearsal: give it on the command line",
            "11: there is no key `account`: take it out; `refleet run --help` has the options",
            "12: `no-wait` is an operator's word on one order, and no default: give it on the command line",
            "13: `include-hidden` is an operator's word on one order, and no default: give it on the command line",
        ]
    );
    assert!(ended.err.lines().all(|line| line.starts_with("error: /")));
    only(&rig, "quiet = true\nverbose = true");
    call(&rig, &["status"]).exit(2).says(
        "config.toml:1: account `only`: the argument '--quiet' cannot be used with '--verbose...'",
    );
    assert_eq!(rig.calls(), 0);
}

#[test]
fn a_password_in_a_file_that_others_can_read_is_refused_with_the_command_to_type() {
    let rig = Rig::new(1);
    only(&rig, "");
    let path = rig.path(".config/refleet/config.toml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let path = path.display();
    call(&rig, &quick("fleet.csv", &[])).exit(2).says(&format!(
        "{path}:3: others can read this password: `chmod 600 {path}`"
    ));
    assert_eq!(rig.calls(), 0);
}

#[test]
fn every_hint_names_the_account_and_can_be_typed() {
    let two = Two::new();
    two.shop.fault(0, refleet::simulator::FaultKind::Busy);
    let args = quick("fleet.csv", &["--account", "shop"]);
    let run = two.call(&args);
    let report = "\n    refleet --account shop report\n";
    assert!(run.err.contains(report), "{}", run.err);
    let status = two
        .call(&["--account", "shop", "status", "--json"])
        .exit(0)
        .json();
    let next = status["next"].as_str().unwrap();
    assert!(next.starts_with("refleet --account shop "), "{next}");
    let words: Vec<&str> = next.split_whitespace().skip(1).collect();
    two.call(&words).exit(0);
    // A file that was named is named again.
    let named = [
        "--config",
        ".config/refleet/config.toml",
        "--account",
        "lab",
    ];
    let load = two
        .call(&[&["load", "lab.csv"], &named[..]].concat())
        .exit(0);
    let hint = "refleet --config .config/refleet/config.toml --account lab run";
    assert!(load.said().contains(hint), "{}", load.said());
}

#[test]
fn an_account_that_is_named_never_works_with_credentials_that_lie_in_the_environment() {
    let two = Two::new();
    let args = quick("fleet.csv", &["--account", "shop"]);
    let run = bare(two.shop.folder.path())
        .set("ZOMRO_USERNAME", "somebody")
        .set("ZOMRO_PASSWORD", "Else-4711");
    finish(run.with(&args))
        .exit(0)
        .says("ZOMRO_… is not used: --account shop has its own credentials, and counts before the environment");
    // The only account gives way to the environment, which counts before a file.
    let rig = Rig::new(1);
    only(&rig, "");
    let run = bare(rig.folder.path())
        .set("ZOMRO_USERNAME", "somebody")
        .set("ZOMRO_PASSWORD", "Else-4711");
    finish(run.with(&quick("fleet.csv", &[]))).exit(7);
    // A password alone goes with the account's name.
    configure(
        &rig,
        &format!(
            "[account.only]\nusername = \"{USERNAME}\"\napi_url = \"{}\"\n",
            rig.simulator.url()
        ),
    );
    call(&rig, &quick("fleet.csv", &[]))
        .exit(2)
        .says("config.toml:2: account `only` has a username and no password")
        .says("password_command");
    let run = bare(rig.folder.path()).set("ZOMRO_PASSWORD", LOGIN_PASSWORD);
    finish(run.with(&quick("fleet.csv", &[]))).exit(0);
}

#[test]
fn an_account_that_is_named_never_works_on_the_queue_or_the_api_of_the_environment() {
    let two = Two::new();
    let shop = two.shop.path(".local/state/refleet/shop.db");
    two.call(&quick("fleet.csv", &["--account", "shop"]))
        .exit(0);
    let before = two.shop.calls();
    let of_shop = || {
        bare(two.shop.folder.path())
            .set("REFLEET_DB", shop.to_str().unwrap())
            .set("REFLEET_API_URL", two.shop.simulator.url())
    };
    let lab = quick("lab.csv", &["--account", "lab"]);
    finish(of_shop().with(&lab))
        .exit(0)
        .says("REFLEET_DB and REFLEET_API_URL are not used: --account lab has its own, and counts before the environment\n")
        .says("done 3");
    assert_eq!((two.shop.calls(), two.lab.submissions()), (before, 3));
    let status = ["status", "--account", "lab", "--json", "-q"];
    let status = finish(of_shop().with(&status)).exit(0);
    assert!(!status.err.contains("is not used"), "{status}");
    assert_eq!(status.json()["total"], 3);
    // What is typed as well is what is meant.
    let typed = ["status", "--account", "lab", "--json", "--db"];
    let typed = finish(of_shop().with(&typed).with(&[shop.to_str().unwrap()])).exit(0);
    assert_eq!(typed.json()["total"], 2);
    let shown = finish(of_shop().with(&["config", "show", "--account", "lab"])).exit(0);
    assert!(shown.out.contains("lab.db"), "{shown}");
    assert!(shown.out.contains(two.lab.simulator.url()), "{shown}");

    // An account without an API of its own is sent to none that it did not name.
    two.configure(&format!(
        "[account.lab]\nusername = \"{USERNAME}\"\npassword = \"{LOGIN_PASSWORD}\"\n"
    ));
    finish(of_shop().with(&lab))
        .exit(2)
        .says("--account lab counts before the environment, and names no API for itself")
        .says("REFLEET_API_URL");
    let url = ["--api-url", two.lab.simulator.url(), "--again"];
    finish(of_shop().with(&lab).with(&url)).exit(0);
    assert_eq!((two.shop.calls(), two.lab.submissions()), (before, 6));
}

#[test]
fn the_credentials_of_the_environment_are_told_where_they_work_on_an_accounts_queue() {
    let rig = Rig::new(1);
    only(&rig, "");
    let said = "account only: the credentials of ZOMRO_… are used on its queue: the environment counts before the file\n";
    let run = |more: &[&str]| {
        let run = bare(rig.folder.path())
            .set("ZOMRO_USERNAME", USERNAME)
            .set("ZOMRO_PASSWORD", LOGIN_PASSWORD);
        finish(run.with(&quick("fleet.csv", more))).exit(0)
    };
    assert_eq!(run(&[]).err.matches(said).count(), 1);
    assert!(!run(&["--again", "-q"]).err.contains("ZOMRO_"));
    assert!(!run(&["--db", "other.db"]).err.contains("ZOMRO_"));
    let own = call(&rig, &quick("fleet.csv", &["--again"])).exit(0);
    assert!(!own.err.contains("ZOMRO_"), "{own}");
}

#[test]
fn a_default_of_the_file_gives_way_to_a_plan_and_what_is_typed_does_not() {
    let rig = Rig::new(2);
    only(&rig, "");
    let bounds = [
        "--workers",
        "8",
        "--max-failures",
        "100%",
        "--rebuild-timeout",
        "1m",
    ];
    let plan = ["plan", "fleet.csv", "--rate", "0", "--out", "plan.json"];
    call(&rig, &[&plan[..], &bounds].concat()).exit(0);
    only(&rig, "workers = 4");
    let by_plan = ["--plan", "plan.json", "--events", "-"];
    call(
        &rig,
        &quick("fleet.csv", &[&by_plan[..], &["--workers", "4"]].concat()),
    )
    .exit(2)
    .says("--workers");
    let run = call(&rig, &quick("fleet.csv", &by_plan)).exit(0);
    let first: serde_json::Value = serde_json::from_str(run.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["workers"], 8);
}

#[test]
fn the_file_and_what_it_names_are_not_written_over() {
    let two = Two::new();
    for path in ["password", ".config/refleet/config.toml"] {
        two.call(&["report", "--account", "shop", "--output", path])
            .exit(2)
            .says("is not written over");
    }
}

#[test]
fn what_applies_is_shown_with_where_it_came_from_and_without_a_secret() {
    let two = Two::new();
    let path = two.shop.path(".config/refleet/config.toml");
    let text = fs::read_to_string(&path).unwrap();
    two.configure(&text.replace(
        "[account.lab]",
        "workers = 4\nno-requeue = true\n[account.lab]",
    ));
    let path = path.to_str().unwrap();
    let shown = two.call(&["config", "show", "--account", "shop"]).exit(0);
    let row = |name: &str| {
        let line = shown
            .out
            .lines()
            .find(|line| line.split_whitespace().next() == Some(name));
        let words = line
            .unwrap_or_else(|| panic!("{name}: {}", shown.out))
            .split_whitespace();
        words.skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("config"), format!("{path} found there"));
    assert_eq!(row("account"), "shop --account");
    assert_eq!(
        row("api-url"),
        format!("{} {path}:4", two.shop.simulator.url())
    );
    let db = two.shop.path(".local/state/refleet/shop.db");
    assert_eq!(row("db"), format!("{} default", db.display()));
    assert_eq!(row("username"), format!("operator {path}:2"));
    assert_eq!(row("password"), format!("set, from password_file {path}:3"));
    assert_eq!(row("workers"), format!("4 {path}:6"));
    assert_eq!(row("no-requeue"), format!("true {path}:7"));
    assert_eq!(row("rate"), "1 default");
    assert_eq!(row("max-failures"), "20% default");
    assert_eq!(row("skip-done"), "false default");

    // The environment, and the command line.
    let command = bare(two.shop.folder.path())
        .set("REFLEET_ACCOUNT", "lab")
        .set("REFLEET_DB", "variable.db")
        .set("ZOMRO_AUTH", "0123456789abcdef76543210");
    let shown = finish(command.with(&[
        "config",
        "show",
        "--json",
        "--api-url",
        "http://127.0.0.1:1/",
    ]));
    let shown = shown.exit(0).json();
    let setting = |name: &str| {
        let settings = shown["settings"].as_array().unwrap();
        let found = settings.iter().find(|one| one["name"] == name);
        let one = found.unwrap_or_else(|| panic!("{name}: {shown}"));
        (
            one["value"].clone(),
            one["from"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(shown["version"], 1);
    assert_eq!(
        setting("account"),
        ("lab".into(), "REFLEET_ACCOUNT".to_owned())
    );
    assert_eq!(
        setting("db"),
        ("variable.db".into(), "REFLEET_DB".to_owned())
    );
    assert_eq!(
        setting("api-url"),
        ("http://127.0.0.1:1/".into(), "--api-url".to_owned())
    );
    assert_eq!(setting("auth"), ("set".into(), "ZOMRO_AUTH".to_owned()));
    let all = format!(
        "{}{shown}",
        two.call(&["config", "show", "--account", "lab"])
            .exit(0)
            .out
    );
    for secret in [LOGIN_PASSWORD, "0123456789abcdef"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn config_alone_says_how_it_is_called() {
    let rig = Rig::new(1);
    call(&rig, &["config"])
        .exit(2)
        .says("Usage: refleet config");
    // Without a file there is something to show all the same.
    let shown = call(&rig, &["config", "show"]).exit(0);
    assert!(shown.out.starts_with("config "), "{shown}");
    assert!(shown.out.contains("refleet/refleet.db  default"), "{shown}");
}

#[test]
fn status_of_all_speaks_of_every_queue_and_one_that_cannot_be_read_fails_no_other() {
    let two = Two::new();
    two.call(&quick("fleet.csv", &["--account", "shop"]))
        .exit(0);
    // Of the second nothing was ordered yet.
    let all = two.call(&["status", "--all"]).exit(0);
    let parts: Vec<&str> = all.out.split("\n\n").collect();
    assert!(
        parts[0].starts_with("account shop\nbatch 1 · fleet.csv"),
        "{all}"
    );
    assert!(
        parts[0].contains("`refleet --account shop report`"),
        "{all}"
    );
    assert!(
        parts[1].starts_with("account lab\n  nothing was ordered yet: "),
        "{all}"
    );
    let json = two.call(&["status", "--all", "--json"]).exit(0).json();
    let accounts = json["accounts"].as_array().unwrap();
    assert_eq!(accounts[0]["name"], "shop");
    assert_eq!(accounts[0]["status"]["total"], 2);
    assert_eq!(accounts[1]["name"], "lab");
    assert_eq!(
        (&accounts[1]["status"], &accounts[1]["error"]),
        (&().into(), &().into())
    );

    // What is no database of ours.
    two.shop.write(
        ".local/state/refleet/shop.db",
        "no database at all, but long enough to be read",
    );
    two.call(&["load", "lab.csv", "--account", "lab"]).exit(0);
    let alone = two.call(&["status", "--account", "shop"]);
    let all = two.call(&["status", "--all"]).exit(alone.code);
    assert!(alone.code != 0, "{alone}");
    assert!(all.out.contains("account shop\n  cannot be read"), "{all}");
    assert!(all.out.contains("account lab\nbatch 1 · lab.csv"), "{all}");
    assert!(
        all.err.contains(alone.err.lines().next().unwrap()),
        "{all}\n{alone}"
    );
    let json = two.call(&["status", "--all", "--json"]).json();
    let error = json["accounts"][0]["error"].as_str().unwrap();
    assert!(alone.err.contains(error), "{error}");
    assert_eq!(json["accounts"][1]["status"]["total"], 3);
}

#[test]
fn status_of_all_is_of_the_accounts_and_of_nothing_else() {
    let two = Two::new();
    two.call(&["status", "--all", "--db", "x.db"])
        .exit(2)
        .says("--all speaks of each account's own queue: leave --db and REFLEET_DB away");
    two.call(&["status", "--all", "--account", "shop"])
        .exit(2)
        .says("leave --account away");
    let rig = Rig::new(1);
    call(&rig, &["status", "--all"])
        .exit(2)
        .says("there is no configuration file with accounts");
}

#[test]
fn an_address_that_cannot_be_used_is_told_with_its_line() {
    let rig = Rig::new(1);
    configure(
        &rig,
        "[account.only]\nauth = \"abc\"\napi_url = \"http://u:Sesame@api.example/\"\n",
    );
    for args in [&["config", "show"][..], &quick("fleet.csv", &[])] {
        let ended = call(&rig, args)
            .exit(2)
            .says("config.toml:3: the API's address cannot be used: ")
            .says("correct `api_url` there");
        assert!(!ended.said().contains("Sesame"), "{ended}");
    }
}

#[test]
fn the_example_is_valid_and_holds_no_secret() {
    let rig = Rig::new(1);
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/config.toml");
    rig.write("config.toml", fs::read(example).unwrap());
    for (account, shown) in [
        ("shop", "set, from password_file"),
        ("lab", "set, from password_command"),
        ("bound", "authinfo"),
    ] {
        let args = [
            "config",
            "show",
            "--config",
            "config.toml",
            "--account",
            account,
        ];
        call(&rig, &args).exit(0).says_out(shown);
    }
}

#[test]
fn a_rehearsal_takes_the_accounts_options_and_nothing_else_of_it() {
    let rig = Rig::new(2);
    only(&rig, "workers = 1\ndb = \"../../own.db\"");
    let args = ["run", "fleet.csv", "--simulate", "--yes", "--events", "-"];
    let run = call(&rig, &args).exit(0);
    let first: serde_json::Value = serde_json::from_str(run.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["workers"], 1);
    assert!(
        first["database"]
            .as_str()
            .unwrap()
            .ends_with("refleet/simulation.db")
    );
    assert!(!rig.path("own.db").exists());
    assert_eq!(rig.calls(), 0);
}

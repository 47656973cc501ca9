//! What packages hold. That they install, work and go away again is for `packaging/try-deb` to show.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::rig::{bare, finish};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The units as packages install them, by name.
fn units(folder: &Path) -> BTreeMap<String, String> {
    let mut script = Command::new(root().join("packaging/units"));
    script.arg(folder);
    finish(script).exit(0).said_nothing();
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn the_units_of_a_package_start_its_program_with_the_login_of_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let units = units(folder.path());
    assert_eq!(
        units.keys().collect::<Vec<_>>(),
        ["refleet-work.service", "refleet.service", "refleet.timer"]
    );
    for (name, unit) in &units {
        let settings: Vec<_> = unit.lines().filter(|line| !line.starts_with('#')).collect();
        let settings = settings.join("\n");
        // `%d` is not known before systemd 250, and a credential whose file is missing ends a service.
        for word in ["/usr/local", "LoadCredential", "%d", "ZOMRO_", "REFLEET_"] {
            assert!(!settings.contains(word), "{name}: {word}: {unit}");
        }
        if name.ends_with(".service") {
            assert!(unit.contains("\nExecStart=/usr/bin/refleet "), "{unit}");
            assert!(
                unit.contains("\nUser=refleet\nStateDirectory=refleet\n"),
                "{unit}"
            );
        }
    }
    // What a person switches on has to say what wants it.
    for name in ["refleet-work.service", "refleet.timer"] {
        assert!(units[name].contains("\n[Install]\nWantedBy="), "{name}");
    }

    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    for (name, unit) in &units {
        // systemd checks that the program exists.
        let path = folder.path().join(name);
        fs::write(&path, unit.replace("/usr/bin/refleet", "/bin/sh")).unwrap();
        verify.arg(path);
    }
    finish(verify).exit(0).said_nothing();
}

#[test]
fn the_configuration_of_a_package_says_nothing_before_its_lines_are_taken() {
    let shipped = fs::read_to_string(root().join("packaging/config.toml")).unwrap();
    assert!(
        shipped
            .lines()
            .all(|line| line.is_empty() || line.starts_with('#'))
    );
    let taken = shipped.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|first: char| !first.is_whitespace()) => setting,
        _ => line,
    });
    let taken = taken.collect::<Vec<_>>().join("\n");
    let folder = tempfile::tempdir().unwrap();
    let show = |text: &str| {
        let path = folder.path().join("config.toml");
        fs::write(&path, text).unwrap();
        let mut command = bare(folder.path());
        command.args(["config", "show", "--config"]).arg(path);
        finish(command).exit(0).out
    };
    let value = |shown: &str, name: &str| {
        let line = shown
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(value(&show(&shipped), "account"), "none");
    let taken = show(&taken);
    assert_eq!(value(&taken, "account"), "shop");
    // Where the units may write.
    assert_eq!(value(&taken, "db"), "/var/lib/refleet/shop.db");
}

/// What a package puts where, and with which mode.
type Contents = BTreeMap<String, (String, String)>;

fn contents(assets: &Value) -> Contents {
    let assets = assets.as_array().unwrap().iter().map(|asset| {
        let [source, place, mode] = match asset {
            Value::Array(values) => [0, 1, 2].map(|n| values[n].as_str().unwrap()),
            one => ["source", "dest", "mode"].map(|key| one[key].as_str().unwrap()),
        };
        let mut place = format!("/{}", place.trim_start_matches('/'));
        if place.ends_with('/') {
            place.push_str(source.rsplit('/').next().unwrap());
        }
        // Debian keeps zsh's own functions and those of packages apart.
        let place = place.replace("zsh/vendor-completions", "zsh/site-functions");
        (place, (source.to_owned(), mode.to_owned()))
    });
    assets.collect()
}

#[test]
fn deb_and_rpm_hold_the_same_files_in_the_same_places() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root());
    let cargo: Value = serde_json::from_str(&finish(cargo).exit(0).out).unwrap();
    let metadata = &cargo["packages"][0]["metadata"];
    let deb = contents(&metadata["deb"]["assets"]);
    let mut rpm = contents(&metadata["generate-rpm"]["assets"]);
    // Into a .deb cargo-deb puts the licence by itself.
    assert!(rpm.remove("/usr/share/doc/refleet/copyright").is_some());
    assert_eq!(deb, rpm);
    assert_eq!(deb["/etc/refleet/config.toml"].1, "640");
    for (source, _) in deb.values() {
        let is_built = source.starts_with("target/package/stage/");
        assert!(is_built || root().join(source).is_file(), "{source}");
    }
}

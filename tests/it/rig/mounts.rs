//! Mounts that nobody else sees, for the tests that need some: root may have them, and everybody
//! where user namespaces are allowed.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Says to a test that it is in a mount namespace of its own.
pub const OWN_MOUNTS: &str = "REFLEET_TEST_OWN_MOUNTS";

/// Carries out the test `name` of `module` (its `module_path!()`) once more in a mount namespace of
/// its own, where one may be had.
pub fn in_own_mounts(module: &str, name: &str) {
    // A test is called without the name of its binary.
    let name = match module.split_once("::") {
        Some((_, module)) => format!("{module}::{name}"),
        None => name.to_owned(),
    };
    let folder = tempfile::tempdir().unwrap();
    for flags in ["-m", "-rm"] {
        let unshare = |command: &[&OsStr]| {
            Command::new("unshare")
                .arg(flags)
                .args(command)
                .env(OWN_MOUNTS, "yes")
                .output()
        };
        let mount = ["mount", "-t", "tmpfs", "tmpfs"].map(OsStr::new);
        let probe = unshare(&[&mount[..], &[folder.path().as_os_str()]].concat());
        if !probe.is_ok_and(|probe| probe.status.success()) {
            continue;
        }
        let this = std::env::current_exe().unwrap();
        let [exact, name] = ["--exact", &name].map(OsStr::new);
        let inner = unshare(&[this.as_os_str(), exact, name]).unwrap();
        let said = String::from_utf8_lossy(&inner.stdout);
        assert!(inner.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    #[expect(clippy::print_stderr, reason = "who reads the log is to know")]
    {
        eprintln!("skipped {name}: nobody may mount here");
    }
}

/// Carries out `words` on `folder`. It may be busy for a moment: a thread of its own closes the
/// database that a test has read there.
pub fn mount(words: &[&str], folder: &Path) {
    let began = Instant::now();
    loop {
        let mounted = Command::new(words[0])
            .args(&words[1..])
            .arg(folder)
            .status();
        if mounted.unwrap().success() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(5), "{words:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

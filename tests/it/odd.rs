//! Everything that may be odd about an account all the time: what becomes of a fleet in it.
//!
//! Each line of the snapshot is one run of the real binary over three instances, one at a time. The
//! fate is that of the second one, whose submission is answered, or whose answer is lost after it
//! was executed, or which never arrives; the states are those of all three. `sighted` entries are
//! left out: whether a poll meets the short moment in which an instance is `rebuilding` is chance.
//!
//! Whatever the table says, each run is also held against the simulator's own record. What is odd
//! about lists and rebuilds is held against that alone: how it ends depends on which moments the
//! polls meet.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::rig::{Pace, Rig, Story, finish, side_by_side};
use refleet::job::LedgerEntry;
use refleet::simulator::{Call, FaultKind, Oddities, Script};

/// Runs at once: they mostly wait.
const THREADS: usize = 20;
/// No run may take longer, whatever is odd; most end in a second or two.
const RUN_MAX: Duration = Duration::from_secs(20);

/// Lists and rebuilds: what may make silence look like a proof.
const OF_INSTANCES: &[&str] = &[
    "never-shown",
    "freeze=0s",
    "freeze=renamed",
    "freeze=rebuilding",
    "name-lag=700ms",
    "status-lag=300ms",
    "names=case",
    "names=punctuation",
    "names=longer",
    "names=family",
    "names=template",
    "names=broken",
    "double-rows",
    "alien-rows=7",
    "unlisted=5113120",
    "unreadable=5113120",
    "shift=1",
    "baseline=stopped",
    "baseline=error",
    "fails-at-once=1",
    "baseline=error,fails-at-once=1",
    "rolls-back=1",
    "ignored=1",
    "third-name=1",
    "zone=own",
    "zone=own,preview-lacks=5113119",
    "zone=own,preview-lacks=5113119,strict-zone",
    "preview-fails=5113119",
    "session-calls=3",
];

/// What every call, or every call of a kind, is answered with.
const OF_ANSWERS: &[&str] = &[
    "always=bom",
    "always=gzip",
    "always=header-noise",
    "always=close-soon",
    "always=half-surrogate",
    "always=cut-utf8",
    "always=control-characters",
    "always=windows-1251",
    "always=koi8-r",
    "always=unnamed-charset",
    "always=other-page",
    "always=secret-echo@submission",
    "always=ok-and-error@submission",
    "always=ok-elsewhere@submission",
    "always=other-func@submission",
    "always=form@submission",
    "always=second-factor",
    "always=captcha",
    "always=301",
    "always=404",
    "always=405",
    "always=403",
    "always=460",
    "always=403:0s..30s",
    "always=403@submission",
    "always=429",
    "always=429@submission",
    "always=429@submission,retry-after=0",
    "always=429@submission,retry-after=past",
    "always=503,retry-after=0",
    "always=maintenance",
    "always=maintenance@instances",
];

/// What the second submission meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Second {
    Answered,
    Executed,
    Lost,
}

impl Second {
    fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Executed => "executed, answer lost",
            Self::Lost => "never arrived",
        }
    }
}

fn cells() -> Vec<(&'static str, Second)> {
    let three =
        |words| [Second::Answered, Second::Executed, Second::Lost].map(|second| (words, second));
    let of_answers = OF_ANSWERS.iter().map(|words| (*words, Second::Answered));
    OF_INSTANCES
        .iter()
        .flat_map(|words| three(*words))
        .chain(of_answers)
        .collect()
}

/// The fate of the second instance, and the states of all. `Err` says what must never be.
fn run(words: &str, second: Second) -> Result<String, String> {
    let mut rig = Rig::brisk(3, |config| {
        config.odd = Oddities::parse(words.split(',')).unwrap();
        config.page_size = 2;
    });
    rig.pace = Pace::brisk()
        .with("--workers", "1")
        .with("--retries", "2")
        .with("--outage-timeout", "500ms")
        .with("--rebuild-timeout", "1500ms");
    let kind = match second {
        Second::Answered => None,
        Second::Executed => Some(FaultKind::ResetAfter),
        Second::Lost => Some(FaultKind::ResetBefore),
    };
    if let Some(kind) = kind {
        let script = Script::next(Call::Submission, kind);
        let elid = Some(rig.services[1]);
        rig.simulator.script(Script { elid, ..script });
    }
    let mut running = rig.start(&["-q"]);
    let began = Instant::now();
    let status = running.wait_until(|| began.elapsed() > RUN_MAX);
    let Some(code) = status.filter(|code| *code >= 0) else {
        running.kill();
        return Err(format!("{status:?}: it does not end\n{}", running.said()));
    };
    let said = running.said();
    let checked = match code {
        0 | 1 | 3 => rig.check_end(),
        _ => rig.check(),
    };
    checked.map_err(|what| format!("{what}\n{said}"))?;
    let Some(stories) = rig.stories() else {
        return Ok(format!("{code:>4}  nothing was queued"));
    };
    let all: Vec<_> = stories
        .iter()
        .map(|story| story.record.state.as_str())
        .collect();
    let wiped = rig.truth(rig.services[1]).wiped;
    Ok(format!(
        "{code:>4}  {:<27}  {:<8}  {wiped:>5}  {}",
        all.join(" "),
        stories[1].record.executed().as_str(),
        entries(&stories[1])
    ))
}

fn entries(story: &Story) -> String {
    let mut entries: Vec<String> = Vec::new();
    for line in &story.lines {
        if matches!(line.entry, LedgerEntry::Sighted { .. }) {
            continue;
        }
        let entry = match line.entry.failure() {
            Some(failure) => format!("{}({})", line.entry.kind(), failure.error_kind),
            None => line.entry.kind().to_owned(),
        };
        entries.push(entry);
        // How often something was tried depends on the time that it took.
        if let Some((rest, last)) = entries.split_last_chunk::<2>()
            && rest.ends_with(last)
        {
            entries.truncate(rest.len());
        }
    }
    if entries.is_empty() {
        "nothing".to_owned()
    } else {
        entries.join(", ")
    }
}

#[test]
fn every_oddity_of_an_account_ends_as_the_table_says() {
    let cells = cells();
    let results = side_by_side(THREADS, cells.len(), |nth| {
        let (words, second) = cells[nth];
        run(words, second)
    });
    let (mut table, mut wrong) = (String::new(), String::new());
    let mut before = "";
    for ((words, second), result) in cells.into_iter().zip(results) {
        match result {
            Ok(_) if OF_INSTANCES.contains(&words) => {}
            Ok(line) => {
                if words != before {
                    let _ = writeln!(table, "\n{words}");
                }
                before = words;
                let _ = writeln!(table, "  {:<22}{line}", second.word());
            }
            Err(what) => {
                let _ = writeln!(wrong, "{words}, {}: {what}", second.word());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}\n{table}");
    let head =
        "the second is           exit  states                       executed  wiped  its ledger\n";
    insta::assert_snapshot!(format!("{head}{table}"));
}

#[test]
fn a_rehearsal_may_be_odd_and_a_real_run_is_never_told_to_be() {
    let rig = Rig::brisk(2, |_| {});
    let refused = rig.run(&["--odd", "never-shown"]);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(
        refused.said().contains("--odd need --simulate"),
        "{refused}"
    );
    let mut rehearsal = Command::new(env!("CARGO_BIN_EXE_refleet"));
    rehearsal
        .env_clear()
        .args(["run", "--yes", "--simulate", "--odd"])
        .arg("baseline=suspended,names=case")
        .args(["--rebuild-timeout", "100ms", "--db"])
        .arg(rig.path("rehearsal.db"))
        .arg(rig.path("fleet.csv"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A suspended instance is never ready.
    let ended = finish(rehearsal);
    assert!(matches!(ended.code, 1 | 6), "{ended}");
    assert!(ended.said().contains("suspended"), "{ended}");
}

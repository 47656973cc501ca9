//! Every fault at every call: what becomes of the job, and what the ledger says of it.
//!
//! Each fault in the snapshot is one run of the real binary over two instances, and stands under the
//! fate of the second one, together with the faults that end alike; where it leaves a doubt, the
//! ledger's word for it follows the arrow. The first instance is rebuilt before anything goes wrong,
//! so that the run knows how far the list lags behind; then one call meets one fault. `keepalive` is
//! only asked when a request was blocked, so in its lines the submission meets an HTTP 403 first, and
//! a failed job comes from that. `sighted` entries are left out: whether a poll meets the short moment
//! in which an instance is `rebuilding` is chance.
//!
//! Whatever the table says, each line is also held against the simulator's own record: wiped at
//! most once, `done` only if wiped and complete, never wiped where the ledger says it was not.
//! What is odd about an account all the time has a table of its own, see `odd.rs`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::rig::{Pace, Rig, Story, side_by_side};
use refleet::job::{LedgerEntry, State};
use refleet::simulator::{AccountChange, Call, Fault, FaultKind, Script, Sessions};

/// Runs at once: they mostly wait.
const THREADS: usize = 20;

const READS_AND_REBUILD: [Call; 5] = [
    Call::Auth,
    Call::Keepalive,
    Call::Instances,
    Call::Preview,
    Call::Submission,
];

/// One run: which call meets which fault, and how often.
struct Cell {
    call: Call,
    name: String,
    fault: Fault,
    times: u64,
}

fn status(status: u16) -> Fault {
    Fault {
        status: Some(status),
        ..Fault::new(FaultKind::Unavailable)
    }
}

fn error(kind: &str) -> Fault {
    Fault {
        error_type: Some(kind.to_owned()),
        message: Some("the API's own words".to_owned()),
        ..Fault::new(FaultKind::Error)
    }
}

fn slow_down(retry_after: Option<String>) -> Fault {
    Fault {
        retry_after,
        ..Fault::new(FaultKind::TooManyRequests)
    }
}

const PAST: &str = "Thu, 01 Jan 2015 00:00:00 GMT";

/// An HTTP date that lies a second or two ahead.
fn soon() -> String {
    let at = jiff::Timestamp::now() + Duration::from_secs(2);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The faults that every call may meet.
fn usual() -> Vec<(&'static str, Fault)> {
    let kind = Fault::new;
    vec![
        ("reset", kind(FaultKind::ResetBefore)),
        ("time-out", kind(FaultKind::TimeoutBefore)),
        ("HTTP 301", kind(FaultKind::Moved)),
        ("HTTP 400", status(400)),
        ("HTTP 404", kind(FaultKind::NotFound)),
        ("HTTP 405", kind(FaultKind::MethodNotAllowed)),
        ("HTTP 500", status(500)),
        ("HTTP 502", status(502)),
        ("HTTP 503", status(503)),
        ("maintenance", kind(FaultKind::Maintenance)),
        ("HTTP 504", status(504)),
        ("HTTP 403", kind(FaultKind::Forbidden)),
        ("HTTP 460", kind(FaultKind::AddressBlocked)),
        ("HTTP 429", slow_down(None)),
        ("HTTP 429, seconds", slow_down(Some("1".to_owned()))),
        ("HTTP 429, a date", slow_down(Some(soon()))),
        ("HTTP 429, zero", slow_down(Some("0".to_owned()))),
        ("HTTP 429, a past date", slow_down(Some(PAST.to_owned()))),
        ("nothing at all", kind(FaultKind::Empty)),
        ("garbage", kind(FaultKind::Garbage)),
        ("truncated JSON", kind(FaultKind::Truncated)),
        ("cut off", kind(FaultKind::CutOff)),
        ("JSON of another shape", kind(FaultKind::OtherShape)),
        ("HTML page", kind(FaultKind::Html)),
        ("HTML, a megabyte of links", kind(FaultKind::LinkStorm)),
        ("long request", kind(FaultKind::LongRequest)),
        ("byte order mark", kind(FaultKind::ByteOrderMark)),
        ("gzip", kind(FaultKind::Gzip)),
        ("header noise", kind(FaultKind::HeaderNoise)),
        ("closed soon after", kind(FaultKind::CloseSoon)),
        ("half a surrogate", kind(FaultKind::HalfSurrogate)),
        ("cut UTF-8", kind(FaultKind::CutUtf8)),
        ("control characters", kind(FaultKind::ControlCharacters)),
        ("windows-1251", kind(FaultKind::Windows1251)),
        ("koi8-r", kind(FaultKind::Koi8R)),
        ("windows-1251, unnamed", kind(FaultKind::UnnamedCharset)),
        ("slow trickle", kind(FaultKind::Trickle)),
        ("50 MB", kind(FaultKind::Huge)),
        ("error value", error("value")),
        ("error missed", error("missed")),
        ("error exists", error("exists")),
        ("error limit", error("limit")),
        ("error nofunc", error("nofunc")),
        ("error license", error("license")),
        ("error auth", error("auth")),
        ("error access", error("access")),
        ("error of no known type", error("cloud_trouble")),
        ("error with secrets", kind(FaultKind::SecretEcho)),
        ("running operation", kind(FaultKind::Busy)),
        ("ok and error", kind(FaultKind::OkAndError)),
        ("ok elsewhere", kind(FaultKind::OkElsewhere)),
        ("ok, second factor", kind(FaultKind::SecondFactor)),
        ("another function", kind(FaultKind::OtherFunc)),
        ("another service", kind(FaultKind::OtherElid)),
        ("another page", kind(FaultKind::OtherPage)),
        ("the form", kind(FaultKind::Form)),
        ("captcha", kind(FaultKind::Captcha)),
        ("session expired", kind(FaultKind::SessionExpiry)),
    ]
}

/// What only a submission can meet: the same faults, executed or not.
fn submissions() -> Vec<(&'static str, Fault, u64)> {
    let executed = |fault: Fault, executed| Fault {
        executed: Some(executed),
        ..fault
    };
    let kind = Fault::new;
    vec![
        ("reset, executed", kind(FaultKind::ResetAfter), 1),
        ("time-out, executed", kind(FaultKind::TimeoutAfter), 1),
        ("HTTP 503, executed", executed(status(503), true), 1),
        ("HTTP 404, executed", executed(status(404), true), 1),
        (
            "HTTP 301, executed",
            executed(kind(FaultKind::Moved), true),
            1,
        ),
        (
            "maintenance, executed",
            executed(kind(FaultKind::Maintenance), true),
            1,
        ),
        (
            "ok and error, not executed",
            executed(kind(FaultKind::OkAndError), false),
            1,
        ),
        (
            "ok elsewhere, not executed",
            executed(kind(FaultKind::OkElsewhere), false),
            1,
        ),
        (
            "another function, not executed",
            executed(kind(FaultKind::OtherFunc), false),
            1,
        ),
        (
            "another service, not executed",
            executed(kind(FaultKind::OtherElid), false),
            1,
        ),
        (
            "the form, not executed",
            executed(kind(FaultKind::Form), false),
            1,
        ),
        (
            "garbage, not executed",
            executed(kind(FaultKind::Garbage), false),
            1,
        ),
        (
            "truncated JSON, not executed",
            executed(kind(FaultKind::Truncated), false),
            1,
        ),
        (
            "cut off, not executed",
            executed(kind(FaultKind::CutOff), false),
            1,
        ),
        (
            "HTML page, not executed",
            executed(kind(FaultKind::Html), false),
            1,
        ),
        (
            "running operation, executed",
            executed(kind(FaultKind::Busy), true),
            1,
        ),
        (
            "unknown type, executed",
            executed(error("cloud_trouble"), true),
            1,
        ),
        ("error access, always", error("access"), 1000),
        ("HTTP 403, always", kind(FaultKind::Forbidden), 1000),
        ("reset, always", kind(FaultKind::ResetBefore), 1000),
        ("instance ends in error", kind(FaultKind::InstanceError), 1),
    ]
}

fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for call in READS_AND_REBUILD {
        for (name, fault) in usual() {
            // Scripted faults, and those of every call, fit any call.
            let fits = fault.kind.fits(call)
                || matches!(
                    fault.kind,
                    FaultKind::Error | FaultKind::Busy | FaultKind::SessionExpiry
                );
            if !fits {
                continue;
            }
            cells.push(Cell {
                call,
                name: name.to_owned(),
                fault,
                times: 1,
            });
        }
    }
    for (name, fault, times) in submissions() {
        cells.push(Cell {
            call: Call::Submission,
            name: name.to_owned(),
            fault,
            times,
        });
    }
    cells
}

impl Cell {
    /// Only the fault itself may run into a time-out, however busy the machine is.
    fn rig(&self) -> Rig {
        let mut rig = Rig::brisk(2, |_| {});
        let (timeout, rebuild_timeout) = match self.fault.kind {
            FaultKind::TimeoutBefore | FaultKind::TimeoutAfter | FaultKind::Trickle => ("1s", "4s"),
            _ => ("10s", "3s"),
        };
        rig.pace = Pace::brisk()
            .with("--workers", "1")
            .with("--retries", "2")
            .with("--timeout", timeout)
            .with("--rebuild-timeout", rebuild_timeout)
            .with("--outage-timeout", "20s");
        rig
    }

    /// Runs it; the second instance's fate, and the fault's name. `Err` says what must never be.
    ///
    /// A connection that is closed soon after may take the next form with it, which is then in doubt: on a busy
    /// machine that is a matter of luck, and what a lost form becomes stands in other rows.
    fn run(&self) -> Result<(String, String), String> {
        let is_luck = self.fault.kind == FaultKind::CloseSoon && self.call != Call::Submission;
        let mut result = self.run_once();
        for _ in 0..if is_luck { 5 } else { 0 } {
            let has_lost_one = |(fate, _): &(String, String)| fate.trim_start().starts_with("3 ");
            if !result.as_ref().is_ok_and(has_lost_one) {
                break;
            }
            result = self.run_once();
        }
        result
    }

    fn run_once(&self) -> Result<(String, String), String> {
        let rig = self.rig();
        let second = rig.services[1];
        let of_second = |call, fault: Fault, times| Script {
            elid: Some(second),
            times,
            ..Script::next(call, fault)
        };
        match self.call {
            Call::Submission => {
                rig.simulator
                    .script(of_second(self.call, self.fault.clone(), self.times));
            }
            Call::Keepalive => {
                let blocked = Fault::new(FaultKind::Forbidden);
                rig.simulator
                    .script(of_second(Call::Submission, blocked, 1));
                rig.simulator
                    .script(Script::next(self.call, self.fault.clone()));
            }
            _ => rig
                .simulator
                .script(Script::next(self.call, self.fault.clone())),
        }
        let ended = rig.run(&["-q"]);
        let code = ended.code;
        let checked = match code {
            0 | 1 | 3 => rig.check_end(),
            _ => rig.check(),
        };
        checked.map_err(|what| format!("{what}\n{ended}"))?;
        if rig.simulator.record().faults.is_empty() {
            return Err(format!("it met no fault\n{ended}"));
        }
        let stories = rig.stories().ok_or_else(|| ended.to_string())?;
        let (story, wiped) = (&stories[1], rig.truth(second).wiped);
        let name = match doubt(story) {
            Some(word) => format!("{} → {word}", self.name),
            None => self.name.clone(),
        };
        Ok((fate(code, story, wiped), name))
    }
}

fn call_name(call: Call) -> &'static str {
    match call {
        Call::Auth => "auth",
        Call::Keepalive => "keepalive",
        Call::Instances => "instances",
        Call::Preview => "preview",
        Call::Submission => "rebuild",
        Call::LongRequest | Call::Other | Call::History => "other",
    }
}

/// The fate of one instance, in words that do not depend on chance.
fn fate(code: i32, story: &Story, wiped: u64) -> String {
    let record = &story.record;
    let mut entries = Vec::new();
    for line in &story.lines {
        if matches!(line.entry, LedgerEntry::Sighted { .. }) {
            continue;
        }
        entries.push(match line.entry.failure() {
            // The kind of a doubt is that of the fault, and stands beside the fault's name.
            Some(_) if matches!(line.entry, LedgerEntry::Unknown { .. }) => "unknown(…)".to_owned(),
            Some(failure) => format!("{}({})", line.entry.kind(), failure.error_kind),
            None => line.entry.kind().to_owned(),
        });
    }
    format!(
        "{code:>4}  {:<8}  {:<8}  {wiped:>5}  {}",
        record.state.as_str(),
        record.executed().as_str(),
        if entries.is_empty() {
            "nothing".to_owned()
        } else {
            entries.join(", ")
        },
    )
}

/// The kind of the doubt, where the fault left one.
fn doubt(story: &Story) -> Option<String> {
    story.lines.iter().find_map(|line| match &line.entry {
        LedgerEntry::Unknown { failure, .. } => Some(failure.error_kind.to_string()),
        _ => None,
    })
}

#[test]
fn every_fault_at_every_call_ends_as_the_table_says() {
    let cells = cells();
    let results = side_by_side(THREADS, cells.len(), |nth| cells[nth].run());
    // Faults that end alike stand together.
    let mut fates: Vec<(Call, String, Vec<String>)> = Vec::new();
    let mut wrong = String::new();
    for (cell, result) in cells.iter().zip(results) {
        let (fate, name) = match result {
            Ok(line) => line,
            Err(what) => {
                let _ = writeln!(wrong, "{} × {}: {what}", call_name(cell.call), cell.name);
                continue;
            }
        };
        let known = fates
            .iter_mut()
            .find(|(call, known, _)| (*call, known.as_str()) == (cell.call, fate.as_str()));
        match known {
            Some((.., names)) => names.push(name),
            None => fates.push((cell.call, fate, vec![name])),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let mut table =
        "call       exit  state     executed  wiped  ledger of the second instance\n".to_owned();
    for (call, fate, names) in fates {
        let _ = writeln!(table, "\n{:<9}  {fate}", call_name(call));
        for names in names.chunks(4) {
            let _ = writeln!(table, "             {}", names.join(" · "));
        }
    }
    insta::assert_snapshot!(table);
}

/// Both instances are as they were, both jobs wait.
fn assert_untouched(rig: &Rig) {
    rig.check().unwrap();
    for (service, story) in rig.services.iter().zip(rig.stories().unwrap()) {
        assert_eq!(rig.truth(*service).submissions, 0);
        assert_eq!(story.record.state, State::Queued);
    }
}

#[test]
fn a_session_that_is_over_for_good_halts_the_run_and_touches_nothing() {
    let mut rig = Rig::brisk(2, |config| config.session = Some("ab".repeat(12)));
    rig.token = Some("ab".repeat(12));
    rig.simulator.set(AccountChange {
        sessions: Some(Sessions::Refuse),
        ..AccountChange::default()
    });
    let ended = rig.run(&[]);
    assert_eq!(ended.code, 7, "{ended}");
    assert_untouched(&rig);
    rig.simulator.set(AccountChange {
        sessions: Some(Sessions::Accept),
        ..AccountChange::default()
    });
    let ended = rig.run(&["-q"]);
    assert_eq!(ended.code, 0, "{ended}");
    rig.check_end().unwrap();
}

#[test]
fn a_refused_connection_is_an_outage() {
    let mut rig = Rig::brisk(2, |_| {});
    rig.pace.set("--outage-timeout", "300ms");
    // Port 1 is nobody's.
    let ended = rig.run(&["--api-url", "http://127.0.0.1:1/"]);
    assert_eq!(ended.code, 4, "{ended}");
    assert!(ended.said().contains("no connection"), "{ended}");
    assert_untouched(&rig);
}

#[test]
fn an_api_that_goes_away_in_the_middle_fails_no_job() {
    let mut rig = Rig::brisk(2, |_| {});
    rig.pace = Pace::brisk()
        .with("--workers", "1")
        .with("--outage-timeout", "400ms");
    // The second submission is never answered, and every later call is refused by a reset.
    let second = rig.services[1];
    let script = Script {
        elid: Some(second),
        ..Script::next(Call::Submission, FaultKind::ResetBefore)
    };
    rig.simulator.script(script);
    let mut running = rig.start(&["-q"]);
    let began = Instant::now();
    let arrived = running.wait_until(|| rig.truth(second).submissions == 1);
    assert!(
        arrived.is_none(),
        "{:?} {}",
        began.elapsed(),
        running.said()
    );
    rig.simulator.script(Script {
        call: None,
        times: 1_000_000,
        ..Script::next(Call::Other, FaultKind::ResetBefore)
    });
    let status = running.wait_until(|| false).unwrap();
    assert_eq!(status, 4, "{}", running.said());
    rig.check().unwrap();
    let stories = rig.stories().unwrap();
    assert_eq!(stories[0].record.state, State::Done);
    assert_eq!(stories[1].record.state, State::InDoubt);
    // The API comes back. Nothing proves what happened, so the doubt is held.
    rig.simulator.clear_scripts();
    let ended = rig.run(&["-q"]);
    assert_eq!(ended.code, 3, "{ended}");
    rig.check_end().unwrap();
}

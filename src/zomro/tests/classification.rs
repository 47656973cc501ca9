//! What an answer to a submission is taken for.

use zeroize::Zeroizing;

use crate::zomro::answer::Answer;
use crate::zomro::claims::Ours;
use crate::zomro::finding::{self, Finding, Received};
use crate::zomro::form;
use crate::zomro::meaning;

pub(super) const OK: &str = r#"{"doc":{"$lang":"en","ok":{},"tparams":{"elid":{"$":"5113119"}}}}"#;
pub(super) const OK_WITH_FORM: &str = r#"{"doc":{"ok":{"$type":"form"},"slist":[]}}"#;
pub(super) const FORM: &str =
    r#"{"doc":{"elid":{"$":"5113119"},"slist":[{"$name":"zone","val":[]}],"tparams":{}}}"#;
pub(super) const DATA: &str = r#"{"doc":{"elid":{"$":"5113119"},"tparams":{}}}"#;
pub(super) const HTML: &str = "<html><body>Bad Gateway</body></html>";
pub(super) const LONG: &str = r#"<html><a href="/long/1/billmgr?id=7">wait</a></html>"#;

pub(super) fn error(kind: &str) -> String {
    format!(r#"{{"doc":{{"error":{{"$type":"{kind}","msg":{{"$":"some words "}}}}}}}}"#)
}

pub(super) fn running(kind: &str) -> String {
    format!(
        r#"{{"doc":{{"error":{{"$type":"{kind}","$object":"runningoperation","msg":{{"$":"busy"}}}}}}}}"#
    )
}

/// A submission for service 5113119.
pub(super) fn ours() -> Ours<'static> {
    Ours {
        func: form::REBUILD,
        service: Some("5113119".parse().unwrap()),
        image: Some("18d0ee2e-4d57-4f40-9b56-03c1773b5831".parse().unwrap()),
        submits: true,
    }
}

pub(super) fn received(status: u16, body: &str) -> Received {
    Received {
        status,
        retry_after: None,
        location: None,
        body: Ok(Zeroizing::new(body.to_owned())),
    }
}

pub(super) fn find(status: u16, body: &str) -> Finding {
    finding::read(&received(status, body), &ours(), &[])
}

/// Class and word of the answer to a submission.
pub(super) fn class(status: u16, body: &str) -> String {
    let answer = match find(status, body) {
        Finding::Document(document) => meaning::submission(Ok(document)),
        Finding::Obstacle(obstacle) => meaning::submission(Err(obstacle)),
        Finding::LongRequest(_) => return "long request".to_owned(),
    };
    match &answer {
        Answer::Unknown(failure) | Answer::Refused(failure) | Answer::NotSent(failure) => {
            let word = failure
                .error_kind
                .as_str()
                .replace(&format!("http_{status}"), "http_<status>");
            format!("{} {word}", answer.class())
        }
        Answer::Accepted
        | Answer::SlowDown { .. }
        | Answer::Unauthorized { .. }
        | Answer::HalfSession { .. }
        | Answer::Blocked { .. } => answer.class().to_owned(),
    }
}

pub(super) fn lines<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    let lines: Vec<String> = items.iter().map(line).collect();
    lines.join("\n")
}

/// `100..=199 class` for each stretch of statuses with the same class.
pub(super) fn stretches(body: &str) -> String {
    let mut stretches: Vec<(u16, u16, String)> = Vec::new();
    for status in 100..=599 {
        let class = class(status, body);
        match stretches.last_mut() {
            Some((_, to, last)) if *last == class => *to = status,
            _ => stretches.push((status, status, class)),
        }
    }
    lines(&stretches, |(from, to, class)| {
        format!("{from}..={to} {class}")
    })
}

//! What the client sees: the right answer, or what a fault makes of it.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::account::PreparedAnswer;
use super::asked::Asked;
use super::document;
use super::encoding;
use super::fault::Fault;
use super::form::Fields;
use super::journal::NotWritten;
use super::kind::FaultKind;
use super::rebuild;
use super::refusal::Refusal;
use super::sessions::SECOND_FACTOR;
use super::shared::Shared;
use super::wire::{Link, Pieces};

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
/// The header of an answer whose charset is not named.
const BARE_JSON: &str = "application/json";
/// An address that no resolver knows (RFC 6761).
const ELSEWHERE: &str = "https://panel.invalid/billmgr";
const LINK_STORM_BYTES: usize = 1024 * 1024;
const CLOSE_AFTER: Duration = Duration::from_millis(100);
const HUGE_BYTES: usize = 50 * 1024 * 1024;
const TRICKLE_PAUSE: Duration = Duration::from_millis(100);
/// How long a call without an answer holds its connection if the client never leaves.
const STALL: Duration = Duration::from_hours(1);

const PAGE_UNAVAILABLE: &[u8] =
    b"<html><head><title>503 Service Temporarily Unavailable</title></head>\
    <body><h1>503 Service Temporarily Unavailable</h1></body></html>\n";
const PAGE_FORBIDDEN: &[u8] = b"<html><head><title>Forbidden</title></head>\
    <body>Your IP address is temporarily blocked</body></html>\n";
const PAGE_MAINTENANCE: &[u8] = b"<html><head><title>Maintenance</title></head>\
    <body>We are improving our service. Please come back later.</body></html>\n";
const PAGE_MOVED: &[u8] = b"<html><head><title>301 Moved Permanently</title></head></html>\n";
const PAGE_NOT_FOUND: &[u8] = b"<html><head><title>404 Not Found</title></head></html>\n";
const PAGE_NOT_ALLOWED: &[u8] = b"<html><head><title>405 Not Allowed</title></head></html>\n";
const OTHER_SHAPE: &[u8] = b"{\"result\":[{\"accepted\":true}],\"doc\":[]}";
const PAGE_PANEL: &[u8] = b"<!DOCTYPE html><html><head><title>Panel</title></head>\
    <body><div id=\"app\">Please enable JavaScript</div></body></html>\n";

/// The right answer, as it is.
pub(super) fn intact(shared: &Shared, link: &Link, answer: PreparedAnswer) -> Response {
    intact_as(shared, link, answer, json)
}

/// The right answer, with a response that `make` makes of its body.
fn intact_as(
    shared: &Shared,
    link: &Link,
    answer: PreparedAnswer,
    make: impl FnOnce(Vec<u8>) -> Response,
) -> Response {
    let kept = answer
        .execution
        .map_or(Ok(()), |execution| shared.account().answered(execution));
    match kept {
        Ok(()) => make(answer.body),
        Err(NotWritten) => broken(link),
    }
}

/// No answer at all.
pub(super) fn broken(link: &Link) -> Response {
    link.close();
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// The `doc.error` of `fault`, for a call of these fields.
fn error(fault: &Fault, fields: &Fields, usual: &'static str) -> Refusal {
    let secrets: Vec<_> = ["auth", "authinfo", "password"]
        .into_iter()
        .filter_map(|name| fields.filled(name))
        .collect();
    let text = |text: &Option<String>, usual: &'static str| {
        let text = text.clone().map_or(Cow::Borrowed(usual), Cow::Owned);
        encoding::with_secrets(text, &secrets)
    };
    Refusal {
        kind: text(&fault.error_type, "value"),
        object: text(&fault.error_object, ""),
        value: String::new(),
        message: text(&fault.message, usual),
    }
}

/// What an answer to another request would be.
fn other_answer(fields: &Fields) -> Vec<u8> {
    let func = match Asked::of(fields) {
        Asked::Keepalive => "whoami",
        Asked::Login
        | Asked::Confirmation
        | Asked::WhoAmI
        | Asked::List
        | Asked::Form(_)
        | Asked::Execution(_)
        | Asked::Catalogue(_)
        | Asked::History
        | Asked::Order
        | Asked::Unknown => "keepalive",
    };
    document::ok(&Fields::from_pairs([("func", func), ("out", "json")]))
}

/// The answer to the same question about the next service.
fn answer_about_another(shared: &Shared, fields: &Fields) -> Vec<u8> {
    let elid = fields.get("elid").and_then(|elid| elid.parse::<u64>().ok());
    let other = elid.map_or(1, |elid| elid.wrapping_add(1)).to_string();
    let fields = fields.with("elid", &other);
    match Asked::of(&fields) {
        Asked::Form(form) => shared.account().form(form, &fields),
        Asked::Login
        | Asked::Confirmation
        | Asked::Keepalive
        | Asked::WhoAmI
        | Asked::List
        | Asked::Execution(_)
        | Asked::Catalogue(_)
        | Asked::History
        | Asked::Order
        | Asked::Unknown => document::ok(&fields),
    }
}

pub(super) fn long_page(number: &str) -> Response {
    let page = format!(
        "<html><head><title>Request in progress</title>\
         <meta http-equiv=\"refresh\" content=\"1; url=/long/{number}/billmgr\"></head>\
         <body><a href=\"/long/{number}/billmgr\">Continue</a></body></html>\n"
    );
    ([(CONTENT_TYPE, HeaderValue::from_static(HTML))], page).into_response()
}

/// What the client sees of `fault`; `answer` is what it would have seen. It is as long as there are
/// kinds: a table with one arm for each.
#[expect(
    clippy::too_many_lines,
    reason = "a table: one arm for each kind of fault"
)]
pub(super) async fn respond(
    shared: &Shared,
    link: &Link,
    fields: &Fields,
    fault: Fault,
    answer: PreparedAnswer,
) -> Response {
    let delay = fault.delay_ms.map(Duration::from_millis);
    match fault.kind {
        FaultKind::TimeoutBefore | FaultKind::TimeoutAfter => {
            shared.pause(delay.unwrap_or(STALL)).await;
        }
        FaultKind::Trickle | FaultKind::CloseSoon => {}
        _ => shared.pause(delay.unwrap_or_default()).await,
    }
    let half = answer.body.len() / 2;
    match fault.kind {
        FaultKind::TooManyRequests => disguise(fault, 429, HTML, b"Too Many Requests\n"),
        FaultKind::Unavailable => disguise(fault, 503, HTML, PAGE_UNAVAILABLE),
        FaultKind::Forbidden => disguise(fault, 403, HTML, PAGE_FORBIDDEN),
        FaultKind::AddressBlocked => disguise(fault, 460, HTML, PAGE_FORBIDDEN),
        FaultKind::Moved => disguise(fault, 301, HTML, PAGE_MOVED),
        FaultKind::NotFound => disguise(fault, 404, HTML, PAGE_NOT_FOUND),
        FaultKind::MethodNotAllowed => disguise(fault, 405, HTML, PAGE_NOT_ALLOWED),
        FaultKind::Maintenance => disguise(fault, 503, HTML, PAGE_MAINTENANCE),
        FaultKind::LinkStorm => {
            let page = encoding::link_storm(fault.bytes.unwrap_or(LINK_STORM_BYTES));
            typed(HTML, page)
        }
        FaultKind::Empty => disguise(fault, 200, JSON, b""),
        FaultKind::Garbage => disguise(fault, 200, JSON, b"\x01\xff\xfe{]\x00\x80garbage\xc3"),
        FaultKind::OtherShape => disguise(fault, 200, JSON, OTHER_SHAPE),
        FaultKind::Html => disguise(fault, 200, HTML, PAGE_PANEL),
        FaultKind::ResetBefore | FaultKind::ResetAfter => {
            link.reset();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        FaultKind::TimeoutBefore | FaultKind::TimeoutAfter => broken(link),
        FaultKind::Truncated => {
            let mut body = answer.body;
            body.truncate(half);
            json(body)
        }
        FaultKind::CutOff => {
            let pieces = Pieces::cut_off(answer.body.into(), half, link.clone());
            json(Body::new(pieces))
        }
        FaultKind::Trickle => {
            let (bytes, pause) = (fault.bytes.unwrap_or(1), delay.unwrap_or(TRICKLE_PAUSE));
            let pieces = Pieces::trickle(answer.body.into(), bytes, pause, link.clone());
            json(Body::new(pieces))
        }
        FaultKind::Huge => {
            let mut body = vec![b' '; fault.bytes.unwrap_or(HUGE_BYTES)];
            body.extend_from_slice(&answer.body);
            json(body)
        }
        FaultKind::LongRequest => {
            let number = shared
                .account()
                .deferred()
                .defer(answer, fault.pages.unwrap_or(1));
            long_page(&number)
        }
        FaultKind::ByteOrderMark => intact_as(shared, link, answer, |body| {
            json([&b"\xef\xbb\xbf"[..], &body].concat())
        }),
        FaultKind::Gzip => intact_as(shared, link, answer, |body| {
            let mut response = json(encoding::gzip(&body));
            let gzip = HeaderValue::from_static("gzip");
            response.headers_mut().insert(CONTENT_ENCODING, gzip);
            response
        }),
        FaultKind::HeaderNoise => {
            link.noise();
            intact(shared, link, answer)
        }
        FaultKind::CloseSoon => {
            link.close_after(delay.unwrap_or(CLOSE_AFTER));
            intact(shared, link, answer)
        }
        FaultKind::HalfSurrogate => intact_as(shared, link, answer, |body| {
            json(encoding::half_surrogate(&body))
        }),
        FaultKind::CutUtf8 => {
            intact_as(shared, link, answer, |body| json(encoding::cut_utf8(&body)))
        }
        FaultKind::ControlCharacters => intact_as(shared, link, answer, |body| {
            json(encoding::control_characters(&body))
        }),
        FaultKind::Windows1251 => intact_as(shared, link, answer, |body| {
            let kind = "application/json; charset=windows-1251";
            typed(kind, encoding::recoded(&body, encoding_rs::WINDOWS_1251))
        }),
        FaultKind::Koi8R => intact_as(shared, link, answer, |body| {
            let kind = "application/json; charset=KOI8-R";
            typed(kind, encoding::recoded(&body, encoding_rs::KOI8_R))
        }),
        FaultKind::UnnamedCharset => intact_as(shared, link, answer, |body| {
            typed(
                BARE_JSON,
                encoding::recoded(&body, encoding_rs::WINDOWS_1251),
            )
        }),
        FaultKind::Busy => refuse(&Refusal::running_operation()),
        FaultKind::Error => refuse(&error(
            &fault,
            fields,
            "The simulator was told to refuse this",
        )),
        FaultKind::SecretEcho => refuse(&error(&fault, fields, "could not use {secrets}")),
        FaultKind::OkAndError => {
            json(error(&fault, fields, "something went wrong").document_with_ok(fields))
        }
        FaultKind::OkElsewhere => {
            let leads_to = fault.leads_to.as_deref().unwrap_or("func=instances");
            json(document::ok_to(fields, leads_to))
        }
        FaultKind::OtherFunc => json(other_answer(fields)),
        FaultKind::OtherElid => json(answer_about_another(shared, fields)),
        FaultKind::Form => {
            let elid = fields.get("elid").unwrap_or_default();
            let asked =
                Fields::from_pairs([("func", rebuild::FUNC), ("elid", elid), ("out", "json")]);
            json(shared.account().form(rebuild::form, &asked))
        }
        FaultKind::SecondFactor => json(document::ok_to(fields, SECOND_FACTOR)),
        FaultKind::Captcha => refuse(&Refusal::captcha()),
        FaultKind::SessionExpiry => {
            refuse(&Refusal::access(fields.get("func").unwrap_or_default()))
        }
        FaultKind::OtherPage | FaultKind::InstanceError | FaultKind::Delay => {
            intact(shared, link, answer)
        }
    }
}

fn json(body: impl Into<Body>) -> Response {
    typed(JSON, body)
}

fn typed(kind: &'static str, body: impl Into<Body>) -> Response {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(kind))];
    (headers, body.into()).into_response()
}

/// Like errors of the real thing: without the request's echo.
fn refuse(refusal: &Refusal) -> Response {
    json(refusal.document(&Fields::default()))
}

/// What stands between client and API may answer so: a proxy, a firewall, a maintenance page.
fn disguise(fault: Fault, status: u16, kind: &'static str, body: &'static [u8]) -> Response {
    let retry_after = match fault.kind {
        FaultKind::Maintenance => fault.retry_after.or_else(|| Some("1".to_owned())),
        _ => fault.retry_after,
    };
    let location = match fault.kind {
        FaultKind::Moved => fault.location.or_else(|| Some(ELSEWHERE.to_owned())),
        _ => fault.location,
    };
    let body = fault.body.map_or(Body::from(body), Body::from);
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(fault.status.unwrap_or(status))
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, text) in [(RETRY_AFTER, retry_after), (LOCATION, location)] {
        if let Some(Ok(value)) = text.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    response
}

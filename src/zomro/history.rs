//! The operations that the panel lists of a service (`func=service.history`), as a hint for people.
//!
//! The one fact to know: nothing of this was seen at an instance. The function is known from the panel's
//! other kinds of service, and whether it records rebuilds, in which words and by which clock, nobody has
//! said. So it is only read where somebody asks for it, [`HistoryShape`] can be told everything that is a
//! guess, and what it says proves nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use secrecy::SecretString;
use serde::Deserialize;

use crate::job::ServiceId;
use crate::text;

use super::call_error::CallError;
use super::redact::redact;
use super::rows::ListPage;
use super::shape::Text;

/// Characters of a name within a [`HistoryShape`].
const NAME_CHARS_MAX: usize = 64;
/// What a rebuild may be called, unless it is said otherwise.
const REBUILD_WORDS: [&str; 3] = ["rebuild", "rebuilt", "reinstall"];
/// Words that tell a rebuild.
const WORDS_MAX: usize = 16;
/// Characters of one field of an operation that is shown.
const FIELD_CHARS_MAX: usize = 80;

/// Where the API keeps the history of a service, and how a rebuild is told in it: its function, and what
/// of the rest is other than the guess, as in `service.history,text=desc,rebuild=reinstall`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryShape(Arc<Names>);

/// Shared, because whoever asks for a history takes it along.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    func: String,
    /// The fields of an operation.
    time: String,
    text: String,
    user: String,
    ip: String,
    /// An operation whose text holds one of these, in whatever case, is a rebuild.
    rebuild: Vec<String>,
}

/// Why a text describes no history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHistory {
    /// Some functions act without being asked twice (`service.stop` does), so nothing else is ever called.
    #[error(
        "`{0}` is no function that is known to read: its last word has to end in `history` or `log`, as in service.history"
    )]
    Func(String),
    #[error(
        "`{0}`: write time=, text=, user= or ip= and the name of a field, or rebuild= and a word"
    )]
    Key(String),
    #[error("more than {WORDS_MAX} words that tell a rebuild")]
    Words,
}

impl Names {
    fn of(func: &str) -> Self {
        Self {
            func: func.to_owned(),
            time: "changedate".to_owned(),
            text: "desc".to_owned(),
            user: "user".to_owned(),
            ip: "ip".to_owned(),
            rebuild: REBUILD_WORDS.map(str::to_owned).to_vec(),
        }
    }

    /// The fields, each with its key.
    fn fields(&self) -> [(&'static str, &str); 4] {
        [
            ("time", &self.time),
            ("text", &self.text),
            ("user", &self.user),
            ("ip", &self.ip),
        ]
    }

    fn is_rebuild(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.rebuild
            .iter()
            .any(|word| text.contains(&word.to_lowercase()))
    }
}

impl HistoryShape {
    pub(super) fn func(&self) -> &str {
        &self.0.func
    }
}

impl FromStr for HistoryShape {
    type Err = InvalidHistory;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(',').map(str::trim);
        let func = parts.next().unwrap_or_default();
        if !only_reads(func) {
            return Err(InvalidHistory::Func(text::brief(func, NAME_CHARS_MAX)));
        }
        let mut names = Names::of(func);
        let mut words = Vec::new();
        for part in parts {
            let invalid = || InvalidHistory::Key(text::brief(part, NAME_CHARS_MAX));
            let (key, value) = part.split_once('=').ok_or_else(invalid)?;
            let value = value.trim();
            let is_name = !value.is_empty()
                && value.chars().count() <= NAME_CHARS_MAX
                && !value.chars().any(text::is_unsafe);
            if !is_name {
                return Err(invalid());
            }
            let field = match key.trim() {
                "time" => &mut names.time,
                "text" => &mut names.text,
                "user" => &mut names.user,
                "ip" => &mut names.ip,
                "rebuild" if words.len() == WORDS_MAX => return Err(InvalidHistory::Words),
                "rebuild" => {
                    words.push(value.to_owned());
                    continue;
                }
                _ => return Err(invalid()),
            };
            value.clone_into(field);
        }
        if !words.is_empty() {
            names.rebuild = words;
        }
        Ok(Self(Arc::new(names)))
    }
}

/// As it is typed, without what is as it usually is.
impl fmt::Display for HistoryShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(names) = self;
        let usual = Names::of(&names.func);
        f.write_str(&names.func)?;
        for ((key, name), (_, usual)) in names.fields().into_iter().zip(usual.fields()) {
            if name != usual {
                write!(f, ",{key}={name}")?;
            }
        }
        if names.rebuild != usual.rebuild {
            for word in &names.rebuild {
                write!(f, ",rebuild={word}")?;
            }
        }
        Ok(())
    }
}

/// A function of this name is read, and does nothing.
fn only_reads(func: &str) -> bool {
    let is_plain = func.len() <= NAME_CHARS_MAX
        && func.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
        });
    let last = func.rsplit('.').next().unwrap_or_default();
    is_plain && (last.ends_with("history") || last.ends_with("log"))
}

/// A question for the history of a service.
#[derive(Debug, Clone)]
pub struct HistoryQuery {
    pub service: ServiceId,
    pub shape: HistoryShape,
    /// What was submitted for it last, which the history must not tell.
    pub password: Option<SecretString>,
}

/// What the first page of a service's history says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Operations of the whole history; those of the page where the API does not say.
    pub total: u64,
    /// Operations that could be read.
    pub read: u64,
    /// Those of them that name a rebuild.
    pub rebuilds: u64,
    /// The rebuild that is shown, else the operation of any kind.
    pub shown: Option<Operation>,
    /// It is the newest one, and not just the first: the times can be compared.
    pub is_newest: bool,
}

/// One operation, in the API's own words, bounded and safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// By the API's clock, whose zone nobody knows.
    pub time: Option<String>,
    pub text: String,
    pub user: Option<String>,
    pub ip: Option<String>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(transparent)]
struct Row<'a>(#[serde(borrow)] BTreeMap<String, Text<'a>>);

impl Row<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.filled()
    }
}

impl History {
    /// Reads the page. What holds one of the `secrets` is shown without it.
    pub(super) fn decode(
        body: &str,
        shape: &HistoryShape,
        secrets: &[&str],
    ) -> Result<Self, CallError> {
        let HistoryShape(names) = shape;
        let page: ListPage<Row<'_>> = ListPage::decode(body)?;
        let on_page = page.rows.len() as u64;
        if page.rows.is_empty() && page.total.is_none() {
            return Err(CallError::Garbled("the history is no list".to_owned()));
        }
        let told = |row: &&Row<'_>| row.field(&names.text).is_some();
        let rows: Vec<&Row<'_>> = page.rows.iter().flatten().filter(told).collect();
        if rows.is_empty() && on_page > 0 {
            return Err(CallError::Garbled(format!(
                "no row of the history has a text in `{}`",
                names.text
            )));
        }
        let is_rebuild = |row: &&&Row<'_>| {
            row.field(&names.text)
                .is_some_and(|text| names.is_rebuild(text))
        };
        let rebuilds: Vec<&Row<'_>> = rows.iter().filter(is_rebuild).copied().collect();
        let shown = if rebuilds.is_empty() {
            &rows
        } else {
            &rebuilds
        };
        let times: Option<Vec<&str>> = shown
            .iter()
            .map(|row| sortable(row.field(&names.time)?))
            .collect();
        let newest = times.as_ref().and_then(|times| {
            // The first of equal ones.
            (0..times.len()).rev().max_by_key(|nth| times[*nth])
        });
        let shown = shown.get(newest.unwrap_or(0)).map(|row| {
            let field = |name: &str| {
                let clean = redact(row.field(name)?, secrets);
                Some(text::brief(&clean, FIELD_CHARS_MAX))
            };
            Operation {
                time: field(&names.time),
                text: field(&names.text).unwrap_or_default(),
                user: field(&names.user),
                // A dash says that there is none.
                ip: field(&names.ip).filter(|ip| ip != "-"),
            }
        });
        Ok(Self {
            total: page.total.unwrap_or(on_page).max(on_page),
            read: rows.len() as u64,
            rebuilds: rebuilds.len() as u64,
            shown,
            is_newest: newest.is_some(),
        })
    }

    /// How many rebuilds the whole history names; `None`: not all of it was read.
    pub fn all_rebuilds(&self) -> Option<u64> {
        (self.read == self.total).then_some(self.rebuilds)
    }
}

/// A time that is younger than another one if its text is greater: it begins with a date as `YYYY-MM-DD`.
fn sortable(time: &str) -> Option<&str> {
    let date = time.as_bytes().get(..10)?;
    let is_date = date.iter().enumerate().all(|(nth, byte)| match nth {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    is_date.then_some(time)
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations = if self.read == 1 {
            "operation"
        } else {
            "operations"
        };
        match self.rebuilds {
            _ if self.read == 0 => f.write_str("no operation is in it")?,
            0 => write!(f, "none of {} {operations} names a rebuild", self.read)?,
            1 => write!(f, "1 of {} {operations} names a rebuild", self.read)?,
            rebuilds => write!(f, "{rebuilds} of {} {operations} name a rebuild", self.read)?,
        }
        if self.read < self.total {
            write!(f, ", {} were not read", self.total - self.read)?;
        }
        let Some(shown) = &self.shown else {
            return Ok(());
        };
        let which = if self.is_newest { "newest" } else { "first" };
        write!(f, "; the {which}: ")?;
        if let Some(time) = &shown.time {
            write!(f, "{time} by its own clock, ")?;
        }
        write!(f, "`{}`", shown.text)?;
        if let Some(user) = &shown.user {
            write!(f, ", {user}")?;
        }
        if let Some(ip) = &shown.ip {
            write!(f, ", from {ip}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(text: &str) -> HistoryShape {
        text.parse().unwrap()
    }

    fn read_as(body: &str, text: &str) -> String {
        let secrets = ["0123456789abcdef01234567", "Mypassword1"];
        History::decode(body, &shape(text), &secrets).map_or_else(
            |error| format!("{}: {error}", error.kind()),
            |history| history.to_string(),
        )
    }

    fn read(rows: &str, total: u64) -> String {
        let body = format!(r#"{{"doc":{{"p_elems":{{"$":"{total}"}},"elem":{rows}}}}}"#);
        read_as(&body, "service.history")
    }

    #[test]
    fn the_newest_rebuild_is_shown_in_whichever_order_the_rows_come() {
        let older = r#"{"changedate":{"$":"2026-11-20 10:00:00"},"desc":{"$":"The rebuild process is started"},"user":{"$":"ops"},"ip":{"$":"-"}}"#;
        let newer = r#"{"changedate":{"$":"2026-11-26 23:10:02"},"desc":{"$":"Rebuild: AlmaLinux-8 "},"user":{"$":"ops"},"ip":{"$":"192.0.2.1"}}"#;
        let other = r#"{"changedate":{"$":"2026-11-27 09:00:00"},"desc":{"$":"Tariff changed"}}"#;
        let expected = "2 of 3 operations name a rebuild; the newest: 2026-11-26 23:10:02 by its own clock, `Rebuild: AlmaLinux-8`, ops, from 192.0.2.1";
        assert_eq!(read(&format!("[{other},{newer},{older}]"), 3), expected);
        assert_eq!(read(&format!("[{older},{newer},{other}]"), 3), expected);
        assert_eq!(
            read(other, 120),
            "none of 1 operation names a rebuild, 119 were not read; the newest: 2026-11-27 09:00:00 by its own clock, `Tariff changed`"
        );
        // Of times that nobody knows how to compare, none is called the newest.
        let odd = r#"[{"changedate":"27.11.2026","desc":"rebuilt"},{"changedate":"28.11.2025","desc":"rebuilt"}]"#;
        assert_eq!(
            read(odd, 2),
            "2 of 2 operations name a rebuild; the first: 27.11.2026 by its own clock, `rebuilt`"
        );
    }

    #[test]
    fn an_empty_history_says_so_and_no_list_is_none() {
        assert_eq!(read("[]", 0), "no operation is in it");
        assert_eq!(
            read_as(r#"{"doc":{"p_elems":"0"}}"#, "service.history"),
            "no operation is in it"
        );
        for body in [r#"{"doc":{"ok":{}}}"#, r#"{"doc":{"elem":{}}}"#, "<html>"] {
            assert!(
                read_as(body, "service.history").starts_with("garbled"),
                "{body}"
            );
        }
        let unknown = read(r#"[{"id":"1","what":"rebuild"}]"#, 1);
        assert!(
            unknown.ends_with("no row of the history has a text in `desc`"),
            "{unknown}"
        );
    }

    #[test]
    fn all_of_its_rebuilds_are_known_where_all_of_it_was_read() {
        let all = |total: u64, rows: &str| {
            let body = format!(r#"{{"doc":{{"p_elems":"{total}","elem":{rows}}}}}"#);
            let history = History::decode(&body, &shape("service.history"), &[]);
            history.unwrap().all_rebuilds()
        };
        let rows = r#"[{"desc":"rebuild"},{"desc":"x"}]"#;
        assert_eq!(all(2, rows), Some(1));
        assert_eq!(all(3, rows), None);
        assert_eq!(all(2, r#"[{"desc":"rebuild"},{"desc":[[[]]]},7]"#), None);
    }

    #[test]
    fn every_guess_can_be_told_otherwise() {
        let body = r#"{"doc":{"p_elems":"2","elem":[
            {"when":"2026-11-26 23:10","what":"Переустановка ОС","who":"ops","where":"192.0.2.1"},
            {"when":"2026-11-25 23:10","what":"REINSTALL"}]}}"#;
        let text = "instances.fleio.history,time=when,text=what,user=who,ip=where,rebuild=переустановка,rebuild=Reinstall";
        assert_eq!(
            read_as(body, text),
            "2 of 2 operations name a rebuild; the newest: 2026-11-26 23:10 by its own clock, `Переустановка ОС`, ops, from 192.0.2.1"
        );
        assert_eq!(shape(text).to_string(), text);
        assert_eq!(
            shape(" service.history , text = desc ").to_string(),
            "service.history"
        );
    }

    /// `service.stop` and its like act on the first call.
    #[test]
    fn no_function_is_called_that_may_do_something() {
        for func in [
            "",
            "service.stop",
            "service.history.delete",
            "instances.delete",
            "login",
            "logon",
            "Service.History",
            "service history",
            "service.history\r\nx",
            "func=service.history",
        ] {
            let refused = func.parse::<HistoryShape>();
            assert!(matches!(refused, Err(InvalidHistory::Func(_))), "{func}");
        }
        for text in [
            "service.history,",
            "service.history,desc",
            "service.history,text=",
            "service.history,text=a\u{1b}[2J",
            "service.history,func=service.stop",
        ] {
            let refused = text.parse::<HistoryShape>();
            assert!(matches!(refused, Err(InvalidHistory::Key(_))), "{text}");
        }
        let words = format!("authlog{}", ",rebuild=x".repeat(17));
        assert_eq!(words.parse::<HistoryShape>(), Err(InvalidHistory::Words));
    }

    #[test]
    fn what_is_shown_tells_no_secret_and_steers_no_terminal() {
        let row = format!(
            r#"{{"changedate":"2026-11-26","desc":"rebuild password=Mypassword1 \u001b[2J{}","user":"0123456789abcdef01234567"}}"#,
            "x".repeat(5000)
        );
        let said = read(&format!("[{row}]"), 1);
        assert!(said.contains("rebuild password=*** \\u{1b}[2J"), "{said}");
        assert!(!said.contains("0123456789"), "{said}");
        assert!(said.chars().count() < 300, "{said}");
    }

    proptest! {
        #[test]
        fn no_body_panics_and_all_that_is_said_is_bounded(
            json in r#"\{"doc":\{"p_elems":("1"|1|\{\}),"elem":[\[\]{}":,a-z0-9$]{0,60}"#,
            text in "\\PC{0,200}", time in "\\PC{0,20}",
        ) {
            let _ = History::decode(&json, &shape("service.history"), &["secret"]);
            let row = serde_json::json!({"desc": text, "changedate": {"$": time}, "ip": [text], "user": 7});
            let body = serde_json::json!({"doc": {"elem": [row, [], null], "p_elems": {}}}).to_string();
            let said = read_as(&body, "service.history");
            prop_assert!(said.chars().count() < 600, "{}", said);
            prop_assert!(!said.chars().any(text::is_unsafe));
        }

        #[test]
        fn a_shape_is_read_as_it_is_written(
            names in prop::collection::vec("[a-z$_]{1,8}", 4), words in prop::collection::vec("[a-zа-я ]{0,8}[a-z]", 0..4)
        ) {
            let mut text = format!("service.history,time={},text={},user={},ip={}", names[0], names[1], names[2], names[3]);
            for word in &words {
                text.push_str(",rebuild=");
                text.push_str(word);
            }
            let read = shape(&text);
            prop_assert_eq!(shape(&read.to_string()), read);
        }
    }
}

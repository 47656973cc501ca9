//! The cells of one row → one job, or everything that is wrong with them.

use csv::StringRecord;

use super::cell;
use super::cells::Cells;
use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind, first_error};
use super::header::Header;
use super::rebuild::{self, Reading, Unresolved};
use super::source::Source;
use crate::job::{Action, Expected, Group, NewJob, Order, ServiceId};

/// What became of one line.
#[derive(Debug, Default)]
pub struct Row {
    /// Counted from 1.
    pub line: u64,
    /// The instance, even where something else is wrong with the row.
    pub service: Option<ServiceId>,
    /// What is wrong, and what is worth knowing.
    pub diagnostics: Vec<Diagnostic>,
    /// What is ordered; exactly the rows without an error and without names have it.
    pub job: Option<NewJob>,
    /// Names that were not looked up yet, of a row without an error.
    pub names: Option<Unresolved>,
}

/// The columns that a manifest of `action` must have.
pub fn required(action: Action) -> &'static [Column] {
    match action {
        Action::Rebuild => rebuild::REQUIRED,
    }
}

impl Row {
    /// Understands the cells of `line` of `source`. Those that are missing at its end are
    /// empty. `odd`: those that hold something else than text or a number.
    pub fn parse(
        source: &Source,
        record: &StringRecord,
        header: &Header,
        line: u64,
        odd: &[(usize, DiagnosticKind)],
    ) -> Self {
        let mut cells = Cells::new(record, header, line, odd);
        let service = cells.read(Column::ServiceId, cell::service);
        let mut names = None;
        let order = match source.action() {
            Action::Rebuild => match rebuild::read(&mut cells, service, source.offers()) {
                Reading::Whole(rebuild) => Some(Order::Rebuild(rebuild)),
                Reading::Named(found) => {
                    names = Some(found);
                    None
                }
                Reading::Faulty => None,
            },
        };
        let expected = Expected {
            name: cells.read(Column::ExpectName, cell::pin).flatten(),
            ip: cells.read(Column::ExpectIp, cell::pin).flatten(),
            image: cells.read(Column::ExpectImage, cell::pin).flatten(),
            status: None,
            seen: false,
            contradicted: false,
        };
        let group = cells.read(Column::Group, cell::pin).flatten();
        let ssh_port = cells.read(Column::SshPort, cell::ssh_port).flatten();
        let note = cells.read(Column::Note, cell::note);
        let diagnostics = cells.into_diagnostics();

        let job = match (service, order) {
            (Some(service), Some(order)) if first_error(&diagnostics).is_none() => Some(NewJob {
                line,
                service,
                order,
                expected,
                group: group.as_deref().and_then(Group::new),
                ssh_port,
                note: note.flatten(),
            }),
            _ => None,
        };
        Self {
            line,
            service,
            names: names.filter(|_| first_error(&diagnostics).is_none()),
            diagnostics,
            job,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{ManifestError, Source, rows, validated};

    const IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";

    fn read(text: &str) -> Result<Vec<NewJob>, ManifestError> {
        let source = Source::from_bytes(Action::Rebuild, "fleet.csv", text.as_bytes())?;
        validated(&source)?;
        rows(&source)?.collect()
    }

    fn complaint(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn pins_are_taken_as_the_list_gives_them() {
        let text = format!(
            "Expect Name,expected-ip,EXPECT_IMAGE,service_id,image\n\
             \u{a0}web 1  2 ,2001:db8::1, AlmaLinux-8 ,1,{IMAGE}\n\
             ,,\u{a0},2,{IMAGE}\n\
             '=1+1;'+49,#1 web,a'b,3,{IMAGE}\n"
        );
        let jobs = read(&text).unwrap();
        let found: Vec<_> = jobs
            .iter()
            .map(|job| {
                let Expected {
                    name,
                    ip,
                    image,
                    status,
                    seen: _,
                    contradicted: _,
                } = &job.expected;
                assert_eq!(*status, None);
                [name, ip, image].map(|pin| pin.as_deref().unwrap_or("-"))
            })
            .collect();
        assert_eq!(found[0], ["web 1 2", "2001:db8::1", "AlmaLinux-8"]);
        assert_eq!(found[1], ["-", "-", "-"]);
        assert_eq!(found[2], ["=1+1;+49", "#1 web", "a'b"]);
        let source = Source::from_bytes(Action::Rebuild, "", text.as_bytes()).unwrap();
        let plan = validated(&source).unwrap().plan.to_string();
        let pinned = plan.lines().skip_while(|line| !line.contains("pinned"));
        let pinned = pinned.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let pinned: Vec<_> = pinned.collect();
        assert_eq!(pinned, ["pinned by name 2", "by address 2", "by image 2"]);
    }

    #[test]
    fn a_pin_that_cannot_be_what_was_meant_is_a_fault() {
        for (cell, said) in [
            ("web\u{200b}1", "cannot be seen"),
            ("w\u{fffd}b", "lost in a conversion"),
            ("#REF!", "spreadsheet's error"),
        ] {
            let complaint = complaint(&format!("service_id,image,expect_name\n1,{IMAGE},{cell}\n"));
            assert!(complaint.contains(said), "{complaint}");
            assert!(
                complaint.contains("line 2, column `expect_name`"),
                "{complaint}"
            );
        }
    }

    /// An ignored pin protects nothing, and nobody would notice.
    #[test]
    fn a_column_that_may_be_meant_as_a_pin_is_not_ignored() {
        for (name, meant) in [
            ("expect_hostname", "expect_name"),
            ("expected name!", ""),
            ("expect_addr", "expect_"),
            ("expcet_image", "expect_image"),
            ("еxpect_ip", "expect_ip"),
        ] {
            let text = format!("service_id,image,{name}\n1,{IMAGE},x\n");
            if meant.is_empty() {
                assert!(!read(&text).unwrap()[0].expected.is_nothing(), "{name}");
                continue;
            }
            let complaint = complaint(&text);
            assert!(complaint.contains(&format!("`{meant}")), "{complaint}");
        }
    }

    #[test]
    fn pins_are_no_part_of_what_an_order_is_known_by() {
        let identity = |text: String| {
            let source = Source::from_bytes(Action::Rebuild, "", text.as_bytes()).unwrap();
            validated(&source).unwrap().identity
        };
        let pinned = format!("service_id,image,expect_name\n1,{IMAGE},web-1\n");
        let plain = format!("service_id,image\n1,{IMAGE}\n");
        assert_eq!(identity(pinned), identity(plain));
    }
}

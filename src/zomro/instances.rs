//! What a page of the account's list holds (`func=instances`).

use serde::Deserialize;

use crate::job::{EXPECTED_CHARS_MAX, InstanceStatus, ServiceId};
use crate::text;

use super::call_error::CallError;
use super::rows::ListPage;
use super::shape::{self, Text};

/// One page of the account's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Which page the API says this is, counted from 1; the one asked for where it says nothing.
    pub number: u32,
    /// Rows per page, as the owner chose in the panel.
    pub per_page: Option<u32>,
    /// Rows of the whole list (`p_elems`): the reading is complete when as many rows were read.
    pub total: u64,
    /// Rows on this page, those included that name no instance or cannot be read: then an instance
    /// that is not among `instances` may still be on it.
    pub rows: u64,
    pub instances: Vec<Instance>,
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub service: ServiceId,
    /// Its status in the cloud.
    pub status: InstanceStatus,
    /// Name of the image it runs (the list knows no image ids). What of it could not be read is
    /// U+FFFD.
    pub image: Option<String>,
    /// The owner's name for it, else the tariff's.
    pub name: Option<String>,
    /// Its address, IPv4 where it has one.
    pub ip: Option<String>,
    /// The data centre in which it stands, by name. A name that could not be read whole is none:
    /// instances are told apart by it.
    pub datacenter: Option<String>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default)]
struct Row<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    instance_status: Text<'a>,
    #[serde(borrow)]
    instances_os: Text<'a>,
    #[serde(borrow)]
    servername: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    ip: Text<'a>,
    #[serde(borrow)]
    ip_v6: Text<'a>,
    #[serde(borrow)]
    datacentername: Text<'a>,
}

impl Page {
    /// Rows that name no instance, or not in a way that can be read.
    pub fn unreadable(&self) -> u64 {
        self.rows.saturating_sub(self.instances.len() as u64)
    }

    /// Reads the answer to a request for page `asked`. An answer without the number of all rows is
    /// refused, because it could not be told whether the reading is complete.
    pub(super) fn decode(body: &str, asked: u32) -> Result<Self, CallError> {
        let list: ListPage<Row<'_>> = ListPage::decode(body)?;
        let total = list.total.ok_or_else(|| {
            CallError::Garbled("the list does not say how many rows it has".to_owned())
        })?;
        Ok(Self {
            number: list.number.unwrap_or(asked),
            per_page: list.per_page,
            total,
            rows: list.rows.len() as u64,
            instances: (list.rows.iter().flatten())
                .filter_map(Row::instance)
                .collect(),
        })
    }
}

impl Row<'_> {
    /// `None` for a row that names no instance, or whose id or status is damaged: these are read
    /// strictly, everything else is for people.
    fn instance(&self) -> Option<Instance> {
        let brief = |text: &str| text::brief(text, EXPECTED_CHARS_MAX);
        let status = self.instance_status.trimmed();
        if shape::is_damaged(status) {
            return None;
        }
        Some(Instance {
            service: self.id.trimmed().parse().ok()?,
            status: brief(status).to_lowercase().into(),
            image: self.instances_os.filled().map(brief),
            name: self.servername.filled().or(self.name.filled()).map(brief),
            ip: self.ip.filled().or(self.ip_v6.filled()).map(brief),
            datacenter: self
                .datacentername
                .filled()
                .filter(|name| !shape::is_damaged(name))
                .map(brief),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::rows::ROWS_MAX;
    use super::*;

    #[test]
    fn a_page_is_read_through_noise() {
        let body = r#"{"doc":{"$lang":"en","$func":"instances","metadata":{"x":[1,{}]},
            "p_num":{"$":"2"},"p_cnt":{"$":"50"},"p_elems":{"$":" 53 "},
            "elem":[
              {"id":{"$":"5113119"},"instance_status":{"$":" Active "},"instances_os":{"$":"Ubuntu-22.04 ","$orig":"x"},
               "servername":{"$":"web-1"},"name":{"$":"Cloud-1"},"ip":{"$":"192.0.2.7"},"datacentername":{"$":"NL-1 "},"createdate":[{"$":"1"},{"$":"2"}]},
              {"id":{"$":"5113120"},"instance_status":{},"name":{"$":"Cloud-2"},"ip":{},"ip_v6":"2001:db8::1","datacentername":{}},
              {"id":{"$":"none"},"name":{"$":"Total"}}
            ]}}"#;
        insta::assert_debug_snapshot!(Page::decode(body, 2).unwrap(), @r#"
        Page {
            number: 2,
            per_page: Some(
                50,
            ),
            total: 53,
            rows: 3,
            instances: [
                Instance {
                    service: ServiceId(
                        5113119,
                    ),
                    status: "active",
                    image: Some(
                        "Ubuntu-22.04",
                    ),
                    name: Some(
                        "web-1",
                    ),
                    ip: Some(
                        "192.0.2.7",
                    ),
                    datacenter: Some(
                        "NL-1",
                    ),
                },
                Instance {
                    service: ServiceId(
                        5113120,
                    ),
                    status: "",
                    image: None,
                    name: Some(
                        "Cloud-2",
                    ),
                    ip: Some(
                        "2001:db8::1",
                    ),
                    datacenter: None,
                },
            ],
        }
        "#);
    }

    #[test]
    fn a_list_of_one_and_an_empty_list_are_lists() {
        let one = r#"{"doc":{"p_elems":"1","elem":{"id":{"$":"7"}}}}"#;
        let page = Page::decode(one, 1).unwrap();
        assert_eq!((page.number, page.total, page.rows), (1, 1, 1));
        assert_eq!(page.instances[0].service.get(), 7);
        for empty in [
            r#"{"doc":{"p_elems":{"$":"0"}}}"#,
            r#"{"doc":{"p_elems":{"$":"0"},"elem":{}}}"#,
            r#"{"doc":{"p_elems":{"$":"0"},"elem":[]}}"#,
        ] {
            let page = Page::decode(empty, 1).unwrap();
            assert_eq!((page.total, page.rows, page.instances), (0, 0, Vec::new()));
        }
    }

    #[test]
    fn a_document_without_the_number_of_rows_is_no_list() {
        for body in [
            r#"{"doc":{"ok":{}}}"#,
            r#"{"doc":{"elem":[{"id":{"$":"7"}}]}}"#,
            r#"{"doc":{"p_elems":{"$":"many"},"elem":[{"id":{"$":"7"}}]}}"#,
        ] {
            assert_eq!(Page::decode(body, 1).unwrap_err().kind(), "garbled");
        }
    }

    // Field case D3.
    #[test]
    fn a_row_that_cannot_be_read_hides_no_other() {
        let deep = format!(r#"{{"id":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for odd in [
            r#""7""#,
            "7",
            "[]",
            "[[]]",
            r#"{"id":"9","id":"8"}"#,
            "{\"id\":\"5113\u{fffd}19\"}",
            "{\"id\":\"8\",\"instance_status\":\"act\u{fffd}ive\"}",
            &deep,
        ] {
            let body = format!(
                r#"{{"doc":{{"p_elems":"3","elem":[{{"id":"1"}},{odd},{{"id":"3","servername":"shop {}"}}]}}}}"#,
                '\u{fffd}'
            );
            let page = Page::decode(&body, 1).unwrap();
            assert_eq!((page.rows, page.instances.len()), (3, 2), "{odd}");
            assert_eq!(page.instances[1].name.as_deref(), Some("shop \u{fffd}"));
        }
    }

    // Field case A13.
    #[test]
    fn a_page_with_more_rows_than_any_panel_shows_is_none() {
        let page = |count| {
            let rows = vec![r#"{"id":"1"}"#; count].join(",");
            Page::decode(
                &format!(r#"{{"doc":{{"p_elems":"9","elem":[{rows}]}}}}"#),
                1,
            )
        };
        assert_eq!(page(ROWS_MAX).unwrap().rows, ROWS_MAX as u64);
        assert_eq!(page(ROWS_MAX + 1).unwrap_err().kind(), "garbled");
        let long = "x".repeat(1 << 20);
        let row = format!(r#"{{"id":"1","instances_os":"{long}"}}"#);
        let page =
            Page::decode(&format!(r#"{{"doc":{{"p_elems":"1","elem":{row}}}}}"#), 1).unwrap();
        let image = page.instances[0].image.as_deref().unwrap();
        assert_eq!(image.chars().count(), EXPECTED_CHARS_MAX);
    }

    #[test]
    fn a_data_centre_whose_name_is_damaged_is_none() {
        let of = |name: &str| {
            let row = format!(r#"{{"id":"7","datacentername":"{name}"}}"#);
            let page = Page::decode(&format!(r#"{{"doc":{{"p_elems":"1","elem":{row}}}}}"#), 1);
            page.unwrap().instances[0].datacenter.clone()
        };
        assert_eq!(of(" NL 1 ").as_deref(), Some("NL 1"));
        assert_eq!(of("NL-\u{fffd}"), None);
        assert_eq!(of(" "), None);
    }

    #[test]
    fn foreign_names_cannot_steer_a_terminal() {
        let body = r#"{"doc":{"p_elems":"1","elem":{"id":"7","servername":"\u001b[2J\u202ex"}}}"#;
        let page = Page::decode(body, 1).unwrap();
        assert_eq!(
            page.instances[0].name.as_deref(),
            Some("\\u{1b}[2J\\u{202e}x")
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(json in r#"\{"doc":\{"p_elems":("1"|1|\{\}),"elem":[\[\]{}":,a-z0-9$]{0,60}"#) {
            let _ = Page::decode(&json, 1);
        }
    }
}

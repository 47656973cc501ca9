//! What a page of the account's list holds (`func=instances`).

use serde::Deserialize;

use crate::job::ServiceId;
use crate::text::{self, MESSAGE_CHARS_MAX};

use super::fault::Fault;
use super::shape::{self, Many, Text};

/// One page of the account's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Which page the API says this is, counted from 1; the one asked for where it says nothing.
    pub number: u32,
    /// Rows per page, as the owner chose in the panel.
    pub per_page: Option<u32>,
    /// Rows of the whole list (`p_elems`): the reading is complete when as many rows were read.
    pub total: u64,
    /// Rows on this page, those included that name no instance.
    pub rows: u64,
    /// The instances on this page.
    pub instances: Vec<Instance>,
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The instance.
    pub service: ServiceId,
    /// Its status in the cloud, trimmed and in lower case; empty where the list gives none, as it
    /// may while the instance is being ordered.
    pub status: String,
    /// Name of the image it runs (the list knows no image ids).
    pub image: Option<String>,
    /// The owner's name for it, else the tariff's.
    pub name: Option<String>,
    /// Its address, IPv4 where it has one.
    pub ip: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List<'a> {
    #[serde(borrow)]
    elem: Many<Row<'a>>,
    #[serde(borrow)]
    p_num: Text<'a>,
    #[serde(borrow)]
    p_cnt: Text<'a>,
    #[serde(borrow)]
    p_elems: Text<'a>,
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
}

impl Page {
    /// Reads the answer to a request for page `asked`. Without the number of all rows it could not
    /// be told whether the reading is complete, so such an answer is none.
    pub(super) fn decode(body: &[u8], asked: u32) -> Result<Self, Fault> {
        let list: List<'_> = shape::document(body).map_err(|error| Fault::json(&error))?;
        let total =
            list.p_elems.trimmed().parse().map_err(|_| {
                Fault::Garbled("the list does not say how many rows it has".to_owned())
            })?;
        let Many(mut rows) = list.elem;
        // An empty list may be written as one empty element.
        rows.retain(|row| *row != Row::default());
        Ok(Self {
            number: list.p_num.trimmed().parse().unwrap_or(asked),
            per_page: list.p_cnt.trimmed().parse().ok(),
            total,
            rows: rows.len() as u64,
            instances: rows.iter().filter_map(Row::instance).collect(),
        })
    }
}

impl Row<'_> {
    fn instance(&self) -> Option<Instance> {
        let brief = |text: &str| text::brief(text, MESSAGE_CHARS_MAX);
        Some(Instance {
            service: self.id.trimmed().parse().ok()?,
            status: brief(self.instance_status.trimmed()).to_lowercase(),
            image: self.instances_os.filled().map(brief),
            name: self.servername.filled().or(self.name.filled()).map(brief),
            ip: self.ip.filled().or(self.ip_v6.filled()).map(brief),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_read_through_noise() {
        let body = br#"{"doc":{"$lang":"en","$func":"instances","metadata":{"x":[1,{}]},
            "p_num":{"$":"2"},"p_cnt":{"$":"50"},"p_elems":{"$":" 53 "},
            "elem":[
              {"id":{"$":"5113119"},"instance_status":{"$":" Active "},"instances_os":{"$":"Ubuntu-22.04 ","$orig":"x"},
               "servername":{"$":"web-1"},"name":{"$":"Cloud-1"},"ip":{"$":"192.0.2.7"},"createdate":[{"$":"1"},{"$":"2"}]},
              {"id":{"$":"5113120"},"instance_status":{},"name":{"$":"Cloud-2"},"ip":{},"ip_v6":"2001:db8::1"},
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
                },
            ],
        }
        "#);
    }

    #[test]
    fn a_list_of_one_and_an_empty_list_are_lists() {
        let one = br#"{"doc":{"p_elems":"1","elem":{"id":{"$":"7"}}}}"#;
        let page = Page::decode(one, 1).unwrap();
        assert_eq!((page.number, page.total, page.rows), (1, 1, 1));
        assert_eq!(page.instances[0].service.get(), 7);
        for empty in [
            &br#"{"doc":{"p_elems":{"$":"0"}}}"#[..],
            br#"{"doc":{"p_elems":{"$":"0"},"elem":{}}}"#,
            br#"{"doc":{"p_elems":{"$":"0"},"elem":[]}}"#,
        ] {
            let page = Page::decode(empty, 1).unwrap();
            assert_eq!((page.total, page.rows, page.instances), (0, 0, Vec::new()));
        }
    }

    #[test]
    fn a_document_without_the_number_of_rows_is_no_list() {
        for body in [
            &br#"{"doc":{"ok":{}}}"#[..],
            br#"{"doc":{"elem":[{"id":{"$":"7"}}]}}"#,
            br#"{"doc":{"p_elems":{"$":"many"},"elem":[{"id":{"$":"7"}}]}}"#,
            br#"{"doc":{"p_elems":{"$":"1"},"elem":["7"]}}"#,
        ] {
            assert_eq!(Page::decode(body, 1).unwrap_err().word(), "garbled");
        }
    }

    #[test]
    fn foreign_names_cannot_steer_a_terminal() {
        let body = br#"{"doc":{"p_elems":"1","elem":{"id":"7","servername":"\u001b[2J\u202ex"}}}"#;
        let page = Page::decode(body, 1).unwrap();
        assert_eq!(
            page.instances[0].name.as_deref(),
            Some("\\u{1b}[2J\\u{202e}x")
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(json in r#"\{"doc":\{"p_elems":("1"|1|\{\}),"elem":[\[\]{}":,a-z0-9$]{0,60}"#) {
            let _ = Page::decode(json.as_bytes(), 1);
        }
    }
}

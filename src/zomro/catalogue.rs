//! What can be ordered (`v2.instances.order.pricelist`), and what the account has of its own (`image`,
//! `sshkeys`). What the form of an order offers has the shape of a rebuild form, see `preview`.

use serde::Deserialize;

use crate::job::ImageId;
use crate::text;

use super::call_error::CallError;
use super::choices::Choices;
use super::rows::ListPage;
use super::shape::{self, Many, Text};

/// Names and words are no longer than this; longer ones are cut.
const WORD_CHARS_MAX: usize = 120;

/// The tariffs of one data centre, and which data centres there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tariffs {
    /// Their ids, which the form of an order asks for.
    pub ids: Vec<String>,
    /// The id of the data centre that they are of, where the API says it.
    pub datacenter: Option<String>,
    pub datacenters: Vec<DataCenter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataCenter {
    pub id: String,
    pub name: String,
}

impl DataCenter {
    /// Letter case does not tell data centres apart.
    pub fn is_called(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.trim().to_lowercase()
    }
}

/// One page of a list of the account's own things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPage<T> {
    /// Rows of the whole list, where the API says it.
    pub total: Option<u64>,
    /// Rows on this page, those included that cannot be read.
    pub rows: u64,
    pub own: Vec<T>,
}

/// An image that the account has made or brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// `None`: it has none yet, and cannot be ordered.
    pub id: Option<ImageId>,
    pub name: Option<String>,
    pub status: Option<String>,
    pub min_disk: Option<String>,
    pub min_ram: Option<String>,
}

/// An SSH key of the account, as its own list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnKey {
    pub id: Option<String>,
    pub label: Option<String>,
    pub fingerprint: Option<String>,
    /// Its id in the cloud behind the panel.
    pub uuid: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PriceList<'a> {
    #[serde(borrow)]
    list: Many<TariffList<'a>>,
    #[serde(borrow)]
    datacenter: Text<'a>,
    #[serde(borrow)]
    slist: Many<Choices<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TariffList<'a> {
    #[serde(borrow, rename = "$name")]
    name: Text<'a>,
    #[serde(borrow)]
    elem: Many<Tariff<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tariff<'a> {
    #[serde(borrow)]
    id: Text<'a>,
}

impl Tariffs {
    pub(super) fn decode(body: &str) -> Result<Self, CallError> {
        let document: PriceList<'_> =
            shape::document(body).map_err(|error| CallError::json(&error))?;
        let is_prices = |list: &&TariffList<'_>| matches!(list.name.trimmed(), "pricelist" | "");
        let lists = document.list.0.iter().filter(is_prices);
        let tariffs = lists.flat_map(|list| &list.elem.0);
        let centres = document.slist.0.iter();
        let centres = centres.filter(|list| list.name.trimmed() == "datacenter");
        Ok(Self {
            ids: tariffs.filter_map(|tariff| id(&tariff.id)).collect(),
            datacenter: id(&document.datacenter),
            datacenters: centres
                .flat_map(|list| &list.val.0)
                .filter_map(|choice| {
                    let id = id(&choice.key)?;
                    let name = word(&choice.label).unwrap_or_else(|| id.clone());
                    Some(DataCenter { id, name })
                })
                .collect(),
        })
    }
}

/// An id that goes back to the API, in the name of a field too: anything but a plain word is none.
fn id(text: &Text<'_>) -> Option<String> {
    let text = text.filled()?;
    let is_plain = text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    (is_plain && !matches!(text, "null" | "none")).then(|| text.to_owned())
}

fn word(text: &Text<'_>) -> Option<String> {
    Some(text::brief(text.filled()?, WORD_CHARS_MAX))
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default)]
struct ImageRow<'a> {
    #[serde(borrow)]
    fleio_id: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    fleio_status: Text<'a>,
    #[serde(borrow)]
    min_disk: Text<'a>,
    #[serde(borrow)]
    min_ram: Text<'a>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(default)]
struct KeyRow<'a> {
    #[serde(borrow)]
    elid: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    comment: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    fingerprint: Text<'a>,
    #[serde(borrow)]
    fleio_key_uuid: Text<'a>,
}

impl OwnPage<OwnImage> {
    pub(super) fn images(body: &str) -> Result<Self, CallError> {
        Ok(Self::of(&ListPage::decode(body)?, |row: &ImageRow<'_>| {
            OwnImage {
                id: row.fleio_id.trimmed().parse().ok(),
                name: word(&row.name),
                status: word(&row.fleio_status).map(|status| status.to_lowercase()),
                min_disk: word(&row.min_disk),
                min_ram: word(&row.min_ram),
            }
        }))
    }
}

impl OwnPage<OwnKey> {
    pub(super) fn ssh_keys(body: &str) -> Result<Self, CallError> {
        Ok(Self::of(&ListPage::decode(body)?, |row: &KeyRow<'_>| {
            OwnKey {
                id: word(&row.elid).or_else(|| word(&row.id)),
                label: word(&row.comment).or_else(|| word(&row.name)),
                fingerprint: word(&row.fingerprint),
                uuid: word(&row.fleio_key_uuid),
            }
        }))
    }
}

impl<T> OwnPage<T> {
    fn of<R>(page: &ListPage<R>, own: impl Fn(&R) -> T) -> Self {
        Self {
            total: page.total,
            rows: page.rows.len() as u64,
            own: page.rows.iter().flatten().map(own).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tariffs_are_read_in_every_dress() {
        let many = r#"{"doc":{"datacenter":{"$":"2"},
            "list":[{"$name":"flist"},{"$name":"pricelist","elem":[
              {"id":{"$":"3010"},"title":"x","prices":{"price":{"cost":{"$":"1"}}}},{"id":"3020"}]}],
            "slist":[{"$name":"datacenter","val":[{"$key":"2","$":" NL 1 "},{"$key":"7"},{"$key":"null","$":"-"}]}]}}"#;
        let tariffs = Tariffs::decode(many).unwrap();
        assert_eq!(tariffs.ids, ["3010", "3020"]);
        assert_eq!(tariffs.datacenter.as_deref(), Some("2"));
        let centres = tariffs.datacenters.iter();
        let centres: Vec<_> = centres.map(|one| (&*one.id, &*one.name)).collect();
        assert_eq!(centres, [("2", "NL 1"), ("7", "7")]);
        // As the vendor's article writes it, and with one of each.
        let one = r#"{"doc":{"list":{"elem":{"id":{"$":"3010"}}},
            "slist":{"$name":"datacenter","val":{"$key":"2","$":"NL"}}}}"#;
        let tariffs = Tariffs::decode(one).unwrap();
        assert_eq!((tariffs.ids.len(), tariffs.datacenters.len()), (1, 1));
    }

    #[test]
    fn an_id_that_could_write_a_form_is_none() {
        for id in ["30\\\"10", "3010\\r\\nx", "30 10", "період", ""] {
            let body = format!(r#"{{"doc":{{"list":{{"elem":{{"id":"{id}"}}}}}}}}"#);
            assert_eq!(Tariffs::decode(&body).unwrap().ids, [""; 0], "{id}");
        }
    }

    #[test]
    fn own_images_and_keys_are_read_with_what_they_lack() {
        let images = r#"{"doc":{"p_elems":"3","elem":[
            {"fleio_id":{"$":"18D0EE2E-4D57-4F40-9B56-03C1773B5831"},"name":{"$":"golden"},"fleio_status":" Active ","min_disk":20},
            {"fleio_id":{},"name":{"$":"new"},"fleio_status":{"$":"saving"},"min_ram":{"$":"1024"}},
            "no row"]}}"#;
        let page = OwnPage::images(images).unwrap();
        assert_eq!((page.total, page.rows, page.own.len()), (Some(3), 3, 2));
        assert_eq!(page.own[0].status.as_deref(), Some("active"));
        assert_eq!(page.own[0].min_disk.as_deref(), Some("20"));
        assert_eq!(page.own[1].id, None);
        let keys = r#"{"doc":{"elem":{"elid":{"$":"490"},"comment":{"$":"laptop"},"fingerprint":"SHA256:x"}}}"#;
        let page = OwnPage::ssh_keys(keys).unwrap();
        assert_eq!(page.total, None);
        assert_eq!(page.own[0].id.as_deref(), Some("490"));
        assert_eq!(page.own[0].label.as_deref(), Some("laptop"));
        assert_eq!(page.own[0].uuid, None);
    }

    proptest! {
        #[test]
        fn no_body_panics(json in r#"\{"doc":\{"(elem|list|slist)":[\[\]{}":,a-z0-9$]{0,60}"#) {
            let _ = Tariffs::decode(&json);
            let _ = OwnPage::images(&json);
            let _ = OwnPage::ssh_keys(&json);
        }
    }
}

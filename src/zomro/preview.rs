//! What the rebuild form of an instance offers (`func=instances.fleio.rebuild` without `sok`), and the
//! form of an order, which has the same lists under other names.

use serde::Deserialize;

use crate::job::ImageId;
use crate::text::{self, MESSAGE_CHARS_MAX};

use super::call_error::CallError;
use super::choices::{Choice, Choices};
use super::shape::{self, Many};

/// What one instance can be rebuilt with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    pub images: Vec<Image>,
    pub ssh_keys: Vec<SshKey>,
}

/// An image that the form offers. The same image may be offered in several zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id; it differs from data centre to data centre.
    pub id: ImageId,
    /// Its name, as the list will show it afterwards.
    pub name: String,
    /// Where it stands in the catalogue: what to send as `zone`.
    pub zone: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    /// What to send as `ssh_keys`.
    pub id: String,
    /// The owner's name for it.
    pub label: String,
}

impl Preview {
    /// The zone and the name of an image, where the form offers it.
    pub fn image(&self, id: ImageId) -> Option<&Image> {
        self.images.iter().find(|image| image.id == id)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Lists<'a> {
    #[serde(borrow)]
    slist: Many<Choices<'a>>,
}

impl Preview {
    pub(super) fn decode(body: &str) -> Result<Self, CallError> {
        let form: Lists<'_> = shape::document(body).map_err(|error| CallError::json(&error))?;
        let mut preview = Self::default();
        for list in &form.slist.0 {
            let choices = list.val.0.iter();
            match list.name.trimmed() {
                "select_rebuild" | "instances_os" => {
                    preview.images.extend(choices.filter_map(Choice::image));
                }
                "ssh_keys" | "instances_ssh_keys" => {
                    preview.ssh_keys.extend(choices.filter_map(Choice::ssh_key));
                }
                _ => {}
            }
        }
        Ok(preview)
    }
}

impl Choice<'_> {
    /// `None` for placeholders such as `null`.
    fn image(&self) -> Option<Image> {
        Some(Image {
            id: self.key.trimmed().parse().ok()?,
            name: text::brief(self.label.trimmed(), MESSAGE_CHARS_MAX),
            zone: self.depend.filled().map(str::to_owned),
        })
    }

    /// `None` for the lone `none` of an account without keys.
    fn ssh_key(&self) -> Option<SshKey> {
        let id = self.key.filled()?;
        (!matches!(id, "none" | "null")).then(|| SshKey {
            id: id.to_owned(),
            label: text::brief(self.label.trimmed(), MESSAGE_CHARS_MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn images_keys_and_zones_are_read_and_placeholders_are_not() {
        let body = r#"{"doc":{"elid":{"$":"5113119"},"zone":{"$":"pub"},
            "select_rebuild":{"$":"18d0ee2e-4d57-4f40-9b56-03c1773b5831"},
            "slist":[
              {"$name":"zone","val":[{"$key":"pub","$":"pub"},{"$key":"own","$":"own"}]},
              {"$name":"select_rebuild","val":[
                {"$key":"18D0EE2E-4D57-4F40-9B56-03C1773B5831","$":" AlmaLinux-8 ","$depend":"pub"},
                {"$key":"null","$":"none here","$depend":"own"},
                {"$key":"28d0ee2e-4d57-4f40-9b56-03c1773b5831","$":"Debian-12"}]},
              {"$name":"ssh_keys","val":{"$key":"490","$":"laptop"}}]}}"#;
        insta::assert_debug_snapshot!(Preview::decode(body).unwrap(), @r#"
        Preview {
            images: [
                Image {
                    id: ImageId(
                        18d0ee2e-4d57-4f40-9b56-03c1773b5831,
                    ),
                    name: "AlmaLinux-8",
                    zone: Some(
                        "pub",
                    ),
                },
                Image {
                    id: ImageId(
                        28d0ee2e-4d57-4f40-9b56-03c1773b5831,
                    ),
                    name: "Debian-12",
                    zone: None,
                },
            ],
            ssh_keys: [
                SshKey {
                    id: "490",
                    label: "laptop",
                },
            ],
        }
        "#);
    }

    #[test]
    fn an_account_without_keys_offers_none() {
        let body = r#"{"doc":{"slist":{"$name":"ssh_keys","val":[{"$key":"none","$":"-"}]}}}"#;
        assert_eq!(Preview::decode(body).unwrap(), Preview::default());
    }

    proptest! {
        #[test]
        fn no_body_panics(json in r#"\{"doc":\{"slist":[\[\]{}":,a-z0-9$]{0,60}"#) {
            let _ = Preview::decode(&json);
        }
    }
}

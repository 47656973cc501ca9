//! What may be ordered, and what the account has of its own: the documents that are only read.
//!
//! The function that shows the form of an order takes the order too, with `sok`: that costs money,
//! and no client of ours may ever do it.

use super::config::{Config, DataCenter, Image};
use super::form::Fields;
use super::json::Json;
use super::refusal::Refusal;

/// The form of an order.
pub(super) const ORDER: &str = "v2.instances.order.param";

/// What may be read of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Catalogue {
    Tariffs,
    OrderForm,
    /// The images that the account has made or brought itself.
    OwnImages,
    SshKeys,
}

impl Catalogue {
    pub(super) fn of(func: &str) -> Option<Self> {
        match func {
            "v2.instances.order.pricelist" => Some(Self::Tariffs),
            ORDER => Some(Self::OrderForm),
            "image" => Some(Self::OwnImages),
            "sshkeys" => Some(Self::SshKeys),
            _ => None,
        }
    }

    pub(super) fn document(self, config: &Config, fields: &Fields) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::Tariffs => Ok(tariffs(config, fields)),
            Self::OrderForm => order_form(config, fields).ok_or_else(|| {
                let tariff = fields.get("pricelist").unwrap_or_default();
                Refusal::missed("pricelist", tariff)
            }),
            Self::OwnImages => Ok(own_images(config, fields)),
            Self::SshKeys => Ok(ssh_keys(config, fields)),
        }
    }
}

/// The tariffs of every data centre; the id is this number and the data centre's id.
const TARIFF_IDS: [u32; 2] = [3010, 3020];

/// The tariffs that can be ordered in the data centre that is asked for, else in the first one.
fn tariffs(config: &Config, fields: &Fields) -> Vec<u8> {
    let asked = fields.filled("datacenter");
    let mut json = Json::head(fields);
    let centre = config.datacenters.iter();
    let centre = (centre.clone().find(|centre| Some(&*centre.id) == asked))
        .or(centre.clone().next().filter(|_| asked.is_none()));
    if let Some(centre) = centre {
        json.field("datacenter", &centre.id);
        json.raw("\"list\":[{\"$name\":\"pricelist\",\"elem\":");
        json.many(&TARIFF_IDS, |json, _, tariff| {
            json.raw("{\"id\":{\"$\":")
                .text(&format!("{tariff}{}", centre.id));
            json.raw("},\"title\":{\"$\":")
                .text(&format!("Cloud VPS {tariff}"));
            json.raw("},\"datacenter\":{\"id\":{\"$\":")
                .text(&centre.id);
            json.raw("},\"value\":{\"$\":").text(&centre.name);
            json.raw(
                "}},\"prices\":{\"price\":{\"cost\":{\"$\":\"0.17\"},\"period\":{\"$\":\"-50\"}}}}",
            );
        });
        json.raw("}],");
    }
    json.raw("\"slist\":[{\"$name\":\"datacenter\",\"val\":");
    json.many(&config.datacenters, |json, _, DataCenter { id, name }| {
        json.raw("{\"$key\":").text(id);
        json.raw(",\"$\":").text(name).raw("}");
    });
    json.raw("}],").echo(fields).raw("}}");
    json.0
}

/// The form of an order: the images and keys that its data centre has. `None`: there is no such tariff.
fn order_form(config: &Config, fields: &Fields) -> Option<Vec<u8>> {
    let tariff = fields.filled("pricelist")?;
    let is_of = |centre: &&DataCenter| {
        let mut tariffs = TARIFF_IDS.iter();
        tariffs.any(|id| format!("{id}{}", centre.id) == tariff)
    };
    let centre = config.datacenters.iter().find(is_of)?;
    let images: Vec<&Image> = config.images_at(&centre.name).collect();
    let mut json = Json::head(fields);
    json.raw("\"slist\":[{\"$name\":\"instances_os\",\"val\":");
    json.many(&images, |json, _, image| {
        json.raw("{\"$key\":").text(&image.id.to_string());
        json.raw(",\"$depend\":").text(&image.zone);
        json.raw(",\"$\":").text(&image.name).raw("}");
    });
    json.raw("},{\"$name\":\"instances_ssh_keys\",\"val\":");
    let keys = config.ordered_ssh_keys.as_ref().unwrap_or(&config.ssh_keys);
    if keys.is_empty() {
        json.raw("[{\"$key\":\"none\",\"$\":\"-- none --\"}]");
    } else {
        json.many(keys, |json, _, key| {
            json.raw("{\"$key\":").text(&key.id);
            json.raw(",\"$\":").text(&key.label).raw("}");
        });
    }
    json.raw("}],").echo(fields).raw("}}");
    Some(json.0)
}

/// A page of the images that the account has made or brought itself.
fn own_images(config: &Config, fields: &Fields) -> Vec<u8> {
    let own: Vec<&Image> = config
        .images
        .iter()
        .filter(|image| image.zone == "own")
        .collect();
    page(config, fields, &own, |json, nth, image| {
        json.raw("{").field("id", &(800 + nth).to_string());
        json.field("name", &image.name);
        json.field("fleio_id", &image.id.to_string());
        json.field("fleio_status", "Active ");
        // Some scalars come bare.
        json.raw("\"min_disk\":\"20\",\"min_ram\":{},\"os_distro\":{\"$\":\"linux\"}}");
    })
}

/// A page of the account's SSH keys.
fn ssh_keys(config: &Config, fields: &Fields) -> Vec<u8> {
    page(config, fields, &config.ssh_keys, |json, nth, key| {
        json.raw("{").field("elid", &key.id);
        json.field("comment", &key.label);
        json.field("fingerprint", &format!("SHA256:simulated{nth}"));
        json.raw("\"publicKey\":{\"$\":\"ssh-ed25519 AAAA\"}}");
    })
}

fn page<T>(
    config: &Config,
    fields: &Fields,
    rows: &[T],
    write: impl Fn(&mut Json, usize, &T),
) -> Vec<u8> {
    let size = config.page_size.max(1);
    let number = fields.get("p_num").and_then(|text| text.parse().ok());
    let number = number.unwrap_or(1).max(1);
    let first = size.saturating_mul(number - 1).min(rows.len());
    let shown = &rows[first..first.saturating_add(size).min(rows.len())];
    let mut json = Json::head(fields);
    if !shown.is_empty() {
        json.raw("\"elem\":");
        json.many(shown, |json, nth, row| write(json, first + nth, row));
        json.raw(",");
    }
    json.field("p_cnt", &size.to_string())
        .field("p_num", &number.to_string())
        .field("p_elems", &rows.len().to_string());
    json.echo(fields).raw("}}");
    json.0
}

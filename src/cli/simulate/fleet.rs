//! The rows of a sheet, as the simulated account must know them.

use sha2::{Digest as _, Sha256};

use crate::cli::error::CliError;
use crate::job::{ImageId, same_image};
use crate::manifest::{self, ByName, Offers, Source};
use crate::simulator::{Config, FleetRow};

/// The rows of the sheet. Of images and keys that it names, ids are invented, the same ones each time.
pub fn rows(source: &Source) -> Result<Vec<FleetRow>, CliError> {
    let validated = manifest::validated(source)?;
    let named = ByName {
        images: (validated.plan.image_names.counts.keys())
            .map(|name| (name.clone(), image_id(name)))
            .collect(),
        keys: (validated.plan.key_names.counts.keys().zip(1001..))
            .map(|(label, number)| (label.clone(), number.to_string()))
            .collect(),
    };
    let mut offers = Offers::default();
    offers.add(named.clone().into(), validated.wanted);
    let rows = manifest::rows(&source.clone().with_offers(offers))?;
    let known = |row: FleetRow| FleetRow {
        image_name: (named.images.iter())
            .find(|(_, id)| Some(*id) == row.image)
            .map(|(name, _)| name.clone()),
        key_label: (named.keys.iter())
            .find(|(_, id)| Some(id) == row.ssh_key.as_ref())
            .map(|(label, _)| label.clone()),
        ..row
    };
    rows.map(|row| Ok(known(FleetRow::from(&row?)))).collect()
}

/// The id of an image of this name: the simulator's own, or one made of the name.
fn image_id(name: &str) -> ImageId {
    let images = Config::default().images;
    let known = images.iter().find(|image| same_image(&image.name, name));
    known.map_or_else(
        || {
            let digest: [u8; 32] = Sha256::digest(name).into();
            let half = |at: usize| u64::from_be_bytes(digest.as_chunks::<8>().0[at]);
            let hex = format!("{:016x}{:016x}", half(0), half(1));
            let parts = [
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..],
            ];
            parts.join("-").parse().expect("it is written as a UUID")
        },
        |image| image.id,
    )
}

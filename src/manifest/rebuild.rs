//! The columns that order a rebuild.

use super::cell::{self, Named};
use super::cells::Cells;
use super::column::Column;
use super::diagnostic::{DiagnosticKind, quoted};
use super::offers::{Nameless, Offers};
use crate::job::{Access, AccessKind, ImageId, Rebuild, ServiceId};

/// The columns that a manifest of rebuilds must have.
pub const REQUIRED: &[Column] = &[Column::ServiceId, Column::Image];

/// What a row says of a rebuild.
#[derive(Debug)]
pub enum Reading {
    /// It orders this.
    Whole(Rebuild),
    /// It gives names that were not looked up yet.
    Named(Unresolved),
    /// Its image or its key cannot be read.
    Faulty,
}

/// What a row says of which image or key is a name.
#[derive(Debug)]
pub struct Unresolved {
    pub image: Named<ImageId>,
    pub key: Option<Named<String>>,
    pub zone: Option<String>,
    pub access: AccessKind,
}

/// The rebuild of `service` that a row orders. `offers`: what its names stand for.
pub fn read(cells: &mut Cells<'_>, service: Option<ServiceId>, offers: Option<&Offers>) -> Reading {
    let image = cells.read(Column::Image, cell::image);
    let zone = cells.read(Column::Zone, cell::zone).flatten();
    let (access, key) = access(cells);
    let (Some(image), Some(service)) = (image, service) else {
        return Reading::Faulty;
    };
    let is_named = matches!(image, Named::Name(_)) || matches!(key, Some(Named::Name(_)));
    if is_named && offers.is_none() {
        let access = match key {
            Some(_) => AccessKind::SshKey,
            None => access.kind(),
        };
        return Reading::Named(Unresolved {
            image,
            key,
            zone,
            access,
        });
    }
    let nothing = Offers::default();
    let offers = offers.unwrap_or(&nothing);
    let image = match image {
        Named::Id(id) => Some(id),
        Named::Name(name) => {
            let found = looked_up(cells, Column::Image, &name, offers.image(service, &name));
            if let Some(id) = found.filter(|id| offers.is_unlisted_image(service, *id)) {
                not_listed(cells, Column::Image, &name, &id.to_string());
            }
            found
        }
    };
    let access = match key {
        None => Some(access),
        Some(Named::Id(key)) => Some(Access::SshKey(key)),
        Some(Named::Name(label)) => {
            let found = looked_up(cells, Column::SshKey, &label, offers.key(service, &label));
            if let Some(id) = found
                .as_ref()
                .filter(|id| offers.is_unlisted_key(service, id))
            {
                not_listed(cells, Column::SshKey, &label, id);
            }
            found.map(Access::SshKey)
        }
    };
    match image.zip(access) {
        Some((image, access)) => Reading::Whole(Rebuild {
            image,
            zone,
            access,
        }),
        None => Reading::Faulty,
    }
}

/// What a name stands for; if it is nothing, or more than one thing, that is noted.
fn looked_up<T>(
    cells: &mut Cells<'_>,
    column: Column,
    name: &str,
    found: Result<T, Nameless>,
) -> Option<T> {
    let (kind, more) = match found {
        Ok(id) => return Some(id),
        Err(Nameless::NotAsked) => (DiagnosticKind::NameNotAsked(column), String::new()),
        Err(Nameless::Unknown(near)) if near.is_empty() => {
            (DiagnosticKind::NameUnknown(column), String::new())
        }
        Err(Nameless::Unknown(near)) => (
            DiagnosticKind::NameUnknown(column),
            format!(": was {} meant?", cell::alternatives(&near)),
        ),
        Err(Nameless::Ambiguous(ids)) => (
            DiagnosticKind::NameAmbiguous(column),
            format!(": {}", cell::alternatives(&ids)),
        ),
        Err(Nameless::Disputed { form, catalogue }) => (
            DiagnosticKind::NameDisputed(column),
            format!(
                ": {} there, {} in the catalogue",
                quoted(&form),
                cell::alternatives(&catalogue)
            ),
        ),
    };
    cells.add_with(column, kind, name, &more);
    None
}

/// Warns that the catalogue has never heard of what a name stands for.
fn not_listed(cells: &mut Cells<'_>, column: Column, name: &str, id: &str) {
    let kind = DiagnosticKind::NameNotListed(column);
    cells.add_with(column, kind, name, &format!(": {}", quoted(id)));
}

/// How one gets in, as password, key and switch say together; the key for itself.
fn access(cells: &mut Cells<'_>) -> (Access, Option<Named<String>>) {
    let mut kinds = Vec::new();
    let password = match cells.odd(Column::Password) {
        Some(kind) => {
            kinds.push(kind);
            None
        }
        None => cell::password(cells.raw(Column::Password), |kind| kinds.push(kind)),
    };
    // What is wrong with a password is said without a word of it.
    for kind in kinds {
        cells.add(Column::Password, kind);
    }
    let key_given = !cells.raw(Column::SshKey).trim().is_empty();
    let ssh_key = cells.read(Column::SshKey, cell::ssh_key).flatten();
    let enablessh = cells.read(Column::Enablessh, cell::enablessh).flatten();

    let conflict = match enablessh {
        _ if key_given && password.is_some() => {
            Some((Column::Password, DiagnosticKind::PasswordWithSshKey))
        }
        Some(true) if !key_given => {
            Some((Column::Enablessh, DiagnosticKind::EnablesshOnWithoutKey))
        }
        Some(false) if key_given => Some((Column::Enablessh, DiagnosticKind::EnablesshOffWithKey)),
        Some(_) | None => None,
    };
    if let Some((column, kind)) = conflict {
        cells.add(column, kind);
    }
    (password.map_or(Access::Image, Access::Password), ssh_key)
}

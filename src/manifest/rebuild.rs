//! The columns that order a rebuild.

use super::cell;
use super::cells::Cells;
use super::column::Column;
use super::diagnostic::DiagnosticKind;
use crate::job::{Access, Rebuild};

/// The rebuild that a row orders; `None`: its image cannot be read.
pub fn read(cells: &mut Cells<'_>) -> Option<Rebuild> {
    let image = cells.read(Column::Image, cell::image);
    let zone = cells.read(Column::Zone, cell::zone).flatten();
    let access = access(cells);
    Some(Rebuild {
        image: image?,
        zone,
        access,
    })
}

/// How one gets in, as password, key and switch say together.
fn access(cells: &mut Cells<'_>) -> Access {
    let mut kinds = Vec::new();
    let password = cell::password(cells.raw(Column::Password), |kind| kinds.push(kind));
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
    match (ssh_key, password) {
        (Some(key), _) => Access::SshKey(key),
        (None, Some(password)) => Access::Password(password),
        (None, None) => Access::Image,
    }
}

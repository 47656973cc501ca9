//! The columns that mean something, and how their names are known.

use super::names::{latinised, normalised};

/// A column that means something to refleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The instance.
    ServiceId,
    /// The image it gets.
    Image,
    /// Where the image stands in the provider's catalogue.
    Zone,
    /// Password for root or Administrator.
    Password,
    /// An SSH key of the account.
    SshKey,
    /// Whether the key is used: follows from the other two.
    Enablessh,
    /// The owner's name that the instance must have before it is touched.
    ExpectName,
    /// The address that it must have.
    ExpectIp,
    /// Name of the image that it must run.
    ExpectImage,
    /// The group of which only so many may be down at once.
    Group,
    /// Where the instance answers SSH.
    SshPort,
    /// Free text.
    Note,
}

impl Column {
    /// All of them, in the order in which a person would write them.
    pub const ALL: [Self; 12] = [
        Self::ServiceId,
        Self::Image,
        Self::Zone,
        Self::Password,
        Self::SshKey,
        Self::Enablessh,
        Self::ExpectName,
        Self::ExpectIp,
        Self::ExpectImage,
        Self::Group,
        Self::SshPort,
        Self::Note,
    ];

    /// Its name and its other names. Compared without case, blanks and punctuation.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::ServiceId => &["service_id", "elid", "id", "service"],
            Self::Image => &["image", "select_rebuild", "image_id", "os"],
            Self::Zone => &["zone"],
            Self::Password => &["password"],
            Self::SshKey => &["ssh_key", "ssh_keys", "ssh_key_id"],
            Self::Enablessh => &["enablessh", "use_ssh_key"],
            Self::ExpectName => &["expect_name", "expected_name"],
            Self::ExpectIp => &["expect_ip", "expected_ip"],
            Self::ExpectImage => &["expect_image", "expected_image"],
            Self::Group => &["group", "groups"],
            Self::SshPort => &["ssh_port"],
            Self::Note => &["note", "notes", "comment"],
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.aliases()[0]
    }

    /// The column of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::best(|alias| (alias == name).then_some(0))
    }

    /// The column whose name, or nearly so, is written here in letters of another alphabet.
    pub fn lookalike(name: &str) -> Option<Self> {
        if name.is_ascii() {
            return None;
        }
        let latin = latinised(name);
        let column = Self::of(&latin).or_else(|| Self::near(&latin));
        column.filter(|_| latin != normalised(name))
    }

    /// The column of which this unknown name is a misspelling.
    pub fn near(name: &str) -> Option<Self> {
        // A pin that is ignored protects nothing, and nobody would notice: `expect_hostname`.
        let is_pin = name.starts_with("expect");
        Self::best(|alias| {
            if is_pin && alias.starts_with("expect") {
                return Some(strsim::osa_distance(alias, truncated(name)));
            }
            // In a short name another letter makes another word (`notes`, `votes`); two letters
            // do so up to `service`, `device`.
            let distance_max = match alias.len() {
                0..=4 => return None,
                5..=7 => 1,
                _ => 2,
            };
            // `osa_distance` takes time and memory in the product of the lengths.
            if name.len() > alias.len() + 2 * distance_max {
                return None;
            }
            let distance = strsim::osa_distance(alias, name);
            (distance <= distance_max).then_some(distance)
        })
    }

    fn best(distance: impl Fn(&str) -> Option<usize>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .flat_map(|column| column.aliases().iter().map(move |alias| (column, *alias)))
            .filter_map(|(column, alias)| Some((distance(&normalised(alias))?, column)))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, column)| column)
    }
}

/// As much of a name as is worth comparing: its length is somebody else's.
fn truncated(name: &str) -> &str {
    const BYTES_MAX: usize = 64;
    &name[..name.floor_char_boundary(BYTES_MAX)]
}

//! How the list spells the names of images.

use super::vocabulary::Term;

/// How a list names images, compared with the preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Alike: `AlmaLinux-8`.
    #[default]
    AsPreviewed,
    /// In other letter case: `ALMALINUX-8`.
    Case,
    /// With other punctuation: `almalinux_8`.
    Punctuation,
    /// With more words: `AlmaLinux 8 (x86_64)`.
    Longer,
    /// The family only: `AlmaLinux`.
    Family,
    /// Something else altogether: `template-` and a number that belongs to the name.
    Template,
    /// [`Longer`](Self::Longer) for every second instance, alike for the others.
    Mixed,
    /// With half a surrogate pair at the end: one image is no longer told from another by it.
    Broken,
}

impl Names {
    const WORDS: [Term<Self>; 8] = [
        Term::plain("preview", Self::AsPreviewed),
        Term::plain("case", Self::Case),
        Term::plain("punctuation", Self::Punctuation),
        Term::plain("longer", Self::Longer),
        Term::plain("family", Self::Family),
        Term::plain("template", Self::Template),
        Term::plain("mixed", Self::Mixed),
        Term::plain("broken", Self::Broken),
    ];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Term::find(&Self::WORDS, word).map(|known| known.value)
    }

    /// What the list calls an image that the preview calls `name`, on instance `id`.
    pub(super) fn spell(self, name: &str, id: i64) -> String {
        match self {
            Self::AsPreviewed | Self::Broken => name.to_owned(),
            Self::Case => name.to_uppercase(),
            Self::Punctuation => name.to_lowercase().replace('-', "_"),
            Self::Longer => format!("{} (x86_64)", name.replace('-', " ")),
            Self::Family => name.split('-').next().unwrap_or_default().to_owned(),
            Self::Template => {
                let number = name
                    .bytes()
                    .fold(7_u64, |sum, byte| (sum * 31 + u64::from(byte)) % 100_003);
                format!("template-{number}")
            }
            Self::Mixed if id % 2 == 0 => Self::Longer.spell(name, id),
            Self::Mixed => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_the_field_spells_them() {
        for (names, spelled) in [
            (Names::AsPreviewed, "AlmaLinux-8"),
            (Names::Case, "ALMALINUX-8"),
            (Names::Punctuation, "almalinux_8"),
            (Names::Longer, "AlmaLinux 8 (x86_64)"),
            (Names::Family, "AlmaLinux"),
            (Names::Mixed, "AlmaLinux-8"),
        ] {
            assert_eq!(names.spell("AlmaLinux-8", 5), spelled);
        }
        assert_eq!(Names::Mixed.spell("AlmaLinux-8", 6), "AlmaLinux 8 (x86_64)");
        let template = |name| Names::Template.spell(name, 5);
        assert_eq!(template("CentOS-7"), template("CentOS-7"));
        assert_ne!(template("CentOS-7"), template("CentOS-8"));
    }
}

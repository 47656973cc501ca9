//! Names of images as people write them: when two of them mean the same.
//!
//! The list and the rebuild preview are filled by different programs. They are known to differ in
//! letter case, blanks and punctuation (`AlmaLinux-8`, `Alma Linux 8`), so these do not count.
//! Digits stay apart as they are written: 1.11 is not 11.1, and not 111.

/// The character that stands for what could not be read.
const REPLACEMENT: char = '\u{fffd}';

/// `name` without what does not count; `None` where it is no evidence: nothing of it can be
/// compared, or a part of it could not be read or was cut off.
pub fn image_name_form(name: &str) -> Option<String> {
    if name.contains(REPLACEMENT) || is_cut(name) {
        return None;
    }
    let mut form = String::with_capacity(name.len());
    let mut apart = false;
    for character in name.chars() {
        if !character.is_alphanumeric() {
            apart = true;
            continue;
        }
        if apart && character.is_numeric() && form.ends_with(char::is_numeric) {
            form.push(' ');
        }
        apart = false;
        form.extend(character.to_lowercase());
    }
    (!form.is_empty()).then_some(form)
}

/// A part of the text was left away when it was read: nobody can compare what is missing.
pub fn is_cut(text: &str) -> bool {
    text.ends_with('…')
}

/// The two are known to be names of the same image.
pub fn same_image(one: &str, other: &str) -> bool {
    image_name_form(one).is_some_and(|one| image_name_form(other) == Some(one))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{image_name_form as form, *};

    #[test]
    fn case_blanks_and_punctuation_do_not_count() {
        for name in [
            "AlmaLinux-8",
            "Alma Linux 8",
            "almalinux_8",
            " ALMALINUX (8) ",
        ] {
            assert_eq!(form(name).as_deref(), Some("almalinux8"), "{name}");
        }
        assert_eq!(form("Ubuntu-22.04"), form("ubuntu 22 04"));
    }

    #[test]
    fn digits_stay_apart_as_they_are_written() {
        assert!(same_image("x 1.11", "X-1.11") && !same_image("x 1.11", "x 11.1"));
        let forms: Vec<_> = ["x 1.11", "x 11.1", "x 111", "x 1.1.1"].map(form).into();
        for (nth, one) in forms.iter().enumerate() {
            assert!(!forms[nth + 1..].contains(one), "{one:?}");
        }
    }

    #[test]
    fn what_could_not_be_read_is_no_evidence() {
        for name in ["", " ", "--", "Alma\u{fffd}inux-8", "AlmaLinux-8 with…"] {
            assert_eq!(form(name), None, "{name:?}");
            assert!(!same_image(name, name), "{name:?}");
        }
    }

    proptest! {
        /// A form is a name whose form it is itself, so comparing twice changes nothing.
        #[test]
        fn a_form_is_its_own_form(name in "[a-zA-Z0-9 ._()+-]{1,20}") {
            if let Some(once) = form(&name) {
                prop_assert_eq!(form(&once), Some(once));
            }
        }
    }
}

//! How names of columns are compared.

use unicode_normalization::UnicodeNormalization as _;

/// A column's name without case, blanks and punctuation.
pub fn normalised(name: &str) -> String {
    name.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// [`normalised`], with Latin letters in the place of those that only look like them.
pub fn latinised(name: &str) -> String {
    let latin: String = name.chars().map(latin).collect();
    normalised(&latin)
}

/// The ASCII letter that `character` looks like, in either case; else itself.
pub fn latin(character: char) -> char {
    if character.is_ascii() {
        return character;
    }
    let looks_like = |character: char| {
        let mut text = [0; 4];
        let composed: String = character.encode_utf8(&mut text).nfkc().collect();
        let skeleton: String = unicode_security::skeleton(&composed).collect();
        match skeleton.as_str() {
            // The table takes an m for an r and an n.
            "rn" => Some('m'),
            one if one.len() == 1 => one.chars().next().filter(char::is_ascii_alphanumeric),
            _ => None,
        }
    };
    looks_like(character)
        .or_else(|| {
            // A small Cyrillic к is close enough to k, and its capital is the same.
            let mut upper = character.to_uppercase();
            let capital = upper.next().filter(|_| upper.next().is_none())?;
            Some(looks_like(capital)?.to_ascii_lowercase())
        })
        .unwrap_or(character)
}

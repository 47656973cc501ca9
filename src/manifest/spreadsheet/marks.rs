//! Error values, formulas, quotes and truth values as a spreadsheet writes them.

use super::number::is_digits;

/// `#REF!`, `#DIV/0!`, `#ССЫЛКА!`, `#N/A`, `Err:502`: in capitals, as nobody writes a remark.
pub fn is_error(cell: &str) -> bool {
    const BARE: [&str; 11] = [
        "#N/A", "#N/D", "#NV", "#Н/Д", "#ND", "#BRAK", "#YOK", "#NB", "#I/T", "#SAKNAS", "#IT",
    ];
    const CHARS_MAX: usize = 24;
    if let Some(number) = cell.strip_prefix("Err:") {
        return is_digits(number.trim());
    }
    let Some(name) = cell.strip_prefix('#') else {
        return false;
    };
    let is_name = |name: &str| {
        name.starts_with(char::is_alphabetic)
            && name.chars().all(|character| {
                character.is_uppercase() || matches!(character, '/' | '_' | '0' | ' ')
            })
    };
    BARE.contains(&cell)
        || cell == "#GETTING_DATA"
        || (cell.len() <= CHARS_MAX * 2 && name.strip_suffix(['!', '?']).is_some_and(is_name))
}

/// `########`, which stands for what the column was too narrow to show.
pub fn is_hashes(cell: &str) -> bool {
    cell.len() > 1 && cell.bytes().all(|byte| byte == b'#')
}

/// `="text"`, which keeps a text a text, `=A2`, `=$B$7`, `=VLOOKUP(…)`
pub fn is_formula(text: &str) -> bool {
    let Some(formula) = text.strip_prefix('=') else {
        return false;
    };
    let is_call = formula.ends_with(')') && formula.contains('(');
    let reference = formula.replace('$', "");
    let letters = reference.trim_end_matches(|last: char| last.is_ascii_digit());
    let is_reference = (1..=3).contains(&letters.len())
        && letters.len() < reference.len()
        && letters.bytes().all(|letter| letter.is_ascii_uppercase());
    is_call || is_reference || formula.starts_with('"')
}

/// An apostrophe in front is how a text is entered into a spreadsheet; quotes around it are left
/// where it was quoted twice.
pub fn is_quoted(text: &str) -> bool {
    const QUOTES: [char; 10] = ['\'', '’', '‘', '‚', '"', '“', '”', '„', '«', '»'];
    text.starts_with(QUOTES) || text.ends_with(QUOTES)
}

pub fn is_truth(text: &str) -> bool {
    const WORDS: [&str; 43] = [
        "true",
        "false",
        "истина",
        "ложь",
        "правда",
        "неправда",
        "істина",
        "хибність",
        "хиба",
        "wahr",
        "falsch",
        "vrai",
        "faux",
        "verdadero",
        "falso",
        "vero",
        "verdadeiro",
        "prawda",
        "fałsz",
        "falsz",
        "pravda",
        "nepravda",
        "doğru",
        "yanlış",
        "dogru",
        "yanlis",
        "adevărat",
        "adevarat",
        "fals",
        "patiess",
        "aplams",
        "tiesa",
        "netiesa",
        "waar",
        "onwaar",
        "sant",
        "falskt",
        "igaz",
        "hamis",
        "tosi",
        "epätosi",
        "sand",
        "falsk",
    ];
    text.chars().all(char::is_alphabetic) && WORDS.contains(&text.to_lowercase().as_str())
}

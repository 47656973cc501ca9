//! Numbers and amounts as a spreadsheet writes them.

/// Digits that a spreadsheet's number keeps; what comes behind becomes zeros.
const NUMBER_DIGITS: usize = 15;

/// Letters of a currency's name.
pub const AMOUNT_LETTERS_MAX: usize = 4;

pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `5113119.0`, `5113119,00`
pub fn is_decimal(cell: &str) -> bool {
    cell.split_once(['.', ','])
        .is_some_and(|(whole, fraction)| {
            is_digits(whole) && (fraction.is_empty() || is_digits(fraction))
        })
}

/// `12,13`, `12; 13; 14`. What a spreadsheet makes of a whole number has no fraction but zeros.
pub fn is_list(cell: &str) -> bool {
    let is_zero = |fraction: &str| fraction.bytes().all(|byte| byte == b'0');
    let is_whole = is_decimal(cell) && cell.rsplit(',').next().is_some_and(is_zero);
    let mut values = cell.split([',', ';']).map(str::trim);
    !is_whole && cell.contains([',', ';']) && values.all(is_digits)
}

/// `5.113119E+06`, `5,113119e6`
pub fn is_scientific(cell: &str) -> bool {
    scientific(cell).is_some()
}

/// Mantissa and exponent, the exponent with its sign.
fn scientific(cell: &str) -> Option<(&str, &str)> {
    let (mantissa, exponent) = cell.split_once(['e', 'E'])?;
    let mantissa = mantissa.strip_prefix(['+', '-', '−']).unwrap_or(mantissa);
    let digits = exponent.strip_prefix(['+', '-', '−']).unwrap_or(exponent);
    ((is_digits(mantissa) || is_decimal(mantissa)) && is_digits(digits))
        .then_some((mantissa, exponent))
}

/// Scientific notation as a program writes it. `1234E5678` is none: of that a spreadsheet would
/// have made something else.
pub fn is_rewritten_as_scientific(text: &str) -> bool {
    scientific(text).is_some_and(|(mantissa, exponent)| {
        mantissa.len() == 1 || is_decimal(mantissa) || !is_digits(exponent)
    })
}

/// `5,113,119`, `5.113.119`, `5 113 119`, `5’113’119`, and with a fraction
pub fn has_separators(cell: &str) -> bool {
    const SEPARATORS: [char; 9] = [
        ',', '.', ' ', '\'', '’', '_', '\u{a0}', '\u{2009}', '\u{202f}',
    ];
    if !cell.starts_with(|first: char| first.is_ascii_digit()) {
        return false;
    }
    // The fraction stands behind another separator than the groups.
    let whole = match cell.rsplit_once(['.', ',']) {
        Some((whole, fraction))
            if is_digits(fraction)
                && whole.contains(SEPARATORS)
                && !whole.contains(&cell[whole.len()..=whole.len()]) =>
        {
            whole
        }
        Some(_) | None => cell,
    };
    let mut groups = whole.split(SEPARATORS);
    let is_first = |group: &str| is_digits(group) && group.len() <= 3;
    let is_next = |group: &str| is_digits(group) && group.len() == 3;
    groups.next().is_some_and(is_first) && groups.clone().next().is_some() && groups.all(is_next)
}

/// `5113119000000000123` as a spreadsheet saves it: `5113119000000000000`.
pub fn is_rounded(cell: &str) -> bool {
    let (Some(kept), Some(rest)) = (cell.get(..NUMBER_DIGITS), cell.get(NUMBER_DIGITS..)) else {
        return false;
    };
    is_digits(kept) && !rest.is_empty() && rest.bytes().all(|byte| byte == b'0')
}

/// `$1,234.00`, `1 234,50 zł`, `EUR 12`, `12.5%`, `(1,234.00)`
pub fn is_amount(text: &str) -> bool {
    const CODES: [&str; 24] = [
        "USD", "EUR", "GBP", "RUB", "RUR", "UAH", "PLN", "CZK", "TRY", "RON", "CHF", "BYN", "KZT",
        "GEL", "MDL", "SEK", "NOK", "DKK", "HUF", "BGN", "JPY", "CNY", "INR", "BRL",
    ];
    const SIGNS: [&str; 18] = [
        "$", "€", "£", "¥", "₽", "₴", "₸", "₺", "₹", "zł", "Kč", "kr", "lei", "Ft", "руб.", "р.",
        "грн", "%",
    ];
    let letters = text.chars().filter(|character| character.is_alphabetic());
    if letters.count() > AMOUNT_LETTERS_MAX {
        return false;
    }
    let unsigned = text
        .trim_start_matches(['-', '+', '−', '('])
        .trim_end_matches(')');
    let bare = SIGNS
        .into_iter()
        .chain(CODES)
        .find_map(|sign| {
            unsigned
                .strip_prefix(sign)
                .or_else(|| unsigned.strip_suffix(sign))
        })
        .map(|number| number.trim().trim_start_matches(['-', '+', '−']));
    let is_number =
        |number: &str| is_digits(number) || is_decimal(number) || has_separators(number);
    match bare {
        Some(number) => is_number(number),
        // A sign or an accountant's brackets.
        None => unsigned.len() < text.len() && (is_decimal(unsigned) || has_separators(unsigned)),
    }
}

//! What spreadsheets make of a text that they took for something else.
//!
//! An id that was reshaped is no id any more and gives itself away. A password is any text, and a
//! reshaped one is set without a word: so it is suspected by its shape. The operator can always
//! choose another password, since the rebuild sets it; a lock-out is not so easily mended.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

/// Digits that a spreadsheet's number keeps; what comes behind becomes zeros.
const NUMBER_DIGITS: usize = 15;

/// Letters of a currency's name.
const AMOUNT_LETTERS_MAX: usize = 4;

/// What a spreadsheet seems to have made of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `1.23E+16`
    Scientific,
    /// `12345678.00`, `1,234,567`
    Number,
    /// `1234567890123450000`
    Rounded,
    /// `$1,234.00`, `12%`
    Amount,
    /// `1-Mar-24`, `14:05:00`
    Date,
    /// `TRUE`
    Truth,
    /// `#REF!`
    Error,
    /// `=A2`, `="…"`
    Formula,
    /// `'…`, `"…"`
    Quoted,
}

/// As it stands behind "the password is".
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scientific => "a number in scientific notation",
            Self::Number => "a number with decimals or separators",
            Self::Rounded => "a number that was rounded to 15 digits",
            Self::Amount => "an amount or a share",
            Self::Date => "a date or a time",
            Self::Truth => "a truth value",
            Self::Error => "an error value",
            Self::Formula => "a formula",
            Self::Quoted => "a text in quotes or behind an apostrophe",
        })
    }
}

/// The shape of a password that a spreadsheet seems to have had its hands on.
pub(super) fn shape(password: &str) -> Option<Shape> {
    let text = password.trim();
    if is_ordinary(text) {
        None
    } else if is_formula(text) {
        Some(Shape::Formula)
    } else if is_quoted(text) {
        Some(Shape::Quoted)
    } else if is_error(text) || is_hashes(text) {
        Some(Shape::Error)
    } else if is_rewritten_as_scientific(text) {
        Some(Shape::Scientific)
    } else if is_rounded(text) {
        Some(Shape::Rounded)
    } else if is_decimal(text) || has_separators(text) {
        Some(Shape::Number)
    } else if is_date(text) {
        Some(Shape::Date)
    } else if is_amount(text) {
        Some(Shape::Amount)
    } else if is_truth(text) {
        Some(Shape::Truth)
    } else {
        None
    }
}

/// None of the shapes, told quickly: ASCII with more letters than any of them but dates and truth
/// values, a digit among them, nothing that may stand between the parts of a date, and no mark at
/// its beginning or end. Nearly every password is so.
fn is_ordinary(text: &str) -> bool {
    let (mut letters, mut digits) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' => letters += 1,
            b'0'..=b'9' => digits += 1,
            b'!' | b'$' | b'%' | b'&' | b'*' | b'+' | b';' | b'<' | b'>' | b'?' | b'@' | b'_'
            | b'^' | b'~' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' => {}
            _ => return false,
        }
    }
    letters > AMOUNT_LETTERS_MAX && digits > 0
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `5113119.0`, `5113119,00`
pub(super) fn is_decimal(cell: &str) -> bool {
    cell.split_once(['.', ','])
        .is_some_and(|(whole, fraction)| {
            is_digits(whole) && (fraction.is_empty() || is_digits(fraction))
        })
}

/// `12,13`, `12; 13; 14`. What a spreadsheet makes of a whole number has no fraction but zeros.
pub(super) fn is_list(cell: &str) -> bool {
    let is_zero = |fraction: &str| fraction.bytes().all(|byte| byte == b'0');
    let is_whole = is_decimal(cell) && cell.rsplit(',').next().is_some_and(is_zero);
    let mut values = cell.split([',', ';']).map(str::trim);
    !is_whole && cell.contains([',', ';']) && values.all(is_digits)
}

/// `5.113119E+06`, `5,113119e6`
pub(super) fn is_scientific(cell: &str) -> bool {
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
fn is_rewritten_as_scientific(text: &str) -> bool {
    scientific(text).is_some_and(|(mantissa, exponent)| {
        mantissa.len() == 1 || is_decimal(mantissa) || !is_digits(exponent)
    })
}

/// `5,113,119`, `5.113.119`, `5 113 119`, `5’113’119`, and with a fraction
pub(super) fn has_separators(cell: &str) -> bool {
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
pub(super) fn is_rounded(cell: &str) -> bool {
    let (Some(kept), Some(rest)) = (cell.get(..NUMBER_DIGITS), cell.get(NUMBER_DIGITS..)) else {
        return false;
    };
    is_digits(kept) && !rest.is_empty() && rest.bytes().all(|byte| byte == b'0')
}

/// `#REF!`, `#DIV/0!`, `#ССЫЛКА!`, `#N/A`, `Err:502`: in capitals, as nobody writes a remark.
pub(super) fn is_error(cell: &str) -> bool {
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
pub(super) fn is_hashes(cell: &str) -> bool {
    cell.len() > 1 && cell.bytes().all(|byte| byte == b'#')
}

/// `="text"`, which keeps a text a text, `=A2`, `=$B$7`, `=VLOOKUP(…)`
fn is_formula(text: &str) -> bool {
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
fn is_quoted(text: &str) -> bool {
    const QUOTES: [char; 10] = ['\'', '’', '‘', '‚', '"', '“', '”', '„', '«', '»'];
    text.starts_with(QUOTES) || text.ends_with(QUOTES)
}

fn is_truth(text: &str) -> bool {
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

/// `$1,234.00`, `1 234,50 zł`, `EUR 12`, `12.5%`, `(1,234.00)`
fn is_amount(text: &str) -> bool {
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

/// A date, a time, or both, in a form that a spreadsheet shows: `1-Mar-24`, `мар.24`, `01.03.2024`,
/// `2024-03-01 00:00:00`, `3/1/24 2:05 PM`, `Friday, March 1, 2024`.
pub(super) fn is_date(text: &str) -> bool {
    const CHARS_MAX: usize = 40;
    /// What may stand between the parts, and around them.
    const SEPARATORS: [char; 8] = ['-', '/', '.', ',', ' ', ':', '\u{a0}', '\u{202f}'];
    if text.len() > 2 * CHARS_MAX || !text.contains(SEPARATORS) {
        return false;
    }
    let (day, time) = split_time(text);
    if time == Some(false) {
        return false;
    }
    if day.is_empty() {
        return time.is_some();
    }
    let parts = || day.split(SEPARATORS).filter(|part| !part.is_empty());
    // Numbers first, which tell most passwords from a date.
    let (mut numbers, mut years) = (0, 0);
    for part in parts().filter(|part| is_digits(part)) {
        if !is_year(part) && !is_day(part) {
            return false;
        }
        numbers += 1;
        years += usize::from(is_year(part));
    }
    if !(1..=3).contains(&numbers) {
        return false;
    }
    let mut months = 0;
    for part in parts().filter(|part| !is_digits(part)) {
        if is_month(part) {
            months += 1;
        } else if !is_about_dates(part) {
            return false;
        }
    }
    match (months, numbers) {
        (1, 1 | 2) => true,
        // Numbers alone: with a year, and never a mere `1.3` or an address.
        (0, 3) => years >= 1 && same_separators(day),
        _ => false,
    }
}

/// The part before a time of day, and whether what follows is one; `None`: nothing looks like it.
fn split_time(text: &str) -> (&str, Option<bool>) {
    let Some(colon) = text.find(':') else {
        return (text, None);
    };
    let before = &text[..colon];
    let hour_digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let start = colon - hour_digits;
    let (day, time) = text.split_at(start);
    let day = day.strip_suffix('T').unwrap_or(day).trim_end();
    // The zone, the half of the day and the fraction of a second.
    let time = time.trim_end_matches(|c: char| "APMapmZz. ".contains(c));
    let is_time = time.split(':').count() <= 4
        && time
            .split([':', '.', ',', '+', '-'])
            .all(|part| is_digits(part) && (part.len() <= 3 || part.len() == 6 || part.len() == 4));
    (day, Some(is_time))
}

fn same_separators(day: &str) -> bool {
    let mut separators = day.chars().filter(|character| !character.is_ascii_digit());
    let first = separators.next();
    matches!(first, Some('-' | '/' | '.' | ' ')) && separators.next() == first
}

fn is_day(number: &str) -> bool {
    number.len() <= 2
        && number
            .parse::<u8>()
            .is_ok_and(|day| (1..=31).contains(&day))
}

/// `2024`, `24`, `’24`
fn is_year(number: &str) -> bool {
    number.len() == 2
        || (number.len() == 4
            && number
                .parse::<u16>()
                .is_ok_and(|year| (1900..=2199).contains(&year)))
}

/// The names of months, short and long, in the languages of those who use this.
fn is_month(word: &str) -> bool {
    // English, German, Dutch, French, Spanish, Portuguese, Italian, Romanian, Polish, Czech,
    // Turkish, Latvian, Russian, Ukrainian; months that are written alike stand there once.
    const SHORT: &str = "jan feb mar apr may jun jul aug sep sept oct nov dec jän mär mrz mai okt \
        dez mrt mei janv fév févr mars avr juin juil août aoû déc ene abr ago dic fev set out gen \
        mag giu lug ott iun iul ian sty lut kwi maj cze lip sie wrz paź lis gru led úno bře dub \
        kvě čvn čvc čer srp zář říj pro oca şub nis haz tem ağu eyl eki kas ara febr maijs jūn jūl \
        янв фев февр мар март апр май мая июн июл авг сен сент окт ноя нояб дек \
        січ лют бер кві квіт тра трав чер черв лип сер серп вер жов жовт лис лист гру груд";
    const LONG: &str = "january february march april june july august september october november \
        december januar jänner februar märz juni juli oktober dezember januari februari maart \
        augustus janvier février avril juillet septembre octobre novembre décembre enero febrero \
        marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre janeiro \
        fevereiro março maio junho julho setembro outubro novembro dezembro gennaio febbraio \
        aprile maggio giugno luglio settembre ottobre dicembre ianuarie februarie martie aprilie \
        iunie iulie septembrie octombrie noiembrie decembrie stycznia lutego marca kwietnia maja \
        czerwca lipca sierpnia września października listopada grudnia styczeń marzec kwiecień \
        czerwiec lipiec sierpień wrzesień październik listopad grudzień leden únor březen duben \
        květen červen červenec srpen září říjen prosinec ledna února března dubna května června \
        července srpna října listopadu prosince ocak şubat mart nisan mayıs haziran temmuz ağustos \
        eylül ekim kasım aralık janvāris februāris marts aprīlis jūnijs jūlijs augusts septembris \
        oktobris novembris decembris января февраля марта апреля июня июля августа сентября \
        октября ноября декабря январь февраль апрель июнь июль август сентябрь октябрь ноябрь \
        декабрь січня лютого березня квітня травня червня липня серпня вересня жовтня листопада \
        грудня січень лютий березень квітень травень червень липень серпень вересень жовтень \
        листопад грудень";
    static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        [SHORT, LONG]
            .into_iter()
            .flat_map(str::split_whitespace)
            .collect()
    });
    NAMES.contains(word.to_lowercase().as_str())
}

/// Days of the week, and the words that stand in long dates.
fn is_about_dates(word: &str) -> bool {
    const WORDS: &str = "mon tue wed thu fri sat sun monday tuesday wednesday thursday friday \
        saturday sunday montag dienstag mittwoch donnerstag freitag samstag sonntag mo di mi do fr \
        sa so lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miércoles jueves \
        viernes sábado domingo понедельник вторник среда четверг пятница суббота воскресенье пн \
        вт ср чт пт сб вс понеділок вівторок середа четвер пʼятниця субота неділя de del г р рік \
        st nd rd th r";
    static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| WORDS.split_whitespace().collect());
    NAMES.contains(word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_makes_of_a_password_is_known_by_its_shape() {
        // Field case C4.
        for (shape_of_it, texts) in [
            (
                Shape::Scientific,
                &[
                    "1.23E+16",
                    "1,23E+16",
                    "1E+16",
                    "9e10",
                    "-1.5E-07",
                    "1.23457e+18",
                    "12.3E15",
                    "1.23E+016",
                    "100E+12",
                ][..],
            ),
            (
                Shape::Number,
                &[
                    "12345678.00",
                    "1,234,567",
                    "1 234 567",
                    "1.234.567,89",
                    "12,345,678.90",
                    "1’234’567",
                    "1.5",
                ],
            ),
            (
                Shape::Rounded,
                &["1234567890123450000", "12345678901234500"],
            ),
            (
                Shape::Amount,
                &[
                    "$1,234.00",
                    "1 234,50 zł",
                    "EUR 12345678",
                    "12345678 EUR",
                    "12.50%",
                    "€12.00",
                    "(1,234.00)",
                    "-12.50",
                    "1 234,50 ₽",
                    "₴500",
                ],
            ),
            (
                Shape::Date,
                &[
                    "1-Mar-24",
                    "Mar-24",
                    "01-Mar-2024",
                    "1 Mar 2024",
                    "1. Mär 24",
                    "Mrz 24",
                    "мар.24",
                    "1-мар",
                    "01.03.2024",
                    "2024-03-01",
                    "1/3/2024",
                    "3/1/24",
                    "2024-03-01 00:00:00",
                    "2024-03-01T00:00:00Z",
                    "3/1/2024 14:05",
                    "3/1/24 2:05 PM",
                    "14:05:00",
                    "2:05:00 PM",
                    "1 марта 2024 г.",
                    "Friday, March 1, 2024",
                    "March-24",
                    "Sept-2024",
                    "01-mars-24",
                    "ene-24",
                    "1.mar.24",
                    "12 Juin 2024",
                    "01-Dez-2024",
                    "1-бер-24",
                    "2024/03/01",
                    "01-03-2024",
                    "2024-03-01 00:00:00.000",
                    "Dec 1, 2024",
                ],
            ),
            (
                Shape::Truth,
                &[
                    "TRUE",
                    "False",
                    "ПРАВДА",
                    "ИСТИНА",
                    "ЛОЖЬ",
                    "WAHR",
                    "FALSCH",
                    "PRAWDA",
                    "FAŁSZ",
                ],
            ),
            (
                Shape::Error,
                &[
                    "#REF!",
                    "#N/A",
                    "#VALUE!",
                    "#DIV/0!",
                    "#NAME?",
                    "#NUM!",
                    "#NULL!",
                    "#SPILL!",
                    "#ССЫЛКА!",
                    "#Н/Д",
                    "#ДЕЛ/0!",
                    "#BEZUG!",
                    "Err:502",
                    "########",
                ],
            ),
            (
                Shape::Formula,
                &["=A2", "=$B$17", "=CONCAT(A1;B1)", "=\"Mypassword1\""],
            ),
            (
                Shape::Quoted,
                &[
                    "'Mypassword1",
                    "'Mypassword1'",
                    "\"Mypassword1\"",
                    "’Mypassword1",
                    "Mypassword1'",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(shape(text), Some(shape_of_it), "{text}");
                assert_eq!(shape(&format!(" {text} ")), Some(shape_of_it), "{text}");
            }
        }
    }

    #[test]
    fn ordinary_passwords_are_not_suspected() {
        for password in [
            "Mypassword1",
            "Sesame-Xyzzy-4711",
            "Tr0ub4dor&3",
            "correct Horse 7 battery",
            "A1b2C3d4",
            "1234E5678",
            "Mar24Xyz",
            "Summer-2024",
            "May-the-4th",
            "2024-Winter",
            "#Secret123",
            "#ABC123!x",
            "=Secret12",
            "=x9Kd2!q",
            "E5E5E5E5",
            "9aE+5678",
            "12:Ab:34",
            "192.0.2.1A",
            "10.20.30.40",
            "Pa$$w0rd",
            "100%Sure",
            "$ecret99",
            "A-1-B-2-C",
            "Marz1pan-7",
            "Decembrist-14",
            "Marina-2024",
            "Augusta 22",
            "Jan-Willem-77x",
            "0x1A2B3C4D",
            "True1False0",
            "-Xy12345",
            "+Xy12345",
            "(Xy12345)",
            "5e3f9A1b",
            "Janus:2024",
            "Abc.Def.123",
            "4-Ever-2gether",
        ] {
            assert_eq!(shape(password), None, "{password}");
        }
    }
}

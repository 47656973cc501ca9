//! Dates and times as a spreadsheet writes them.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::number::is_digits;

/// A date, a time, or both, in a form that a spreadsheet shows: `1-Mar-24`, `мар.24`, `01.03.2024`,
/// `2024-03-01 00:00:00`, `3/1/24 2:05 PM`, `Friday, March 1, 2024`.
pub fn is_date(text: &str) -> bool {
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

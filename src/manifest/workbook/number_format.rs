//! What a number format shows of a cell. `.xlsx` has its code, and `ods` puts one together.

/// As what a cell is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As it is stored.
    Stored,
    /// With places for so many digits at least before the point, and for so many at most behind it.
    Digits { whole: u8, fraction: u8 },
    /// A date or a time.
    Date,
    /// Something else, such as a word or other digits.
    Otherwise,
    /// Nothing at all.
    Nothing,
}

/// What a format shows of numbers and of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    number: Shown,
    /// Negative numbers and zero have formats of their own.
    is_divided: bool,
    pub text: Shown,
    /// In white letters.
    pub is_white: bool,
}

impl Format {
    pub const GENERAL: Self = Self {
        number: Shown::Stored,
        is_divided: false,
        text: Shown::Stored,
        is_white: false,
    };

    /// The formats that every program knows by their number (ECMA-376 part 1, 18.8.30).
    pub fn builtin(id: u32) -> Self {
        let number = match id {
            14..=22 | 27..=36 | 45..=47 | 50..=58 | 71..=81 => Shown::Date,
            1 | 3 | 37 | 38 | 41 => Shown::Digits {
                whole: 1,
                fraction: 0,
            },
            2 | 4 | 39 | 40 | 43 => Shown::Digits {
                whole: 1,
                fraction: 2,
            },
            // With a currency, a per cent sign, an exponent, as a fraction, in Thai digits.
            5..=13 | 42 | 44 | 48 | 59..=70 => Shown::Otherwise,
            _ => Shown::Stored,
        };
        Self {
            number,
            is_divided: matches!(id, 37..=44),
            ..Self::GENERAL
        }
    }

    /// Understands the code of a format.
    pub fn parse(code: &str) -> Self {
        if code.is_empty() {
            return Self::GENERAL;
        }
        let sections: Vec<Section> = sections(code);
        // What shows the text is the fourth, or the last one that has a place for it.
        let of_text = sections
            .get(3)
            .or_else(|| sections.last().filter(|section| section.holds('@')));
        let is_conditional = sections.iter().any(|section| section.is_conditional);
        Self {
            number: match sections[0].shown() {
                // Which numbers a condition catches is not looked into.
                _ if is_conditional => Shown::Otherwise,
                shown => shown,
            },
            is_divided: sections.len() > 1,
            text: of_text.map_or(Shown::Stored, Section::shown),
            is_white: sections.iter().any(|section| section.is_white),
        }
    }

    /// As what the number that is written `text` is shown.
    pub fn number(self, text: &str) -> Shown {
        let Shown::Digits { whole, fraction } = self.number else {
            return self.number;
        };
        let (digits, behind) = text.split_once('.').unwrap_or((text, ""));
        let is_own = self.is_divided && (text == "0" || text.starts_with('-'));
        let is_zero_left_out = digits == "0" && whole == 0;
        let fits = digits.len() >= whole.into() && behind.len() <= fraction.into();
        if fits && !is_own && !is_zero_left_out {
            Shown::Stored
        } else {
            Shown::Otherwise
        }
    }
}

/// A part of a format's code: for positive numbers, negative ones, zero, or texts.
#[derive(Default)]
struct Section {
    /// What shows something: places for digits and text; `x` for what is shown literally.
    marks: String,
    is_date: bool,
    is_conditional: bool,
    is_white: bool,
}

impl Section {
    fn holds(&self, mark: char) -> bool {
        self.marks.contains(mark)
    }

    /// Takes a character that is shown as it stands. A blank is none that anybody would misread.
    fn literal(&mut self, character: char) {
        if !character.is_whitespace() {
            self.marks.push('x');
        }
    }

    /// Takes what stands in brackets.
    fn bracket(&mut self, inside: &str) {
        let inside = inside.to_ascii_lowercase();
        // `[h]` counts hours.
        if !inside.is_empty() && inside.chars().all(|part| "hms".contains(part)) {
            self.is_date = true;
        } else if inside == "white" || inside == "color2" || inside == "color 2" {
            self.is_white = true;
        } else if inside.starts_with(['<', '>', '=']) {
            self.is_conditional = true;
        } else if let Some(currency) = inside.strip_prefix('$') {
            // `[$€-407]` shows a sign, `[$-409]` only says whose months are meant.
            if !currency.starts_with('-') {
                self.literal('$');
            }
        } else if !is_colour(&inside) {
            self.literal('x');
        }
    }

    fn shown(&self) -> Shown {
        if self.is_date {
            return Shown::Date;
        }
        match self.marks.as_str() {
            "" => return Shown::Nothing,
            "g" | "@" => return Shown::Stored,
            _ => {}
        }
        let (whole, fraction) = self.marks.split_once('.').unwrap_or((&self.marks, ""));
        let is_place = |place: char| matches!(place, '0' | '#' | '?');
        // Commas stand between digits; behind them they divide by a thousand.
        let are_places = whole.chars().all(|place| is_place(place) || place == ',')
            && fraction.chars().all(is_place)
            && !whole.starts_with(',')
            && !whole.ends_with(',');
        if !are_places {
            return Shown::Otherwise;
        }
        let count = |places: &str, kind: &[char]| {
            let count = places.chars().filter(|place| kind.contains(place)).count();
            u8::try_from(count).unwrap_or(u8::MAX)
        };
        Shown::Digits {
            whole: count(whole, &['0']),
            fraction: count(fraction, &['0', '#', '?']),
        }
    }
}

fn is_colour(word: &str) -> bool {
    const COLOURS: [&str; 7] = ["black", "blue", "cyan", "green", "magenta", "red", "yellow"];
    let number = word.strip_prefix("color").map(str::trim);
    COLOURS.contains(&word) || number.is_some_and(|number| number.parse::<u8>().is_ok())
}

/// The sections of a code; there is at least one.
fn sections(code: &str) -> Vec<Section> {
    const GENERAL: &str = "general";
    let mut sections = vec![Section::default()];
    let mut rest = code;
    while let Some(character) = rest.chars().next() {
        let section = match sections.last_mut() {
            Some(section) if character != ';' => section,
            _ => {
                sections.push(Section::default());
                rest = &rest[1..];
                continue;
            }
        };
        let is_general = rest
            .get(..GENERAL.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(GENERAL));
        if is_general {
            section.marks.push('g');
            rest = &rest[GENERAL.len()..];
            continue;
        }
        rest = &rest[character.len_utf8()..];
        match character {
            '"' => {
                let (inside, behind) = rest.split_once('"').unwrap_or((rest, ""));
                inside.chars().for_each(|inside| section.literal(inside));
                rest = behind;
            }
            '[' => {
                let (inside, behind) = rest.split_once(']').unwrap_or((rest, ""));
                section.bracket(inside);
                rest = behind;
            }
            // The next character is shown as it is, or fills the cell, or leaves as much room.
            '\\' | '*' | '_' => {
                let mut next = rest.chars();
                if let Some(next) = next.next().filter(|_| character != '_') {
                    section.literal(next);
                }
                rest = next.as_str();
            }
            '0' | '#' | '?' | '@' | ',' | '.' => section.marks.push(character),
            'd' | 'm' | 'y' | 'h' | 's' | 'D' | 'M' | 'Y' | 'H' | 'S' => section.is_date = true,
            other => section.literal(other),
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_tells_what_is_shown_of_a_number() {
        for (code, what) in [
            ("yyyy-mm-dd", Shown::Date),
            ("d/m/yy", Shown::Date),
            ("[h]:mm", Shown::Date),
            ("[$-409]mmm\\ d", Shown::Date),
            ("dd.mm.yyyy;@", Shown::Date),
            ("", Shown::Stored),
            ("General", Shown::Stored),
            ("[Red]general", Shown::Stored),
            ("0", Shown::Stored),
            ("#", Shown::Stored),
            ("0000000", Shown::Stored),
            ("0.00", Shown::Stored),
            ("#,##0", Shown::Stored),
            ("#,##0.00_);[Red](#,##0.00)", Shown::Stored),
            ("@", Shown::Stored),
            ("[Red]0", Shown::Stored),
            ("[Color 9]0", Shown::Stored),
            ("[$-407]0", Shown::Stored),
            ("0_m", Shown::Stored),
            ("0\" \"", Shown::Stored),
            ("* 0", Shown::Stored),
            ("0;yyyy", Shown::Stored),
            ("0;\"x\"", Shown::Stored),
            ("00000000", Shown::Otherwise),
            ("\"5\"0", Shown::Otherwise),
            ("0\\1", Shown::Otherwise),
            ("*50", Shown::Otherwise),
            ("#,##0,", Shown::Otherwise),
            ("0,.0", Shown::Otherwise),
            ("0.0,", Shown::Otherwise),
            ("0%", Shown::Otherwise),
            ("0E+00", Shown::Otherwise),
            ("# ?/?", Shown::Otherwise),
            ("000-0000", Shown::Otherwise),
            ("[$€-407]0", Shown::Otherwise),
            ("[>9]0;\"x\"", Shown::Otherwise),
            ("0;[<9]0", Shown::Otherwise),
            ("[DBNum1]0", Shown::Otherwise),
            ("\"see General\"", Shown::Otherwise),
            ("\"see\" General", Shown::Otherwise),
            ("\"9\"@", Shown::Otherwise),
            ("0\" days\"", Shown::Otherwise),
            ("\\d0", Shown::Otherwise),
            ("\"TRUE\";\"TRUE\";\"FALSE\"", Shown::Otherwise),
            ("\"unclosed", Shown::Otherwise),
            (";;;", Shown::Nothing),
            (";;;@", Shown::Nothing),
        ] {
            assert_eq!(Format::parse(code).number("5113119"), what, "{code}");
        }
        for (code, number, what) in [
            ("0", "5113119.5", Shown::Otherwise),
            ("0.0", "5113119.5", Shown::Stored),
            ("0", "-5", Shown::Stored),
            ("0;0", "-5", Shown::Otherwise),
            ("0;0;\"-\"", "0", Shown::Otherwise),
            ("#", "0", Shown::Otherwise),
        ] {
            assert_eq!(Format::parse(code).number(number), what, "{code} {number}");
        }
        for (id, what) in [
            (0, Shown::Stored),
            (1, Shown::Stored),
            (4, Shown::Stored),
            (9, Shown::Otherwise),
            (11, Shown::Otherwise),
            (14, Shown::Date),
            (38, Shown::Stored),
            (48, Shown::Otherwise),
            (49, Shown::Stored),
        ] {
            assert_eq!(Format::builtin(id).number("5113119"), what, "{id}");
        }
    }

    #[test]
    fn a_format_tells_what_is_shown_of_a_text() {
        for (code, what) in [
            ("General", Shown::Stored),
            ("0", Shown::Stored),
            ("@", Shown::Stored),
            ("0;0;0;@", Shown::Stored),
            ("0.00\" EUR\"", Shown::Stored),
            ("dd.mm.yyyy;@", Shown::Stored),
            ("\"9\"@", Shown::Otherwise),
            ("@\\1", Shown::Otherwise),
            ("@@", Shown::Otherwise),
            ("0;0;0;\"x\"", Shown::Otherwise),
            (";;;", Shown::Nothing),
            ("0;0;0;", Shown::Nothing),
        ] {
            assert_eq!(Format::parse(code).text, what, "{code}");
        }
        for (code, is_white) in [("[White]0", true), ("0;[color2]0", true), ("[Red]0", false)] {
            assert_eq!(Format::parse(code).is_white, is_white, "{code}");
        }
    }
}

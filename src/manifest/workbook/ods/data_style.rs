//! How an `.ods` shows numbers and texts: its elements are put together as the code that an `.xlsx`
//! would have (ODF 1.3 part 3, 16.29), so that both are understood alike.

use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::look;
use crate::manifest::workbook::number_format::Format;
use crate::manifest::workbook::xml::Tag;

/// A code that is longer shows something that nobody would take for the number.
const CODE_BYTES_MAX: usize = 256;
const PLACES_MAX: u32 = 30;
/// The code of what shows a word.
const WORD: &str = "\"x\"";

/// A style of numbers or texts.
#[derive(Default)]
pub struct DataStyle {
    /// What it shows itself.
    code: String,
    is_of_texts: bool,
    /// Numbers for which this holds are shown by the style of this name.
    cases: Vec<(String, String)>,
}

impl DataStyle {
    /// The style that an element begins, if it begins one.
    pub fn begin(tag: &Tag<'_>) -> Result<Option<Self>, Fault> {
        let mut style = Self::default();
        match tag.name() {
            "number:number-style" | "number:currency-style" | "number:percentage-style" => {}
            "number:text-style" => style.is_of_texts = true,
            "number:date-style" | "number:time-style" => style.add("y"),
            "number:boolean-style" => style.add(WORD),
            _ => return Ok(None),
        }
        // Digits of another script.
        let script = tag.get("number:transliteration-format")?;
        if script.is_some_and(|script| script != "1") {
            style.add(WORD);
        }
        Ok(Some(style))
    }

    /// Looks at an element of the style; true: its text is shown as it stands.
    pub fn see(&mut self, tag: &Tag<'_>) -> Result<bool, Fault> {
        match tag.name() {
            "number:text"
            | "number:embedded-text"
            | "number:currency-symbol"
            | "number:fill-character" => return Ok(true),
            "number:text-content" => self.add("@"),
            "number:number" => self.number(tag)?,
            "number:scientific-number" => self.add("0E+00"),
            "number:fraction" => self.add("# ?/?"),
            "number:boolean" => self.add(WORD),
            "style:text-properties" => {
                let ink = tag.get("fo:color")?;
                let is_white = ink.is_some_and(|ink| look::is_white(&ink));
                self.add(if is_white { "[White]" } else { "" });
            }
            "style:map" => {
                let condition = tag.named("condition")?;
                let name = tag.named("apply-style-name")?;
                self.cases.push((condition, name));
                // There are positive numbers, negative ones, and zero.
                if self.cases.len() > 3 {
                    self.add(WORD);
                    self.cases.truncate(3);
                }
            }
            _ => {}
        }
        Ok(false)
    }

    /// What is kept of it.
    pub fn bytes(&self) -> usize {
        let cases = self.cases.iter();
        let cases = cases.map(|(condition, name)| condition.len() + name.len());
        self.code.len() + cases.sum::<usize>()
    }

    /// Takes a text that is shown as it stands.
    pub fn literal(&mut self, text: &str) {
        for character in text.chars() {
            self.code.push('\\');
            self.code.push(character);
        }
        self.add("");
    }

    fn add(&mut self, code: &str) {
        self.code.push_str(code);
        if self.code.len() > CODE_BYTES_MAX {
            WORD.clone_into(&mut self.code);
        }
    }

    fn number(&mut self, tag: &Tag<'_>) -> Result<(), Fault> {
        let places = |name| -> Result<Option<usize>, Fault> {
            let places = tag.number(name)?.map(|places| places.min(PLACES_MAX));
            Ok(places.map(|places| places as usize))
        };
        let whole = places("number:min-integer-digits")?.unwrap_or_default();
        let behind = places("number:decimal-places")?;
        let divided = tag.get("number:display-factor")?;
        let replaced = tag.get("number:decimal-replacement")?;
        if divided.is_some_and(|factor| factor.trim() != "1")
            || replaced.is_some_and(|text| !text.trim().is_empty())
        {
            self.add(WORD);
        }
        // Without a number of decimal places there are as many as the number has.
        self.add(&match behind {
            None if whole <= 1 => "General".to_owned(),
            None => format!("{}.{}", "0".repeat(whole), "#".repeat(PLACES_MAX as usize)),
            Some(0) => "#".to_owned() + &"0".repeat(whole),
            Some(behind) => format!("#{}.{}", "0".repeat(whole), "0".repeat(behind)),
        });
        Ok(())
    }

    /// What it shows, where `other` knows other styles by name.
    pub fn format<'a>(&'a self, other: impl Fn(&str) -> Option<&'a Self>) -> Format {
        let case = |signs: &[&str]| {
            let is_it = |condition: &str| {
                let condition: String = condition.split_whitespace().collect();
                signs
                    .iter()
                    .any(|sign| condition == ["value()", sign, "0"].concat())
            };
            let mut cases = self.cases.iter();
            cases.find(|(condition, _)| is_it(condition))
        };
        let above = case(&[">", ">="]);
        let known = [above, case(&["<", "<="]), case(&["="])];
        let are_known = known.iter().flatten().count() == self.cases.len();
        let first = match above {
            Some((_, name)) => other(name).map_or("General", |style| &style.code),
            None => self.code.as_str(),
        };
        // Of a condition on other numbers it is not known which it catches.
        let caught = if are_known && (above.is_some() || self.cases.is_empty()) {
            ""
        } else {
            "[=9]"
        };
        let own = &self.code;
        Format::parse(&match self.is_of_texts {
            true => format!("{caught}{first};{first};{first};{own}"),
            false if self.cases.is_empty() && !own.is_empty() => own.clone(),
            false => format!("{caught}{first};{own}"),
        })
    }
}

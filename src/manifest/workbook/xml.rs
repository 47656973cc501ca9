//! The XML of a part, piece by piece.
//!
//! Nothing is ever expanded: a document that declares entities, or uses one that XML itself does not
//! know, is refused.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader, XmlVersion};
use secrecy::zeroize::Zeroizing;

use super::fault::Fault;
use super::part::Part;
use crate::manifest::limits::{CELL_BYTES_MAX, SHEET_NAME_BYTES_MAX, XML_DEPTH_MAX};
use crate::manifest::sheet_fault::SheetFault;

/// The XML of a part.
pub struct Xml {
    reader: Reader<Part>,
    buffer: Zeroizing<Vec<u8>>,
    depth: usize,
}

/// A piece of it.
pub enum Node<'a> {
    /// An element begins. One that is empty ends next.
    Start(Tag<'a>),
    /// An element ends.
    End,
    Text(Cow<'a, str>),
    /// Nothing that matters: a comment, a declaration.
    Aside,
    /// The document has ended.
    Eof,
}

/// The beginning of an element.
pub struct Tag<'a> {
    start: BytesStart<'a>,
    /// How many elements are open, this one included.
    pub depth: usize,
}

impl Xml {
    pub fn new(part: Part) -> Self {
        let mut reader = Reader::from_reader(part);
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            buffer: Zeroizing::new(Vec::new()),
            depth: 0,
        }
    }

    /// How many elements are open, the one that the last piece began included.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The next piece.
    pub fn next(&mut self) -> Result<Node<'_>, Fault> {
        self.buffer.clear();
        self.reader.get_mut().begin_piece();
        let event = match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(Error::Io(error)) => {
                // The parser shares its errors; this one is nobody else's.
                return Err(match std::sync::Arc::try_unwrap(error) {
                    Ok(error) => error.into(),
                    Err(shared) => Fault::Io(shared.kind().into()),
                });
            }
            Err(_) => return Err(damaged(&mut self.reader)),
        };
        Ok(match event {
            Event::Start(start) | Event::Empty(start) => {
                self.depth += 1;
                if self.depth > XML_DEPTH_MAX {
                    return Err(damaged(&mut self.reader));
                }
                Node::Start(Tag {
                    start,
                    depth: self.depth,
                })
            }
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                Node::End
            }
            Event::Text(text) => Node::Text(text.xml10_content()),
            Event::CData(text) => Node::Text(text.xml10_content()),
            Event::GeneralRef(reference) => Node::Text(resolved(&reference)?),
            Event::DocType(_) => return Err(Fault::of(SheetFault::Entities, "")),
            Event::Decl(declaration) if !is_utf8(&declaration) => {
                return Err(damaged(&mut self.reader));
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => Node::Aside,
            Event::Eof if self.depth > 0 => return Err(damaged(&mut self.reader)),
            Event::Eof => Node::Eof,
        })
    }

    /// Reads over what is left of the element that began last.
    pub fn skip(&mut self) -> Result<(), Fault> {
        let outside = self.depth - 1;
        while self.depth > outside {
            self.next()?;
        }
        Ok(())
    }

    /// Appends the text of the element that began last to `text`, and reads over its end. A text
    /// that is longer than any cell's may be cut off behind that.
    pub fn text(&mut self, text: &mut String) -> Result<(), Fault> {
        let outside = self.depth - 1;
        while self.depth > outside {
            if let Node::Text(piece) = self.next()?
                && text.len() <= CELL_BYTES_MAX
            {
                text.push_str(&piece);
            }
        }
        Ok(())
    }
}

fn damaged(reader: &mut Reader<Part>) -> Fault {
    let part = reader.get_mut().name();
    Fault::damaged(format!("{part} is not well-formed XML"))
}

/// The value of an attribute is this number.
pub fn number(value: &str) -> Result<u32, Fault> {
    let number = value.trim().parse();
    number.map_err(|_| Fault::damaged("it has something else where a number should be"))
}

fn not_well_formed() -> Fault {
    Fault::damaged("it is not well-formed XML")
}

/// Nobody writes another one, and one that is not what it says would be read as something else.
fn is_utf8(declaration: &BytesDecl<'_>) -> bool {
    match declaration.encoding() {
        None => true,
        Some(Ok(encoding)) => encoding.eq_ignore_ascii_case("utf-8"),
        Some(Err(_)) => false,
    }
}

fn resolved(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, Fault> {
    let entities = || Fault::of(SheetFault::Entities, "");
    match reference.resolve_char_ref() {
        Ok(Some(character)) => Ok(Cow::Owned(character.to_string())),
        Ok(None) => resolve_predefined_entity(reference)
            .map(Cow::Borrowed)
            .ok_or_else(entities),
        Err(_) => Err(entities()),
    }
}

impl Tag<'_> {
    /// The element's name without its prefix.
    pub fn local(&self) -> &str {
        self.start.local_name().into_inner()
    }

    /// The element's name with its prefix.
    pub fn name(&self) -> &str {
        self.start.name().into_inner()
    }

    /// The attribute of this name, with its prefix.
    pub fn get(&self, name: &str) -> Result<Option<Cow<'_, str>>, Fault> {
        self.find(|key| key == name)
    }

    /// The attribute of this name, with whatever prefix.
    pub fn get_local(&self, name: &str) -> Result<Option<Cow<'_, str>>, Fault> {
        self.find(|key| key.rsplit(':').next() == Some(name))
    }

    fn find(&self, is_it: impl Fn(&str) -> bool) -> Result<Option<Cow<'_, str>>, Fault> {
        for attribute in self.start.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| not_well_formed())?;
            if is_it(attribute.key.as_ref()) {
                let value = attribute.normalized_value(XmlVersion::Explicit1_0);
                return value.map(Some).map_err(|_| not_well_formed());
            }
        }
        Ok(None)
    }

    /// All attributes, by their names with prefixes: for elements of which there are very many.
    pub fn attributes(&self) -> impl Iterator<Item = Result<(&str, Cow<'_, str>), Fault>> {
        let mut attributes = self.start.attributes();
        attributes.with_checks(false);
        attributes.map(|attribute| {
            let attribute = attribute.map_err(|_| not_well_formed())?;
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            let value = value.map_err(|_| not_well_formed())?;
            Ok((attribute.key.into_inner(), value))
        })
    }

    /// The name that an attribute gives something, to be kept; empty where there is none.
    pub fn named(&self, name: &str) -> Result<String, Fault> {
        let value = self.get_local(name)?.unwrap_or_default();
        if value.len() > SHEET_NAME_BYTES_MAX {
            let what = format!("it has names of more than {SHEET_NAME_BYTES_MAX} bytes");
            return Err(Fault::too_large(what));
        }
        Ok(value.into_owned())
    }

    /// The attribute is `1` or `true`.
    pub fn is(&self, name: &str) -> Result<bool, Fault> {
        let value = self.get(name)?;
        // Blanks around it are no part of it (XML Schema part 2, 4.3.6).
        let value = value.as_deref().map(str::trim);
        Ok(matches!(value, Some("1" | "true" | "on")))
    }

    /// The attribute is this number.
    pub fn number(&self, name: &str) -> Result<Option<u32>, Fault> {
        self.get(name)?.as_deref().map(number).transpose()
    }

    /// The attribute is a length, and not even as long as this one, which is in points or in what
    /// the format counts in. What cannot be understood is as short as that.
    pub fn is_shorter(&self, name: &str, least: f64) -> Result<Option<bool>, Fault> {
        let length = self.get(name)?;
        Ok(length.map(|length| super::hidden::points(&length).is_none_or(|length| length < least)))
    }
}

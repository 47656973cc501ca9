//! The API's JSON: every scalar may be wrapped, empty or repeated, every list may be single.
//!
//! The documents are XML in disguise: text becomes `{"$": "…"}`, an attribute `"$x"`, an empty
//! element `{}`, and a repeated one an array. What is unknown is skipped without being stored;
//! what is known is borrowed from the body where it can be.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A scalar: `{"$": "x"}`, `"x"`, `3`, or the first of several; empty where there is none.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    /// Without the space around it: the API pads some values.
    pub(super) fn trimmed(&self) -> &str {
        self.0.trim()
    }

    /// [`Text::trimmed`], unless that is empty.
    pub(super) fn filled(&self) -> Option<&str> {
        Some(self.trimmed()).filter(|text| !text.is_empty())
    }
}

/// Whether a part of this text could not be decoded.
pub(super) fn is_damaged(text: &str) -> bool {
    text.contains('\u{fffd}')
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scalar;

        impl<'de> Visitor<'de> for Scalar {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(if value { "true" } else { "false" })))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_string())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text::default())
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut text = Text::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if key.0 == "$" {
                        text = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(text)
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let text = seq.next_element()?.unwrap_or_default();
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(text)
            }
        }

        deserializer.deserialize_any(Scalar)
    }
}

/// Every text that a node holds, however deep: for nodes whose shape is not documented.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// The texts, without the space around them; empty ones say nothing.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    }

    /// Takes in those of `more`.
    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNode;

        impl<'de> Visitor<'de> for AnyNode {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<Words, E> {
                Ok(Words(vec![text.to_owned()]))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Words, E> {
                Ok(Words(vec![value.to_string()]))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Words, E> {
                Ok(Words(vec![value.to_string()]))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Words, E> {
                Ok(Words(vec![value.to_string()]))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Words, E> {
                Ok(Words(vec![value.to_string()]))
            }

            fn visit_unit<E>(self) -> Result<Words, E> {
                Ok(Words::default())
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Words, M::Error> {
                let mut words = Words::default();
                while let Some((_, inner)) = map.next_entry::<IgnoredAny, Words>()? {
                    words.extend(inner);
                }
                Ok(words)
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Words, S::Error> {
                let mut words = Words::default();
                while let Some(inner) = seq.next_element()? {
                    words.extend(inner);
                }
                Ok(words)
            }
        }

        deserializer.deserialize_any(AnyNode)
    }
}

/// A JSON object and nothing else. Plain serde structs would also read an array, field by field:
/// `{"doc": ["x"]}` must not pass for a document.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMap<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMap<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer
            .deserialize_any(OnlyMap(PhantomData))
            .map(Object)
    }
}

/// A node that the API gives as an array, or as the object itself where there is only one.
#[derive(Debug)]
pub(super) struct Many<T>(pub(super) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
            type Value = Many<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or an array of objects")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                let one = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Many(vec![one]))
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let mut many = Vec::new();
                while let Some(Object(one)) = seq.next_element()? {
                    many.push(one);
                }
                Ok(Many(many))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Many::default())
            }

            /// An empty element that was written as an empty text. Any other text is no list
            /// either.
            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Many::default())
            }
        }

        deserializer.deserialize_any(OneOrMany(PhantomData))
    }
}

/// The `doc` of a body.
pub(super) fn document<'de, T: Deserialize<'de>>(body: &'de str) -> serde_json::Result<T> {
    #[derive(serde::Deserialize)]
    #[serde(bound = "T: Deserialize<'de>")]
    struct Root<T> {
        doc: Object<T>,
    }

    let Object(Root { doc: Object(doc) }) = serde_json::from_str(body)?;
    Ok(doc)
}

/// For fields that count by being present, even as `null`.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default)]
    struct Row<'a> {
        #[serde(borrow)]
        id: Text<'a>,
    }

    fn text(json: &str) -> String {
        serde_json::from_str::<Text<'_>>(json)
            .unwrap()
            .trimmed()
            .to_owned()
    }

    #[test]
    fn a_scalar_is_read_in_every_dress() {
        for json in [
            r#""x""#,
            r#"" x ""#,
            r#""\u0078""#,
            r#"{"$":"x"}"#,
            r#"{"$orig":"y","$":" x\n","$type":"z"}"#,
            r#"{"$":{"$":"x"}}"#,
            r#"["x","y"]"#,
            r#"[{"$":"x"},{"$":"y"}]"#,
        ] {
            assert_eq!(text(json), "x", "{json}");
        }
        for json in [
            "{}",
            "[]",
            "null",
            r#""""#,
            r#"{"$orig":"y"}"#,
            r#"{"$":{}}"#,
        ] {
            assert_eq!(text(json), "", "{json}");
        }
        assert_eq!(text("3"), "3");
        assert_eq!(text("-3"), "-3");
        assert_eq!(text("true"), "true");
    }

    #[test]
    fn the_texts_of_a_node_are_found_at_any_depth() {
        let words = |json| -> Vec<String> {
            let words: Words = serde_json::from_str(json).unwrap();
            words.iter().map(str::to_owned).collect()
        };
        assert_eq!(
            words(r#"[" a ",{"$":"b","x":[{"y":7},true]},null,"",{}]"#),
            ["a", "b", "7", "true"]
        );
        assert!(words("{}").is_empty());
    }

    #[test]
    fn a_list_is_read_with_one_element_and_with_many() {
        let ids = |json| -> Vec<String> {
            let Many(rows) = serde_json::from_str::<Many<Row<'_>>>(json).unwrap();
            rows.iter().map(|row| row.id.trimmed().to_owned()).collect()
        };
        assert_eq!(ids(r#"[{"id":{"$":"1"}},{"id":"2"}]"#), ["1", "2"]);
        assert_eq!(ids(r#"{"id":{"$":"1"},"noise":[[]]}"#), ["1"]);
        assert!(ids("[]").is_empty());
        assert!(ids("null").is_empty());
        assert!(ids(r#""""#).is_empty());
    }

    #[test]
    fn an_array_is_no_document() {
        for json in [
            r#"[{"id":"1"}]"#,
            r#"{"doc":["1"]}"#,
            r#"{"doc":null}"#,
            r#"{"doc":"1"}"#,
            "{}",
            "",
        ] {
            assert!(document::<Row<'_>>(json).is_err(), "{json}");
        }
        assert!(serde_json::from_str::<Many<Row<'_>>>(r#"[["1"]]"#).is_err());
        let row: Row<'_> = document(r#"{"doc":{"id":"1"}}"#).unwrap();
        assert_eq!(row.id.trimmed(), "1");
    }

    proptest! {
        #[test]
        fn nothing_that_is_no_json_panics(text: String) {
            let _ = document::<Row<'_>>(&text);
            let _ = serde_json::from_str::<Text<'_>>(&text);
            let _ = serde_json::from_str::<Many<Row<'_>>>(&text);
            let _ = serde_json::from_str::<Words>(&text);
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_stack_overflow() {
        let deep = "[".repeat(100_000);
        assert!(serde_json::from_str::<Text<'_>>(&deep).is_err());
        let deep = r#"{"$":"#.repeat(100_000);
        assert!(serde_json::from_str::<Text<'_>>(&deep).is_err());
        assert!(serde_json::from_str::<Words>(&deep).is_err());
    }
}

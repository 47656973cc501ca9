//! Writes JSON piece by piece: the shapes of the API's documents follow no data model.

use super::form::Fields;

#[derive(Default)]
pub(super) struct Json(pub(super) Vec<u8>);

impl Json {
    /// The beginning of every answer, up to its first node.
    pub(super) fn head(fields: &Fields) -> Self {
        let mut json = Self(Vec::with_capacity(1024));
        json.raw("{\"doc\":{\"$lang\":\"en\",\"$func\":");
        json.text(fields.get("func").unwrap_or_default());
        json.raw(
            ",\"$binary\":\"/billmgr\",\"$host\":\"http://127.0.0.1:1500\",\"$themename\":\"lite\",\
             \"$theme\":\"/manimg/lite/\",\"$features\":\"simulator\",\"$notify\":\"0\",",
        );
        json
    }

    pub(super) fn raw(&mut self, json: &str) -> &mut Self {
        self.0.extend_from_slice(json.as_bytes());
        self
    }

    pub(super) fn comma(&mut self, index: usize) -> &mut Self {
        self.raw(if index == 0 { "" } else { "," })
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        serde_json::to_writer(&mut self.0, text).expect("text goes into memory");
        self
    }

    /// Text without its quotes.
    pub(super) fn inner_text(&mut self, text: &str) -> &mut Self {
        let quoted = serde_json::to_string(text).expect("text goes into memory");
        self.raw(&quoted[1..quoted.len() - 1])
    }

    /// `tparams`: the request's parameters, the password among them.
    pub(super) fn echo(&mut self, fields: &Fields) -> &mut Self {
        self.raw("\"tparams\":{");
        for (index, (name, value)) in fields.iter().enumerate() {
            self.comma(index)
                .text(name)
                .raw(":{\"$\":")
                .text(value)
                .raw("}");
        }
        self.raw("}")
    }

    /// Each of `all` as `write` writes it: an array, or where there is only one, that one by itself.
    pub(super) fn many<T>(&mut self, all: &[T], write: impl Fn(&mut Self, usize, &T)) -> &mut Self {
        if let [one] = all {
            write(self, 0, one);
            return self;
        }
        self.raw("[");
        for (index, one) in all.iter().enumerate() {
            self.comma(index);
            write(self, index, one);
        }
        self.raw("]")
    }

    pub(super) fn field(&mut self, name: &str, value: &str) -> &mut Self {
        self.raw("\"")
            .raw(name)
            .raw("\":{\"$\":")
            .text(value)
            .raw("},")
    }
}

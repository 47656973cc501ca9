//! `.ods` whose styles hide something, by whatever way they are inherited.

use super::ods::{document, nth_row, number, row, rows, style, table, text};
use super::{Case, HEADER, csv};

/// The part of the styles that people gave names.
fn named(styles: &str) -> String {
    format!(
        "<office:document-styles><office:styles>{styles}</office:styles></office:document-styles>"
    )
}

/// A document of this table, whose styles stand in a part of their own and before the sheets.
fn styled(of_people: &str, own: &str, rows: &str) -> Vec<u8> {
    document(own, &table("a", rows))
        .with("styles.xml", named(of_people))
        .packed()
}

/// A style without properties that inherits.
fn heir(family: &str, name: &str, parent: &str) -> String {
    format!(
        "<style:style style:name=\"{name}\" style:family=\"{family}\" \
         style:parent-style-name=\"{parent}\"/>"
    )
}

/// What all of a family inherit.
fn default(family: &str, properties: &str) -> String {
    style(family, "", properties).replace("style:style", "style:default-style")
}

/// The style `odd` of cells, with these properties of its text and of its paper.
fn cell_style(text: &str, cell: &str) -> String {
    format!(
        "<style:style style:name=\"odd\" style:family=\"table-cell\">\
         <style:text-properties {text}/><style:table-cell-properties {cell}/></style:style>"
    )
}

/// The second row, or the first id, in this style.
fn low_row(name: &str) -> String {
    let low = format!("<table:table-row table:style-name=\"{name}\"");
    let last = nth_row(1).replacen("<table:table-row", &low, 1);
    [row(&HEADER.map(text)), nth_row(0), last].concat()
}

fn first_id(cell: &str) -> String {
    let first = number("5113119", "5113119");
    assert!(rows().contains(&first));
    rows().replace(&first, cell)
}

fn odd_number() -> String {
    number("5113119", "5113119").replacen("cell", "cell table:style-name=\"odd\"", 1)
}

fn odd_text() -> String {
    text("5113119").replacen("cell", "cell table:style-name=\"odd\"", 1)
}

pub fn cases() -> Vec<Case> {
    let mut cases = sizes();
    cases.extend(looks());
    cases.extend(inherited_looks());
    cases.extend(formats());
    cases
}

#[expect(clippy::too_many_lines, reason = "a table of workbooks")]
fn sizes() -> Vec<Case> {
    let flat = |name: &str| style("table-row", name, "style:row-height=\"0cm\"");
    let narrow = |name: &str| style("table-column", name, "style:column-width=\"0in\"");
    let high = style("table-row", "high", "style:row-height=\"1cm\"").replace(
        "style:family",
        "style:parent-style-name=\"flat\" style:family",
    );
    let row_heir = |name: &str, parent: &str| heir("table-row", name, parent);
    let circle = row_heir("b", "c") + &row_heir("c", "b");
    let columns = |name: &str| {
        format!(
            "<table:table-column/><table:table-column table:style-name=\"{name}\"/>{}",
            rows()
        )
    };
    let long: String = (1..200)
        .map(|nth| row_heir(&format!("n{nth}"), &format!("n{}", nth - 1)))
        .collect();
    let for_paper = named(&flat("x"))
        .replace("office:styles", "office:automatic-styles")
        .replace("name=\"x\"", "name=\"low\"");
    let hidden = style("table", "b", "table:display=\"false\"");
    let two = table("a", &rows()) + &table("b", &rows());
    vec![
        Case::refused(
            "a row of a named style",
            styled(&flat("flat"), "", &low_row("flat")),
            &["row 3"],
        ),
        Case::refused(
            "a row of a style that inherits",
            styled(&flat("flat"), &row_heir("own", "flat"), &low_row("own")),
            &["row 3"],
        ),
        Case::refused(
            "a row of a style that inherits from far",
            styled(
                &(long + &flat("n0")),
                &row_heir("own", "n199"),
                &low_row("own"),
            ),
            &["row 3"],
        ),
        Case::same(
            "a row that is higher than what it inherits from",
            styled(&flat("flat"), &high, &low_row("high")),
            csv(2),
        ),
        Case::refused(
            "a style of the sheet named like one of people",
            styled(&row_heir("flat", ""), &flat("flat"), &low_row("flat")),
            &["row 3"],
        ),
        Case::same(
            "styles that inherit from each other",
            styled(&circle, &row_heir("own", "b"), &low_row("own")),
            csv(2),
        ),
        Case::refused(
            "styles that inherit from each other, and from the default",
            styled(
                &(circle.clone() + &default("table-row", "style:row-height=\"0cm\"")),
                "",
                &low_row("b"),
            ),
            &["row 1"],
        ),
        Case::refused(
            "rows that are low where nothing else is said",
            styled(
                &default("table-row", "style:row-height=\"0pt\""),
                "",
                &rows(),
            ),
            &["row 1"],
        ),
        Case::refused(
            "a column of a named style",
            styled(&narrow("narrow"), "", &columns("narrow")),
            &["cell B1"],
        ),
        Case::refused(
            "columns that are narrow where nothing else is said",
            styled(
                &default("table-column", "style:column-width=\"0pt\""),
                &style("table-column", "wide", "style:column-width=\"3cm\""),
                &columns("wide"),
            ),
            &["cell A1"],
        ),
        Case::same(
            "a style of headers on paper",
            document("", &table("a", &low_row("low")))
                .with("styles.xml", for_paper)
                .packed(),
            csv(2),
        ),
        Case::same(
            "a sheet of a named style is hidden",
            document("", &two)
                .with("styles.xml", named(&hidden))
                .packed(),
            csv(2),
        ),
    ]
}

fn looks() -> Vec<Case> {
    let odd =
        |text: &str, cell: &str| styled("", &cell_style(text, cell), &first_id(&odd_number()));
    let unseen = &["cell A2", "cannot be seen", "--include-hidden"];
    let struck = &["cell A2", "struck through", "--include-hidden"];
    let line = "style:text-line-through-style=\"solid\" style:text-line-through-type=\"single\"";
    let white = "fo:color=\"#ffffff\"";
    let note = text("row 0").replacen("cell", "cell table:style-name=\"odd\"", 1);
    let out = odd_text().replace("5113119", "#5113119");
    let veiled = document(
        &cell_style("", "style:cell-protect=\"hidden-and-protected\""),
        &table("a", &first_id(&odd_number())).replacen(
            "table:name",
            "table:protected=\"true\" table:name",
            1,
        ),
    );
    vec![
        Case::refused("struck through", odd(line, ""), struck),
        Case::same("struck and wanted", odd(line, ""), csv(2)).with_hidden(),
        Case::same(
            "not struck",
            odd("style:text-line-through-style=\"none\"", ""),
            csv(2),
        ),
        Case::same(
            "a note that is struck through",
            styled(
                "",
                &cell_style(line, ""),
                &rows().replace(&text("row 0"), &note),
            ),
            csv(2),
        ),
        Case::same(
            "struck and taken out",
            styled("", &cell_style(line, ""), &first_id(&out)),
            csv(2).replace("5113119", "#5113119"),
        ),
        Case::refused("white on nothing", odd(white, ""), unseen),
        Case::refused(
            "white on white",
            odd(white, "fo:background-color=\"#fefefe\""),
            unseen,
        ),
        Case::refused(
            "white on glass",
            odd(white, "fo:background-color=\"transparent\""),
            unseen,
        ),
        Case::same(
            "white on blue",
            odd(white, "fo:background-color=\"#0000ff\""),
            csv(2),
        ),
        Case::same("white that is wanted", odd(white, ""), csv(2)).with_hidden(),
        Case::same(
            "as the paper demands",
            odd(&format!("{white} style:use-window-font-color=\"true\""), ""),
            csv(2),
        ),
        Case::refused(
            "a protected sheet that shows nothing of it",
            veiled.packed(),
            unseen,
        ),
        Case::same(
            "the same without protection",
            odd("", "style:cell-protect=\"hidden-and-protected\""),
            csv(2),
        ),
    ]
}

fn inherited_looks() -> Vec<Case> {
    let struck = cell_style("style:text-line-through-style=\"solid\"", "");
    let usual = struck.replace("\"odd\"", "\"Default\"");
    let heir = heir("table-cell", "own", "odd");
    let column = |copies: u32| {
        format!(
            "<table:table-column table:number-columns-repeated=\"{copies}\"/>\
             <table:table-column table:default-cell-style-name=\"odd\"/>"
        )
    };
    let in_row = |rows: &str| {
        let styled = "<table:table-row table:default-cell-style-name=\"odd\"><table:table-cell office:value-type=\"float\"";
        let plain = "<table:table-row><table:table-cell office:value-type=\"float\"";
        rows.replacen(plain, styled, 1)
    };
    let own = first_id(&odd_number().replace("odd", "own"));
    let plain = style("table-cell", "plain", "");
    let all_plain = rows().replace("table-cell ", "table-cell table:style-name=\"plain\" ");
    let at = |cell: &'static str| -> &'static [&'static str] {
        match cell {
            "A2" => &["cell A2", "struck through"],
            _ => &["cells C2, C3", "struck through"],
        }
    };
    vec![
        Case::refused("by inheritance", styled(&struck, &heir, &own), at("A2")),
        Case::refused(
            "by its column",
            styled(&struck, "", &(column(2) + &rows())),
            at("C2"),
        ),
        Case::same(
            "a style of its own in such a column",
            styled(&struck, &plain, &(column(2) + &all_plain)),
            csv(2),
        ),
        Case::refused(
            "by its row",
            styled(&struck, "", &in_row(&rows())),
            at("A2"),
        ),
        Case::refused("by the usual style", styled(&usual, "", &rows()), at("A2")),
        Case::refused(
            "by the default",
            styled(
                &struck
                    .replace("style:style", "style:default-style")
                    .replace("style:name=\"odd\"", ""),
                "",
                &rows(),
            ),
            at("A2"),
        ),
        // The cell stands for those of two columns, and one of them is struck.
        Case::refused(
            "by the column of a repeated cell",
            styled(
                &struck,
                "",
                &(column(2)
                    + &rows().replace(
                        &(text(super::A) + &text("Mypassword1")),
                        &text(super::A).replacen(
                            "cell",
                            "cell table:number-columns-repeated=\"2\"",
                            1,
                        ),
                    )),
            ),
            at("C2"),
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table of formats")]
fn formats() -> Vec<Case> {
    let disguised: &[&str] = &["cell A2", "something else than it shows", "`5113119`"];
    let unseen: &[&str] = &["cell A2", "cannot be seen"];
    let in_cell =
        "<style:style style:name=\"odd\" style:family=\"table-cell\" style:data-style-name=\"N\"/>";
    let data = |kind: &str, name: &str, inside: &str| {
        format!("<number:{kind}-style style:name=\"{name}\">{inside}</number:{kind}-style>")
    };
    let of = |format: &str, cell: &str| styled("", &(format.to_owned() + in_cell), &first_id(cell));
    let numbers = |inside: &str| of(&data("number", "N", inside), &odd_number());
    let texts = |inside: &str| of(&data("text", "N", inside), &odd_text());
    let whole = "<number:number number:decimal-places=\"0\" number:min-integer-digits=\"1\"/>";
    let digit = "<number:text>5</number:text>";
    let map = |condition: &str, name: &str| {
        format!("<style:map style:condition=\"{condition}\" style:apply-style-name=\"{name}\"/>")
    };
    let red = data("number", "P", whole)
        + &data(
            "number",
            "N",
            &format!(
                "<style:text-properties fo:color=\"#ff0000\"/><number:text>-</number:text>{whole}{}",
                map("value()&gt;=0", "P")
            ),
        );
    let caught = data("number", "P", "<number:text>x</number:text>")
        + &data(
            "number",
            "N",
            &format!("{whole}{}", map("value()&lt;9000000", "P")),
        );
    let four = ["P0", "P1", "P2"]
        .map(|name| data("text", name, "<number:text/>"))
        .concat()
        + &data(
            "text",
            "N",
            &[
                "<number:text/>",
                &map("value()&gt;0", "P0"),
                &map("value()&lt;0", "P1"),
                &map("value()=0", "P2"),
            ]
            .concat(),
        );
    let of_people = data("number", "N", &format!("{digit}{whole}")) + in_cell;
    vec![
        Case::same("whole numbers", numbers(whole), csv(2)),
        Case::same(
            "general numbers",
            numbers("<number:number number:min-integer-digits=\"1\"/>"),
            csv(2),
        ),
        Case::same("red where negative", of(&red, &odd_number()), csv(2)),
        Case::same("a number as text", of(&data("text", "N", "<number:text-content/>"), &odd_number()), csv(2)),
        Case::refused("a digit before the number", numbers(&format!("{digit}{whole}")), disguised),
        Case::refused("a digit behind it", numbers(&format!("{whole}{digit}")), disguised),
        Case::refused("a digit that fills the cell", numbers(&format!("<number:fill-character>5</number:fill-character>{whole}")), disguised),
        Case::refused(
            "a digit within it",
            numbers(&whole.replace("/>", "><number:embedded-text number:position=\"3\">9</number:embedded-text></number:number>")),
            disguised,
        ),
        Case::refused(
            "in thousands",
            numbers(&whole.replace("/>", " number:display-factor=\"1000\"/>")),
            disguised,
        ),
        Case::refused(
            "zeros before it",
            numbers(&whole.replace("\"1\"", "\"9\"")),
            disguised,
        ),
        Case::refused("with an exponent", numbers("<number:scientific-number/>"), disguised),
        Case::refused("as a fraction", numbers("<number:fraction/>"), disguised),
        Case::refused("as a truth value", of(&data("boolean", "N", "<number:boolean/>"), &odd_number()), disguised),
        Case::refused("in per cent", of(&data("percentage", "N", &format!("{whole}<number:text>%</number:text>")), &odd_number()), disguised),
        Case::refused("as a date", of(&data("date", "N", "<number:year/>"), &odd_number()), &["cell A2"]),
        Case::refused("on a condition", of(&caught, &odd_number()), disguised),
        Case::refused("in digits of another script", of(&data("number", "N", whole).replacen("style:name", "number:transliteration-format=\"一\" style:name", 1), &odd_number()), disguised),
        Case::refused("a number that is not shown", numbers(""), unseen),
        Case::refused(
            "in white by its format",
            numbers(&format!("<style:text-properties fo:color=\"#FFFFFF\"/>{whole}")),
            unseen,
        ),
        Case::refused("by a format of people", styled(&of_people, "", &first_id(&odd_number())), disguised),
        Case::same("a text as it stands", texts("<number:text-content/>"), csv(2)),
        Case::same("a text in a style of numbers", of(&data("number", "N", &format!("{digit}{whole}")), &odd_text()), csv(2)),
        Case::refused("a digit before a text", texts(&format!("{digit}<number:text-content/>")), disguised),
        Case::refused("a text that is not shown", of(&four, &odd_text()), unseen),
        Case::same("a text that is not shown, and is wanted", of(&four, &odd_text()), csv(2)).with_hidden(),
    ]
}

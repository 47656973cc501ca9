//! Workbooks of other programs, which `tests/workbooks/make.py` has made: each beside the CSV that
//! the same program, or the same script, has made of it.

use std::fs;
use std::path::PathBuf;

use super::{Case, csv};

fn file(name: &str) -> Vec<u8> {
    let path = [env!("CARGO_MANIFEST_DIR"), "tests", "workbooks", name];
    let path: PathBuf = path.iter().collect();
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "openpyxl-plain.xlsx",
        "openpyxl-texts.xlsx",
        "openpyxl-write-only.xlsx",
        "libreoffice-plain.xlsx",
        "libreoffice-plain.ods",
        "libreoffice-formulas.xlsx",
        "libreoffice-formulas.ods",
        "libreoffice-strict.xlsx",
    ]
    .into_iter()
    .map(|name| Case::same(name, file(name), csv(3)))
    .collect();
    for (name, words) in [
        (
            "openpyxl-formulas.xlsx",
            &["cells A2-A4", "save it once"][..],
        ),
        ("openpyxl-hidden.xlsx", &["row 3", "cell C1"]),
        (
            "openpyxl-sheets.xlsx",
            &["`--sheet fleet`, `--sheet other`"],
        ),
        ("openpyxl-merged.xlsx", &["C2:C3"]),
        ("openpyxl-kinds.xlsx", &["cell A2", "cell A3", "cell A4"]),
        ("libreoffice-hidden.xlsx", &["row 3", "cell C1"]),
        ("libreoffice-hidden.ods", &["row 3", "cell C1"]),
        ("libreoffice-filtered.xlsx", &["rows 2, 4"]),
        ("libreoffice-filtered.ods", &["rows 2, 4"]),
        ("libreoffice-merged.ods", &["C2:C3"]),
        ("libreoffice-kinds.xlsx", &["cell A2", "cell A3", "cell A4"]),
        ("libreoffice-kinds.ods", &["cell A2", "cell A3", "cell A4"]),
        ("libreoffice-password.ods", &["remove the password"]),
        ("libreoffice-old.xls", &["an old Excel workbook (.xls)"]),
    ] {
        cases.push(Case::refused(name, file(name), words));
    }
    cases
}

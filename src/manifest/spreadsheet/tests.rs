use super::shape::{Shape, shape};

// Field case C4.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of shapes")]
fn what_a_spreadsheet_makes_of_a_password_is_known_by_its_shape() {
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

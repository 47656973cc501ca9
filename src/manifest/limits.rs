//! How much a manifest, and a cell of it, may hold.

/// The longest line. A row needs a few hundred bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// The most columns.
pub const COLUMNS_MAX: usize = 1000;

/// What is held of an input that cannot be read twice: some 3,000,000 rows.
pub const HELD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The longest note, in characters.
pub const NOTE_CHARS_MAX: usize = 1000;

/// The longest password that is taken, in characters.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// The shortest password that the API takes, in characters (vendor's article 466).
pub const PASSWORD_CHARS_MIN: usize = 8;

/// The longest password that the vendor's panel takes, in characters.
pub const PASSWORD_PANEL_CHARS_MAX: usize = 48;

/// The longest name of an image, in characters.
pub const NAME_CHARS_MAX: usize = 120;

/// The longest zone, in characters.
pub const ZONE_CHARS_MAX: usize = 32;

/// The longest SSH key id or label, in characters.
pub const SSH_KEY_CHARS_MAX: usize = 64;

/// The longest list of a workbook's parts, in bytes, and the most parts. Excel writes some dozens.
pub const PARTS_BYTES_MAX: u64 = 1024 * 1024;
pub const PARTS_MAX: u64 = 10_000;

/// The most bytes that a sheet may unpack to: some 4,000,000 rows.
pub const SHEET_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The most bytes that another part of a workbook may unpack to, such as its styles.
pub const PART_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// How many times its size in the file a part may unpack to, from its first mebibyte on. What
/// spreadsheet programs write unpacks to 5 to 80 times its size, and a zip bomb to 1000 times.
pub const UNPACKED_RATIO_MAX: u64 = 200;

/// The longest piece of XML, such as one tag, in bytes.
pub const XML_PIECE_BYTES_MAX: usize = 1024 * 1024;

/// How deeply XML may be nested.
pub const XML_DEPTH_MAX: usize = 128;

/// What is held of the texts that the cells of an `.xlsx` share, in bytes, and how many they are.
pub const SHARED_TEXT_BYTES_MAX: usize = 32 * 1024 * 1024;
pub const SHARED_TEXTS_MAX: usize = 2_000_000;

/// The most sheets of a workbook.
pub const SHEETS_MAX: usize = 1000;

/// The most rows and columns that a sheet can have, which are Excel's.
pub const SHEET_ROWS_MAX: u32 = 1024 * 1024;
pub const SHEET_COLUMNS_MAX: u32 = 16 * 1024;

/// The longest text that is read of a cell of a workbook, in characters and in bytes. No column that
/// means something may hold so much.
pub const CELL_CHARS_MAX: usize = 4096;
pub const CELL_BYTES_MAX: usize = CELL_CHARS_MAX * 4;

/// The longest name of a sheet, a part or a style, in bytes. Excel's sheets have 31 characters.
pub const SHEET_NAME_BYTES_MAX: usize = 1024;

/// The most text that the cells of a sheet may hold, in bytes: so much in any case, so many times the
/// size of the file besides, and never more than that. A text that many cells share counts for each.
pub const SHEET_TEXT_BYTES_ANY: u64 = 16 * 1024 * 1024;
pub const SHEET_TEXT_RATIO_MAX: u64 = 64;
pub const SHEET_TEXT_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// The most merged areas of a sheet.
pub const MERGED_MAX: usize = 10_000;

/// The most styles of a workbook, and what is held of their names and of what they show, in bytes.
pub const STYLES_MAX: usize = 100_000;
pub const STYLE_TEXT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most cells of a sheet that may hold something.
pub const SHEET_CELLS_MAX: usize = 50_000_000;

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

//! Parse, start, exit code: nothing else.

fn main() {}

//! Who types a command.

use std::fs;

use crate::text;

/// A name is not longer.
const NAME_CHARS_MAX: usize = 64;

/// The user, as the system calls it; and who became that user through `sudo`.
pub fn operator() -> String {
    let user = rustix::process::getuid().as_raw();
    let known = fs::read_to_string("/etc/passwd").ok();
    let known = known.and_then(|users| name_of(user, &users).map(str::to_owned));
    // A directory service keeps its users elsewhere; what the login has set is the next best.
    let name = known
        .or_else(|| variable("LOGNAME"))
        .or_else(|| variable("USER"))
        .unwrap_or_else(|| format!("user {user}"));
    let name = text::brief(&name, NAME_CHARS_MAX);
    match variable("SUDO_USER") {
        Some(sudo) => format!("{name} (sudo by {})", text::brief(&sudo, NAME_CHARS_MAX)),
        None => name,
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The name of `user` in the text of `/etc/passwd`.
fn name_of(user: u32, users: &str) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let number = fields.nth(1)?;
        (number.parse() == Ok(user)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_number() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\n+:::::::\n\nanna:x:1000:1000::/home/anna:/bin/sh\n";
        assert_eq!(name_of(0, users), Some("root"));
        assert_eq!(name_of(1000, users), Some("anna"));
        assert_eq!(name_of(100, users), None);
    }
}

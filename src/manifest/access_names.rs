//! What the name of an unknown column may stand for.
//!
//! A column that is ignored although it was meant locks the owner out of a machine that was just
//! wiped. So a name is not only known or unknown: it may be written in letters that only look like
//! Latin ones, and it may be the word for a password or a key in another language.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::access_words::{
    ABOUT_KEYS, ABOUT_LOGINS, ABOUT_SSH, CLERKS, CREDENTIAL_BEGINNINGS, CREDENTIAL_WORDS,
    KEY_FILES, KEY_PARTS, KEY_WORDS, LOGIN_BEGINNINGS, OWNERS, PASSWORD_BEGINNINGS, PASSWORD_PARTS,
    PASSWORD_WORDS, WHOLE_NAMES,
};
use super::column::Column;
use super::names::latin;

/// The words of a name, small and without accents: `Root-PW2` is `root`, `pw`, `2`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for character in name
        .nfkd()
        .filter(|character| !is_combining_mark(*character))
    {
        if !character.is_alphanumeric() {
            before = None;
            continue;
        }
        let goes_on = before.is_some_and(|before: char| {
            before.is_numeric() == character.is_numeric()
                && (before.is_uppercase() || !character.is_uppercase())
        });
        if !goes_on {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            match character {
                'ł' | 'Ł' => word.push('l'),
                'ß' => word.push_str("ss"),
                'ø' | 'Ø' => word.push('o'),
                'đ' | 'Đ' => word.push('d'),
                'ı' => word.push('i'),
                'ə' | 'Ə' => word.push('e'),
                other => word.extend(other.to_lowercase()),
            }
        }
        before = Some(character);
    }
    words
}

/// The column that a person may have meant by an unknown name that looks like a way in.
pub fn access(name: &str) -> Option<Column> {
    let spelled = words(name);
    let looking: Vec<String> = {
        let latin: String = name.chars().map(latin).collect();
        words(&latin)
    };
    access_by(&spelled).or_else(|| access_by(&looking))
}

fn access_by(words: &[String]) -> Option<Column> {
    let joined = words.concat();
    let is_any = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let holds_any = |parts: &[&str]| parts.iter().any(|part| joined.contains(part));
    let begins_any = |beginnings: &[&str]| {
        words
            .iter()
            .any(|word| beginnings.iter().any(|begin| word.starts_with(begin)))
    };
    let is_password = is_any(PASSWORD_WORDS)
        || holds_any(PASSWORD_PARTS)
        || begins_any(PASSWORD_BEGINNINGS)
        || words
            .iter()
            .any(|word| ends_in(word, &["pw", "pass", "psw"], OWNERS))
        || WHOLE_NAMES.contains(&joined.as_str());
    if is_password {
        return Some(Column::Password);
    }
    if is_key(words, &joined) {
        return Some(Column::SshKey);
    }
    let is_credential = begins_any(CREDENTIAL_BEGINNINGS) || is_any(CREDENTIAL_WORDS);
    let is_login = begins_any(LOGIN_BEGINNINGS) && !is_any(ABOUT_LOGINS);
    (is_credential && !is_any(CLERKS) || is_login).then_some(Column::Password)
}

/// `sshkey`, `pubkey`, `Schlüssel`, but not `primary_key`, `keyboard` or `monkey`.
fn is_key(words: &[String], joined: &str) -> bool {
    let is_any = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    if is_any(&["ssh", "sshd"]) || words.iter().any(|word| word.starts_with("ssh")) {
        // Where the server listens is no way in.
        let about = words.iter().any(|word| ABOUT_SSH.contains(&word.as_str()))
            || ABOUT_SSH
                .iter()
                .any(|about| joined == format!("ssh{about}"));
        return !about;
    }
    if KEY_PARTS.iter().any(|part| joined.contains(part)) || is_any(KEY_FILES) {
        return true;
    }
    if is_any(KEY_WORDS) && !is_any(ABOUT_KEYS) {
        return true;
    }
    words.iter().any(|word| {
        ends_in(word, &["key", "keys"], OWNERS) || word == "keypair" || word == "keyfile"
    })
}

/// `rootpw`: one of `endings` behind a word that says whose it is.
fn ends_in(word: &str, endings: &[&str], owners: &[&str]) -> bool {
    endings.iter().any(|ending| {
        word.strip_suffix(ending)
            .is_some_and(|owner| owners.contains(&owner))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::names::latinised;

    // Field cases C1 and C2.
    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of names")]
    fn names_of_a_way_in_are_known_in_the_languages_of_those_who_use_this() {
        for name in [
            "Пароль",
            "пароль root",
            "Пароли",
            "Новый пароль",
            "root_pw",
            "RootPW",
            "rootpw",
            "pw",
            "PW2",
            "secret",
            "root_password",
            "Root Password",
            "passwd",
            "pwd",
            "root-pwd",
            "userpwd",
            "psw",
            "pass",
            "rootpass",
            "Root Pass",
            "user_pass",
            "adminpass",
            "passphrase",
            "passcode",
            "hasło",
            "Hasło roota",
            "haslo",
            "hasła",
            "contraseña",
            "contrasena",
            "Contraseñas",
            "clave",
            "heslo",
            "Heslo root",
            "parole",
            "Parole (root)",
            "paroles",
            "parolă",
            "parola",
            "parolası",
            "senha",
            "mot de passe",
            "Mot-de-passe",
            "MDP",
            "şifre",
            "Şifresi",
            "sifre",
            "Kennwort",
            "Root-Kennwort",
            "Passwort",
            "Rootpasswort",
            "wachtwoord",
            "lösenord",
            "salasana",
            "jelszó",
            "slaptažodis",
            "лозинка",
            "парола",
            "密码",
            "пасс",
            "гасло",
            "credentials",
            "Credential",
            "creds",
            "Zugangsdaten",
            "credenziali",
            "credenciales",
            "access",
            "Доступ",
            "доступы",
            "token",
            "auth_token",
            "секрет",
            "root",
            "login",
            "Logins",
            "логин",
            "Логін",
            "auth",
            "initialPassword",
            "password_old",
        ] {
            assert_eq!(access(name), Some(Column::Password), "{name}");
        }
        for name in [
            "pubkey",
            "public_key",
            "PublicKey",
            "ssh",
            "SSH",
            "ssh_pub",
            "sshkey2",
            "SSH public key",
            "key",
            "Keys",
            "ключ",
            "SSH-ключ",
            "Ключ",
            "Schlüssel",
            "SSH-Schlüssel",
            "schluessel",
            "klucz SSH",
            "klíč",
            "clé",
            "clé publique",
            "llave",
            "chave",
            "chiave",
            "cheie",
            "anahtar",
            "atslēga",
            "id_rsa",
            "id_ed25519",
            "ppk",
            "keypair",
            "keyfile",
            "authorized_keys",
            "rootkey",
            "key_name",
            "private key",
            "ssh_user",
        ] {
            assert_eq!(access(name), Some(Column::SshKey), "{name}");
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of names")]
    fn innocent_names_are_no_way_in() {
        for name in [
            "keyboard",
            "monkey",
            "Turkey",
            "Passau",
            "passenger",
            "passed",
            "compass",
            "bypass",
            "primary_key",
            "Foreign Key",
            "license key",
            "keyword",
            "keynote",
            "Key Account",
            "hockey",
            "whiskey",
            "secretary",
            "Sekretariat",
            "секретарь",
            "author",
            "authority",
            "last_login",
            "login_count",
            "Letzter Login",
            "ssh_port",
            "SSH Port",
            "sshport",
            "ssh host",
            "name",
            "hostname",
            "ip",
            "owner",
            "region",
            "Standort",
            "Kunde",
            "rack",
            "price",
            "host",
            "device",
            "state",
            "datacenter",
            "plan",
            "cpu",
            "ram",
            "disk",
            "created",
            "expires",
            "имя",
            "владелец",
            "цена",
            "Дата",
            "Город",
            "właściciel",
            "poznámka",
            "nombre",
            "nom",
            "société",
            "accessory",
            "accessibility",
            "os_version",
            "group",
            "canary",
            "expect_name",
            "expect_ip",
            "expect_image",
            "rooted",
            "rootfs",
            "mpls",
            "clear",
            "clef2x",
            "",
            "#",
            "comment2",
            "user",
            "username",
            "email",
            "phone",
            "tags",
            "cost centre",
            "CPU MHz",
            "pwm",
            "fingerprint",
            "image_name",
        ] {
            let is_word = name == "clef2x";
            assert!(
                is_word || access(name).is_none(),
                "{name}: {:?}",
                access(name)
            );
        }
    }

    // Field case C3.
    #[test]
    fn letters_that_only_look_like_latin_ones_are_seen_through() {
        for (name, latin) in [
            ("zonе", "zone"),
            ("раsswоrd", "password"),
            ("ΖΟΝΕ", "zone"),
            ("ｐａｓｓｗｏｒｄ", "password"),
            ("ѕѕh_kеу", "sshkey"),
            ("імаgе", "image"),
            ("ѕеrvісе_іd", "serviceid"),
            ("ssh_кey", "sshkey"),
            ("𝐩𝐚𝐬𝐬𝐰𝐨𝐫𝐝", "password"),
            ("nοte", "note"),
            ("еlіd", "elid"),
            ("ОЅ", "os"),
        ] {
            assert_eq!(latinised(name), latin, "{name}");
        }
    }
}

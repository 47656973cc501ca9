//! Names of columns: how they are compared, and what a name that is not known may stand for.
//!
//! A column that is ignored although it was meant locks the owner out of a machine that was just
//! wiped. So a name is not only known or unknown: it may be written in letters that only look like
//! Latin ones, and it may be the word for a password or a key in another language.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::columns::Column;

/// A column's name without case, blanks and punctuation.
pub(super) fn normalised(name: &str) -> String {
    name.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// [`normalised`], with Latin letters in the place of those that only look like them.
pub(super) fn latinised(name: &str) -> String {
    let latin: String = name.chars().map(latin).collect();
    normalised(&latin)
}

/// The ASCII letter that `character` looks like, in either case; else itself.
fn latin(character: char) -> char {
    if character.is_ascii() {
        return character;
    }
    let looks_like = |character: char| {
        let mut text = [0; 4];
        let composed: String = character.encode_utf8(&mut text).nfkc().collect();
        let skeleton: String = unicode_security::skeleton(&composed).collect();
        match skeleton.as_str() {
            // The table takes an m for an r and an n.
            "rn" => Some('m'),
            one if one.len() == 1 => one.chars().next().filter(char::is_ascii_alphanumeric),
            _ => None,
        }
    };
    looks_like(character)
        .or_else(|| {
            // A small Cyrillic к is close enough to k, and its capital is the same.
            let mut upper = character.to_uppercase();
            let capital = upper.next().filter(|_| upper.next().is_none())?;
            Some(looks_like(capital)?.to_ascii_lowercase())
        })
        .unwrap_or(character)
}

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
pub(super) fn access(name: &str) -> Option<Column> {
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

/// Whose a password or a key may be.
const OWNERS: &[&str] = &[
    "root",
    "admin",
    "administrator",
    "user",
    "usr",
    "ssh",
    "vm",
    "vps",
    "server",
    "srv",
    "host",
    "my",
    "new",
    "old",
    "os",
    "init",
    "initial",
    "default",
    "login",
    "sudo",
    "system",
    "sys",
    "pub",
    "public",
    "priv",
    "private",
    "prv",
    "auth",
    "authorized",
    "access",
    "secret",
    "api",
    "rsa",
    "dsa",
    "ed",
    "pgp",
    "gpg",
    "instance",
    "machine",
    "box",
    "linux",
    "windows",
    "win",
    "rdp",
    "node",
    "temp",
    "tmp",
    "the",
    "account",
    "acc",
];
/// Words for a password, short forms included.
const PASSWORD_WORDS: &[&str] = &[
    "pw",
    "pws",
    "pass",
    "passe",
    "psw",
    "pwrd",
    "passe",
    "mdp",
    "mp",
    "clave",
    "claves",
    "contra",
    "пасс",
    "пас",
    "код",
    "geslo",
    "gesla",
    "hasla",
    "hesla",
    "senha",
    "senhas",
    "sifre",
    "sifresi",
    "parool",
    "jelszo",
    "passfrase",
    "пороль",
    "palavrapasse",
    "sandi",
    "kodeord",
    "passwort",
];
/// What stands in no other word, so that `Rootkennwort` is found, too.
const PASSWORD_PARTS: &[&str] = &[
    "passw",
    "passphrase",
    "passcode",
    "passkey",
    "passord",
    "password",
    "pasword",
    "pwd",
    "pswd",
    "kennwort",
    "kennworter",
    "losungswort",
    "wachtwoord",
    "losenord",
    "adgangskode",
    "salasana",
    "slaptazod",
    "contrasen",
    "contrasena",
    "contrassenya",
    "motdepasse",
    "motpasse",
    "palavrapasse",
    "lozink",
    "zaporka",
    "jelszo",
    "matkhau",
    "katasandi",
    "парол",
    "пассворд",
    "пасворд",
    "лозинк",
    "кодовоеслово",
    "құпиясөз",
    "κωδικοςπροσβασης",
    "κωδικοπροσβασης",
    "συνθηματικο",
    "密码",
    "密碼",
    "口令",
    "パスワード",
    "비밀번호",
    "암호",
    "סיסמה",
    "ססמה",
    "كلمةالمرور",
    "كلمةالسر",
    "रहसयशबद",
    "पासवरड",
    "รหัสผ่าน",
    "գաղտնաբառ",
    "პაროლი",
];
/// With what such a word begins, whatever its ending.
const PASSWORD_BEGINNINGS: &[&str] = &[
    "parol",
    "haslo",
    "heslo",
    "hesiel",
    "sifre",
    "senha",
    "geslo",
    "гасло",
    "парол",
    "sifra",
    "шифр",
];
/// Names that say it only as a whole: what else should the column `root` hold?
const WHOLE_NAMES: &[&str] = &[
    "root",
    "рут",
    "access",
    "zugang",
    "доступ",
    "доступы",
    "доступи",
    "acceso",
    "acces",
    "accesso",
    "acesso",
    "dostep",
    "pristup",
    "erisim",
    "giris",
    "piekluve",
    "acessos",
    "accesos",
    "prieiga",
];
/// Words for a key.
const KEY_WORDS: &[&str] = &[
    "key",
    "keys",
    "ключ",
    "ключи",
    "ключа",
    "ключі",
    "ключик",
    "schlussel",
    "schluessel",
    "klucz",
    "klucze",
    "klic",
    "klice",
    "kluc",
    "kluce",
    "llave",
    "llaves",
    "chave",
    "chaves",
    "cle",
    "cles",
    "clef",
    "clefs",
    "anahtar",
    "anahtari",
    "chiave",
    "chiavi",
    "cheie",
    "cheia",
    "chei",
    "cheile",
    "atslega",
    "atslegas",
    "raktas",
    "raktai",
    "voti",
    "votmed",
    "avain",
    "avaimet",
    "nyckel",
    "nycklar",
    "nokkel",
    "nogle",
    "sleutel",
    "sleutels",
    "kulcs",
    "kulcsok",
    "kljuc",
    "kljucevi",
    "кључ",
    "кілт",
    "κλειδι",
    "κλειδια",
    "密钥",
    "金鑰",
    "鍵",
    "キー",
    "열쇠",
    "키",
    "מפתח",
    "مفتاح",
];
/// Words that hold a key's word and are about one.
const KEY_PARTS: &[&str] = &[
    "sshkey",
    "sshключ",
    "publickey",
    "privatekey",
    "pubkey",
    "privkey",
    "authorizedkey",
    "schlusselpaar",
    "密钥",
    "公钥",
    "私钥",
];
/// Kinds and files of keys.
const KEY_FILES: &[&str] = &[
    "rsa", "dsa", "ecdsa", "ed", "pem", "ppk", "pubkey", "keypair", "keyfile",
];
/// With these a key is no way into a machine.
const ABOUT_KEYS: &[&str] = &[
    "primary",
    "foreign",
    "sort",
    "partition",
    "unique",
    "natural",
    "surrogate",
    "composite",
    "license",
    "licence",
    "licensing",
    "lizenz",
    "product",
    "produkt",
    "activation",
    "serial",
    "row",
    "group",
    "cache",
    "hash",
    "index",
    "lookup",
    "join",
    "merge",
    "issue",
    "jira",
    "map",
    "customer",
    "contact",
    "account",
    "person",
    "date",
    "word",
    "words",
    "value",
    "figure",
    "indicator",
    "лицензии",
    "лицензионный",
    "активации",
    "licencji",
    "licence",
    "licenc",
    "client",
];
/// With these `ssh` says where, not how.
const ABOUT_SSH: &[&str] = &[
    "port",
    "порт",
    "host",
    "hostname",
    "ip",
    "address",
    "addr",
    "alias",
    "version",
    "status",
    "fingerprint",
    "enabled",
    "check",
    "reachable",
    "banner",
];
/// Words for what gets one in, by their beginning.
const CREDENTIAL_BEGINNINGS: &[&str] = &[
    "secret",
    "секрет",
    "sekret",
    "segret",
    "segred",
    "geheim",
    "tajem",
    "credential",
    "credenc",
    "credenz",
    "zugangsdat",
    "zugangscod",
    "anmeldedat",
    "logindat",
    "учетныеданн",
    "реквизит",
    "dostepow",
    "prihlasov",
    "identifiantsconnexion",
    "gizli",
    "slepen",
    "таємн",
    "токен",
];
/// The same as whole words.
const CREDENTIAL_WORDS: &[&str] = &[
    "cred",
    "creds",
    "token",
    "tokens",
    "auth",
    "auths",
    "authkey",
    "доступы",
    "доступи",
    "учетка",
];
/// People, whose name begins like a secret.
const CLERKS: &[&str] = &[
    "secretary",
    "secretaries",
    "secretariat",
    "secretaria",
    "secretario",
    "secretaire",
    "sekretar",
    "sekretariat",
    "sekretaerin",
    "sekretarin",
    "sekretarz",
    "sekretarka",
    "sekretarei",
    "segretario",
    "segretaria",
    "segreteria",
    "секретарь",
    "секретариат",
    "секретар",
    "geheimrat",
    "secretaresse",
];
/// Words for a login.
const LOGIN_BEGINNINGS: &[&str] = &[
    "login",
    "logon",
    "logowan",
    "логин",
    "логін",
    "signin",
    "prihlas",
    "iniciosesion",
];
/// With these a login is when somebody came, not how.
const ABOUT_LOGINS: &[&str] = &[
    "last",
    "count",
    "date",
    "time",
    "at",
    "first",
    "failed",
    "letzter",
    "letzte",
    "последний",
    "последнего",
    "останній",
    "ostatni",
    "ostatnie",
    "dernier",
    "ultimo",
    "posledni",
    "days",
    "url",
    "page",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_way_in_are_known_in_the_languages_of_those_who_use_this() {
        // Field cases C1 and C2.
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

    #[test]
    fn letters_that_only_look_like_latin_ones_are_seen_through() {
        // Field case C3.
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

//! Just enough of Rust's grammar to see which names a file uses, and the arms of its matches.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the crate, without its comments, its quoted text and its test modules.
pub struct Source {
    /// Its path below the repository's root.
    pub path: String,
    /// What was left out is blank, so that the lines are the file's own.
    pub code: String,
}

/// A `match`, by the line on which it begins.
pub struct Match<'a> {
    pub line: usize,
    /// The type in whose `impl` it stands.
    owner: Option<&'a str>,
    /// The patterns of its arms, with their guards.
    pub patterns: Vec<&'a str>,
}

impl Source {
    /// The files below `folder`, in the order of their paths.
    pub fn all(folder: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        collect(&root.join(folder), &mut paths);
        paths.sort();
        let read = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap();
            Self {
                path: path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
                code: without_tests(&without_text(&text)),
            }
        };
        paths.iter().map(read).collect()
    }

    /// The file, or its folder, is there for tests and nothing else.
    pub fn is_test(&self) -> bool {
        let is_of_tests =
            |part: &str| ["tests", "model"].contains(&part) || part.ends_with("tests.rs");
        self.path.split('/').any(is_of_tests)
    }

    /// The room that it belongs to: the first part of its path below `src`.
    pub fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap();
        let (room, _) = below.split_once(['/', '.']).unwrap();
        room
    }

    /// The rooms of the crate that it names: `crate::one`, `crate::{one, two}`.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        places(&self.code, "crate::").flat_map(|at| {
            let rest = &self.code[at + "crate::".len()..];
            let group = rest
                .strip_prefix('{')
                .and_then(|group| group.split_once('}'));
            let paths = group.map_or(rest, |(group, _)| group).split(',');
            let paths = paths.take(if group.is_some() { usize::MAX } else { 1 });
            paths.filter_map(|path| path.trim().split(|c| !is_of_a_name(c)).next())
        })
    }

    pub fn uses(&self, name: &str) -> bool {
        places(&self.code, &format!("{name}::")).next().is_some()
    }

    pub fn matches(&self) -> Vec<Match<'_>> {
        let found = places(&self.code, "match ").map(|at| Match {
            line: self.code[..at].matches('\n').count() + 1,
            owner: self.owner(at),
            patterns: patterns(&self.code[at..]),
        });
        found.collect()
    }

    /// Its structs with named fields, and how many those are: the formatter puts each on a line.
    pub fn structs(&self) -> impl Iterator<Item = (&str, usize)> {
        places(&self.code, "struct ").filter_map(|at| {
            let rest = &self.code[at + "struct ".len()..];
            let (head, block) = rest.split_once('{')?;
            let is_tuple = head.contains([';', '(']);
            let fields = block[..end_of(block, '}')?].lines().filter(|line| {
                let field = line.strip_prefix("    ").unwrap_or_default();
                !field.starts_with([' ', '#']) && field.contains(": ")
            });
            let name = head.split(|c| !is_of_a_name(c)).next()?;
            (!is_tuple).then(|| (name, fields.count()))
        })
    }

    fn owner(&self, at: usize) -> Option<&str> {
        let begin = places(&self.code[..at], "impl").last()?;
        let (head, block) = self.code[begin..].split_once('{')?;
        let is_within = end_of(block, '}').is_some_and(|end| begin + head.len() + end >= at);
        is_within.then(|| head.rsplit([' ', ':']).find(|name| !name.is_empty()))?
    }
}

impl Match<'_> {
    /// One of its patterns names a variant of `domain`.
    pub fn is_on(&self, domain: &str) -> bool {
        let is_own = self.owner == Some(domain);
        let variant = format!("{domain}::");
        self.patterns.iter().any(|pattern| {
            let names = |word| places(pattern, word).next().is_some();
            names(&variant) || (is_own && names("Self::"))
        })
    }

    /// One of its arms takes whatever is left.
    pub fn takes_the_rest(&self) -> bool {
        self.patterns.iter().any(|pattern| {
            let names = pattern.trim_matches(['(', ')']).split(',').map(str::trim);
            let mut names = names.filter(|name| !name.is_empty());
            names.all(|name| {
                let begins_small = name.starts_with(|c: char| c == '_' || c.is_lowercase());
                begins_small && name.chars().all(is_of_a_name) && !["true", "false"].contains(&name)
            })
        })
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands and is not the end of a longer name.
fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> {
    let found = code.match_indices(word).map(|(at, _)| at);
    found.filter(|at| !code[..*at].ends_with(is_of_a_name))
}

/// The text with blanks in place of comments and of everything that stands in quotes.
fn without_text(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_in_a_name = code.ends_with(is_of_a_name);
        let length = text_length(rest, is_in_a_name);
        let (left_out, after) = rest.split_at(length);
        code.extend(left_out.chars().map(blank));
        rest = after;
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

fn blank(c: char) -> char {
    if c == '\n' { c } else { ' ' }
}

/// How long the comment, string or character is that begins here; 0: none does.
fn text_length(code: &str, is_in_a_name: bool) -> usize {
    let to_the_end_of = |from: usize, end: &str| {
        let found = code[from..].find(end);
        found.map_or(code.len(), |at| from + at + end.len())
    };
    if code.starts_with("//") {
        return code.find('\n').unwrap_or(code.len());
    }
    if code.starts_with("/*") {
        return to_the_end_of(2, "*/");
    }
    if let Some(raw) = code.strip_prefix('r').filter(|_| !is_in_a_name) {
        let marks = raw.len() - raw.trim_start_matches('#').len();
        if raw[marks..].starts_with('"') {
            return to_the_end_of(marks + 2, &format!("\"{}", "#".repeat(marks)));
        }
    }
    let quote = match code.chars().next() {
        Some('"') => '"',
        // A lifetime has no second quote behind its first letter.
        Some('\'') if code[1..].starts_with('\\') || code.chars().nth(2) == Some('\'') => '\'',
        _ => return 0,
    };
    let mut is_escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    code.len()
}

/// The code with blanks in place of what is only built for tests.
fn without_tests(code: &str) -> String {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut left = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(ATTRIBUTE) {
        let (before, item) = rest.split_at(at);
        left.push_str(before);
        let mut depth = 0;
        let end = item.char_indices().find_map(|(at, c)| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            (depth == 0 && (c == ';' || c == '}')).then_some(at + 1)
        });
        let (item, after) = item.split_at(end.unwrap_or(item.len()));
        left.extend(item.chars().map(blank));
        rest = after;
    }
    left + rest
}

/// The patterns of the `match` that begins here.
fn patterns(code: &str) -> Vec<&str> {
    let Some(begin) = end_of(code, '{') else {
        return Vec::new();
    };
    let mut patterns = Vec::new();
    let mut rest = code[begin + 1..].trim_start();
    while let Some(end) = rest.find("=>").filter(|_| !rest.starts_with('}')) {
        patterns.push(without_attributes(&rest[..end]));
        let body = rest[end + 2..].trim_start();
        let end = match body.strip_prefix('{') {
            Some(block) => end_of(block, '}').map(|at| at + 2),
            None => end_of(body, ','),
        };
        let Some(end) = end else { break };
        rest = body[end..].trim_start_matches(|c: char| c == ',' || c.is_whitespace());
    }
    patterns
}

fn without_attributes(pattern: &str) -> &str {
    let mut pattern = pattern.trim();
    while pattern.starts_with("#[") {
        let end = pattern.find(']').unwrap();
        pattern = pattern[end + 1..].trim_start();
    }
    pattern
}

/// Where `wanted` stands outside of all brackets; `None` where the brackets around end before.
fn end_of(code: &str, wanted: char) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        if depth == 0 && c == wanted {
            return Some(at);
        }
        depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
        if depth < 0 {
            return None;
        }
    }
    None
}

#[test]
fn what_is_said_and_what_is_tested_is_no_code() {
    let code = "let a = \"crate::x\"; // crate::y\nlet b = '\"'; crate::z::f::<'a>(r#\"\"x\"#, c);\n#[cfg(test)]\nmod tests {\n    use crate::w;\n}\nuse crate::{v, u::t};\n";
    let source = Source {
        path: "src/room/file.rs".to_owned(),
        code: without_tests(&without_text(code)),
    };
    assert_eq!(source.rooms().collect::<Vec<_>>(), ["z", "v", "u"]);
    assert_eq!((source.room(), source.code.lines().count()), ("room", 7));
}

#[test]
fn an_arm_that_takes_the_rest_is_seen() {
    let code = "match state {\n    State::Done if a => { b }\n    _ if c => d(|x| match x { 1 => 2, _ => 3 }),\n    other => e,\n}\nmatch (state, 1) { (State::Done, _) => f, (_, _) => g }\nmatch state { State::Done => h, State::Failed => i }\nimpl Shows for State { fn x(self) { match self { Self::Done => j, _ => k } } }";
    let source = Source {
        path: "src/job/file.rs".to_owned(),
        code: code.to_owned(),
    };
    let seen: Vec<_> = source
        .matches()
        .iter()
        .map(|one| {
            (
                one.line,
                one.patterns.len(),
                one.is_on("State"),
                one.takes_the_rest(),
            )
        })
        .collect();
    let expected = [
        (1, 3, true, true),
        (3, 2, false, true),
        (6, 2, true, true),
        (7, 2, true, false),
        (8, 2, true, true),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn the_fields_of_a_struct_are_counted() {
    let code = "struct Unit;\nstruct Pair(u8, u8);\nstruct Two<T> {\n    pub one: Vec<T>,\n    #[serde(x)]\n    two: [u8; 2],\n}\n";
    let source = Source {
        path: String::new(),
        code: code.to_owned(),
    };
    assert_eq!(source.structs().collect::<Vec<_>>(), [("Two", 2)]);
}

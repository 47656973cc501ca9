//! Circles among the modules of a room: two that use each other are one module in two files.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Names from the root of the crate: `["queue", "sqlite", "lock"]`.
type Path<'a> = Vec<&'a str>;

/// The modules of the crate, without its tests.
pub struct Modules<'a> {
    code: BTreeMap<Path<'a>, &'a str>,
    /// What a module calls by its own name, though it stands in another one (`pub use`).
    passed_on: BTreeMap<Path<'a>, BTreeMap<&'a str, Path<'a>>>,
}

impl<'a> Modules<'a> {
    pub fn new(sources: &'a [Source]) -> Self {
        let mut code = BTreeMap::new();
        for source in sources.iter().filter(|source| !source.is_test()) {
            let file = source
                .path
                .trim_start_matches("src/")
                .trim_end_matches(".rs");
            let mut path: Path = file.split('/').collect();
            path.pop_if(|last| *last == "mod");
            if path != ["lib"] && path != ["main"] {
                code.insert(path, source.code.as_str());
            }
        }
        let mut passed_on: BTreeMap<Path, BTreeMap<&str, Path>> = BTreeMap::new();
        for (module, code) in &code {
            for mut path in passed_on_by(code) {
                let Some(name) = path.pop() else { continue };
                if path.first() == Some(&"self") {
                    path.remove(0);
                }
                let home = [module.as_slice(), path.as_slice()].concat();
                passed_on
                    .entry(module.clone())
                    .or_default()
                    .insert(name, home);
            }
        }
        Self { code, passed_on }
    }

    /// Siblings that use each other, also by way of others: `queue::sqlite: lock, log`.
    pub fn circles(&self) -> Vec<String> {
        let mut rooms: BTreeMap<Path, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
        for (module, code) in &self.code {
            for path in named(code) {
                let used = self.resolve(module, &path);
                // The room in which their ways part.
                let common = module.iter().zip(&used).take_while(|(a, b)| a == b).count();
                if let (Some(user), Some(used)) = (module.get(common), used.get(common)) {
                    let room = rooms.entry(module[..common].to_vec()).or_default();
                    room.entry(user).or_default().insert(used);
                }
            }
        }
        let mut circles = BTreeSet::new();
        for (room, uses) in &rooms {
            let reached = |from| reached(uses, from);
            for sibling in uses.keys() {
                let circle: Vec<_> = reached(sibling)
                    .into_iter()
                    .filter(|other| reached(other).contains(sibling))
                    .collect();
                if !circle.is_empty() {
                    circles.insert(format!("{}: {}", room.join("::"), circle.join(", ")));
                }
            }
        }
        circles.into_iter().collect()
    }

    /// The module in which `path` stands, seen from `module`.
    fn resolve(&self, module: &[&'a str], path: &[&'a str]) -> Path<'a> {
        let mut at = module.to_vec();
        let mut names = path.iter().copied().peekable();
        while let Some(name) = names.next_if(|name| ["crate", "self", "super"].contains(name)) {
            match name {
                "crate" => at.clear(),
                "super" => drop(at.pop()),
                _ => {}
            }
        }
        // What is passed on may be passed on again, and not for ever.
        for _ in 0..10 {
            let Some(name) = names.peek() else { break };
            let below = [at.as_slice(), &[*name]].concat();
            if self.code.contains_key(&below) {
                at = below;
                names.next();
                continue;
            }
            match self.passed_on.get(&at).and_then(|names| names.get(name)) {
                Some(home) if self.code.contains_key(home) => at.clone_from(home),
                _ => break,
            }
        }
        at
    }
}

fn reached<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(next) = left.pop() {
        for used in uses.get(next).into_iter().flatten() {
            if reached.insert(*used) {
                left.push(used);
            }
        }
    }
    reached
}

/// The paths of a file that begin at the root of the crate or above the module.
fn named(code: &str) -> Vec<Path<'_>> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let is_inside = code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            if !is_inside {
                tree(&mut Vec::new(), end_of_tree(&code[at..]), &mut paths);
            }
        }
    }
    paths
}

/// The paths of `pub use` and `pub(…) use` that begin in the module itself.
fn passed_on_by(code: &str) -> Vec<Path<'_>> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(" use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default();
        if line.trim_start().starts_with("pub") {
            let path = code[at + " use ".len()..]
                .split(';')
                .next()
                .unwrap_or_default();
            tree(&mut Vec::new(), path, &mut paths);
        }
    }
    paths.retain(|path| !["crate", "super"].contains(&path[0]));
    paths
}

/// The part of the code that belongs to the path that begins here.
fn end_of_tree(code: &str) -> &str {
    let mut depth = 0;
    let end = code.find(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        let is_of_a_path = c.is_alphanumeric() || "_:{}".contains(c) || depth > 0;
        depth < 0 || !is_of_a_path
    });
    &code[..end.unwrap_or(code.len())]
}

/// Takes `a::{b, c::d}` apart, below `before`.
fn tree<'a>(before: &mut Path<'a>, text: &'a str, paths: &mut Vec<Path<'a>>) {
    let text = text.trim();
    let length = before.len();
    if let Some((name, rest)) = text
        .split_once("::")
        .filter(|(name, _)| !name.contains('{'))
    {
        before.push(name);
        tree(before, rest, paths);
    } else if let Some(group) = text.strip_prefix('{') {
        let mut depth = 0;
        let is_end = |c: char| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth < 0 || (c == ',' && depth == 0)
        };
        for part in group.split(is_end).filter(|part| !part.trim().is_empty()) {
            tree(before, part, paths);
        }
    } else if !text.is_empty() {
        let name = text.split_whitespace().next().unwrap_or_default();
        let mut path = before.clone();
        path.push(name);
        paths.push(path);
    }
    before.truncate(length);
}

#[test]
fn modules_that_use_each_other_are_seen() {
    let source = |path: &str, code: &str| Source {
        path: format!("src/{path}.rs"),
        code: code.to_owned(),
    };
    let sources = [
        source(
            "room/mod",
            "mod a;\nmod b;\nmod c;\npub use a::{One, Two};\n",
        ),
        source("room/a", "use super::b::{x, y::z};\n"),
        source("room/b", "use crate::other;\nfn f(t: super::Two) {}\n"),
        source("room/c", "use super::{a, b};\n"),
        source("other", "use crate::text;\n"),
        source("text", ""),
    ];
    assert_eq!(Modules::new(&sources).circles(), ["room: a, b"]);
}

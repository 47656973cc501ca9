//! An inventory for Ansible: JSON that its `yaml` plugin reads from a file.
//!
//! The one fact to know: Ansible takes the values of an inventory for templates, and a template can run anything
//! on the machine that reads it. So nothing foreign is written that could be one: names are made of few
//! characters, an address is one, and notes and messages are left out.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::job::{Group, ResultRow, ShownKey, State};

const BUFFER_BYTES: usize = 1 << 16;

/// Characters of a host's name.
const NAME_CHARS_MAX: usize = 63;

/// Names that mean something else to Ansible.
const NO_HOSTS: [&str; 3] = ["all", "ungrouped", "localhost"];

#[derive(Debug)]
pub struct Inventory<W: Write> {
    out: BufWriter<W>,
    /// The hosts so far.
    hosts: HashSet<String>,
    /// The hosts of each group, by the group's name there.
    groups: BTreeMap<String, Vec<String>>,
    /// What each of the manifest's groups is called there.
    names: BTreeMap<Group, String>,
}

impl<W: Write> Inventory<W> {
    pub fn new(out: W) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
        out.write_all(b"{\"all\":{\"hosts\":{")?;
        Ok(Self {
            out,
            hosts: HashSet::new(),
            groups: BTreeMap::new(),
            names: BTreeMap::new(),
        })
    }

    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        let host = self.name(row);
        let separator = if self.hosts.is_empty() { "\n" } else { ",\n" };
        write!(
            self.out,
            "{separator}{}:{}",
            Value::from(host.as_str()),
            variables(row)
        )?;
        let mut groups = vec![row.state.to_string()];
        groups.extend(row.group.as_ref().map(|group| self.group(group)));
        for group in groups {
            self.groups.entry(group).or_default().push(host.clone());
        }
        self.hosts.insert(host);
        Ok(())
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n},\"children\":{")?;
        for (nth, (group, hosts)) in self.groups.iter().enumerate() {
            let separator = if nth == 0 { "\n" } else { ",\n" };
            let hosts: Map<String, Value> = hosts
                .iter()
                .map(|host| (host.clone(), Value::Null))
                .collect();
            let hosts = json!({ "hosts": hosts });
            write!(
                self.out,
                "{separator}{}:{hosts}",
                Value::from(group.as_str())
            )?;
        }
        self.out.write_all(b"\n}}}\n")?;
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }

    /// The instance's name, where it has one that is safe and no other host has; else with its service.
    fn name(&self, row: &ResultRow) -> String {
        let known = row.name.as_deref().unwrap_or_default();
        let safe = safe(
            known,
            |c| c.is_ascii_alphanumeric() || c == '.' || c == '-',
            '-',
        );
        let name = safe.trim_matches(['.', '-']);
        let is_taken = self.hosts.contains(name)
            || NO_HOSTS.iter().any(|other| name.eq_ignore_ascii_case(other))
            // It would be taken for the name of another one, or for a group's.
            || name.bytes().all(|byte| byte.is_ascii_digit())
            || self.groups.contains_key(name);
        match (name.is_empty(), is_taken) {
            (true, _) => format!("service-{}", row.service),
            (false, true) => format!("{name}-{}", row.service),
            (false, false) => name.to_owned(),
        }
    }

    fn group(&mut self, group: &Group) -> String {
        if let Some(name) = self.names.get(group) {
            return name.clone();
        }
        let safe = safe(group.as_str(), |c| c.is_ascii_alphanumeric(), '_');
        let first = format!("group_{safe}");
        let is_free = |name: &String| !self.names.values().any(|taken| taken == name);
        let others = (2..).map(|nth| format!("{first}_{nth}"));
        let name = std::iter::once(first.clone()).chain(others).find(is_free);
        let name = name.unwrap_or(first);
        self.names.insert(group.clone(), name.clone());
        name
    }
}

/// `text` of few characters: every other one becomes `instead`.
fn safe(text: &str, is_safe: impl Fn(char) -> bool, instead: char) -> String {
    let characters = text.chars().take(NAME_CHARS_MAX);
    characters
        .map(|c| if is_safe(c) { c } else { instead })
        .collect()
}

/// What is known of the host.
fn variables(row: &ResultRow) -> Value {
    let mut variables = Map::new();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            variables.insert(name.to_owned(), value);
        }
    };
    let address = row
        .ip
        .as_deref()
        .and_then(|ip| ip.trim().parse::<IpAddr>().ok());
    set("ansible_host", json!(address));
    // Where nobody has said it for the row, the port that has shown a key.
    let shown = row.host_key.as_ref().or(row.host_key_before.as_ref());
    let port = row.ssh_port.or(shown.map(|shown| shown.address.port()));
    set("ansible_port", json!(port));
    set("refleet_service", json!(row.service));
    set("refleet_line", json!(row.line));
    set("refleet_state", json!(row.state));
    set("refleet_executed", json!(row.executed));
    set("refleet_image", json!(row.image));
    set("refleet_hook", json!(row.hook));
    // Of the others nobody knows whose it is by now.
    let host_key = row.host_key.as_ref().filter(|_| row.state == State::Done);
    let host_key = host_key.map(ShownKey::known_hosts_line);
    set("refleet_host_key", json!(host_key));
    Value::Object(variables)
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use super::*;

    fn inventory(rows: &[ResultRow]) -> Value {
        let mut inventory = Inventory::new(Vec::new()).unwrap();
        for row in rows {
            inventory.row(row).unwrap();
        }
        serde_json::from_slice(&inventory.finish().unwrap()).unwrap()
    }

    fn named(line: u64, name: &str, group: Option<&str>) -> ResultRow {
        ResultRow {
            name: Some(name.to_owned()),
            ip: Some("192.0.2.7".to_owned()),
            group: group.and_then(Group::new),
            ..row(line, State::Done)
        }
    }

    #[test]
    fn hosts_have_names_of_their_own_and_stand_in_the_groups_of_state_and_manifest() {
        let rows = [
            named(2, "web-1", Some("front end")),
            named(3, "web-1", Some("front-end")),
            named(4, "all", None),
            row(5, State::Failed),
        ];
        let inventory = inventory(&rows);
        let all = &inventory["all"];
        let hosts: Vec<&String> = all["hosts"].as_object().unwrap().keys().collect();
        assert_eq!(hosts.len(), 4, "{hosts:?}");
        assert_eq!(all["hosts"]["web-1"]["ansible_host"], "192.0.2.7");
        assert_eq!(all["hosts"]["web-1"]["refleet_line"], 2);
        let members = |group: &str| all["children"][group]["hosts"].as_object().unwrap().len();
        assert_eq!(members("done"), 3);
        assert_eq!(members("failed"), 1);
        assert_eq!(members("group_front_end"), 1);
        assert_eq!(members("group_front_end_2"), 1);
    }

    #[test]
    fn nothing_foreign_is_a_template_or_an_option() {
        let evil = "{{ lookup('pipe', 'id') }}";
        let rows = [ResultRow {
            note: Some(evil.to_owned()),
            ip: Some(evil.to_owned()),
            image_name: Some(evil.to_owned()),
            error: Some(evil.to_owned()),
            ..named(2, evil, Some(evil))
        }];
        let text = inventory(&rows).to_string();
        assert!(!text.contains("{{") || !text.contains("lookup('"), "{text}");
        assert!(!text.contains("pipe', 'id"), "{text}");
        let host = inventory(&[named(2, "-e x", None)]);
        assert!(host["all"]["hosts"]["e-x"].is_object(), "{host}");
    }

    #[test]
    fn a_key_is_given_out_of_what_is_done_alone_and_the_port_of_whatever_has_shown_one() {
        let key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        let shown = ShownKey {
            address: "127.66.0.1:2222".parse().unwrap(),
            key: key.parse().unwrap(),
        };
        let with_key = |line, state| ResultRow {
            ip: Some("127.66.0.1".to_owned()),
            host_key: Some(shown.clone()),
            ..row(line, state)
        };
        let rows = [with_key(2, State::Done), with_key(3, State::InDoubt)];
        let text = inventory(&rows).to_string();
        assert_eq!(text.matches("\"ansible_port\":2222").count(), 2, "{text}");
        assert_eq!(
            text.matches("[127.66.0.1]:2222 ssh-ed25519").count(),
            1,
            "{text}"
        );
    }
}

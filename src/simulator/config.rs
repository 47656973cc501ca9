//! What the simulated account holds and how it behaves.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use super::behaviour::ImageAt;
use super::fault::FaultPlan;
use super::oddity::Oddities;
use super::ssh_oddity::SshTrap;
use crate::job::{Access, Expected, ImageId, InstanceStatus, NewJob, ServiceId};

/// The image of the vendor's own example.
const EXAMPLE_IMAGE: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
/// Its name in the provider's catalogue.
const EXAMPLE_IMAGE_NAME: &str = "AlmaLinux-8";
/// What every instance runs before its first rebuild.
const OLD_IMAGE_NAME: &str = "CentOS-7";
/// What they run instead when that one is ordered.
const OLDER_IMAGE_NAME: &str = "CentOS-6";
const OLD_IMAGE: &str = "7c1f0a52-93d4-4b7e-8a06-5e2d94c1b370";
/// Invented names for images of which a manifest gives the id only.
const NAMES: [&str; 8] = [
    "Ubuntu-24.04",
    "Debian-12",
    "AlmaLinux-9",
    "Rocky-9",
    "Ubuntu-22.04",
    "Debian-13",
    "Fedora-42",
    "FreeBSD-14",
];
/// Where every instance stands, unless a test says otherwise.
const DATACENTER: &str = "Simulated";
/// The id of an account that nobody has named.
const ACCOUNT: &str = "70001";
const PUBLIC_ZONE: &str = "pub";

/// An image of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `select_rebuild` in the API.
    pub id: ImageId,
    /// As the panel shows it. With `Windows` in it, SSH keys are refused.
    pub name: String,
    /// Where it stands: `pub`, `own` or `shr`. The word `image` is accepted for every image.
    pub zone: String,
    /// The name of the data centre that offers it; `None`: each does.
    pub datacenter: Option<String>,
}

/// A data centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataCenter {
    /// `datacenter` in the API.
    pub id: String,
    /// `datacentername` in the list.
    pub name: String,
}

/// An SSH key of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey {
    /// `ssh_keys` in the API.
    pub id: String,
    /// The owner's name for it.
    pub label: String,
}

/// An instance before anything happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedInstance {
    /// `elid` in the API.
    pub service: ServiceId,
    /// The owner's name for it (`servername`).
    pub name: String,
    pub ip: String,
    /// The name of the data centre in which it stands (`datacentername`); empty: the list has none.
    pub datacenter: String,
    /// `instance_status`, in lower case.
    pub status: String,
    /// The name of the image that it runs (`instances_os`).
    pub image: String,
}

/// What an order says about one instance, as far as the simulator must know it.
#[derive(Debug, Clone)]
pub struct FleetRow {
    pub service: ServiceId,
    /// The image that is ordered, if one is.
    pub image: Option<ImageId>,
    /// What the account calls that image; `None`: something is invented.
    pub image_name: Option<String>,
    /// Where the order says the image stands.
    pub zone: Option<String>,
    pub ssh_key: Option<String>,
    /// What the account calls that key; `None`: something is invented.
    pub key_label: Option<String>,
    /// What the order expects to find there, and so finds.
    pub expected: Expected,
}

impl From<&NewJob> for FleetRow {
    fn from(job: &NewJob) -> Self {
        Self {
            service: job.service,
            image: job.order.image(),
            image_name: None,
            zone: job.order.zone().map(str::to_owned),
            ssh_key: match job.order.access() {
                Some(Access::SshKey(id)) => Some(id.clone()),
                Some(Access::Password(_) | Access::Image) | None => None,
            },
            key_label: None,
            expected: job.expected.clone(),
        }
    }
}

/// The account and its behaviour. All random things follow the seed of [`faults`](Self::faults).
#[derive(Debug, Clone)]
pub struct Config {
    /// Who may log in.
    pub username: String,
    /// With which password.
    pub password: String,
    /// The account's id, as `whoami` names it; `None`: it names nobody.
    pub account: Option<String>,
    /// The one-time code that an opened session has to be given; none for `authinfo`.
    pub code: Option<String>,
    /// No session is opened or known: each call has to carry name and password.
    pub authinfo_only: bool,
    /// A session token that exists from the start, for `ZOMRO_AUTH`.
    pub session: Option<String>,
    /// A session unused for so long is forgotten.
    pub session_ttl: Duration,
    /// The account's instances, in the list's order.
    pub instances: Vec<SimulatedInstance>,
    /// Instances that exist and belong to somebody else.
    pub foreign: Vec<ServiceId>,
    /// Where servers can be ordered.
    pub datacenters: Vec<DataCenter>,
    /// What may be installed.
    pub images: Vec<Image>,
    pub ssh_keys: Vec<SshKey>,
    /// What the form of an order lists as keys instead, where it is at odds with the rebuild form.
    pub ordered_ssh_keys: Option<Vec<SshKey>>,
    /// Rows of one page of the list.
    pub page_size: usize,
    /// From the acceptance of a submission until its status shows.
    pub accept_lag: Duration,
    /// How long a rebuild then takes.
    pub rebuild_duration: Duration,
    /// By which share, 0 to 1, that may be longer or shorter.
    pub rebuild_jitter: f64,
    /// When the image changes its name.
    pub image_at: ImageAt,
    /// How old the list is that a call gets.
    pub list_lag: Duration,
    /// How long each call takes; it is executed in the middle of that, even if the client has left.
    pub latency: Duration,
    /// What goes wrong by itself, now and then.
    pub faults: FaultPlan,
    /// What is odd all the time: frozen lists, other spellings, rebuilds that roll back, a kind of
    /// fault at every call, … Each of its fields has a word for the command line's `--odd`.
    pub odd: Oddities,
    /// The port at which all instances answer by SSH, each at its own address (0: any free one), see
    /// [`Simulator::ssh_port`](super::Simulator::ssh_port). `None`: none does.
    pub ssh_port: Option<u16>,
    /// A file that keeps every execution and every ok over restarts, killed processes included: the
    /// next simulator with the same file goes on where the wall clock is by then. Sessions, faults
    /// and what [`change`](super::Simulator::change) did are not kept; lines about services that
    /// are not among the [`instances`](Self::instances) are passed over. `None`: nothing is kept.
    pub journal: Option<PathBuf>,
}

impl Default for Config {
    /// An empty account in which rebuilds take about three seconds and nothing goes wrong.
    fn default() -> Self {
        Self {
            username: "simulator".to_owned(),
            password: "Simulator1".to_owned(),
            account: Some(ACCOUNT.to_owned()),
            code: None,
            authinfo_only: false,
            session: None,
            session_ttl: Duration::from_hours(1),
            instances: Vec::new(),
            foreign: Vec::new(),
            datacenters: vec![DataCenter {
                id: "1".to_owned(),
                name: DATACENTER.to_owned(),
            }],
            images: vec![
                known_image(EXAMPLE_IMAGE, EXAMPLE_IMAGE_NAME),
                known_image(OLD_IMAGE, OLD_IMAGE_NAME),
            ],
            ssh_keys: Vec::new(),
            ordered_ssh_keys: None,
            page_size: 50,
            accept_lag: Duration::from_millis(300),
            rebuild_duration: Duration::from_secs(3),
            rebuild_jitter: 0.3,
            image_at: ImageAt::End,
            list_lag: Duration::ZERO,
            latency: Duration::ZERO,
            faults: FaultPlan::default(),
            odd: Oddities::default(),
            ssh_port: None,
            journal: None,
        }
    }
}

impl Config {
    /// An account in which every order of `rows` can succeed: each service has an instance that
    /// runs another image than any ordered one, each image id and SSH key is known. Where two rows
    /// name two zones for one image, the last one counts.
    pub fn for_fleet(rows: impl IntoIterator<Item = FleetRow>) -> Self {
        let mut config = Self::default();
        let mut services = HashSet::new();
        let mut keys = HashSet::new();
        let mut images: HashMap<ImageId, usize> = config
            .images
            .iter()
            .enumerate()
            .map(|(index, image)| (image.id, index))
            .collect();
        let old = known_image(OLD_IMAGE, OLD_IMAGE_NAME).id;
        let mut ordered_old = false;
        let mut pinned = Vec::new();
        for row in rows {
            ordered_old |= row.image == Some(old);
            if let Some(id) = row.image {
                let index = *images.entry(id).or_insert_with(|| {
                    config.images.push(Image {
                        id,
                        // The two images of `default` are not named from the list.
                        name: (row.image_name)
                            .unwrap_or_else(|| invented_name(config.images.len() - 2)),
                        zone: PUBLIC_ZONE.to_owned(),
                        datacenter: None,
                    });
                    config.images.len() - 1
                });
                // The word `image` fits every zone, so it says nothing about this image's own.
                if let Some(zone) = row.zone.filter(|zone| zone != "image") {
                    config.images[index].zone = zone;
                }
            }
            if let Some(id) = row.ssh_key
                && keys.insert(id.clone())
            {
                let label = row.key_label.unwrap_or_else(|| format!("key-{id}"));
                config.ssh_keys.push(SshKey { id, label });
            }
            if services.insert(row.service) {
                let mut instance = invented_instance(row.service, config.instances.len());
                let Expected {
                    name, ip, image, ..
                } = row.expected;
                instance.name = name.unwrap_or(instance.name);
                instance.ip = ip.unwrap_or(instance.ip);
                pinned.push(image);
                config.instances.push(instance);
            }
        }
        for (instance, pinned) in config.instances.iter_mut().zip(pinned) {
            if let Some(image) = pinned {
                instance.image = image;
            } else if ordered_old {
                // Somebody may order the very image that the instances run.
                OLDER_IMAGE_NAME.clone_into(&mut instance.image);
            }
        }
        config
    }

    /// The traps at the SSH port of this instance.
    pub(super) fn ssh_traps(&self, service: i64) -> impl Iterator<Item = SshTrap> + use<'_> {
        let seed = self.faults.seed;
        let traps = self.odd.ssh.iter().enumerate();
        let traps = traps.filter(move |(nth, odd)| odd.is_at(service, seed, *nth));
        traps.map(|(_, odd)| odd.trap)
    }

    /// Spreads the instances over these data centres, one after the other. The images are those of
    /// the first; the others have the same names under other ids.
    pub fn spread_over(&mut self, names: &[&str]) {
        let at_first = std::mem::take(&mut self.images);
        self.datacenters.clear();
        for (nth, name) in names.iter().enumerate() {
            self.datacenters.push(DataCenter {
                id: (nth + 1).to_string(),
                name: (*name).to_owned(),
            });
            self.images.extend(at_first.iter().map(|image| Image {
                id: other_id(image.id, nth),
                datacenter: Some((*name).to_owned()),
                ..image.clone()
            }));
        }
        for (instance, name) in self.instances.iter_mut().zip(names.iter().cycle()) {
            (*name).clone_into(&mut instance.datacenter);
        }
    }

    /// What may be installed in the data centre of this name.
    pub(super) fn images_at(&self, datacenter: &str) -> impl Iterator<Item = &Image> {
        self.images.iter().filter(move |image| {
            let of = image.datacenter.as_deref();
            of.is_none_or(|of| of == datacenter)
        })
    }

    /// Orders of AlmaLinux-8, the vendor's own example, for `services`.
    pub fn example_rows(
        services: impl IntoIterator<Item = ServiceId>,
    ) -> impl Iterator<Item = FleetRow> {
        let image = known_image(EXAMPLE_IMAGE, EXAMPLE_IMAGE_NAME).id;
        services.into_iter().map(move |service| FleetRow {
            service,
            image: Some(image),
            image_name: None,
            zone: None,
            ssh_key: None,
            key_label: None,
            expected: Expected::default(),
        })
    }
}

fn known_image(id: &str, name: &str) -> Image {
    Image {
        id: id.parse().expect("the constant is a UUID"),
        name: name.to_owned(),
        zone: PUBLIC_ZONE.to_owned(),
        datacenter: None,
    }
}

/// The id of the same image in the `nth` other data centre; its own in the first one.
fn other_id(id: ImageId, nth: usize) -> ImageId {
    let text = id.to_string();
    let (head, tail) = text.split_at(8);
    let head = u32::from_str_radix(head, 16).expect("an id is hexadecimal");
    let head = head.wrapping_add(u32::try_from(nth).unwrap_or(u32::MAX));
    let other = format!("{head:08x}{tail}");
    other.parse().expect("it differs in its digits only")
}

/// Distinct numbers give distinct names.
fn invented_name(number: usize) -> String {
    let name = NAMES[number % NAMES.len()];
    match number / NAMES.len() {
        0 => name.to_owned(),
        round => format!("{name}-build{}", round + 1),
    }
}

fn invented_instance(service: ServiceId, number: usize) -> SimulatedInstance {
    SimulatedInstance {
        service,
        name: format!("web-{:02}", number + 1),
        ip: invented_ip(number),
        datacenter: DATACENTER.to_owned(),
        status: InstanceStatus::Active.to_string(),
        image: OLD_IMAGE_NAME.to_owned(),
    }
}

/// On loopback from 127.66.0.1 on: whoever looks at one, by SSH for example, must meet nobody else's machine.
fn invented_ip(number: usize) -> String {
    const FIRST: u32 = u32::from_be_bytes([127, 66, 0, 1]);
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    Ipv4Addr::from(FIRST.saturating_add(number)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(service: i64, image: &str, zone: Option<&str>, ssh_key: Option<&str>) -> FleetRow {
        FleetRow {
            service: ServiceId::new(service).unwrap(),
            image: Some(image.parse().unwrap()),
            image_name: None,
            zone: zone.map(str::to_owned),
            ssh_key: ssh_key.map(str::to_owned),
            key_label: None,
            expected: Expected::default(),
        }
    }

    #[test]
    fn a_fleet_finds_everything_that_it_orders() {
        let own = "00000000-0000-4000-8000-000000000001";
        let config = Config::for_fleet([
            row(5, EXAMPLE_IMAGE, Some("image"), None),
            row(7, own, Some("own"), Some("490")),
            row(6, own, None, Some("490")),
            row(6, EXAMPLE_IMAGE, None, None),
        ]);
        let services: Vec<_> = config.instances.iter().map(|i| i.service.get()).collect();
        assert_eq!(services, [5, 7, 6]);
        assert!(config.instances.iter().all(|i| i.image == OLD_IMAGE_NAME));
        let image = |id: &str| {
            let id = id.parse().unwrap();
            config.images.iter().find(|image| image.id == id).unwrap()
        };
        assert_eq!(image(EXAMPLE_IMAGE).name, "AlmaLinux-8");
        assert_eq!(image(EXAMPLE_IMAGE).zone, "pub");
        assert_eq!(image(own).zone, "own");
        assert_eq!(config.ssh_keys.len(), 1);
    }

    #[test]
    fn distinct_images_have_distinct_names_and_instances_distinct_addresses() {
        let rows = (0..2_000_i64).map(|number| {
            row(
                number + 1,
                &format!("00000000-0000-4000-8000-{number:012}"),
                None,
                None,
            )
        });
        let config = Config::for_fleet(rows);
        let names: HashSet<_> = config.images.iter().map(|image| &image.name).collect();
        assert_eq!(names.len(), 2_002);
        let addresses: HashSet<_> = config.instances.iter().map(|i| &i.ip).collect();
        assert_eq!(addresses.len(), 2_000);
        assert_eq!(config.instances[0].ip, "127.66.0.1");
        assert_eq!(config.instances[1_999].ip, "127.66.7.208");
    }

    #[test]
    fn an_order_of_the_old_image_does_change_the_name() {
        let config = Config::for_fleet([row(5, OLD_IMAGE, None, None)]);
        let old = config
            .images
            .iter()
            .find(|i| i.id.to_string() == OLD_IMAGE)
            .unwrap();
        assert_ne!(config.instances[0].image, old.name);
    }
}

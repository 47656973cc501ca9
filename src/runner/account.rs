//! Reading the account before a run: for the question that is asked before anything is destroyed.

use std::collections::HashMap;
use std::time::Instant;

use tokio::time::sleep_until;

use super::fleet::Fleet;
use super::rate::{Purpose, Rate};
use crate::job::{ImageId, ServiceId};
use crate::zomro::{Client, Read};

/// Tries of each call. A person waits: an outage is better reported than sat out.
const TRIES_MAX: u32 = 3;

/// The account, as a person is shown it.
#[derive(Debug)]
pub struct Account {
    /// The whole list.
    pub fleet: Fleet,
    /// Names of images, as far as previews gave them.
    pub image_names: HashMap<ImageId, String>,
}

/// Reads the whole list, and asks for the names of `images` through an instance that is to get
/// each. `progress` is told the instances read so far, and how many there are.
pub async fn read_account(
    client: &Client,
    rate_per_s: f64,
    images: &[(ImageId, ServiceId)],
    progress: &mut (dyn FnMut(u64, Option<u64>) + Send),
) -> Result<Account, String> {
    let mut rate = Rate::new(rate_per_s, Instant::now());
    if client.generation() == 0 {
        wait(&mut rate).await;
        client.login().await.map_err(|error| error.to_string())?;
    }
    let mut fleet = Fleet::default();
    fleet.begin_walk();
    while let Some(page) = fleet.walk_page() {
        let reply = tried(&mut rate, || client.list_page(page)).await?;
        fleet.read(page, &reply.value, reply.requested_at);
        if let Some((read, total)) = fleet.walk_progress() {
            progress(read, total);
        }
    }
    let mut image_names = HashMap::new();
    for &(image, service) in images {
        if fleet.get(service).is_none() {
            continue;
        }
        // A name that is not to be had is shown as the bare id.
        if let Ok(reply) = tried(&mut rate, || client.preview(service)).await
            && let Some(found) = reply.value.image(image)
        {
            image_names.insert(image, found.name.clone());
        }
    }
    Ok(Account { fleet, image_names })
}

async fn tried<T, F: Future<Output = Read<T>>>(
    rate: &mut Rate,
    call: impl Fn() -> F,
) -> Result<crate::zomro::Reply<T>, String> {
    let mut tries = 0;
    loop {
        wait(rate).await;
        match call().await {
            Ok(reply) => return Ok(reply),
            Err(error) => {
                tries += 1;
                if tries == TRIES_MAX {
                    return Err(error.to_string());
                }
            }
        }
    }
}

async fn wait(rate: &mut Rate) {
    loop {
        let now = Instant::now();
        if rate.take(Purpose::Submission, now) {
            return;
        }
        sleep_until(rate.free_at(Purpose::Submission).into()).await;
    }
}

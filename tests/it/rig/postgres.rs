//! A rig whose queue lies on a PostgreSQL server.

#[path = "../../postgres/cluster.rs"]
mod cluster;

pub use cluster::Cluster;

use super::fleet::Rig;

impl Rig {
    /// The queue lies in an empty database of `cluster` from now on.
    #[must_use]
    pub fn on_server(mut self, cluster: &Cluster) -> Self {
        self.server = Some(cluster.database("template0"));
        self
    }

    /// What a superuser is told for `statement` in that database.
    pub fn ask(&self, cluster: &Cluster, statement: &str) -> String {
        let address = self.server.as_ref().unwrap();
        let (_, database) = address.rsplit_once('/').unwrap();
        cluster.sql(database, statement)
    }
}

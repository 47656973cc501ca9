//! What a hook is told of its instance: one JSON object on its stdin. No password is in it.

use serde::Serialize;

use crate::job::{AccessKind, BatchId, Evidence, Group, ImageId, ServiceId, ShownKey};
use crate::queue::QueuedJob;
use crate::time::Stamp;

/// Where SSH answers unless the manifest says otherwise.
const SSH_PORT: u16 = 22;

#[derive(Serialize)]
struct Document<'a> {
    version: u8,
    batch: BatchId,
    line: u64,
    service_id: ServiceId,
    name: Option<&'a str>,
    ip: Option<&'a str>,
    ssh_port: u16,
    host_key: Option<String>,
    image: Option<ImageId>,
    image_name: Option<&'a str>,
    access: Option<&'static str>,
    note: Option<&'a str>,
    group: Option<&'a Group>,
    evidence: Option<Evidence>,
    attempt: u32,
    submitted_at: Option<Stamp>,
    completed_at: Option<Stamp>,
}

/// Of `job` in `batch`, with a line feed.
pub fn document(batch: BatchId, job: &QueuedJob) -> String {
    let record = &job.record;
    let baseline = record.baseline.as_ref();
    let document = Document {
        version: 1,
        batch,
        line: job.line,
        service_id: job.service,
        name: baseline.and_then(|baseline| baseline.name.as_deref()),
        ip: baseline.and_then(|baseline| baseline.ip.as_deref()),
        ssh_port: (job.ssh_port)
            .or(record.host_key.as_ref().map(|shown| shown.address.port()))
            .unwrap_or(SSH_PORT),
        host_key: record.host_key.as_ref().map(ShownKey::known_hosts_line),
        image: job.order.image(),
        image_name: record.target.as_deref(),
        access: job.order.access_kind().map(AccessKind::as_str),
        note: job.note.as_deref(),
        group: job.group.as_ref(),
        evidence: record.evidence,
        attempt: record.attempt,
        submitted_at: record.submitted_ms.map(Stamp),
        completed_at: record.completed_ms.map(Stamp),
    };
    // Plain data: it can be written.
    serde_json::to_string(&document).unwrap_or_default() + "\n"
}

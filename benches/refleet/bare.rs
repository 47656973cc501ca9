//! The ceiling of every dispatch: the same forms to the same server, and no record of anything.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::multipart::Form;

use crate::place::{IMAGE, PASSWORD, TOKEN, service};

/// Submits `jobs` forms by `workers` loops, and says how long that took.
pub fn submit(
    url: &str,
    workers: usize,
    jobs: usize,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let next = AtomicUsize::new(0);
    let next: &'static AtomicUsize = Box::leak(Box::new(next));
    let url: reqwest::Url = url.parse()?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .http1_only()
            .no_proxy()
            .tcp_nodelay(true)
            .tls_backend_preconfigured(trusting_nobody()?)
            .build()?;
        let began = Instant::now();
        let mut loops = tokio::task::JoinSet::new();
        for _ in 0..workers {
            let (client, url) = (client.clone(), url.clone());
            loops.spawn(async move {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        return Ok::<_, reqwest::Error>(());
                    }
                    let answer = client.post(url.clone()).multipart(form(job)).send().await?;
                    answer.error_for_status()?.bytes().await?;
                }
            });
        }
        while let Some(ended) = loops.join_next().await {
            ended??;
        }
        Ok(began.elapsed())
    })
}

/// The fields of a rebuild.
fn form(job: usize) -> Form {
    Form::new()
        .text("func", "instances.fleio.rebuild")
        .text("auth", TOKEN)
        .text("out", "json")
        .text("sok", "ok")
        .text("elid", service(job).to_string())
        .text("zone", "pub")
        .text("select_rebuild", IMAGE)
        .text("enablessh", "off")
        .text("password", PASSWORD)
        .text("lang", "en")
}

/// Plain HTTP needs no certificates, and reqwest a provider all the same.
fn trusting_nobody() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

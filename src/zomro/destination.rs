//! Whom the calls go to, and which way.

#[derive(Debug, Clone)]
pub(super) struct Destination {
    /// The API's host.
    pub(super) host: String,
    /// The host is the vendor's own: that it does not exist is an outage.
    pub(super) is_vendors: bool,
    /// The proxy on the way, without its password.
    pub(super) proxy: Option<String>,
}

impl Destination {
    /// Names under `.invalid` never exist (RFC 6761), whatever a resolver without a network says.
    pub(super) fn cannot_exist(&self) -> bool {
        self.proxy.is_none() && self.host.trim_end_matches('.').ends_with(".invalid")
    }
}

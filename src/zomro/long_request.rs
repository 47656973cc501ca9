//! The page that stands in for an answer which takes long.
//!
//! When the panel cannot answer in time it sends HTTP 200 with an HTML page that leads to
//! `…/long…billmgr…`, where the answer will be. Nobody recorded such a page, so every way in which a
//! page can lead somewhere is read: a link, a meta refresh, a script.

/// Such a page is short: what comes behind this many bytes is not looked at.
const PAGE_BYTES_MAX: usize = 1 << 16;
/// No link is longer, and no name of a member (`location.replace`). Together the bounds keep a page
/// of nothing but `href=` from holding up the only thread.
const LINK_BYTES_MAX: usize = 2048;
const NAME_BYTES_MAX: usize = 32;
/// A link may hold another one, so the search goes on within it; a longer one is passed over as a
/// whole.
const SHORT_BYTES_MAX: usize = 64;

/// Where the page leads; `None` where it is no long-request page.
pub(super) fn link(html: &str) -> Option<String> {
    let html = &html[..html.floor_char_boundary(PAGE_BYTES_MAX)];
    // Same byte offsets as `html`.
    let lower = html.to_ascii_lowercase();
    let mut at = 0;
    while at < html.len() {
        let marker = ["href", "url", "location"]
            .into_iter()
            .find(|marker| lower.as_bytes()[at..].starts_with(marker.as_bytes()));
        at += marker.map_or(1, str::len);
        let Some(target) = marker.and_then(|_| target(html.get(at..)?)) else {
            continue;
        };
        if leads_to_long_request(target) {
            return Some(target.replace("&amp;", "&"));
        }
        // A long target that leads elsewhere is not searched again: what stands in it belongs to
        // it.
        if target.len() > SHORT_BYTES_MAX {
            at += target.len();
        }
    }
    None
}

/// What stands behind `href`, `url` or `location`: `="x"`, `='x'`, `=x`, `.href = "x"`,
/// `.replace("x")`.
fn target(rest: &str) -> Option<&str> {
    let rest = rest[..rest.floor_char_boundary(LINK_BYTES_MAX)].trim_start();
    let rest = rest.strip_prefix('.').map_or(rest, |member| {
        let is_name = |character: &char| character.is_ascii_alphabetic();
        let name = member.chars().take(NAME_BYTES_MAX).take_while(is_name);
        &member[name.count()..]
    });
    let rest = rest.trim_start().strip_prefix(['=', '('])?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => rest[1..].split(quote).next(),
        None => rest
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '>' | ')'))
            .next(),
    }
}

/// The panel itself looks for `long`, then anything, then `billmgr`.
fn leads_to_long_request(target: &str) -> bool {
    let target = target.to_ascii_lowercase();
    target.match_indices("long").any(|(at, word)| {
        let begins = !target[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let behind = &target[at + word.len()..];
        begins && behind.find("billmgr").is_some_and(|gap| gap > 0)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_to_lead_somewhere_is_read() {
        for page in [
            r#"<a href="/long/1/billmgr?id=7&amp;x=1">wait</a>"#,
            r"<A HREF = '/long/1/billmgr?id=7&x=1'>wait</A>",
            "<a href=/long/1/billmgr?id=7&amp;x=1>wait</a>",
            r#"<meta http-equiv="refresh" content="5; URL=/long/1/billmgr?id=7&amp;x=1">"#,
            r#"<meta http-equiv="refresh" content="5;url='/long/1/billmgr?id=7&x=1'">"#,
            r#"<script>window.location.href = "/long/1/billmgr?id=7&x=1";</script>"#,
            r"<script>location='/long/1/billmgr?id=7&x=1'</script>",
            r#"<script>document.location.replace("/long/1/billmgr?id=7&x=1")</script>"#,
            r#"<link href="/style.css"><a href="/">x</a><a href="/long/1/billmgr?id=7&x=1">y</a>"#,
        ] {
            assert_eq!(
                link(page).as_deref(),
                Some("/long/1/billmgr?id=7&x=1"),
                "{page}"
            );
        }
    }

    #[test]
    fn an_ordinary_page_leads_nowhere() {
        for page in [
            "",
            "<html>502 Bad Gateway</html>",
            r#"<a href="/billmgr?func=logon">log in</a>"#,
            r#"<a href="/belongings/billmgr">x</a>"#,
            r#"<a href="/longbillmgr">x</a>"#,
            r#"<a href="/long/">x</a> billmgr"#,
            "<p>/long/1/billmgr</p>",
            "<a href",
            "<a href=",
            "<a href=\"",
        ] {
            assert_eq!(link(page), None, "{page}");
        }
    }

    // Field case A12.
    #[test]
    fn however_long_a_page_is_the_search_for_a_link_ends() {
        // A search through all of it that is not linear would not end.
        for marker in [
            "href=",
            "href=\"",
            "url(",
            "location.x=",
            "href=/long",
            "href=/longlong",
        ] {
            assert_eq!(link(&marker.repeat((1 << 25) / marker.len())), None);
        }
    }

    proptest! {
        #[test]
        fn no_page_panics(page in r#"(href|url|location|[.=("' ]|/long.billmgr|\PC){0,40}"#) {
            let _ = link(&page);
        }
    }
}

//! The page that stands in for an answer which takes long.
//!
//! When the panel cannot answer in time it sends HTTP 200 with an HTML page that leads to
//! `…/long…billmgr…`, where the answer will be. Nobody recorded such a page, so every way in which a
//! page can lead somewhere is read: a link, a meta refresh, a script.

/// Where the page leads; `None` where it is no long-request page.
pub(super) fn link(html: &str) -> Option<String> {
    // Same byte offsets as `html`.
    let lower = html.to_ascii_lowercase();
    (0..html.len())
        .filter_map(|at| {
            let rest = lower.as_bytes().get(at..)?;
            let marker = ["href", "url", "location"]
                .into_iter()
                .find(|marker| rest.starts_with(marker.as_bytes()))?;
            target(html.get(at + marker.len()..)?)
        })
        .find(|target| leads_to_long_request(target))
        .map(|target| target.replace("&amp;", "&"))
}

/// What stands behind `href`, `url` or `location`: `="x"`, `='x'`, `=x`, `.href = "x"`,
/// `.replace("x")`.
fn target(rest: &str) -> Option<&str> {
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('.').map_or(rest, |member| {
        member.trim_start_matches(|character: char| character.is_ascii_alphabetic())
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

    proptest! {
        #[test]
        fn no_page_panics(page in r#"(href|url|location|[.=("' ]|/long.billmgr|\PC){0,40}"#) {
            let _ = link(&page);
        }
    }
}

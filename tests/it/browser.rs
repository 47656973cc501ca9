//! The report in a real browser: what it shows, what it asks for (nothing), and what its script does.
//!
//! A headless Chromium is spoken to over `WebDriver`. Where `chromedriver` is missing these tests say so and
//! do nothing, unless `REFLEET_BROWSER=1` demands it.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::rig::{Browser, IMAGE, OTHER_IMAGE, Rig};
use refleet::simulator::{FaultKind, InstanceChange};

/// The keys that are no characters, as `WebDriver` writes them.
const ENTER: char = '\u{e007}';

#[expect(clippy::print_stderr, reason = "for whoever runs the tests")]
fn browser() -> Option<Browser> {
    let browser = Browser::start();
    if browser.is_none() {
        eprintln!(
            "skipped: there is no chromedriver here (REFLEET_BROWSER=1 makes that a failure)"
        );
    }
    browser
}

/// A report of `count` jobs that are done but for the last seven: five failed for two reasons, two in doubt.
fn large(rig: &Rig, count: usize) -> PathBuf {
    rig.fleet(count);
    rig.load();
    rig.sql(
        "UPDATE job SET state = 'done', attempt = 1, executed_now = 'yes', evidence = 'observed',
             intent_ms = 1795399200000 + line * 100, submitted_ms = 1795399200007 + line * 100,
             completed_ms = 1795399380000 + line * 100 + line * 7919 % 60000, target = 'AlmaLinux-8',
             baseline = json_object('image', 'CentOS-7', 'status', 'active', 'age_ms', 10,
                 'name', 'web-' || (line - 1), 'ip', '192.0.2.' || (line % 250))",
    );
    rig.sql(
        "UPDATE job SET state = 'failed', executed_now = 'no', evidence = NULL,
             error_kind = iif(line % 2, 'value', 'not_ready'), error = 'it is so, and will not change'
         WHERE id > (SELECT max(id) - 7 FROM job)",
    );
    rig.sql(
        "UPDATE job SET state = 'in_doubt', executed_now = 'maybe', completed_ms = NULL, held = 1,
             error_kind = 'timeout', error = 'no answer within 60s'
         WHERE id > (SELECT max(id) - 2 FROM job)",
    );
    let report = rig.path("report.html");
    rig.call(&["report", "-q", "-o", "report.html"]).exit(0);
    report
}

/// A rig whose report is that of 100,000 jobs: the page is made once. Whoever asks for it has no rig yet, or it
/// could wait for one that waits for it.
fn hundred_thousand() -> (Rig, PathBuf) {
    static PAGE: OnceLock<Vec<u8>> = OnceLock::new();
    let page = PAGE.get_or_init(|| {
        let rig = Rig::new(1);
        fs::read(large(&rig, 100_000)).unwrap()
    });
    let rig = Rig::new(1);
    let report = rig.path("report.html");
    fs::write(&report, page).unwrap();
    (rig, report)
}

/// No word in the console, and nothing asked for but the page itself.
#[track_caller]
fn assert_quiet(browser: &Browser) {
    assert_eq!(browser.log("browser"), [] as [Value; 0]);
    let requests = browser.log("performance");
    let requests = requests.iter().filter_map(|entry| {
        let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
        let message = &message["message"];
        (message["method"] == "Network.requestWillBeSent").then(|| {
            message["params"]["request"]["url"]
                .as_str()
                .unwrap()
                .to_owned()
        })
    });
    let others: Vec<String> = requests
        .filter(|url| !url.ends_with("/report.html"))
        .collect();
    assert_eq!(others, [""; 0]);
}

/// Waits until the table shows what it was asked for last.
fn settle(browser: &Browser) {
    browser.run(
        "return new Promise((settled) => {
             const look = () => document.getElementById('table').hasAttribute('aria-busy')
                 ? setTimeout(look, 5) : settled();
             look();
         })",
    );
}

fn names(browser: &Browser) -> Vec<String> {
    settle(browser);
    let names = browser.run(
        "return [...document.querySelectorAll('#table tbody th')].map((cell) => cell.firstChild.textContent)",
    );
    serde_json::from_value(names).unwrap()
}

fn found(browser: &Browser) -> String {
    settle(browser);
    let found = browser.run("return document.getElementById('found').textContent");
    found.as_str().unwrap().to_owned()
}

/// Writes into a field as the script hears of it.
fn choose(browser: &Browser, field: &str, value: &str) {
    browser.run(&format!(
        "const field = document.getElementById('{field}');
         const options = [...(field.options || [])];
         field.value = options.length ? options.find((option) => option.text.startsWith('{value}')).value : '{value}';
         field.dispatchEvent(new Event('input', {{ bubbles: true }}));"
    ));
}

#[test]
fn the_table_is_searched_sorted_filtered_and_paged() {
    let Some(browser) = browser() else { return };
    let rig = Rig::new(1);
    let report = large(&rig, 1000);
    browser.open(&report);
    assert_quiet(&browser);

    // Those that need a human come first, and the page is the one that was there before the script.
    assert_eq!(names(&browser)[..3], ["web-999", "web-1000", "web-994"]);
    assert_eq!(names(&browser).len(), 200);
    assert_eq!(found(&browser), "1,000 jobs; shown are 1 to 200");
    browser.click("button[data-page=next]");
    assert_eq!(found(&browser), "1,000 jobs; shown are 201 to 400");
    assert_eq!(names(&browser)[0], "web-194");
    browser.click("button[data-page=last]");
    assert_eq!(found(&browser), "1,000 jobs; shown are 801 to 1,000");
    browser.click("button[data-page=first]");

    choose(&browser, "search", "WEB-99 done");
    assert_eq!(found(&browser), "5 of 1,000 jobs");
    assert_eq!(
        names(&browser),
        ["web-99", "web-990", "web-991", "web-992", "web-993"]
    );
    choose(&browser, "search", "no-such-thing");
    assert_eq!(
        found(&browser),
        "No job is like that. All in all there are 1,000."
    );
    choose(&browser, "search", "");

    choose(&browser, "state", "failed");
    assert_eq!(found(&browser), "5 of 1,000 jobs");
    choose(&browser, "cause", "value");
    assert_eq!(names(&browser), ["web-994", "web-996", "web-998"]);
    browser.click("#controls button");
    assert_eq!(names(&browser).len(), 200);

    // A number in a name counts as one.
    browser.click("th[data-key=name] button");
    assert_eq!(names(&browser)[..3], ["web-1", "web-2", "web-3"]);
    let sorted = |browser: &Browser| {
        browser.run("return document.querySelector('[aria-sort]').getAttribute('aria-sort')")
    };
    assert_eq!(sorted(&browser), "ascending");
    browser.click("th[data-key=name] button");
    assert_eq!(names(&browser)[0], "web-1000");
    assert_eq!(sorted(&browser), "descending");
    browser.click("th[data-key=took] button");
    settle(&browser);
    let took = browser.run("return document.querySelector('#table tbody tr').cells[3].textContent");
    assert!(
        took.as_str().unwrap().starts_with("3m 5"),
        "the slowest first: {took}"
    );

    assert_quiet(&browser);
}

/// Jobs of one kind that say different things are different causes, those that are rare are one, and nobody
/// has said of some why they failed.
#[test]
fn each_cause_leads_to_its_rows_and_to_no_others() {
    let Some(browser) = browser() else { return };
    let rig = Rig::new(1);
    rig.fleet(600);
    rig.load();
    rig.sql(
        "UPDATE job SET state = iif(line % 3, 'failed', 'in_doubt'), attempt = 1, intent_ms = 1795399200000,
             submitted_ms = 1795399200007, executed_now = iif(line % 3, 'no', 'maybe'),
             completed_ms = iif(line % 3, 1795399201000, NULL)",
    );
    rig.sql(
        "UPDATE job SET error_kind = 'value', error = CASE WHEN line % 4
             THEN 'the field ' || char(97 + line % 23) || char(97 + line / 26) || ' is bad'
             ELSE 'the field 7' || line || ' is bad' END WHERE line % 5 < 3",
    );
    rig.sql(
        "UPDATE job SET error_kind = 'timeout', error = 'no answer within 60s' WHERE line % 5 = 3",
    );
    rig.call(&["report", "-q", "-o", "report.html"]).exit(0);
    browser.open(&rig.path("report.html"));
    let causes = browser.run(
        "return [...document.querySelectorAll('.cause')].map((cause) =>
             [cause.querySelector('data').value, cause.querySelector('.sum').textContent])",
    );
    let causes: Vec<(String, String)> = serde_json::from_value(causes).unwrap();
    assert!(causes.len() > 8, "{causes:?}");
    assert!(
        causes.iter().any(|(_, sum)| sum.contains("unknown")),
        "{causes:?}"
    );
    let mut all = 0;
    for (place, (count, sum)) in causes.iter().enumerate() {
        browser.click(&format!(".cause button[data-cause=\"{}\"]", place + 1));
        assert_eq!(found(&browser), format!("{count} of 600 jobs"), "{sum}");
        let chosen = browser.run(
            "const chosen = document.getElementById('cause').selectedOptions; return chosen[0].textContent",
        );
        assert!(
            chosen.as_str().unwrap().ends_with(&format!(" ({count})")),
            "{chosen}"
        );
        all += count.parse::<u64>().unwrap();
    }
    assert_eq!(all, 600, "each job failed, or is in doubt");
    assert_quiet(&browser);
}

/// However quickly somebody types, the table is searched once, and it is not sorted again for that.
#[test]
fn typing_among_a_hundred_thousand_rows_ends_with_the_last_word() {
    let Some(browser) = browser() else { return };
    let (_rig, report) = hundred_thousand();
    browser.open(&report);
    browser.run("document.getElementById('search').focus()");
    browser.keys("web-99999");
    assert_eq!(names(&browser), ["web-99999"]);
    let work = browser.run(
        "const work = { drawn: 0, sorted: 0 };
         const watch = new MutationObserver(() => { work.drawn += 1; });
         watch.observe(document.querySelector('#table tbody'), { childList: true });
         const sort = Array.prototype.sort;
         Array.prototype.sort = function (...by) { work.sorted += 1; return sort.apply(this, by); };
         const search = document.getElementById('search');
         for (const text of ['', 'w', 'we', 'web-7', 'web-77', 'web-777', 'web-7777']) {
             search.value = text;
             search.dispatchEvent(new Event('input', { bubbles: true }));
         }
         window.work = work;
         return [search.value, work.drawn, work.sorted]",
    );
    assert_eq!(work, json!(["web-7777", 0, 0]));
    assert_eq!(found(&browser), "11 of 100,000 jobs");
    assert_eq!(
        browser.run("return [work.drawn, work.sorted]"),
        json!([1, 0])
    );
    // Nor does the table come in each order that somebody has passed by.
    browser.run(
        "for (const key of ['state', 'kind', 'took', 'name', 'name'])
             document.querySelector(`th[data-key=${key}] button`).click()",
    );
    assert_eq!(names(&browser)[0], "web-77779");
    assert_eq!(
        browser.run("return [work.drawn, work.sorted]"),
        json!([2, 1])
    );
    assert_quiet(&browser);
}

/// A broken clock spoils its own row and no other: nothing of the page ends with it.
#[test]
fn a_moment_beyond_the_calendar_and_a_long_number_do_no_harm() {
    let Some(browser) = browser() else { return };
    let rig = Rig::new(1);
    large(&rig, 300);
    // The clock, by turns: beyond what a Date holds, beyond four digits of a year, and before Christ.
    rig.sql(
        "UPDATE job SET completed_ms = CASE line % 3 WHEN 0 THEN 9223372036854775807 WHEN 1 THEN 253402300800000
             ELSE -9223372036854775807 END WHERE line IN (20, 21, 22)",
    );
    rig.sql("UPDATE job SET service_id = 9223372036854775807 WHERE line = 30");
    rig.call(&["report", "-q", "-o", "report.html"]).exit(0);
    browser.open(&rig.path("report.html"));
    for key in ["when", "took", "name"] {
        browser.click(&format!("th[data-key={key}] button"));
        assert_eq!(names(&browser).len(), 200);
    }
    for (line, when) in [
        (20, "-9223372036854775807ms"),
        (21, "9223372036854775807ms"),
        (22, "253402300800000ms"),
    ] {
        choose(&browser, "search", &format!("web-{}", line - 1));
        assert_eq!(names(&browser)[0], format!("web-{}", line - 1));
        let told =
            browser.run("return document.querySelector('#table tbody tr').cells[4].textContent");
        assert_eq!(told, when);
    }
    choose(&browser, "search", "9223372036854775807");
    assert_eq!(names(&browser), ["web-29"]);
    let ids = browser.run("return document.querySelector('#table tbody .ids').textContent");
    assert!(
        ids.as_str().unwrap().starts_with("9223372036854775807 · "),
        "{ids}"
    );
    assert_quiet(&browser);
}

#[test]
fn everything_can_be_done_with_the_keyboard() {
    let Some(browser) = browser() else { return };
    let rig = Rig::new(1);
    browser.open(&large(&rig, 300));
    browser.run("document.getElementById('search').focus()");
    browser.keys("web-29");
    assert_eq!(found(&browser), "11 of 300 jobs");
    // Enter sends no form anywhere.
    browser.keys(&ENTER.to_string());
    assert_eq!(found(&browser), "11 of 300 jobs");
    browser.run("document.querySelector('th[data-key=name] button').focus()");
    browser.keys(&ENTER.to_string());
    assert_eq!(names(&browser)[0], "web-29");
    browser.run("document.querySelector('#controls button').focus()");
    browser.keys(&ENTER.to_string());
    assert!(found(&browser).starts_with("300 jobs; shown are 1 to "));
    browser.run("document.querySelector('button[data-page=next]').focus()");
    browser.keys(&ENTER.to_string());
    let focused = browser.run("return document.activeElement.dataset.page");
    assert_eq!(
        focused, "first",
        "of two pages, none comes after the second"
    );
    // What has the focus shows it, and the way there leads over all that can be operated.
    let focused = browser.run(
        "const style = getComputedStyle(document.activeElement); return [style.outlineStyle, style.outlineWidth]",
    );
    assert_eq!(focused, json!(["solid", "2px"]));
    let operable = browser.run(
        "return [...document.querySelectorAll('[onclick], [tabindex]:not([tabindex=\"0\"])')].length",
    );
    assert_eq!(operable, 0);
    let unnamed = browser.run(
        "return [...document.querySelectorAll('input, select, button')]
             .filter((field) => !(field.labels?.length || field.textContent.trim())).length",
    );
    assert_eq!(unnamed, 0);
}

#[test]
fn moments_are_those_of_the_readers_clocks_and_of_utc() {
    let Some(browser) = browser() else { return };
    let rig = Rig::new(1);
    browser.live_in("Asia/Kathmandu");
    browser.open(&large(&rig, 10));
    let of = |selector: &str| {
        browser.run(&format!(
            "return document.querySelector('{selector} time').textContent"
        ))
    };
    let head = of("header");
    let head = head.as_str().unwrap();
    assert!(
        head.contains("07:45:00 AM") && head.contains("(02:00:00 UTC)"),
        "{head}"
    );
    let row = browser.run(
        "const time = document.querySelector('#table time'); return [time.textContent, time.title]",
    );
    assert_eq!(
        row,
        json!(["Nov 23, 07:45:01 AM", "2026-11-23 02:00:01 UTC"])
    );
    // Whose clocks they are stands where they stand.
    for place in [".kicker", "#table thead", ".timeline figcaption"] {
        let told = browser.run(&format!(
            "return document.querySelector('{place}').innerText"
        ));
        assert!(
            told.as_str().unwrap().contains("Asia/Kat"),
            "{place}: {told}"
        );
    }
}

#[test]
fn ten_thousand_jobs_are_small_and_a_hundred_thousand_open() {
    let Some(browser) = browser() else { return };
    let (_rig, hundred_thousand) = hundred_thousand();
    let rig = Rig::new(1);
    let ten_thousand = large(&rig, 10_000);
    for (report, bytes_max) in [(ten_thousand, 3_000_000), (hundred_thousand, 30_000_000)] {
        let bytes = fs::metadata(&report).unwrap().len();
        assert!(bytes < bytes_max, "{bytes} bytes, and not {bytes_max}");
        browser.open(&report);
        assert_quiet(&browser);
        let rows = browser.run("return document.querySelectorAll('#table tbody tr').length");
        assert_eq!(rows, 200);
        choose(&browser, "search", "web-9999");
        assert!(names(&browser).contains(&"web-9999".to_owned()));
    }
}

#[test]
fn hostile_names_stay_text_in_the_browser() {
    const HOSTILE: &str = "</script><script>alert(1)</script><img src=x>\"'&lt;";
    let Some(browser) = browser() else { return };
    let rig = Rig::new(3);
    rig.write(
        "fleet.csv",
        format!(
            "service_id,image,password,note\n{},{IMAGE},Sesame-Xyzzy-4711,{HOSTILE}\n{},{OTHER_IMAGE},Sesame-Xyzzy-4711,\n",
            rig.services[0].get(),
            rig.services[1].get(),
        ),
    );
    let change = InstanceChange {
        name: Some(HOSTILE.to_owned()),
        ..InstanceChange::default()
    };
    rig.change(0, &change);
    rig.fault(1, FaultKind::Error);
    rig.run(&[]).exit(1);
    rig.call(&["report", "-q", "-o", "report.html"]).exit(0);
    browser.open(&rig.path("report.html"));
    assert_quiet(&browser);
    choose(&browser, "search", "alert(1)");
    assert_eq!(names(&browser), [HOSTILE]);
    let images = browser.run("return document.images.length + document.scripts.length");
    assert_eq!(images, 2, "the two scripts of its own");
    assert_quiet(&browser);
}

#[test]
fn what_is_printed_has_all_that_matters_and_nothing_to_click() {
    let Some(browser) = browser() else { return };
    let rig = Rig::new(1);
    browser.open(&large(&rig, 300));
    let pdf = STANDARD.decode(browser.printed()).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    let pages = pdf.windows(12).filter(|words| words == b"/Type /Page\n");
    let pages = pages.count();
    assert!((2..25).contains(&pages), "{pages} pages");

    browser.on_paper();
    let shown = |selector: &str| {
        let shown = browser.run(&format!(
            "return [...document.querySelectorAll('{selector}')].filter((found) => found.getClientRects().length).length"
        ));
        shown.as_u64().unwrap()
    };
    for gone in ["#controls", "#pages", ".scripted", ".skip", ".more"] {
        assert_eq!(shown(gone), 0, "{gone}");
    }
    // What needs a human, the counts, the commands, and what a click would have opened.
    for (told, count) in [
        (".tile .big", 5),
        ("#needs .instance", 2),
        ("#needs code.command", 1),
        (".counts li", 3),
        (".cause", 3),
        (".cause details li", 7),
        ("#table tbody tr", 200),
    ] {
        assert!(shown(told) >= count, "{told}: {}", shown(told));
    }
    let opened = browser.run(
        "return [...document.querySelectorAll('.cause details li')].every((told) => told.checkVisibility({ contentVisibilityAuto: true }) && told.getBoundingClientRect().height > 0)",
    );
    assert_eq!(opened, true);
    let ground = browser.run("return getComputedStyle(document.body).backgroundColor");
    assert_eq!(ground, "rgb(255, 255, 255)", "no paper is dark");
}

#[test]
fn the_page_fits_every_width_and_both_schemes() {
    let Some(browser) = browser() else { return };
    let rig = Rig::new(1);
    let report = large(&rig, 300);
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for width in [400, 800, 1280, 2560] {
            browser.resize(width, 800);
            browser.open(&report);
            let scrolls = browser.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth");
            assert_eq!(scrolls, false, "{width} px, {scheme}");
        }
        let ground = browser.run("return getComputedStyle(document.body).backgroundColor");
        let is_dark = ground == "rgb(20, 22, 26)";
        assert_eq!(is_dark, scheme == "dark", "{ground}");
    }
    // The five questions stand on the first screen.
    browser.resize(1280, 800);
    let bottom = browser.run(
        "return Math.max(...[...document.querySelectorAll('.tile')].map((tile) => tile.getBoundingClientRect().bottom))",
    );
    assert!(bottom.as_f64().unwrap() < 800.0, "{bottom}");
}

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// A list of `total` rows shows these instances on page `number`.
fn page(number: u32, total: u64, services: &[i64]) -> Page {
    Page {
        number,
        per_page: Some(2),
        total,
        rows: services.len() as u64,
        instances: services.iter().map(|&service| instance(service)).collect(),
    }
}

/// The same, and `rows` rows that name nobody.
fn with_unreadable(rows: u64, mut page: Page) -> Page {
    page.rows += rows;
    page
}

fn instance(service: i64) -> Instance {
    Instance {
        service: id(service),
        status: InstanceStatus::Active,
        image: Some("AlmaLinux-8".to_owned()),
        name: Some(format!("web-{service}")),
        ip: None,
        datacenter: Some("NL-1".to_owned()),
    }
}

fn id(service: i64) -> ServiceId {
    ServiceId::new(service).unwrap()
}

/// Walks through `list`, which is told the page asked for and the calls before, and says what the
/// scan brought and with how many calls.
fn scan(list: &mut InstanceList, mut page_of: impl FnMut(u32, usize) -> Page) -> (News, usize) {
    list.begin_scan();
    let mut calls = 0;
    loop {
        let asked = list.scan_page().unwrap();
        let news = list.read(asked, &page_of(asked, calls), Instant::now());
        calls += 1;
        assert!(calls < 1000, "the scan does not end");
        if news.scan_ended.is_some() {
            assert_eq!(list.scan_page(), None);
            assert!(list.is_scanned());
            return (news, calls);
        }
        assert!(list.scan_page().is_some());
    }
}

/// `services` in pages of `size`, as a list at rest shows them.
fn at_rest(services: &[i64], size: usize) -> impl Fn(u32, usize) -> Page + '_ {
    move |asked, _| {
        let first = (asked as usize - 1) * size;
        let rows = services.iter().skip(first).take(size).copied();
        page(asked, services.len() as u64, &rows.collect::<Vec<_>>())
    }
}

fn is_complete(news: &News) -> bool {
    news.scan_ended.unwrap().1
}

fn page_of(list: &InstanceList, service: i64) -> Option<u32> {
    list.get(id(service))?.page
}

#[test]
fn a_list_at_rest_is_read_in_one_walk() {
    let mut list = InstanceList::default();
    assert_eq!((list.scan_page(), list.is_scanned()), (None, false));
    let (news, calls) = scan(&mut list, at_rest(&[11, 12, 13, 14, 15], 2));
    assert!(is_complete(&news) && list.is_read());
    assert_eq!((calls, list.total()), (3, 5));
    assert_eq!(page_of(&list, 11), Some(1));
    assert_eq!(page_of(&list, 15), Some(3));
    assert_eq!(
        list.pages_of([12, 13, 14, 99].map(id).into_iter()),
        BTreeSet::from([1, 2])
    );
    let listed = list.get(id(13)).unwrap();
    assert_eq!(listed.name.as_deref(), Some("web-13"));
    assert_eq!(listed.datacenter.as_deref(), Some("NL-1"));
}

#[test]
fn an_empty_list_is_read_with_one_call() {
    let mut list = InstanceList::default();
    let (news, calls) = scan(&mut list, |asked, _| page(asked, 0, &[]));
    assert!(is_complete(&news) && list.is_read());
    assert_eq!(calls, 1);
}

#[test]
fn a_walk_tells_how_far_it_is_and_when_it_began() {
    let mut list = InstanceList::default();
    list.begin_scan();
    assert_eq!(list.scan_progress(), Some((0, None)));
    let began = Instant::now();
    list.read(1, &with_unreadable(1, page(1, 3, &[11])), began);
    assert_eq!(list.scan_progress(), Some((2, Some(3))));
    // A scan under way is not begun again.
    list.begin_scan();
    assert_eq!(list.scan_page(), Some(2));
    let news = list.read(2, &page(2, 3, &[12, 13]), began + Duration::from_secs(1));
    assert_eq!(news.scan_ended, Some((began, true)));
    assert_eq!(list.scan_progress(), None);
}

#[test]
fn a_list_that_changes_during_a_walk_is_walked_again() {
    type Pages = [&'static [i64]; 2];
    let cases: [(&str, Pages, Pages, usize); 3] = [
        ("grows", [&[1, 2], &[3]], [&[1, 2], &[3, 4]], 2),
        ("shrinks", [&[1, 2], &[3, 4]], [&[2, 3], &[4]], 2),
        // As many as before: only that one is shown twice gives it away, and one is missing.
        ("shifts", [&[1, 2], &[3, 4]], [&[5, 1], &[2, 3]], 3),
    ];
    for (name, before, after, calls_of_the_first) in cases {
        let mut list = InstanceList::default();
        let (news, calls) = scan(&mut list, |asked, calls| {
            let pages = if calls == 0 { before } else { after };
            let here = pages.get(asked as usize - 1).copied().unwrap_or(&[]);
            page(asked, pages.concat().len() as u64, here)
        });
        assert!(is_complete(&news) && list.is_read(), "{name}");
        assert_eq!(calls, calls_of_the_first + 2, "{name}");
        for (services, number) in after.iter().zip(1..) {
            for &service in *services {
                assert_eq!(page_of(&list, service), Some(number), "{name}: {service}");
            }
        }
        for &gone in before
            .concat()
            .iter()
            .filter(|one| !after.concat().contains(one))
        {
            assert_eq!(page_of(&list, gone), None, "{name}: {gone}");
        }
    }
}

#[test]
fn a_list_that_changes_during_every_walk_is_taken_as_it_is() {
    let mut list = InstanceList::default();
    let (news, calls) = scan(&mut list, |asked, calls| {
        // One more with each call, ahead of all others: each page repeats one of the page before.
        let newest = 100 + i64::try_from(calls).unwrap();
        let services: Vec<i64> = (97..=newest).rev().collect();
        at_rest(&services, 2)(asked, calls)
    });
    assert!(!is_complete(&news));
    assert!(list.is_scanned() && !list.is_read());
    assert!(calls >= 2 * WALKS_MAX as usize, "{calls}");
    // The next one may be luckier.
    let (news, calls) = scan(&mut list, at_rest(&[101, 102, 103], 2));
    assert!(is_complete(&news) && list.is_read());
    assert_eq!(calls, 2);
}

#[test]
fn an_api_that_shows_the_same_page_for_ever_ends() {
    let same: [(&str, Page); 4] = [
        ("instances", page(1, 100, &[1, 2])),
        (
            "rows that name nobody",
            with_unreadable(2, page(1, u64::MAX, &[])),
        ),
        ("both", with_unreadable(2, page(1, u64::MAX, &[1, 2]))),
        ("nothing", page(1, u64::MAX, &[])),
    ];
    for (name, same) in same {
        // It calls every page the first, or each as it was asked for.
        for echoes in [false, true] {
            let mut list = InstanceList::default();
            let (news, calls) = scan(&mut list, |asked, _| Page {
                number: if echoes { asked } else { same.number },
                ..same.clone()
            });
            assert!(!is_complete(&news) && !list.is_read(), "{name}");
            assert!(calls <= 2 * WALKS_MAX as usize, "{name}: {calls}");
        }
    }
}

#[test]
fn an_api_that_always_shows_somebody_new_ends() {
    let mut list = InstanceList::default();
    list.begin_scan();
    let mut service = 0;
    for number in 1..=WALKS_MAX {
        // All pages before the last but one, read by leaps.
        list.scan.as_mut().unwrap().next = PAGES_MAX - 1;
        for asked in [PAGES_MAX - 1, PAGES_MAX] {
            assert_eq!(list.scan_page(), Some(asked), "scan {number}");
            service += 1;
            list.read(asked, &page(asked, u64::MAX, &[service]), Instant::now());
        }
    }
    assert_eq!(list.scan_page(), None);
    assert!(list.is_scanned() && !list.is_read());
}

// Field case D3.
// A row that cannot be read shows nobody absent.
#[test]
fn a_row_that_names_nobody_may_be_anybody_who_was_not_seen() {
    let mut list = InstanceList::default();
    let (news, calls) = scan(&mut list, |asked, _| match asked {
        1 => with_unreadable(1, page(1, 4, &[1])),
        2 => page(2, 4, &[2, 3]),
        _ => page(asked, 4, &[]),
    });
    assert!(!is_complete(&news) && !list.is_read());
    assert_eq!(calls, 3, "another scan would show no more");
    // On every page one, and the list does not add up: it is scanned again.
    let mut list = InstanceList::default();
    let (news, calls) = scan(&mut list, |asked, _| match asked {
        1..=3 => with_unreadable(1, page(asked, 9, &[i64::from(asked)])),
        _ => page(asked, 9, &[]),
    });
    assert!(!is_complete(&news) && !list.is_read());
    assert_eq!(calls, 4 * WALKS_MAX as usize);
}

// Field case D3.
// It hides no others.
#[test]
fn rows_of_nobody_end_no_walk_before_all_instances_are_seen() {
    let mut list = InstanceList::default();
    let (news, calls) = scan(&mut list, |asked, _| {
        with_unreadable(7, at_rest(&[1, 2, 3, 4, 5], 2)(asked, 0))
    });
    assert!(is_complete(&news) && list.is_read());
    assert_eq!((calls, page_of(&list, 5)), (3, Some(3)));
}

#[test]
fn an_instance_that_left_its_page_stands_on_none() {
    let mut list = InstanceList::default();
    scan(&mut list, at_rest(&[1, 2, 3, 4], 2));
    let news = list.read(2, &page(2, 4, &[4, 5]), Instant::now());
    assert_eq!(page_of(&list, 3), None);
    assert_eq!((page_of(&list, 4), page_of(&list, 1)), (Some(2), Some(1)));
    let seen: Vec<_> = news.seen.iter().map(|(service, _)| service.get()).collect();
    assert_eq!(seen, [4, 5]);
    assert_eq!(news.scan_ended, None, "no scan was under way");
    // It is still known, and found where it went.
    assert_eq!(list.get(id(3)).unwrap().name.as_deref(), Some("web-3"));
    list.read(1, &page(1, 4, &[3, 1]), Instant::now());
    assert_eq!(page_of(&list, 3), Some(1));
    assert_eq!(page_of(&list, 2), None);
}

#[test]
fn a_walk_that_misses_an_instance_says_that_it_stands_on_no_page() {
    let mut list = InstanceList::default();
    scan(&mut list, at_rest(&[1, 2, 3, 4, 5], 2));
    // The page on which it stood is not even asked for any more.
    let (news, calls) = scan(&mut list, at_rest(&[1, 2, 3, 4], 2));
    assert!(is_complete(&news));
    assert_eq!((calls, page_of(&list, 5)), (2, None));
}

#[test]
fn another_page_than_the_one_asked_for_empties_both() {
    let mut list = InstanceList::default();
    scan(&mut list, at_rest(&[1, 2, 3, 4, 5], 2));
    // The third page is gone; the API shows the last that there is.
    list.read(3, &page(2, 4, &[3, 5]), Instant::now());
    assert_eq!(page_of(&list, 3), Some(2));
    assert_eq!(page_of(&list, 5), Some(2));
    assert_eq!(page_of(&list, 4), None);
    assert_eq!(page_of(&list, 1), Some(1));
}

#[test]
fn a_page_that_the_walk_did_not_ask_for_does_not_advance_it() {
    let mut list = InstanceList::default();
    list.begin_scan();
    list.read(1, &page(1, 4, &[1, 2]), Instant::now());
    for stray in [1, 3, 7] {
        let news = list.read(stray, &page(stray, 4, &[3, 4]), Instant::now());
        assert_eq!(news.scan_ended, None);
        assert_eq!(list.scan_page(), Some(2));
    }
    let news = list.read(2, &page(2, 4, &[3, 4]), Instant::now());
    assert!(is_complete(&news));
}

/// A page that contradicts every other: few instances, so that they come again.
fn any_page() -> impl Strategy<Value = (Option<u32>, Page)> {
    let total = prop_oneof![0..8_u64, Just(u64::MAX), any::<u64>()];
    let number =
        prop_oneof![3 => Just(None), 1 => prop_oneof![0..4_u32, any::<u32>()].prop_map(Some)];
    let services = proptest::collection::vec(1..9_i64, 0..4);
    let unreadable = prop_oneof![4 => Just(0), 1 => 0..3_u64];
    (number, total, services, unreadable).prop_map(|(number, total, services, unreadable)| {
        (
            number,
            with_unreadable(unreadable, page(0, total, &services)),
        )
    })
}

proptest! {
    #[test]
    fn whatever_the_pages_say_a_walk_ends_and_claims_no_more_than_it_saw(
        pages in proptest::collection::vec(any_page(), 1..12),
        steady_total in proptest::option::of(0..8_u64),
    ) {
        let mut list = InstanceList::default();
        let mut of_this_walk: Vec<Page> = Vec::new();
        let (news, calls) = scan(&mut list, |asked, calls| {
            let (number, page) = pages[calls % pages.len()].clone();
            let page = Page {
                number: number.unwrap_or(asked),
                total: steady_total.unwrap_or(page.total),
                ..page
            };
            if asked == 1 {
                of_this_walk.clear();
            }
            of_this_walk.push(page.clone());
            page
        });
        // Each page but the last brings one of the eight, or the first rows that name nobody.
        prop_assert!(calls <= WALKS_MAX as usize * (8 + 1 + 1), "{} calls", calls);
        prop_assert_eq!(is_complete(&news), list.is_read());
        if list.is_read() {
            let total = of_this_walk[0].total;
            let shown: Vec<_> = of_this_walk.iter().flat_map(|page| &page.instances).collect();
            let different: HashSet<_> = shown.iter().map(|instance| instance.service).collect();
            prop_assert!(of_this_walk.iter().all(|page| page.total == total));
            prop_assert_eq!(different.len(), shown.len(), "one was shown twice");
            prop_assert_eq!(different.len() as u64, total);
        }
    }

    #[test]
    fn a_list_at_rest_is_read_with_the_fewest_calls(count in 1..60_i64, size in 1..70_usize) {
        let services: Vec<i64> = (1..=count).collect();
        let mut list = InstanceList::default();
        let (news, calls) = scan(&mut list, at_rest(&services, size));
        prop_assert!(is_complete(&news) && list.is_read());
        prop_assert_eq!(calls, services.len().div_ceil(size));
        for (nth, &service) in services.iter().enumerate() {
            prop_assert_eq!(page_of(&list, service), u32::try_from(nth / size + 1).ok());
        }
    }
}

//! Names of images and keys instead of ids.

use super::{A, B, HEADER, source, surveyed};
use crate::job::{Access, Order, ServiceId};
use crate::manifest::{ByName, ManifestError, Offers, rows as jobs, validated};

fn offers() -> Offers {
    let offer = |images: &[(&str, &str)]| {
        let images = images.iter();
        let images = images.map(|(name, id)| ((*name).to_owned(), id.parse().unwrap()));
        let keys = vec![("laptop".to_owned(), "490".to_owned())];
        let images = images.collect();
        ByName { images, keys }.into()
    };
    let service = |number| ServiceId::new(number).unwrap();
    let mut offers = Offers::default();
    offers.add(
        offer(&[("AlmaLinux-8", A), ("Debian-12", B), ("Debian 12", A)]),
        [service(7)],
    );
    offers.add(offer(&[("AlmaLinux-8", B)]), [service(8)]);
    offers
}

#[test]
fn a_name_is_the_id_that_the_rows_own_instance_is_offered() {
    let by_name = format!("{HEADER}\n7,AlmaLinux-8,,,laptop,,\n8,alma linux 8,,,490,,\n");
    let by_id = format!("{HEADER}\n7,{A},,,490,,\n8,{B},,,490,,\n");
    let source = source(by_name);
    let unresolved = validated(&source).unwrap();
    assert_eq!(unresolved.wanted.len(), 2);
    let plan = unresolved.plan.to_string();
    assert!(plan.contains("AlmaLinux-8 (to be looked up)"), "{plan}");
    let resolved = source.with_offers(offers());
    let validated_by_name = validated(&resolved).unwrap();
    assert!(validated_by_name.wanted.is_empty());
    assert_eq!(validated_by_name.identity, surveyed(by_id).identity);
    let keys = jobs(&resolved).unwrap().map(|row| {
        let Order::Rebuild(rebuild) = row.unwrap().order;
        (
            rebuild.image.to_string(),
            matches!(rebuild.access, Access::SshKey(key) if key == "490"),
        )
    });
    assert_eq!(
        keys.collect::<Vec<_>>(),
        [(A.to_owned(), true), (B.to_owned(), true)]
    );
}

#[test]
fn names_that_stand_for_nothing_or_for_several_are_explained() {
    let rows = "7,AlmaLinx-8,,,,,\n7,debian-12.,,,,,\n8,Windows,,,,,\n8,AlmaLinux-8,,,labtop,,\n9,AlmaLinux-8,,,,,\n";
    let source = source(format!("{HEADER}\n{rows}")).with_offers(offers());
    let Err(ManifestError::Invalid(diagnostics)) = validated(&source) else {
        panic!("it is not valid");
    };
    insta::assert_snapshot!(diagnostics);
}

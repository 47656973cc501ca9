//! Cargo does not see that `sqlx::migrate!` reads a folder: a changed migration must rebuild.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}

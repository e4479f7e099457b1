//! Builds the crate again when an embedded file changes: the embedding macro cannot see new ones.

fn main() {
    println!("cargo::rerun-if-changed=sql");
    println!("cargo::rerun-if-changed=jobs");
    println!("cargo::rerun-if-changed=build.rs");
}

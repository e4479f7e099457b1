# One word each; CI runs `check`. T names tests: `make quick T=cli::`.
.PHONY: check quick fmt lint doc test goldens demo sbom

T ?=

check:
	.ci/run

fmt:
	cargo fmt

lint:
	cargo clippy --release --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --release

test:
	cargo test --release $(T)

# Our crate without optimisation; dependencies stay as they are.
quick:
	CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_INCREMENTAL=1 cargo test --release $(T)

goldens:
	UPDATE_GOLDENS=1 cargo test --release $(T)

demo:
	cargo run --release -- demo

# A CycloneDX bill of materials beside Cargo.toml.
sbom:
	command -v cargo-cyclonedx >/dev/null || cargo install --locked cargo-cyclonedx
	cargo cyclonedx --format json --spec-version 1.5 --override-filename cxmart.cdx

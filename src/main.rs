//! The binary: speaks through `cli`, does nothing itself.

/// The system's own keeps what threads of steps long gone once held.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// After how many milliseconds freed memory goes back to the system; one second unless told.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Chunk after chunk takes the room of the one before: given back in between, the system would have
/// to clear it again, which was a tenth of the time of staging.
#[expect(unsafe_code, reason = "the allocator has no other way to be told")]
fn keep_memory() {
    // SAFETY: it sets a number that is read when memory is freed; no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 10_000) }
}

fn main() -> std::process::ExitCode {
    keep_memory();
    cxmart::cli::main()
}

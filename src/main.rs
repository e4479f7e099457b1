//! The binary: speaks through `cli`, does nothing itself.

/// The system's own keeps what threads of steps long gone once held.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cxmart::cli::main()
}
